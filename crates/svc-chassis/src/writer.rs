//! The one writer of a service's database, with group commit.
//!
//! HTTP requests and events are jobs. The writer takes all that wait, runs them in one
//! `BEGIN IMMEDIATE` transaction, commits once, and then answers all. It never waits for a batch
//! to fill: while one commits, the next forms by itself.
//!
//! The jobs of a batch share the transaction without savepoints, which cost more than the jobs. If
//! one fails, everything is undone and the batch runs again with a savepoint around each job, so
//! that the failing one fails alone. Jobs may therefore run twice; what they say counts once.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use saga_events::bus::Entry;
use saga_events::{Event, EventId, EventType, Message, Timestamp, TraceParent};
use tokio::sync::{mpsc, oneshot};

use crate::error::{Error, Fault};
use crate::http::Problem;
use crate::outbox;

/// What a job works on: the connection, inside the writer's transaction, and what it says.
pub struct Tx<'a> {
    conn: &'a mut SqliteConnection,
    said: &'a mut Said,
    now: Timestamp,
}

/// What the jobs of a batch leave behind for after the commit.
#[derive(Default)]
struct Said {
    next_seq: i64,
    events: Vec<Event>,
    acks: Vec<Entry>,
    after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

/// Why something is said: the event or the request that caused it.
#[derive(Debug, Clone, Default)]
pub struct Cause {
    /// The event that directly caused it.
    pub event: Option<EventId>,
    /// The trace it belongs to.
    pub traceparent: Option<TraceParent>,
}

impl From<&Event> for Cause {
    fn from(event: &Event) -> Self {
        Self {
            event: Some(event.id),
            traceparent: event.traceparent.clone(),
        }
    }
}

impl Tx<'_> {
    /// The connection, for the service's own statements.
    pub fn conn(&mut self) -> &mut SqliteConnection {
        self.conn
    }

    /// The time of this batch: one for all its rows.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Says something: appends it to the outbox, from where the relay publishes it after the
    /// commit. Returns the row's number.
    ///
    /// # Errors
    /// The database's.
    pub fn say(&mut self, message: Message, cause: impl Into<Cause>) -> Result<i64, Error> {
        let Cause { event, traceparent } = cause.into();
        let event = Event::new(message, event, traceparent, self.now);
        let seq = self.said.next_seq;
        outbox::append(self.conn, seq, &event)?;
        self.said.next_seq += 1;
        self.said.events.push(event);
        Ok(seq)
    }

    /// Runs this after the commit, on the writer's thread: it must be quick. Not run when the job
    /// is undone.
    pub fn after_commit(&mut self, run: impl FnOnce() + Send + 'static) {
        self.said.after_commit.push(Box::new(run));
    }

    /// How much was said so far in this batch: a mark for [`Tx::said_since`].
    pub(crate) fn mark(&self) -> usize {
        self.said.events.len()
    }

    /// The event types said since a mark.
    pub(crate) fn said_since(&self, mark: usize) -> impl Iterator<Item = EventType> {
        self.said.events.iter().skip(mark).map(Event::event_type)
    }

    /// Acknowledges an input once everything is committed.
    pub(crate) fn acknowledge(&mut self, entry: Entry) {
        self.said.acks.push(entry);
    }
}

/// A unit of work that is committed or undone as a whole.
pub(crate) trait Job: Send {
    /// Does the work. May be called again after its effects were undone.
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Error>;
    /// Its effects are on disk.
    fn committed(self: Box<Self>);
    /// Its effects are undone; nothing of it happened.
    fn failed(self: Box<Self>, error: Error);
}

/// A committed batch, for the relay: consecutive rows of the outbox and the inputs to acknowledge.
pub(crate) struct Batch {
    /// The number of the first event's row.
    pub first_seq: i64,
    /// The rows' events.
    pub events: Vec<Event>,
    /// What the batch was made from.
    pub acks: Vec<Entry>,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Box<dyn Job>>,
    closed: bool,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    /// More waiting jobs than this and new requests are refused: the disk does not keep up.
    max_waiting: usize,
}

/// Hands jobs to the writer. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

/// What the writer reports about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Batches commit.
    Good,
    /// The disk is full, or the file locked: nothing can be stored until that is mended.
    Storage(String),
}

impl Writer {
    /// Starts the writer's thread on this connection. Committed batches go to `relay`. The thread
    /// ends when the writer is closed, or at an error after which nobody knows what is on disk;
    /// the receiver tells which.
    pub(crate) fn start(
        mut conn: SqliteConnection,
        batch_cap: usize,
        relay: mpsc::UnboundedSender<Batch>,
        health: tokio::sync::watch::Sender<Health>,
    ) -> Result<(Self, oneshot::Receiver<anyhow::Result<()>>), Error> {
        let next_seq = outbox::last_seq(&mut conn)? + 1;
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            max_waiting: batch_cap.saturating_mul(8),
        });
        let (ended, has_ended) = oneshot::channel();
        let mut thread = WriterThread {
            conn,
            shared: shared.clone(),
            batch_cap,
            next_seq,
            relay,
            health,
        };
        let spawned = std::thread::Builder::new()
            .name("writer".into())
            .spawn(move || {
                let _ = ended.send(thread.run());
            });
        spawned.map_err(Error::internal)?;
        Ok((Self { shared }, has_ended))
    }

    /// Runs a job and waits until it is on disk. The job may run twice and must then do the same.
    ///
    /// # Errors
    /// The job's own, with nothing of it stored; 503 when the disk does not keep up or the service
    /// is shutting down.
    pub async fn write<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        if self.waiting() >= self.shared.max_waiting {
            return Err(
                Problem::unavailable("storage", "too many jobs wait for the writer").into(),
            );
        }
        self.submit(Box::new(Call {
            job,
            result: None,
            answer,
        }));
        answered.await.unwrap_or_else(|_| {
            Err(Problem::unavailable("the service", "the writer has ended").into())
        })
    }

    /// Queues a job; `failed` is called at once when the writer is closed.
    pub(crate) fn submit(&self, job: Box<dyn Job>) {
        let mut queue = lock(&self.shared.queue);
        if queue.closed {
            drop(queue);
            job.failed(Problem::unavailable("the service", "it is shutting down").into());
            return;
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.shared.wake.notify_one();
    }

    /// Commits what waits, then ends the thread. Later jobs fail.
    pub(crate) fn close(&self) {
        lock(&self.shared.queue).closed = true;
        self.shared.wake.notify_one();
    }

    fn waiting(&self) -> usize {
        lock(&self.shared.queue).jobs.len()
    }
}

/// A poisoned lock is only a flag here: jobs run outside of it.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct Call<T, F> {
    job: F,
    result: Option<T>,
    answer: oneshot::Sender<Result<T, Error>>,
}

impl<T, F> Job for Call<T, F>
where
    T: Send,
    F: FnMut(&mut Tx<'_>) -> Result<T, Error> + Send,
{
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Error> {
        self.result = Some((self.job)(tx)?);
        Ok(())
    }

    fn committed(self: Box<Self>) {
        let result = self
            .result
            .ok_or_else(|| Error::internal("committed without a result"));
        // Nobody waits when the client has gone; the effect stands.
        let _ = self.answer.send(result);
    }

    fn failed(self: Box<Self>, error: Error) {
        let _ = self.answer.send(Err(error));
    }
}

struct WriterThread {
    conn: SqliteConnection,
    shared: Arc<Shared>,
    batch_cap: usize,
    next_seq: i64,
    relay: mpsc::UnboundedSender<Batch>,
    health: tokio::sync::watch::Sender<Health>,
}

/// The jobs of a batch that ran apart: which ones stand, which ones were undone and why.
type Ran = Vec<(Box<dyn Job>, Result<(), Error>)>;

impl WriterThread {
    fn run(&mut self) -> anyhow::Result<()> {
        while let Some(jobs) = self.next_batch() {
            self.commit(jobs)?;
        }
        Ok(())
    }

    /// What waits, up to the cap; `None` when the writer is closed and nothing waits.
    fn next_batch(&self) -> Option<Vec<Box<dyn Job>>> {
        let mut queue = lock(&self.shared.queue);
        while queue.jobs.is_empty() {
            if queue.closed {
                return None;
            }
            queue = self
                .shared
                .wake
                .wait(queue)
                .unwrap_or_else(PoisonError::into_inner);
        }
        let count = queue.jobs.len().min(self.batch_cap);
        Some(queue.jobs.drain(..count).collect())
    }

    /// Runs and commits a batch, answers its jobs, and hands its events to the relay.
    ///
    /// # Errors
    /// Only where nobody knows what is on disk any more: the service must end.
    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) -> anyhow::Result<()> {
        let mut said = self.nothing_said();
        if self.run_together(&mut jobs, &mut said).is_ok() {
            self.publish(said);
            jobs.into_iter().for_each(|job| job.committed());
            return Ok(());
        }
        let mut said = self.nothing_said();
        let (ran, committed) = self.run_apart(jobs, &mut said);
        let Err(error) = committed else {
            self.publish(said);
            for (job, result) in ran {
                match result {
                    Ok(()) => job.committed(),
                    Err(error) => job.failed(error),
                }
            }
            return Ok(());
        };
        let text = error.to_string();
        for (job, _) in ran {
            job.failed(same_for_all(&error));
        }
        if error.fault() == Fault::Fatal {
            anyhow::bail!("the database failed, a restart will tell what is on disk: {text}");
        }
        tracing::error!(error = %text, "nothing can be stored; jobs are refused until that is mended");
        self.is(Health::Storage(text));
        Ok(())
    }

    fn nothing_said(&self) -> Said {
        Said {
            next_seq: self.next_seq,
            ..Said::default()
        }
    }

    fn is(&self, health: Health) {
        self.health.send_if_modified(|old| {
            let other = *old != health;
            *old = health;
            other
        });
    }

    /// What follows a commit.
    fn publish(&mut self, said: Said) {
        let Said {
            next_seq,
            events,
            acks,
            after_commit,
        } = said;
        self.is(Health::Good);
        self.next_seq = next_seq;
        if !events.is_empty() || !acks.is_empty() {
            let first_seq = next_seq - i64::try_from(events.len()).unwrap_or(0);
            // The relay ends only after the writer.
            let _ = self.relay.send(Batch {
                first_seq,
                events,
                acks,
            });
        }
        for run in after_commit {
            run();
        }
    }

    /// All jobs in one transaction, nothing between them. Any error undoes all.
    fn run_together(&mut self, jobs: &mut [Box<dyn Job>], said: &mut Said) -> Result<(), Error> {
        let now = Timestamp::now();
        self.begin()?;
        let ran = jobs.iter_mut().try_for_each(|job| {
            run_one(
                job.as_mut(),
                &mut Tx {
                    conn: &mut self.conn,
                    said,
                    now,
                },
            )
        });
        self.finish(ran)
    }

    /// A savepoint around each job. An error of the storage itself undoes all, whatever the jobs
    /// had to say.
    fn run_apart(&mut self, jobs: Vec<Box<dyn Job>>, said: &mut Said) -> (Ran, Result<(), Error>) {
        let now = Timestamp::now();
        let mut storage = self.begin();
        let ran = jobs.into_iter().map(|mut job| {
            if storage.is_err() {
                return (job, Ok(()));
            }
            match self.run_in_savepoint(job.as_mut(), said, now) {
                Err(error) if error.fault() != Fault::Own => {
                    storage = Err(error);
                    (job, Ok(()))
                }
                own => (job, own),
            }
        });
        let ran = ran.collect();
        (ran, self.finish(storage))
    }

    fn begin(&mut self) -> Result<(), Error> {
        Ok(self.conn.batch_execute("BEGIN IMMEDIATE")?)
    }

    fn run_in_savepoint(
        &mut self,
        job: &mut dyn Job,
        said: &mut Said,
        now: Timestamp,
    ) -> Result<(), Error> {
        let marks = (
            said.next_seq,
            said.events.len(),
            said.acks.len(),
            said.after_commit.len(),
        );
        self.conn.batch_execute("SAVEPOINT job")?;
        let result = run_one(
            job,
            &mut Tx {
                conn: &mut self.conn,
                said,
                now,
            },
        );
        if result.is_err() {
            self.conn.batch_execute("ROLLBACK TO job")?;
            said.next_seq = marks.0;
            said.events.truncate(marks.1);
            said.acks.truncate(marks.2);
            said.after_commit.truncate(marks.3);
        }
        self.conn.batch_execute("RELEASE job")?;
        result
    }

    fn finish(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        let result = result.and_then(|()| Ok(self.conn.batch_execute("COMMIT")?));
        if result.is_err() {
            // SQLite has already undone it after some errors; then this one has nothing to do.
            let _ = self.conn.batch_execute("ROLLBACK");
        }
        result
    }
}

/// Runs a job; one that panics has failed like one that returns an error.
fn run_one(job: &mut dyn Job, tx: &mut Tx<'_>) -> Result<(), Error> {
    catch_unwind(AssertUnwindSafe(|| job.run(tx)))
        .unwrap_or_else(|_| Err(Error::internal("the job panicked; see the line above")))
}

/// The storage's error, once for each job of the batch that it undid.
fn same_for_all(error: &Error) -> Error {
    match error {
        Error::Database(_) => Error::Problem(Problem::from(error)),
        Error::Problem(problem) => Error::Problem(problem.clone()),
        Error::Internal(text) => Error::Internal(text.clone()),
    }
}

/// The writer's transaction without its thread: one job at a time, when told to.
pub(crate) struct ByHand {
    conn: SqliteConnection,
    next_seq: i64,
}

impl ByHand {
    pub(crate) fn new(mut conn: SqliteConnection) -> Result<Self, Error> {
        let next_seq = outbox::last_seq(&mut conn)? + 1;
        Ok(Self { conn, next_seq })
    }

    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }

    pub(crate) fn write<T>(
        &mut self,
        mut job: impl FnMut(&mut Tx<'_>) -> Result<T, Error>,
    ) -> Result<(T, Vec<Event>), Error> {
        let mut said = Said {
            next_seq: self.next_seq,
            ..Said::default()
        };
        let now = Timestamp::now();
        self.conn.batch_execute("BEGIN IMMEDIATE")?;
        match job(&mut Tx {
            conn: &mut self.conn,
            said: &mut said,
            now,
        }) {
            Ok(result) => {
                self.conn.batch_execute("COMMIT")?;
                self.next_seq = said.next_seq;
                said.after_commit.into_iter().for_each(|run| run());
                Ok((result, said.events))
            }
            Err(error) => {
                self.conn.batch_execute("ROLLBACK")?;
                Err(error)
            }
        }
    }
}

#[cfg(test)]
mod tests;
