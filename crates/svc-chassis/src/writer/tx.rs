//! What a job works on.

use std::panic::{AssertUnwindSafe, catch_unwind};

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use saga_events::bus::Entry;
use saga_events::{Event, EventId, Message, Timestamp, TraceParent};

use crate::error::Error;
use crate::{buckets, outbox};

/// What a job works on: the connection, inside the writer's transaction, and what it says.
pub struct Tx<'a> {
    pub(super) conn: &'a mut SqliteConnection,
    pub(super) said: &'a mut Said,
    pub(super) now: Timestamp,
}

/// What the jobs of a batch leave behind for after the commit.
#[derive(Default)]
pub(super) struct Said {
    pub(super) next_seq: i64,
    pub(super) events: Vec<Event>,
    pub(super) acks: Vec<Entry>,
    pub(super) after_commit: Vec<Box<dyn FnOnce() + Send>>,
}

/// Why something is said: the event or the request that caused it.
#[derive(Debug, Clone, Default)]
pub struct Cause {
    /// The event that directly caused it.
    pub event: Option<EventId>,
    /// What that event carries; where there is none, the span in which it is said.
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

    /// The bucket of the rows that are made now, for indexes that begin with it.
    pub fn bucket(&self) -> i64 {
        buckets::of(self.said.next_seq)
    }

    /// Says something: appends it to the outbox, from where the relay publishes it after the
    /// commit. Returns the row's number.
    ///
    /// # Errors
    /// The database's.
    pub fn say(&mut self, message: Message, cause: impl Into<Cause>) -> Result<i64, Error> {
        let Cause { event, traceparent } = cause.into();
        let service = message.event_type.spec().publisher;
        // Said in a step, it names that as its parent.
        let traceparent = match event {
            Some(event) => traceparent.map(|trace| trace.step(event, service)),
            None => traceparent,
        };
        let event = Event::new(message, event, traceparent, self.now);
        let seq = self.said.next_seq;
        outbox::append(self.conn, seq, &event)?;
        self.said.next_seq += 1;
        self.said.events.push(event);
        Ok(seq)
    }

    /// Runs this after the commit, on the event thread: it must be quick. Not run when the job
    /// is undone.
    pub fn after_commit(&mut self, run: impl FnOnce() + Send + 'static) {
        self.said.after_commit.push(Box::new(run));
    }

    /// Runs this in a savepoint of its own. What it did and said stays only when it succeeds and
    /// `stands` says so; a panic counts as an error. The job goes on either way.
    ///
    /// # Errors
    /// What `run` returned, or the database's where the savepoint cannot be made or left.
    pub(crate) fn apart<T>(
        &mut self,
        run: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
        stands: impl FnOnce(&T) -> bool,
    ) -> Result<T, Error> {
        let marks = (
            self.said.next_seq,
            self.said.events.len(),
            self.said.acks.len(),
            self.said.after_commit.len(),
        );
        // Savepoints of one name nest: each of these statements means the innermost.
        self.conn.batch_execute("SAVEPOINT apart")?;
        let result = caught(|| run(self));
        if !result.as_ref().is_ok_and(stands) {
            if let Err(error) = self.conn.batch_execute("ROLLBACK TO apart") {
                // SQLite has undone the whole transaction by itself: the first error tells why.
                return Err(result.err().unwrap_or(error.into()));
            }
            self.said.next_seq = marks.0;
            self.said.events.truncate(marks.1);
            self.said.acks.truncate(marks.2);
            self.said.after_commit.truncate(marks.3);
        }
        self.conn.batch_execute("RELEASE apart")?;
        result
    }

    /// How much was said so far in this batch: a mark for [`Tx::said_since`].
    pub fn mark(&self) -> usize {
        self.said.events.len()
    }

    /// What was said since a mark.
    pub fn said_since(&self, mark: usize) -> &[Event] {
        self.said.events.get(mark..).unwrap_or_default()
    }

    /// Acknowledges an input once everything is committed.
    pub(crate) fn acknowledge(&mut self, entry: Entry) {
        self.said.acks.push(entry);
    }
}

/// Runs this; one that panics has failed like one that returns an error.
pub(super) fn caught<T>(run: impl FnOnce() -> Result<T, Error>) -> Result<T, Error> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|_| Err(Error::internal("the job panicked; see the line above")))
}
