//! The one writer of a service's database, with group commit.
//!
//! HTTP requests and events are jobs. The writer takes all that wait, runs them in one
//! `BEGIN IMMEDIATE` transaction, commits once, and then answers all. It never waits for a batch
//! to fill: while one commits, the next forms by itself.
//!
//! The jobs of a batch share the transaction without savepoints, which cost more than the jobs. If
//! one fails, everything is undone and the batch runs again with a savepoint around each job, so
//! that the failing one fails alone. Jobs may therefore run twice; what they say counts once.

mod by_hand;
mod task;
mod tx;
mod wal;

pub(crate) use by_hand::ByHand;
pub(crate) use task::WriterTask;
pub use tx::{Cause, Tx};

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::prelude::*;
use saga_events::bus::Entry;
use saga_events::{Event, Timestamp};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::event_thread::EventThread;
use crate::http::Problem;
use crate::metrics::Batches;
use crate::outbox;
use wal::{Limits, WriteAheadLog};

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
    wake: Notify,
    /// What the writer counts.
    batches: Arc<Batches>,
    /// More waiting jobs than this and new requests are refused: the disk does not keep up.
    max_waiting: usize,
}

/// Hands jobs to the writer. Cheap to clone.
#[derive(Clone)]
pub struct Writer {
    shared: Arc<Shared>,
}

/// Tells the time of a batch: the wall clock's, but for who runs a writer by hand.
pub(crate) type Clock = Box<dyn Fn() -> Timestamp + Send>;

/// What the writer reports about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Health {
    /// Batches commit.
    Good,
    /// The disk is full, or the file locked: nothing can be stored until that is mended.
    Storage(String),
}

impl Writer {
    /// Starts the writer on this connection, on the event thread. Committed batches go to `relay`.
    /// It ends when it is closed, or at an error after which nobody knows what is on disk; the
    /// handle tells which.
    pub(crate) fn start(
        thread: &EventThread,
        conn: SqliteConnection,
        batch_cap: usize,
        relay: mpsc::UnboundedSender<Batch>,
        health: tokio::sync::watch::Sender<Health>,
    ) -> Result<(Self, JoinHandle<anyhow::Result<()>>), Error> {
        let now = Box::new(Timestamp::now);
        let (writer, mut task) = Self::idle(conn, batch_cap, relay, health, now)?;
        let running = thread.spawn(async move {
            let result = task.run().await;
            task.end(result.is_ok());
            result
        });
        Ok((writer, running))
    }

    /// A writer whose task is not started: whoever has the other half runs the batches.
    pub(crate) fn idle(
        mut conn: SqliteConnection,
        batch_cap: usize,
        relay: mpsc::UnboundedSender<Batch>,
        health: tokio::sync::watch::Sender<Health>,
        now: Clock,
    ) -> Result<(Self, WriterTask), Error> {
        let next_seq = outbox::last_seq(&mut conn)? + 1;
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Notify::new(),
            batches: Arc::default(),
            max_waiting: batch_cap.saturating_mul(8),
        });
        shared.batches.ends_at(next_seq - 1);
        let task = WriterTask {
            conn,
            shared: shared.clone(),
            batch_cap,
            next_seq,
            relay,
            health,
            now,
            wal: WriteAheadLog::new(Limits::DEFAULT),
        };
        Ok((Self { shared }, task))
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
        if self.waiting() >= self.shared.max_waiting {
            return Err(
                Problem::unavailable("storage", "too many jobs wait for the writer").into(),
            );
        }
        self.ask(job).await.unwrap_or_else(|_| {
            Err(Problem::unavailable("the service", "the writer has ended").into())
        })
    }

    /// Queues a job whose result comes after the commit.
    pub(crate) fn ask<T, F>(&self, job: F) -> oneshot::Receiver<Result<T, Error>>
    where
        T: Send + 'static,
        F: FnMut(&mut Tx<'_>) -> Result<T, Error> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.submit(Box::new(Call {
            job,
            result: None,
            answer,
        }));
        answered
    }

    /// Queues a job; `failed` is called at once when the writer is closed.
    pub(crate) fn submit(&self, job: Box<dyn Job>) {
        self.submit_all([job]);
    }

    /// Queues jobs that came together, so that one batch takes them together.
    pub(crate) fn submit_all(&self, jobs: impl IntoIterator<Item = Box<dyn Job>>) {
        let mut queue = lock(&self.shared.queue);
        if queue.closed {
            drop(queue);
            for job in jobs {
                job.failed(Problem::unavailable("the service", "it is shutting down").into());
            }
            return;
        }
        queue.jobs.extend(jobs);
        drop(queue);
        self.shared.wake.notify_one();
    }

    /// Commits what waits, then ends the task. Later jobs fail.
    pub(crate) fn close(&self) {
        lock(&self.shared.queue).closed = true;
        self.shared.wake.notify_one();
    }

    /// What the writer counts.
    pub(crate) fn batches(&self) -> &Arc<Batches> {
        &self.shared.batches
    }

    /// How many jobs wait.
    pub(crate) fn waiting(&self) -> usize {
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

#[cfg(test)]
mod tests;
