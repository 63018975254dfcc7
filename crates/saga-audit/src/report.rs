//! What one service says about itself.

use saga_events::{OrderId, Service, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::check::{Check, Named, Value};

/// What one service says about itself, read in one transaction of its database: `GET /audit`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// Who says it.
    pub service: Service,
    /// When, by its own clock.
    pub at: Timestamp,
    /// The number of the last row of its outbox: it grows with everything that it says.
    pub last_seq: i64,
    /// How far its outbox is published.
    pub published: i64,
    /// Rows of its outbox that are not published.
    pub unpublished: i64,
    /// Some of the orders that those rows are about.
    pub unpublished_orders: Vec<OrderId>,
    /// Rows that are under way: orders that are open or whose buyer was not told, holds that are
    /// `Reserved`, payments that are `Authorizing`.
    pub open: i64,
    /// order-svc's: open orders that are older than they may be (past their deadline, two sweeps
    /// and a minute), the oldest first, some of them.
    pub overdue: Vec<OrderId>,
    /// How long the oldest open order is past its deadline, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_overdue_ms: Option<i64>,
    /// Events that left the line. They are reported, and no violation.
    pub dead_letters: i64,
    /// Entries of the bus that its consumer group has not acknowledged; `None` while Redis is
    /// away.
    pub pending: Option<i64>,
    /// How old the oldest of them is, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub oldest_pending_ms: Option<i64>,
    /// Sums over its own rows, by their names: what the laws across services compare.
    pub totals: Vec<Named>,
    /// The laws that it can judge alone. Empty where only totals were asked for.
    pub checks: Vec<Check>,
}

impl Report {
    /// A total by its name; `None` where the service could not know it.
    pub fn total(&self, name: &str) -> Option<i64> {
        let found = self.totals.iter().find(|total| total.name == name)?;
        match found.value {
            Value::Number(number) => Some(number),
            Value::Text(_) => None,
        }
    }
}

/// One line of `GET /sagas`: where a service stands with a purchase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SagaRow {
    /// The purchase's id.
    pub order_id: OrderId,
    /// The state's name in the service's own table.
    pub state: String,
    /// Money, slots, pieces: what the service keeps for this purchase.
    pub amount: i64,
    /// How many pieces are bought, where the service knows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quantity: Option<i64>,
    /// When the row changed last.
    pub updated_at: Timestamp,
}
