//! A service as a process that can be killed: its database stays, all else is gone.

use std::collections::VecDeque;
use std::path::PathBuf;

use diesel::SqliteConnection;
use saga_events::Timestamp;
use saga_events::bus::Delivery;
use svc_chassis::testing::{Committed, Instance};
use svc_chassis::{Error, outbox};

use crate::air::{Air, Clock, short};
use crate::bus::Consumer;
use crate::fault::Fault;
use crate::template;
use crate::watched::{Note, Stage, Watch, Watched};
use crate::wrong::Wrong;

/// Rows that the relay reads from the outbox at once.
const PAGE: i64 = 512;

/// A service that runs, or is down.
pub struct Process<S> {
    path: PathBuf,
    make: Box<dyn Fn() -> S>,
    /// What the steps leave to be looked at.
    pub watch: Watch,
    wrong: Option<Wrong>,
    instance: Option<Instance<Watched<S>>>,
    relay: Relay,
    /// What was read and waits for the writer.
    hand: Vec<(String, Delivery)>,
    /// The name in the group.
    name: Consumer,
    /// Whether its own pending entries were read since the start.
    replayed: bool,
    time: Clock,
    fast_by: Clock,
}

/// What the relay has in memory.
#[derive(Default)]
struct Relay {
    published: i64,
    batches: VecDeque<Committed>,
    /// The outbox has rows that no batch in memory continues from.
    behind: bool,
}

/// Why a run cannot go on: something that no service may do.
pub type Broken = String;

/// What the six have in common, whatever service they are.
pub trait Runs {
    /// Whether it runs.
    fn is_up(&self) -> bool;
    /// Starts it on its database.
    fn start(&mut self) -> Result<(), Broken>;
    /// Kills it: what was in memory is gone.
    fn kill(&mut self);
    /// From now on it has another name in its group.
    fn rename(&mut self);
    /// Its clock is fast by so many microseconds.
    fn set_fast_by(&mut self, micros: i64);
    /// What its clock says.
    fn now(&self) -> Timestamp;
    /// The consumer reads: its own pending entries after a start, then what is new.
    fn read(&mut self, air: &mut Air, most: usize);
    /// A second consumer of it claims whatever others have read.
    fn claim(&mut self, air: &mut Air);
    /// How much waits: entries in hand and jobs.
    fn waiting(&self) -> usize;
    /// So many of the entries in hand, in any order, become jobs of the writer.
    fn submit(&mut self, air: &mut Air, most: usize);
    /// The writer commits a batch of so many jobs at most.
    fn commit(&mut self, most: usize) -> Result<(), Broken>;
    /// The writer runs all jobs that wait, and is killed before it commits them.
    fn crash_before_commit(&mut self, air: &mut Air) -> Result<(), Broken>;
    /// The relay publishes a batch, or from the outbox.
    fn publish(&mut self, air: &mut Air) -> Result<(), Broken>;
    /// A job that remembers how far the relay has published.
    fn remember(&self);
    /// How far the relay has published.
    fn published(&self) -> i64;
    /// Whether something is committed and not published, or not acknowledged.
    fn has_to_publish(&self) -> bool;
    /// What was committed since it was asked for last.
    fn notes(&self) -> Vec<Note>;
    /// Its database, where it runs.
    fn conn(&mut self) -> Option<&mut SqliteConnection>;
    /// No step fails any more.
    fn let_all_pass(&self);
}

impl<S: Stage> Process<S> {
    /// A service on a new database, not started.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn new(
        path: PathBuf,
        time: Clock,
        wrong: Option<Wrong>,
        make: impl Fn() -> S + 'static,
    ) -> anyhow::Result<Self> {
        template::make::<S>(&path)?;
        Ok(Self {
            path,
            make: Box::new(make),
            watch: Watch::default(),
            wrong,
            instance: None,
            relay: Relay::default(),
            hand: Vec::new(),
            name: 1,
            replayed: false,
            time,
            fast_by: Clock::at(0),
        })
    }

    /// The running instance.
    pub const fn instance(&self) -> Option<&Instance<Watched<S>>> {
        self.instance.as_ref()
    }

    fn take(&mut self, air: &mut Air, deliveries: Vec<Delivery>) {
        let names = air.bus.subscriptions(S::ME);
        if self.wrong == Some(Wrong::AcknowledgeFirst) {
            let entries: Vec<_> = deliveries.iter().map(|read| read.entry.clone()).collect();
            air.bus.acknowledge(S::ME, &entries);
        }
        for delivery in deliveries {
            if let Ok(event) = &delivery.event
                && air.goes_wrong(Fault::StepFails)
            {
                let times = air.dice.pick(&[1, 2, 5, 40]);
                self.watch.let_fail(event.id, times);
            }
            air.tell(|| match &delivery.event {
                Ok(event) => format!(
                    "{:<14}reads {} #{} of {}",
                    S::ME,
                    event.event_type(),
                    event.message.attempt,
                    short(event.order_id())
                ),
                Err(why) => format!("{:<14}reads what is no event: {why}", S::ME),
            });
            let stream = names[delivery.entry.stream()].clone();
            self.hand.push((stream, delivery));
        }
    }

    fn unpublished(&mut self) -> Result<Option<Committed>, Error> {
        let Some(instance) = &mut self.instance else {
            return Ok(None);
        };
        let acks = self
            .relay
            .batches
            .drain(..)
            .flat_map(|batch| batch.acks)
            .collect();
        let rows = outbox::read_from(instance.conn(), self.relay.published + 1, PAGE)?;
        self.relay.behind = rows.len() as i64 == PAGE;
        let first_seq = rows
            .first()
            .map_or(self.relay.published + 1, |(seq, _)| *seq);
        Ok(Some(Committed {
            first_seq,
            events: rows.into_iter().map(|(_, event)| event).collect(),
            acks,
        }))
    }
}

impl<S: Stage> Runs for Process<S> {
    fn is_up(&self) -> bool {
        self.instance.is_some()
    }

    fn start(&mut self) -> Result<(), Broken> {
        if self.instance.is_some() {
            return Ok(());
        }
        let conn = template::open(&self.path).map_err(|error| error.to_string())?;
        let service = Watched::new((self.make)(), self.watch.clone(), self.wrong);
        let (time, fast_by) = (self.time.clone(), self.fast_by.clone());
        let now = move || Timestamp::from_micros(time.micros() + fast_by.micros());
        let mut instance = Instance::open(conn, service, now).map_err(|error| error.to_string())?;
        self.relay.published = instance.published().map_err(|error| error.to_string())?;
        self.relay.behind = true;
        self.replayed = false;
        self.instance = Some(instance);
        Ok(())
    }

    fn kill(&mut self) {
        self.instance = None;
        self.hand.clear();
        self.relay = Relay::default();
    }

    fn rename(&mut self) {
        self.name += 2;
    }

    fn set_fast_by(&mut self, micros: i64) {
        self.fast_by.set(micros);
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.time.micros() + self.fast_by.micros())
    }

    fn read(&mut self, air: &mut Air, most: usize) {
        if self.instance.is_none() {
            return;
        }
        let deliveries = if self.replayed {
            air.bus.read(S::ME, self.name, most)
        } else {
            self.replayed = true;
            air.bus.pending_of(S::ME, self.name)
        };
        self.take(air, deliveries);
    }

    fn claim(&mut self, air: &mut Air) {
        if self.instance.is_some() {
            // The two of them claim from each other in turn.
            self.name ^= 1;
            let deliveries = air.bus.claim(S::ME, self.name);
            self.take(air, deliveries);
        }
    }

    fn waiting(&self) -> usize {
        self.hand.len() + self.instance.as_ref().map_or(0, Instance::waiting)
    }

    fn submit(&mut self, air: &mut Air, most: usize) {
        let Some(instance) = &mut self.instance else {
            return;
        };
        instance.try_again();
        for _ in 0..most.min(self.hand.len()) {
            let at = air.dice.place(self.hand.len());
            let (stream, delivery) = self.hand.remove(at);
            instance.deliver(stream, delivery);
        }
    }

    fn commit(&mut self, most: usize) -> Result<(), Broken> {
        let Some(instance) = &mut self.instance else {
            return Ok(());
        };
        instance
            .commit(most)
            .map_err(|error| format!("{} ended: {error:#}", S::ME))?;
        while let Some(batch) = instance.committed() {
            self.relay.batches.push_back(batch);
        }
        Ok(())
    }

    fn crash_before_commit(&mut self, air: &mut Air) -> Result<(), Broken> {
        let Some(instance) = &mut self.instance else {
            return Ok(());
        };
        if self.wrong == Some(Wrong::PublishFirst) {
            // The events are out, and the database is what it was before.
            let before = std::fs::read(&self.path).map_err(|error| error.to_string())?;
            self.commit(usize::MAX)?;
            for batch in std::mem::take(&mut self.relay.batches) {
                air.publish(&batch.events)?;
            }
            drop(self.watch.notes());
            self.kill();
            return std::fs::write(&self.path, before).map_err(|error| error.to_string());
        }
        // The last job of the batch meets a disk that is gone, which ends the service.
        drop(instance.ask(|_| {
            let why = Box::new("disk I/O error".to_owned());
            let kind = diesel::result::DatabaseErrorKind::Unknown;
            Err::<(), _>(diesel::result::Error::DatabaseError(kind, why).into())
        }));
        let ended = instance.commit(usize::MAX);
        self.kill();
        match ended {
            Err(_) => Ok(()),
            Ok(()) => Err(format!(
                "{} went on after a fatal error of its database",
                S::ME
            )),
        }
    }

    fn publish(&mut self, air: &mut Air) -> Result<(), Broken> {
        if !self.has_to_publish() || self.instance.is_none() {
            return Ok(());
        }
        let next = self.relay.published + 1;
        let gap = |batch: &Committed| !batch.events.is_empty() && batch.first_seq != next;
        let batch = if self.relay.behind || self.relay.batches.front().is_some_and(gap) {
            self.unpublished().map_err(|error| error.to_string())?
        } else {
            self.relay.batches.pop_front()
        };
        let Some(batch) = batch else { return Ok(()) };
        if !batch.events.is_empty() && air.goes_wrong(Fault::PublishRefused) {
            air.tell(|| format!("{:<14}publishes, and redis refuses", S::ME));
            air.bus.acknowledge(S::ME, &batch.acks);
            self.relay.behind = true;
            return Ok(());
        }
        air.publish(&batch.events)?;
        if air.goes_wrong(Fault::CrashAfterPublish) {
            air.tell(|| format!("{:<14}is killed after it has published", S::ME));
            self.kill();
            return Ok(());
        }
        air.bus.acknowledge(S::ME, &batch.acks);
        if !batch.events.is_empty() && air.goes_wrong(Fault::PublishUnknown) {
            self.relay.behind = true;
        } else if let Some(last) = batch.events.len().checked_sub(1) {
            self.relay.published = batch.first_seq + last as i64;
        }
        Ok(())
    }

    fn remember(&self) {
        if let Some(instance) = &self.instance {
            instance.remember_published(self.relay.published);
        }
    }

    fn published(&self) -> i64 {
        self.relay.published
    }

    fn has_to_publish(&self) -> bool {
        self.relay.behind || !self.relay.batches.is_empty()
    }

    fn notes(&self) -> Vec<Note> {
        self.watch.notes()
    }

    fn conn(&mut self) -> Option<&mut SqliteConnection> {
        self.instance.as_mut().map(Instance::conn)
    }

    fn let_all_pass(&self) {
        self.watch.let_all_pass();
    }
}
