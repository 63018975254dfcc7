//! What the events carry. Every event of the way there carries the whole purchase, so that no step
//! needs a default or a call back; the way back carries the order and, when it failed, why.

use serde::{Deserialize, Serialize};

use crate::{Amount, ItemId, OrderId, Quantity, Reason, Timestamp, UserId};

/// The whole purchase: the `data` of the way there and of `order.completed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Purchase {
    /// The purchase's id.
    pub order_id: OrderId,
    /// Who buys.
    pub user_id: UserId,
    /// What.
    pub item_id: ItemId,
    /// How many.
    pub quantity: Quantity,
    /// The quoted price of one, frozen when the order was made.
    pub unit_price: Amount,
    /// `unit_price` × `quantity`.
    pub total_amount: Amount,
    /// When order-svc will ask the pivot to cancel.
    pub deadline: Timestamp,
}

/// Nothing but the order: the `data` of the way back of a paid purchase, and of `notification.sent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Settled {
    /// The purchase's id.
    pub order_id: OrderId,
}

/// The order and why it fails: the `data` of the way back of a failed purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Failure {
    /// The purchase's id.
    pub order_id: OrderId,
    /// Why, and at which step.
    #[serde(flatten)]
    pub reason: Reason,
}

/// The whole purchase and why it failed: the `data` of `order.cancelled`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "camelCase")]
pub struct Cancelled {
    /// What was to be bought.
    #[serde(flatten)]
    pub purchase: Purchase,
    /// Why, and at which step.
    #[serde(flatten)]
    pub reason: Reason,
}

/// Which of the four shapes an event's `data` has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum PayloadKind {
    /// [`Purchase`]
    Purchase,
    /// [`Settled`]
    Settled,
    /// [`Failure`]
    Failure,
    /// [`Cancelled`]
    Cancelled,
}

/// An event's `data`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(untagged)]
pub enum Payload {
    /// The whole purchase.
    Purchase(Purchase),
    /// Nothing but the order.
    Settled(Settled),
    /// The order and why it fails.
    Failure(Failure),
    /// The whole purchase and why it failed.
    Cancelled(Cancelled),
}

impl Payload {
    /// Reads the `data` of an event whose contract names this kind. Unknown fields are ignored: a
    /// newer publisher may add some.
    ///
    /// # Errors
    /// What is missing or malformed, in serde's words.
    pub fn decode(kind: PayloadKind, json: &str) -> Result<Self, serde_json::Error> {
        match kind {
            PayloadKind::Purchase => serde_json::from_str(json).map(Self::Purchase),
            PayloadKind::Settled => serde_json::from_str(json).map(Self::Settled),
            PayloadKind::Failure => serde_json::from_str(json).map(Self::Failure),
            PayloadKind::Cancelled => serde_json::from_str(json).map(Self::Cancelled),
        }
    }

    /// Which kind this is.
    pub const fn kind(&self) -> PayloadKind {
        match self {
            Self::Purchase(_) => PayloadKind::Purchase,
            Self::Settled(_) => PayloadKind::Settled,
            Self::Failure(_) => PayloadKind::Failure,
            Self::Cancelled(_) => PayloadKind::Cancelled,
        }
    }

    /// The purchase it belongs to.
    pub const fn order_id(&self) -> OrderId {
        match self {
            Self::Purchase(purchase) => purchase.order_id,
            Self::Settled(settled) => settled.order_id,
            Self::Failure(failure) => failure.order_id,
            Self::Cancelled(cancelled) => cancelled.purchase.order_id,
        }
    }

    /// The whole purchase, where it is carried.
    pub const fn purchase(&self) -> Option<&Purchase> {
        match self {
            Self::Purchase(purchase) => Some(purchase),
            Self::Cancelled(cancelled) => Some(&cancelled.purchase),
            Self::Settled(_) | Self::Failure(_) => None,
        }
    }

    /// Why the purchase fails, where it does.
    pub const fn reason(&self) -> Option<Reason> {
        match self {
            Self::Failure(failure) => Some(failure.reason),
            Self::Cancelled(cancelled) => Some(cancelled.reason),
            Self::Purchase(_) | Self::Settled(_) => None,
        }
    }
}
