#![doc = include_str!("../README.md")]

mod event;
mod ids;
mod line;
mod money;
mod payload;
mod reason;
mod time;
mod trace;

pub mod bus;
#[cfg(feature = "openapi")]
pub mod openapi;
#[cfg(feature = "schema")]
pub mod schema;
#[cfg(feature = "sql")]
mod sql;

pub use event::{Event, Message, SCHEMA_VERSION, Undecodable};
pub use ids::{EventId, ItemId, NotificationId, OrderId, UserId};
pub use line::{EventSpec, EventType, LINE, Phase, Service};
pub use money::{Amount, MAX_MONEY, Money, OutOfRange, Quantity, Units};
pub use payload::{Cancelled, Failure, Payload, PayloadKind, Purchase, Settled};
pub use reason::{Reason, ReasonCode};
pub use time::Timestamp;
pub use trace::TraceParent;

// For what `spelled!` makes of it in other crates.
#[cfg(feature = "openapi")]
#[doc(hidden)]
pub use utoipa;

/// Without the feature `openapi` nothing is described.
#[cfg(not(feature = "openapi"))]
#[doc(hidden)]
#[macro_export]
macro_rules! described_by_name {
    ($name:ident $($schema:literal)?) => {};
}
