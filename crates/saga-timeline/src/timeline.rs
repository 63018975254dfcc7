//! The whole answer.

use saga_events::{EventId, EventType, Phase, Service, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::causal::{Placed, merged};
use crate::cells::{Cell, cells};
use crate::conformance::{Conformance, conformance};
use crate::expected::{Expected, expected};
use crate::sources::Sources;
use crate::stuck::{Stuck, stuck};

/// One purchase: what happened, what comes next, why it may be stuck.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Timeline {
    /// At a glance: five there, five back.
    pub cells: Vec<Cell>,
    /// Everything that was said, causes before effects.
    pub events: Vec<Event>,
    /// What comes next.
    pub expected: Vec<Expected>,
    /// Why that may be late.
    pub stuck: Vec<Stuck>,
    /// Who did not answer; what only they know is not in here.
    pub missing: Vec<Service>,
    /// Whether all of it is as the protocol allows.
    pub conformance: Conformance,
}

/// One event of a timeline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Event {
    /// Its place, from 1 on.
    pub n: usize,
    /// The same for all repeats of an event.
    pub id: EventId,
    /// Which event.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Who said it.
    pub service: Service,
    /// When, by that service's clock.
    pub time: Timestamp,
    /// 0, or the number of the repeat that it answers.
    pub attempt: u32,
    /// The event that directly caused it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causation_id: Option<EventId>,
    /// That event's place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<usize>,
    /// What it tells of.
    pub effect: Effect,
    /// What it says.
    pub data: Value,
}

/// What an event tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum Effect {
    /// The purchase has begun.
    Begun,
    /// Nothing was done: information.
    Informed,
    /// A step was done.
    Done,
    /// A step could not be done, or the buyer did not pay.
    Refused,
    /// A step is kept for ever.
    Confirmed,
    /// A step was undone.
    Undone,
    /// A step was to be undone that had not been done: it never will be now.
    Prevented,
    /// Cancelling was asked for.
    Requested,
    /// The purchase has ended.
    Ended,
    /// The buyer was told.
    Notified,
    /// It was said before: nothing changed.
    Repeated,
}

impl Timeline {
    /// Of what was read.
    pub fn of(sources: &Sources) -> Self {
        let placed = merged(sources.journals());
        let expected = expected(sources);
        Self {
            cells: cells(sources),
            stuck: stuck(sources, &expected),
            expected,
            missing: sources.missing(),
            conformance: conformance(sources, &placed),
            events: events(&placed),
        }
    }
}

fn events(placed: &[Placed<'_>]) -> Vec<Event> {
    let event = |(at, placed): (usize, &Placed<'_>)| {
        let entry = placed.entry;
        Event {
            n: at + 1,
            id: entry.id,
            event_type: entry.event_type,
            service: placed.journal.service,
            time: entry.time,
            attempt: entry.attempt,
            causation_id: entry.causation_id,
            because: placed.because.map(|cause| cause + 1),
            effect: effect(placed),
            data: entry.data.clone(),
        }
    };
    placed.iter().enumerate().map(event).collect()
}

fn effect(placed: &Placed<'_>) -> Effect {
    let Placed { journal, entry, .. } = placed;
    let mut before = journal
        .events
        .iter()
        .take_while(|other| !std::ptr::eq(*other, *entry));
    if before.any(|other| other.id == entry.id) {
        return Effect::Repeated;
    }
    match entry.event_type.spec().phase {
        Phase::Begin => Effect::Begun,
        Phase::Inform => Effect::Informed,
        Phase::Reserve => Effect::Done,
        Phase::Refuse => Effect::Refused,
        Phase::Pivot if entry.event_type == EventType::PaymentProcessed => Effect::Done,
        Phase::Pivot => Effect::Refused,
        Phase::Confirm => Effect::Confirmed,
        Phase::Compensate if journal.has_reserved() => Effect::Undone,
        Phase::Compensate => Effect::Prevented,
        Phase::Request => Effect::Requested,
        Phase::Final => Effect::Ended,
        Phase::Close => Effect::Notified,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
