//! The thread that runs, commits and answers batches of jobs.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use saga_events::Timestamp;
use tokio::sync::mpsc;

use super::tx::{Said, Tx};
use super::{Batch, Clock, Health, Job, Shared, lock};
use crate::error::{Error, Fault};
use crate::failpoint;
use crate::http::Problem;

pub(crate) struct WriterThread {
    pub(super) conn: SqliteConnection,
    pub(super) shared: Arc<Shared>,
    pub(super) batch_cap: usize,
    pub(super) next_seq: i64,
    pub(super) relay: mpsc::UnboundedSender<Batch>,
    pub(super) health: tokio::sync::watch::Sender<Health>,
    /// The clock: tells each batch its time.
    pub(super) now: Clock,
}

/// The jobs of a batch that ran apart: which ones stand, which ones were undone and why.
type Ran = Vec<(Box<dyn Job>, Result<(), Error>)>;

impl WriterThread {
    /// Until the writer is closed and nothing waits.
    ///
    /// # Errors
    /// An error after which nobody knows what is on disk.
    pub(super) fn run(&mut self) -> anyhow::Result<()> {
        while let Some(jobs) = self.next_batch() {
            self.commit(jobs)?;
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
    /// As [`WriterThread::run`].
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
        let together = self.run_together(&mut jobs, &mut said);
        let (ran, committed) = match together {
            Ok(()) => {
                self.publish(said);
                jobs.into_iter().for_each(|job| job.committed());
                return Ok(());
            }
            // Never again on this file: after a sync that failed, the next one may say that all is
            // well although what was written before is lost.
            Err(error) if error.fault() == Fault::Fatal => {
                let undone = jobs.into_iter().map(|job| (job, Ok(())));
                (undone.collect(), Err(error))
            }
            Err(_) => {
                said = self.nothing_said();
                self.run_apart(jobs, &mut said)
            }
        };
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
