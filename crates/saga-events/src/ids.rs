//! Typed ids. All are UUIDs; a user's id can never be passed where an item's is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::EventType;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "sql", derive(diesel::expression::AsExpression, diesel::deserialize::FromSqlRow))]
        #[cfg_attr(feature = "sql", diesel(sql_type = diesel::sql_types::Binary))]
        #[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: UUID v7, so ids sort by the time they were made.
            #[allow(clippy::new_without_default)] // an id out of nowhere is never a default
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// Takes over an id that was made elsewhere; any UUID version is accepted.
            pub const fn from_uuid(id: Uuid) -> Self {
                Self(id)
            }

            /// The UUID itself.
            pub const fn uuid(self) -> Uuid {
                self.0
            }

            /// Its 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

id! {
    /// A purchase. It is the saga's id and the `subject` and `correlationid` of all its events.
    OrderId
}
id! {
    /// A buyer.
    UserId
}
id! {
    /// A thing to buy.
    ItemId
}
id! {
    /// A notification of notify-svc.
    NotificationId
}
id! {
    /// An event. Deterministic, see [`EventId::of`].
    EventId
}

impl EventId {
    /// The id of the event of this type of this order: UUID v5 of (order id, type). So a repeat of
    /// an event is recognisably the same event, and nobody can forge a second one.
    pub fn of(order: OrderId, event_type: EventType) -> Self {
        Self(Uuid::new_v5(&order.0, event_type.as_str().as_bytes()))
    }
}
