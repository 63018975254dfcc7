//! What one service remembers of a purchase.

use saga_events::{EventId, EventType, OrderId, Phase, Service, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What one service remembers of a purchase: `GET /sagas/{orderId}`, read in one transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Journal {
    /// Who remembers.
    pub service: Service,
    /// The purchase.
    pub order_id: OrderId,
    /// The state's name in the service's own table.
    pub state: String,
    /// Money, slots, pieces: what the service keeps for this purchase.
    pub amount: i64,
    /// When the row changed last.
    pub updated_at: Timestamp,
    /// What was said before then may have been pruned, once the purchase was over.
    pub kept_since: Timestamp,
    /// Everything that it said about the purchase, in the order in which it was committed.
    pub events: Vec<Entry>,
}

/// An event, as the service that said it remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The same for all repeats of an event.
    pub id: EventId,
    /// Which event.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// 0, or the number of the repeat that it answers.
    pub attempt: u32,
    /// The event that directly caused it; none where a request, the clock or silence did.
    pub causation_id: Option<EventId>,
    /// When it was said, by the clock of the service that said it.
    pub time: Timestamp,
    /// What it says.
    pub data: Value,
}

impl Journal {
    /// Whether the service has said that it did its step, as far as its journal still tells.
    pub fn has_reserved(&self) -> bool {
        let is_reserve = |entry: &Entry| entry.event_type.spec().phase == Phase::Reserve;
        self.events.iter().any(is_reserve)
    }

    /// When it first said an event of this type.
    pub fn first(&self, event_type: EventType) -> Option<Timestamp> {
        let mut said = self.events.iter();
        said.find(|entry| entry.event_type == event_type)
            .map(|entry| entry.time)
    }
}
