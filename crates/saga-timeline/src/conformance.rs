//! Did the purchase go the way that the protocol allows? Every event must be said by its own service,
//! after something that may cause it, in a state that may say it. So a path that is complete is
//! complete by induction: the last event has its cause, that one has its own, back to the beginning.

use std::time::Duration;

use saga_events::EventType::{
    self, InventoryConfirmed, InventoryReservationFailed, InventoryReserved, InventoryRollback,
    ItemDeducted, ItemReservationFailed, ItemReserved, ItemRestored, NotificationSent,
    OrderCancelRequested, OrderCancelled, OrderCompleted, OrderCreated, PaymentConfirmed,
    PaymentFailed, PaymentProcessed, PaymentReservationFailed, PaymentReserved, PaymentRollback,
    UserValidated, UserValidationFailed,
};
use saga_events::{EventId, Service, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::causal::Placed;
use crate::journal::{Entry, Journal};
use crate::sources::Sources;

/// The clocks of two services may differ by this much.
const SKEW: Duration = Duration::from_secs(60);

/// What is wrong with a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Wrong {
    /// An event that only another service says.
    ForeignEvent,
    /// An event whose id is not the one of its order and type.
    ForeignId,
    /// An event that its cause cannot cause.
    IllegalCause,
    /// An event whose cause nobody has said.
    MissingCause,
    /// An event that its service cannot say after what it has said before.
    IllegalStep,
    /// The service's row is not in the state that its journal leads to.
    StateMismatch,
}

impl Wrong {
    /// All that can be wrong.
    pub const ALL: [Self; 6] = [
        Self::ForeignEvent,
        Self::ForeignId,
        Self::IllegalCause,
        Self::MissingCause,
        Self::IllegalStep,
        Self::StateMismatch,
    ];

    /// As it is spelled in answers and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForeignEvent => "FOREIGN_EVENT",
            Self::ForeignId => "FOREIGN_ID",
            Self::IllegalCause => "ILLEGAL_CAUSE",
            Self::MissingCause => "MISSING_CAUSE",
            Self::IllegalStep => "ILLEGAL_STEP",
            Self::StateMismatch => "STATE_MISMATCH",
        }
    }
}

/// Something that the protocol does not allow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ConformanceProblem)]
pub struct Problem {
    /// What is wrong.
    pub code: Wrong,
    /// In whose journal.
    pub service: Service,
    /// With which event; none: with the row.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<usize>,
    /// In words.
    pub detail: String,
}

/// Whether the purchase went the way that the protocol allows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Conformance {
    /// No problems.
    pub ok: bool,
    /// Each of them.
    pub problems: Vec<Problem>,
}

/// What may directly cause an event. A repeat is caused by whatever the service answers with its last
/// words (nobody beyond a refusal has reserved, so only a tombstone's *released* comes back to it);
/// order-svc also speaks of its own accord: at a request, at the deadline, after silence.
pub const fn causes(event_type: EventType) -> &'static [EventType] {
    match event_type {
        OrderCreated | OrderCancelRequested => &[],
        UserValidated | PaymentReserved => &[OrderCreated],
        UserValidationFailed | PaymentReservationFailed => &[OrderCreated, InventoryRollback],
        PaymentConfirmed => &[InventoryConfirmed, OrderCreated],
        PaymentRollback => &[InventoryRollback, InventoryReservationFailed, OrderCreated],
        InventoryReserved => &[PaymentReserved],
        InventoryReservationFailed => &[PaymentReserved, ItemRestored],
        InventoryConfirmed => &[ItemDeducted, PaymentReserved],
        InventoryRollback => &[ItemRestored, ItemReservationFailed, PaymentReserved],
        ItemReserved => &[InventoryReserved],
        ItemReservationFailed => &[InventoryReserved, PaymentFailed],
        ItemDeducted => &[PaymentProcessed, InventoryReserved],
        ItemRestored => &[PaymentFailed, InventoryReserved],
        PaymentProcessed | PaymentFailed => &[ItemReserved, OrderCancelRequested],
        OrderCompleted => &[PaymentConfirmed],
        OrderCancelled => &[
            PaymentRollback,
            PaymentReservationFailed,
            UserValidationFailed,
        ],
        NotificationSent => &[OrderCompleted, OrderCancelled],
    }
}

/// The state that a service is in once it has said this; none: it says nothing about that.
pub const fn state_after(event_type: EventType) -> Option<&'static str> {
    match event_type {
        OrderCreated => Some("PENDING"),
        OrderCancelRequested => Some("CANCELLING"),
        OrderCompleted => Some("COMPLETED"),
        OrderCancelled => Some("CANCELLED"),
        PaymentReserved | InventoryReserved | ItemReserved => Some("Reserved"),
        UserValidationFailed
        | PaymentReservationFailed
        | InventoryReservationFailed
        | ItemReservationFailed => Some("Refused"),
        PaymentConfirmed | InventoryConfirmed | ItemDeducted => Some("Confirmed"),
        PaymentRollback | InventoryRollback | ItemRestored => Some("Released"),
        PaymentProcessed => Some("Processed"),
        PaymentFailed => Some("Failed"),
        UserValidated | NotificationSent => None,
    }
}

/// Whether a service may say something that leads there, when it stands here; no state: it has not
/// said anything yet.
fn may_follow(from: Option<&str>, to: &str) -> bool {
    match from {
        None => !matches!(to, "CANCELLING" | "COMPLETED" | "CANCELLED" | "Confirmed"),
        Some(from) if from == to => true,
        Some("PENDING") => matches!(to, "CANCELLING" | "COMPLETED" | "CANCELLED"),
        Some("CANCELLING") => matches!(to, "COMPLETED" | "CANCELLED"),
        Some("Reserved") => matches!(to, "Confirmed" | "Released"),
        Some(_) => false,
    }
}

/// Holds the merged events and the rows to the protocol.
pub fn conformance(sources: &Sources, events: &[Placed<'_>]) -> Conformance {
    let mut problems: Vec<Problem> = Vec::new();
    let mut wrong = |code, journal: &Journal, n: Option<usize>, detail: String| {
        problems.push(Problem {
            code,
            service: journal.service,
            n,
            detail,
        });
    };
    for (at, Placed { journal, entry, .. }) in events.iter().enumerate() {
        let (n, said) = (Some(at + 1), entry.event_type);
        if said.spec().publisher != journal.service {
            let owner = said.spec().publisher;
            wrong(
                Wrong::ForeignEvent,
                journal,
                n,
                format!("only {owner} says {said}"),
            );
        }
        if entry.id != EventId::of(sources.order_id, said) {
            let detail = format!("{} is not the id of this order's {said}", entry.id);
            wrong(Wrong::ForeignId, journal, n, detail);
        }
        match (entry.causation_id, cause_of(sources, entry)) {
            (_, Ok(())) => {}
            (Some(id), Err(Wrong::MissingCause)) => {
                let name = sources
                    .type_of(id)
                    .map_or("no event of the contract", EventType::as_str);
                let detail = format!("{said} was caused by {name}, which nobody has said");
                wrong(Wrong::MissingCause, journal, n, detail);
            }
            (id, Err(code)) => {
                let name = id.and_then(|id| sources.type_of(id));
                let name = name.map_or("nothing that is known", EventType::as_str);
                wrong(code, journal, n, format!("{name} does not cause {said}"));
            }
        }
    }
    for journal in sources.journals() {
        for (code, entry, detail) in steps(journal) {
            let same =
                |placed: &Placed<'_>| entry.is_some_and(|entry| std::ptr::eq(placed.entry, entry));
            let n = events.iter().position(same).map(|at| at + 1);
            wrong(code, journal, n, detail);
        }
    }
    Conformance {
        ok: problems.is_empty(),
        problems,
    }
}

/// The events whose causes should be in a journal that was read, and are not.
pub(crate) fn missing_causes(sources: &Sources) -> Vec<(&Entry, EventType)> {
    let said = sources.journals().flat_map(|journal| &journal.events);
    let missing = said.filter_map(|entry| {
        let is_missing = cause_of(sources, entry) == Err(Wrong::MissingCause);
        Some((entry, sources.type_of(entry.causation_id?)?)).filter(|_| is_missing)
    });
    missing.collect()
}

/// Whether the event has a cause that may cause it, as far as that can be known.
fn cause_of(sources: &Sources, entry: &Entry) -> Result<(), Wrong> {
    let Some(id) = entry.causation_id else {
        // order-svc repeats of its own accord, and nobody else speaks uncaused.
        let speaks_first = entry.event_type.spec().publisher == Service::Order;
        return if speaks_first {
            Ok(())
        } else {
            Err(Wrong::IllegalCause)
        };
    };
    let cause = sources.type_of(id).ok_or(Wrong::IllegalCause)?;
    if !causes(entry.event_type).contains(&cause) {
        return Err(Wrong::IllegalCause);
    }
    let publisher = cause.spec().publisher;
    let Some(journal) = sources.journal(publisher) else {
        let is_missing = sources.missing().contains(&publisher);
        return if is_missing {
            Ok(())
        } else {
            Err(Wrong::MissingCause)
        };
    };
    let is_said = journal.events.iter().any(|entry| entry.id == id);
    if is_said || may_be_pruned(journal, entry.time) {
        Ok(())
    } else {
        Err(Wrong::MissingCause)
    }
}

/// Whether what was said before this time may be gone from the journal.
fn may_be_pruned(journal: &Journal, time: Timestamp) -> bool {
    time <= journal.kept_since.plus(SKEW)
}

/// Follows one journal from state to state, and compares where it leads with the row.
fn steps(journal: &Journal) -> Vec<(Wrong, Option<&Entry>, String)> {
    let mut problems = Vec::new();
    let first = journal
        .events
        .first()
        .map_or(journal.updated_at, |entry| entry.time);
    let mut whole = !may_be_pruned(journal, first);
    let mut state: Option<&str> = None;
    for entry in &journal.events {
        let Some(next) = state_after(entry.event_type) else {
            continue;
        };
        // A journal that is pruned may begin anywhere.
        if (whole || state.is_some()) && !may_follow(state, next) {
            let said = entry.event_type;
            let detail = format!("{said} cannot be said in state {}", state.unwrap_or("–"));
            problems.push((Wrong::IllegalStep, Some(entry), detail));
        }
        (state, whole) = (Some(next), true);
    }
    let row = journal.state.as_str();
    let is_so = match (journal.service, state) {
        // It says nothing when it begins to ask.
        (Service::Payment, None) => row == "Authorizing",
        // Both ends are told in the same words.
        (Service::Notify, _) => true,
        (_, Some(state)) => state == row,
        (_, None) => false,
    };
    let is_pruned = state.is_none() && may_be_pruned(journal, journal.updated_at);
    if !is_so && !is_pruned {
        let leads = state.unwrap_or("–");
        let detail = format!("the row is {row}, what was said leads to {leads}");
        problems.push((Wrong::StateMismatch, None, detail));
    }
    problems
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
