//! What a job works on.

use diesel::prelude::*;
use saga_events::bus::Entry;
use saga_events::{Event, EventId, EventType, Message, Timestamp, TraceParent};

use crate::error::Error;
use crate::outbox;

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
