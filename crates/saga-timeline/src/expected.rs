//! What comes next: whom the purchase waits for, for what, and since when.
//!
//! A service waits for nothing but its neighbours. So it is enough to look at each pair of them:
//! one has said something, the other does not stand as if it had heard it.

use saga_events::EventType::{
    self, InventoryConfirmed, InventoryReserved, InventoryRollback, ItemDeducted, ItemReserved,
    ItemRestored, NotificationSent, OrderCancelRequested, OrderCancelled, OrderCompleted,
    OrderCreated, PaymentConfirmed, PaymentFailed, PaymentProcessed, PaymentReserved,
    PaymentRollback,
};
use saga_events::{Service, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::sources::Sources;
use crate::stand::{ALONG, Stand, along};

/// A message that is to come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Expected {
    /// Which event; on the way there the service may refuse instead.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// Who is to say it.
    pub from: Service,
    /// Since when it is due: what it answers was said then.
    pub since: Timestamp,
    /// What it answers: the message that its service has to hear first.
    pub answers: EventType,
}

/// Along the line, from left to right: what each says on the way there …
const THERE: [EventType; 5] = [
    OrderCreated,
    PaymentReserved,
    InventoryReserved,
    ItemReserved,
    PaymentProcessed,
];
/// … on the way back of a paid purchase …
const KEPT: [EventType; 5] = [
    OrderCompleted,
    PaymentConfirmed,
    InventoryConfirmed,
    ItemDeducted,
    PaymentProcessed,
];
/// … and on the way back of a failed one.
const UNDONE: [EventType; 5] = [
    OrderCancelled,
    PaymentRollback,
    InventoryRollback,
    ItemRestored,
    PaymentFailed,
];

/// What comes next; nothing once the buyer was told.
pub fn expected(sources: &Sources) -> Vec<Expected> {
    let stands = along(sources);
    let mut expected = along_the_line(sources, &stands);
    let order = sources.journal(Service::Order);
    let cancelling = order.is_some_and(|order| order.state == "CANCELLING");
    if cancelling && stands[4] == Stand::Untouched {
        let by_request = Answer {
            from: Service::Payment,
            event_type: PaymentFailed,
            to: (Service::Order, OrderCancelRequested),
        };
        expected.push(by_request.due(sources));
    }
    let is_told = sources.closed || Stand::of(sources, Service::Notify) == Stand::Captured;
    if stands[0].is_settled() && !is_told {
        let kept = stands[0] == Stand::Captured;
        let last_words = if kept { OrderCompleted } else { OrderCancelled };
        let told = Answer {
            from: Service::Notify,
            event_type: NotificationSent,
            to: (Service::Order, last_words),
        };
        expected.push(told.due(sources));
    }
    expected
}

fn along_the_line(sources: &Sources, stands: &[Stand; 5]) -> Vec<Expected> {
    let settled = |among: &[Stand]| among.iter().any(|stand| stand.is_settled());
    let mut expected = Vec::new();
    for (left, right) in (0..ALONG.len()).zip(1..ALONG.len()) {
        let goes_on = |event_type| Answer {
            from: ALONG[right],
            event_type,
            to: (ALONG[left], THERE[left]),
        };
        let comes_back = |event_type, cause| Answer {
            from: ALONG[left],
            event_type,
            to: (ALONG[right], cause),
        };
        let answer = match (stands[left], stands[right]) {
            (Stand::Held, Stand::Untouched) if !settled(&stands[right..]) => goes_on(THERE[right]),
            (Stand::Held, Stand::Asking) => goes_on(PaymentProcessed),
            (Stand::Held | Stand::Untouched, Stand::Captured) => {
                comes_back(KEPT[left], KEPT[right])
            }
            (Stand::Held | Stand::Untouched, Stand::Refused | Stand::Released)
                if !settled(&stands[..left]) =>
            {
                comes_back(UNDONE[left], UNDONE[right])
            }
            _ => continue,
        };
        expected.push(answer.due(sources));
    }
    expected
}

/// A message and what it answers.
struct Answer {
    from: Service,
    event_type: EventType,
    to: (Service, EventType),
}

impl Answer {
    /// It is due since what it answers was said. Who has said that may be missing, or have refused in
    /// words of its own: then its row tells, or the purchase's.
    fn due(self, sources: &Sources) -> Expected {
        let Self {
            from,
            event_type,
            to: (by, cause),
        } = self;
        let said = sources.journal(by);
        let said = said.map(|journal| journal.first(cause).unwrap_or(journal.updated_at));
        let began = sources
            .journal(Service::Order)
            .map(|order| order.updated_at);
        Expected {
            event_type,
            from,
            since: said.or(began).unwrap_or(sources.now),
            answers: cause,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
