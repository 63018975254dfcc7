//! The task that runs, commits and answers batches of jobs.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use saga_events::Timestamp;
use tokio::sync::mpsc;

use super::tx::{Said, Tx, caught};
use super::wal::WriteAheadLog;
use super::{Batch, Clock, Health, Job, Shared, lock};
use crate::database;
use crate::error::{Error, Fault};
use crate::failpoint;
use crate::http::Problem;
use crate::metrics::Turn;

pub(crate) struct WriterTask {
    pub(super) conn: SqliteConnection,
    pub(super) shared: Arc<Shared>,
    pub(super) batch_cap: usize,
    pub(super) next_seq: i64,
    pub(super) relay: mpsc::UnboundedSender<Batch>,
    pub(super) health: tokio::sync::watch::Sender<Health>,
    /// The clock: tells each batch its time.
    pub(super) now: Clock,
    pub(super) wal: WriteAheadLog,
}

crate::cached_statement! {
    struct Begin = "BEGIN IMMEDIATE";
}

crate::cached_statement! {
    struct Commit = "COMMIT";
}

/// The jobs of a batch that ran apart: which ones stand, which ones were undone and why.
type Ran = Vec<(Box<dyn Job>, Result<(), Error>)>;

impl WriterTask {
    /// Until the writer is closed and nothing waits.
    ///
    /// # Errors
    /// An error after which nobody knows what is on disk.
    pub(super) async fn run(&mut self) -> anyhow::Result<()> {
        database::checkpoint_by_hand(&mut self.conn)?;
        while let Some(jobs) = self.next_batch().await {
            let (count, began) = (jobs.len(), Instant::now());
            self.commit(jobs)?;
            let mut took = began.elapsed();
            // The relay takes the batch to Redis, and what arrived meanwhile is read.
            tokio::task::yield_now().await;
            let began = Instant::now();
            let checkpoint = self
                .wal
                .tend(&mut self.conn)
                .context("moving the write-ahead log failed")?;
            took += began.elapsed();
            self.shared.batches.turned(Turn {
                jobs: count,
                took,
                checkpoint,
            });
        }
        Ok(())
    }

    /// Turns away what still waits and what comes later, and closes the file. Not the file of which
    /// nobody knows what is on disk: closing it would write to it. That is for the restart.
    pub(super) fn end(self, in_order: bool) {
        let waiting = {
            let mut queue = lock(&self.shared.queue);
            queue.closed = true;
            std::mem::take(&mut queue.jobs)
        };
        for job in waiting {
            job.failed(Problem::unavailable("the service", "the writer has ended").into());
        }
        if !in_order {
            std::mem::forget(self.conn);
        }
    }

    /// Commits what waits, at most so many jobs, in one batch; never waits for any.
    ///
    /// # Errors
    /// As [`WriterTask::run`].
    pub(crate) fn commit_waiting(&mut self, most: usize) -> anyhow::Result<()> {
        let jobs: Vec<_> = {
            let mut queue = lock(&self.shared.queue);
            let count = queue.jobs.len().min(most);
            queue.jobs.drain(..count).collect()
        };
        if jobs.is_empty() {
            return Ok(());
        }
        self.commit(jobs)
    }

    /// The connection, between two batches.
    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }

    /// What waits, up to the cap; `None` when the writer is closed and nothing waits.
    async fn next_batch(&mut self) -> Option<Vec<Box<dyn Job>>> {
        loop {
            {
                let mut queue = lock(&self.shared.queue);
                if !queue.jobs.is_empty() {
                    let count = queue.jobs.len().min(self.batch_cap);
                    return Some(queue.jobs.drain(..count).collect());
                }
                if queue.closed {
                    return None;
                }
            }
            self.shared.wake.notified().await;
        }
    }

    /// Runs and commits a batch, answers its jobs, and hands its events to the relay.
    ///
    /// # Errors
    /// Only where nobody knows what is on disk any more: the service must end.
    fn commit(&mut self, mut jobs: Vec<Box<dyn Job>>) -> anyhow::Result<()> {
        let mut said = self.nothing_said();
        match self.run_together(&mut jobs, &mut said) {
            Ok(()) => {
                self.publish(said);
                jobs.into_iter().for_each(|job| job.committed());
                return Ok(());
            }
            // Running apart helps where a job is at fault, not where the file is. And after a sync
            // that failed the next one may say that all is well although it is lost.
            Err(error) if error.fault() != Fault::Own => return self.refuse(jobs, &error),
            Err(_) => {}
        }
        self.shared.batches.apart.add(1);
        let mut said = self.nothing_said();
        let (ran, committed) = self.run_apart(jobs, &mut said);
        if let Err(error) = committed {
            return self.refuse(ran.into_iter().map(|(job, _)| job), &error);
        }
        self.publish(said);
        for (job, result) in ran {
            match result {
                Ok(()) => job.committed(),
                Err(error) => {
                    self.shared.batches.failed.add(1);
                    job.failed(error);
                }
            }
        }
        Ok(())
    }

    /// Nothing of a batch is stored, for the file's sake.
    ///
    /// # Errors
    /// As [`commit`](Self::commit).
    fn refuse(
        &mut self,
        jobs: impl IntoIterator<Item = Box<dyn Job>>,
        error: &Error,
    ) -> anyhow::Result<()> {
        self.shared.batches.refused.add(1);
        for job in jobs {
            job.failed(same_for_all(error));
        }
        let text = error.to_string();
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
        // Before the relay knows: nothing is published that is not said.
        self.shared.batches.ends_at(next_seq - 1);
        self.shared.batches.said(&events);
        if !events.is_empty() || !acks.is_empty() {
            if !acks.is_empty() {
                failpoint!("inbox.after_commit");
            }
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
        let now = (self.now)();
        self.begin()?;
        let ran = jobs.iter_mut().try_for_each(|job| {
            let mut tx = Tx {
                conn: &mut self.conn,
                said,
                now,
            };
            caught(|| job.run(&mut tx))
        });
        self.finish(ran)
    }

    /// A savepoint around each job. An error of the storage itself undoes all, whatever the jobs
    /// had to say.
    fn run_apart(&mut self, jobs: Vec<Box<dyn Job>>, said: &mut Said) -> (Ran, Result<(), Error>) {
        let now = (self.now)();
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
        Begin {}.execute(&mut self.conn)?;
        Ok(())
    }

    fn run_in_savepoint(
        &mut self,
        job: &mut dyn Job,
        said: &mut Said,
        now: Timestamp,
    ) -> Result<(), Error> {
        let mut tx = Tx {
            conn: &mut self.conn,
            said,
            now,
        };
        tx.apart(|tx| job.run(tx), |()| true)
    }

    fn finish(&mut self, result: Result<(), Error>) -> Result<(), Error> {
        let began = Instant::now();
        let result = result.and_then(|()| {
            Commit {}.execute(&mut self.conn)?;
            Ok(())
        });
        if result.is_ok() {
            self.shared.batches.committed(began.elapsed());
        } else {
            // SQLite has already undone it after some errors; then this one has nothing to do.
            let _ = self.conn.batch_execute("ROLLBACK");
        }
        result
    }
}

/// The storage's error, once for each job of the batch that it undid.
fn same_for_all(error: &Error) -> Error {
    match error {
        Error::Database(_) => Error::Problem(Problem::from(error)),
        Error::Problem(problem) => Error::Problem(problem.clone()),
        Error::Internal(text) => Error::Internal(text.clone()),
    }
}
