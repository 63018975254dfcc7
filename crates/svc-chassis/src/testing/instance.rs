//! One instance of a service without threads, bus and clock of its own: the consumer's steps and the
//! requests' jobs in the writer's batches, each when told to.

use std::sync::Arc;

use diesel::prelude::*;
use saga_events::bus::{Delivery, Entry};
use saga_events::{Event, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};

use crate::consumer::{Retry, Step};
use crate::error::Error;
use crate::outbox;
use crate::service::Service;
use crate::writer::{Batch, Health, Tx, Writer, WriterTask};

/// Tries after which a step that fails makes its event a dead letter.
const MAX_TRIES: u32 = 5;

/// An instance that does nothing by itself. To drop it is to kill it: all that was in memory is gone,
/// and another one may be opened on the same file.
pub struct Instance<S> {
    service: Arc<S>,
    writer: Writer,
    task: WriterTask,
    batches: mpsc::UnboundedReceiver<Batch>,
    retry: mpsc::UnboundedSender<Retry<S>>,
    retries: mpsc::UnboundedReceiver<Retry<S>>,
    _health: watch::Receiver<Health>,
}

/// A committed batch, as the relay gets it.
#[derive(Debug)]
pub struct Committed {
    /// The number of the first event's row in the outbox.
    pub first_seq: i64,
    /// What was said.
    pub events: Vec<Event>,
    /// The inputs to acknowledge.
    pub acks: Vec<Entry>,
}

/// A job's result, which comes with the commit.
pub struct Answer<T>(oneshot::Receiver<Result<T, Error>>);

impl<T> Answer<T> {
    /// The result, once; `None` while there is none yet, and for ever where the instance was killed
    /// before the commit.
    pub fn take(&mut self) -> Option<Result<T, Error>> {
        self.0.try_recv().ok()
    }
}

impl<S: Service> Instance<S> {
    /// On a migrated database, with a clock from outside.
    ///
    /// # Errors
    /// The database's.
    pub fn open(
        conn: SqliteConnection,
        service: S,
        now: impl Fn() -> Timestamp + Send + 'static,
    ) -> Result<Self, Error> {
        let (to_relay, batches) = mpsc::unbounded_channel();
        let (retry, retries) = mpsc::unbounded_channel();
        let (to_health, health) = watch::channel(Health::Good);
        let (writer, task) = Writer::idle(conn, usize::MAX, to_relay, to_health, Box::new(now))?;
        Ok(Self {
            service: Arc::new(service),
            writer,
            task,
            batches,
            retry,
            retries,
            _health: health,
        })
    }

    /// The service.
    pub fn service(&self) -> &Arc<S> {
        &self.service
    }

    /// The connection, between two batches.
    pub fn conn(&mut self) -> &mut SqliteConnection {
        self.task.conn()
    }

    /// The consumer has read this entry of this stream: its step waits for the writer.
    pub fn deliver(&self, stream: impl Into<String>, delivery: Delivery) {
        let service = self.service.clone();
        let step = Step::new(
            service,
            stream.into(),
            delivery,
            MAX_TRIES,
            self.retry.clone(),
        );
        self.writer.submit(Box::new(step));
    }

    /// Steps that failed wait for the writer again. Answers how many.
    pub fn try_again(&mut self) -> usize {
        let mut count = 0;
        while let Ok(Retry { job, .. }) = self.retries.try_recv() {
            self.writer.submit(job);
            count += 1;
        }
        count
    }

    /// A request: its job waits for the writer.
    pub fn ask<T, F>(&self, job: F) -> Answer<T>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        Answer(self.writer.ask(job))
    }

    /// How many jobs wait.
    pub fn waiting(&self) -> usize {
        self.writer.waiting()
    }

    /// Runs and commits what waits, at most so many jobs, in one batch.
    ///
    /// # Errors
    /// Where the service would end: nobody knows what is on disk.
    pub fn commit(&mut self, most: usize) -> anyhow::Result<()> {
        self.task.commit_waiting(most)
    }

    /// The next batch that the relay would get.
    pub fn committed(&mut self) -> Option<Committed> {
        let Batch {
            first_seq,
            events,
            acks,
        } = self.batches.try_recv().ok()?;
        Some(Committed {
            first_seq,
            events,
            acks,
        })
    }

    /// How far the relay has published, as the database remembers it.
    ///
    /// # Errors
    /// The database's.
    pub fn published(&mut self) -> Result<i64, Error> {
        Ok(outbox::published(self.conn())?)
    }

    /// The relay has published so far: a job that remembers it waits for the writer.
    pub fn remember_published(&self, seq: i64) {
        drop(self.ask(move |tx| Ok(outbox::set_published(tx.conn(), seq)?)));
    }
}
