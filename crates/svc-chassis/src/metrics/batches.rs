//! What the writer counts about its batches.

use std::fmt;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use saga_events::{Event, EventType};

use super::{Counter, Histogram, Measures, Page};

/// The writer's figures. Only the writer adds to them.
#[derive(Debug)]
pub(crate) struct Batches {
    jobs: Histogram,
    commits: Histogram,
    busy_micros: Counter,
    checkpoints: Counter,
    last_seq: AtomicI64,
    /// One for each event type: events that were committed to the outbox.
    said: [Counter; EventType::ALL.len()],
    /// Batches that ran again, a savepoint around each job.
    pub apart: Counter,
    /// Jobs that failed alone, with an error of their own.
    pub failed: Counter,
    /// Batches of which nothing is stored, for the disk's sake.
    pub refused: Counter,
}

/// What a batch came to.
pub(crate) struct Turn {
    /// Its jobs.
    pub jobs: usize,
    /// From when it was taken up until its answers were given and the log was tended.
    pub took: Duration,
    /// Whether pages of the write-ahead log were moved to the file.
    pub checkpoint: bool,
}

impl Default for Batches {
    fn default() -> Self {
        let count = Counter::default;
        Self {
            jobs: Histogram::of_counts(),
            commits: Histogram::of_seconds(),
            busy_micros: count(),
            checkpoints: count(),
            last_seq: AtomicI64::new(0),
            said: Default::default(),
            apart: count(),
            failed: count(),
            refused: count(),
        }
    }
}

impl Batches {
    /// A `COMMIT` has succeeded, and took this long.
    pub fn committed(&self, took: Duration) {
        self.commits.took(took);
    }

    /// These were said, and that is on disk.
    pub fn said(&self, events: &[Event]) {
        for event in events {
            self.said[event.event_type() as usize].add(1);
        }
    }

    /// How many events of this type were said since the start.
    pub fn said_of(&self, event_type: EventType) -> u64 {
        self.said[event_type as usize].get()
    }

    /// A batch is over.
    pub fn turned(&self, turn: Turn) {
        self.jobs
            .found(u64::try_from(turn.jobs).unwrap_or(u64::MAX));
        let micros = u64::try_from(turn.took.as_micros()).unwrap_or(u64::MAX);
        self.busy_micros.add(micros);
        self.checkpoints.add(turn.checkpoint.into());
    }

    /// The outbox ends with the row of this number.
    pub fn ends_at(&self, last_seq: i64) {
        self.last_seq.store(last_seq, Ordering::Relaxed);
    }

    /// The number of the outbox's last row.
    pub fn last_seq(&self) -> i64 {
        self.last_seq.load(Ordering::Relaxed)
    }
}

impl Measures for Batches {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let ((commits, _), (_, jobs)) = (self.commits.totals(), self.jobs.totals());
        let help = "Transactions that the writer has committed";
        page.counter("saga_writer_commits_total", help, commits)?;
        let help = "Jobs (requests, events, chores) that the writer has taken up";
        page.counter("saga_writer_jobs_total", help, jobs)?;
        let help = "Jobs that failed alone, with an error of their own; refused requests are such";
        page.counter("saga_writer_failed_jobs_total", help, self.failed.get())?;
        let help = "Batches that ran again with a savepoint around each job, since one had failed";
        page.counter("saga_writer_batches_apart_total", help, self.apart.get())?;
        let help = "Batches of which nothing is stored: the disk is full, or the file is locked";
        page.counter(
            "saga_writer_refused_batches_total",
            help,
            self.refused.get(),
        )?;
        let help = "Times that pages of the write-ahead log were moved to the database file";
        page.counter(
            "saga_writer_checkpoints_total",
            help,
            self.checkpoints.get(),
        )?;
        let help = "Time that the writer took for its batches: the event thread has 1 a second for these, for reading and for publishing";
        page.seconds(
            "saga_writer_busy_seconds_total",
            help,
            self.busy_micros.get(),
        )?;
        let help = "Jobs of a batch";
        page.histogram("saga_writer_batch_jobs", help, &self.jobs)?;
        let help = "How long a COMMIT takes, which syncs the write-ahead log to the disk";
        page.histogram("saga_writer_commit_seconds", help, &self.commits)
    }
}
