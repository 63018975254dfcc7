//! What the services answer, as http-api spells it.

use saga_events::{EventId, EventType, ItemId, OrderId, ReasonCode, Service, Timestamp, UserId};
use serde::Deserialize;
use serde_json::Value;

/// The types of the events of a purchase that completes, causes before effects.
pub const COMPLETED: [&str; 11] = [
    "order.created",
    "user.validated",
    "payment.reserved",
    "inventory.reserved",
    "item.reserved",
    "payment.processed",
    "item.deducted",
    "inventory.confirmed",
    "payment.confirmed",
    "order.completed",
    "notification.sent",
];

/// An order of order-svc.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)] // the fields are the API's
pub struct Order {
    pub id: OrderId,
    pub user_id: UserId,
    pub item_id: ItemId,
    pub quantity: i64,
    pub unit_price: i64,
    pub total_amount: i64,
    pub status: String,
    pub reason_code: Option<ReasonCode>,
    pub failed_step: Option<Service>,
    pub reason: Option<String>,
    pub deadline: Timestamp,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

impl Order {
    /// Whether it is `COMPLETED`.
    pub fn is_completed(&self) -> bool {
        self.status == "COMPLETED"
    }

    /// Whether it is `COMPLETED` or `CANCELLED`.
    pub fn is_final(&self) -> bool {
        matches!(self.status.as_str(), "COMPLETED" | "CANCELLED")
    }

    /// Status, reason code and failed step, to compare at once.
    pub fn outcome(&self) -> (&str, Option<ReasonCode>, Option<Service>) {
        (&self.status, self.reason_code, self.failed_step)
    }
}

/// A user of user-svc with the balance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Account {
    pub id: UserId,
    pub username: String,
    pub active: bool,
    pub balance: i64,
    pub held: i64,
    pub created_at: Timestamp,
}

/// A hold on a balance.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Hold {
    pub order_id: OrderId,
    pub amount: i64,
    pub state: String,
    pub updated_at: Timestamp,
}

/// A user's inventory of inventory-svc.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Inventory {
    pub user_id: UserId,
    pub capacity: i64,
    pub used: i64,
    pub held: i64,
    pub items: Vec<Stack>,
}

/// A slot of an inventory.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Stack {
    pub item_id: ItemId,
    pub quantity: i64,
}

/// An item of item-svc.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Item {
    pub id: ItemId,
    pub name: String,
    #[serde(default)]
    pub description: Option<String>,
    pub price: i64,
    pub stock: i64,
    pub held: i64,
    pub sold: i64,
    pub withdrawn: bool,
}

/// A payment of payment-svc.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Payment {
    pub order_id: OrderId,
    pub amount: i64,
    pub state: String,
    #[serde(default)]
    pub gateway_reference: Option<String>,
    #[serde(default)]
    pub unknown_since: Option<Timestamp>,
    pub updated_at: Timestamp,
}

/// A notification of notify-svc.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Notification {
    pub id: uuid::Uuid,
    pub order_id: OrderId,
    pub user_id: UserId,
    pub kind: String,
    pub text: String,
    pub channels: Value,
    pub created_at: Timestamp,
}

/// An event in a service's journal, from `GET /sagas/{orderId}`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[allow(missing_docs)]
pub struct Said {
    pub id: EventId,
    #[serde(rename = "type")]
    pub event_type: EventType,
    pub attempt: u32,
    pub causation_id: Option<EventId>,
    pub time: Timestamp,
    pub data: Value,
}
