//! The line: which service publishes which event for whom. This table *is* the contract; services
//! read their subscriptions from it, and tests hold code and documents to it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::PayloadKind;

/// The six services, in the order a purchase visits them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(
    feature = "sql",
    derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow)
)]
#[cfg_attr(feature = "sql", diesel(sql_type = diesel::sql_types::Text))]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Service {
    /// Starts purchases, keeps their state, repeats until each has ended.
    #[serde(rename = "order-svc")]
    Order,
    /// Holds the amount on the buyer's balance.
    #[serde(rename = "user-svc")]
    User,
    /// Holds room in the buyer's inventory.
    #[serde(rename = "inventory-svc")]
    Inventory,
    /// Holds stock of the item.
    #[serde(rename = "item-svc")]
    Item,
    /// Asks the gateway: the pivot.
    #[serde(rename = "payment-svc")]
    Payment,
    /// Tells the buyer.
    #[serde(rename = "notify-svc")]
    Notify,
}

impl Service {
    /// All six, in the order of the line.
    pub const ALL: [Self; 6] = [
        Self::Order,
        Self::User,
        Self::Inventory,
        Self::Item,
        Self::Payment,
        Self::Notify,
    ];

    /// As it is spelled everywhere: binary, consumer group, `source`, log field.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order-svc",
            Self::User => "user-svc",
            Self::Inventory => "inventory-svc",
            Self::Item => "item-svc",
            Self::Payment => "payment-svc",
            Self::Notify => "notify-svc",
        }
    }

    /// The HTTP port unless configured otherwise.
    pub const fn port(self) -> u16 {
        match self {
            Self::Order => 3000,
            Self::User => 3001,
            Self::Inventory => 3002,
            Self::Item => 3003,
            Self::Payment => 3004,
            Self::Notify => 3005,
        }
    }

    /// The event types whose streams this service reads.
    pub fn consumes(self) -> impl Iterator<Item = EventType> {
        LINE.iter()
            .filter(move |spec| spec.consumers.contains(&self))
            .map(|spec| spec.event_type)
    }

    /// The event types that only this service publishes.
    pub fn publishes(self) -> impl Iterator<Item = EventType> {
        LINE.iter()
            .filter(move |spec| spec.publisher == self)
            .map(|spec| spec.event_type)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Service {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL
            .into_iter()
            .find(|service| service.as_str() == text);
        found.ok_or_else(|| format!("unknown service {text:?}"))
    }
}

/// What an event does to the purchase.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub enum Phase {
    /// A purchase begins.
    Begin,
    /// Information; nobody has to act.
    Inform,
    /// The way there: a compensatable transaction was done.
    Reserve,
    /// A step before the pivot could not be done; the way back begins here.
    Refuse,
    /// payment-svc decided: the pivot transaction, go or no-go.
    Pivot,
    /// The way back of a paid purchase: a retriable transaction.
    Confirm,
    /// The way back of a failed purchase: a compensating transaction.
    Compensate,
    /// A request to the pivot to cancel.
    Request,
    /// The purchase has ended.
    Final,
    /// The buyer was told; the order is closed.
    Close,
}

/// One row of the contract.
#[derive(Debug, Clone, Copy)]
pub struct EventSpec {
    /// Which event.
    pub event_type: EventType,
    /// The one service that publishes it.
    pub publisher: Service,
    /// The services that must read it before it may be trimmed.
    pub consumers: &'static [Service],
    /// What it does to the purchase.
    pub phase: Phase,
    /// Which fields its `data` has.
    pub payload: PayloadKind,
    /// One sentence.
    pub meaning: &'static str,
}

macro_rules! line {
    ($($variant:ident $text:literal $publisher:ident [$($consumer:ident)*] $phase:ident $payload:ident $meaning:literal)*) => {
        /// Every event of the protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "sql", derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow))]
        #[cfg_attr(feature = "sql", diesel(sql_type = diesel::sql_types::Text))]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        pub enum EventType {
            $(#[doc = $meaning] #[serde(rename = $text)] $variant,)*
        }

        impl EventType {
            /// Every event type, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The wire name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// This event's row of the contract.
            pub const fn spec(self) -> &'static EventSpec {
                &LINE[self as usize]
            }
        }

        /// The contract, a row an event.
        pub const LINE: &[EventSpec] = &[$(EventSpec {
            event_type: EventType::$variant,
            publisher: Service::$publisher,
            consumers: &[$(Service::$consumer),*],
            phase: Phase::$phase,
            payload: PayloadKind::$payload,
            meaning: $meaning,
        },)*];
    };
}

line! {
    OrderCreated "order.created" Order [User] Begin Purchase
        "a purchase begins; carries the deadline"
    UserValidated "user.validated" User [] Inform Purchase
        "the buyer exists and is active"
    UserValidationFailed "user.validation.failed" User [Order] Refuse Failure
        "unknown or inactive buyer"
    PaymentReserved "payment.reserved" User [Inventory] Reserve Purchase
        "the amount is held on the buyer's balance"
    PaymentReservationFailed "payment.reservation.failed" User [Order] Refuse Failure
        "not enough balance"
    InventoryReserved "inventory.reserved" Inventory [Item] Reserve Purchase
        "room for the item is held"
    InventoryReservationFailed "inventory.reservation.failed" Inventory [User] Refuse Failure
        "no room"
    ItemReserved "item.reserved" Item [Payment] Reserve Purchase
        "stock is held"
    ItemReservationFailed "item.reservation.failed" Item [Inventory] Refuse Failure
        "no stock, item withdrawn, or the price is not the quoted one"
    PaymentProcessed "payment.processed" Payment [Item] Pivot Settled
        "the gateway approved"
    PaymentFailed "payment.failed" Payment [Item] Pivot Failure
        "declined, or cancelled before it was paid"
    ItemDeducted "item.deducted" Item [Inventory] Confirm Settled
        "stock is sold"
    ItemRestored "item.restored" Item [Inventory] Compensate Failure
        "stock is given back"
    InventoryConfirmed "inventory.confirmed" Inventory [User] Confirm Settled
        "the item is in the buyer's inventory"
    InventoryRollback "inventory.rollback" Inventory [User] Compensate Failure
        "the room is given back"
    PaymentConfirmed "payment.confirmed" User [Order] Confirm Settled
        "the held amount is captured"
    PaymentRollback "payment.rollback" User [Order] Compensate Failure
        "the held amount is given back"
    OrderCancelRequested "order.cancel.requested" Order [Payment] Request Failure
        "the deadline passed, or the buyer asked"
    OrderCompleted "order.completed" Order [Notify] Final Purchase
        "the purchase ended: money, slot and stock are captured"
    OrderCancelled "order.cancelled" Order [Notify] Final Cancelled
        "the purchase ended: everything is given back; carries the reason"
    NotificationSent "notification.sent" Notify [Order] Close Settled
        "the buyer was told"
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl From<EventType> for &'static str {
    fn from(event_type: EventType) -> Self {
        event_type.as_str()
    }
}

impl FromStr for EventType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL
            .iter()
            .find(|event_type| event_type.as_str() == text);
        found
            .copied()
            .ok_or_else(|| format!("unknown event type {text:?}"))
    }
}
