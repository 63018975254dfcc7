//! **The screen**: a retriable transaction. The purchase has ended; the buyer is told once, and
//! order-svc hears that it was done. Pure: the row and a message go in, the next row and the
//! answers come out.
//!
//! | notification | `order.completed` | `order.cancelled` |
//! |---|---|---|
//! | – | → `Completed`, say `notification.sent` | → `Cancelled`, say `notification.sent` |
//! | `Completed` | repeat `notification.sent` | Impossible |
//! | `Cancelled` | Impossible | repeat `notification.sent` |
//!
//! A repeat is said only to an input that carries a higher attempt than this row has answered
//! before; else the input is a plain duplicate, and silent. There is nothing to undo: a buyer who
//! was told cannot be untold, so nobody is told before the end is final.
#![deny(clippy::wildcard_enum_match_arm)]

use saga_events::{EventType, Message, OrderId, Payload, Settled};
use svc_chassis::Impossible;

saga_events::spelled! {
    /// How the purchase ended.
    pub enum Kind: "kind" {
        /// Money, slot and stock are captured.
        Completed = "Completed",
        /// Everything is given back.
        Cancelled = "Cancelled",
    }
}

/// The row of one purchase: that the buyer was told, and of what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Notification {
    /// The purchase's id.
    pub order_id: OrderId,
    /// How it ended.
    pub kind: Kind,
    /// The highest attempt answered.
    pub answered: u32,
}

/// What one message does.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// The row as it is to be stored; `None`: nothing changes.
    pub notification: Option<Notification>,
    /// What is said.
    pub says: Vec<Message>,
}

/// The table above.
///
/// # Errors
/// [`Impossible`] cells.
pub fn step(notification: Option<&Notification>, message: &Message) -> Result<Step, Impossible> {
    let state = notification.map_or("–", |notification| notification.kind.as_str());
    let kind = kind_of(message).ok_or_else(|| Impossible::new(state, message.event_type))?;
    let (order_id, attempt) = (message.order_id(), message.attempt);
    let tell = || {
        speak(Notification {
            order_id,
            kind,
            answered: attempt,
        })
    };
    match notification {
        None => Ok(tell()),
        Some(told) if told.kind != kind => Err(Impossible::new(state, message.event_type)),
        Some(told) if attempt > told.answered => Ok(tell()),
        Some(_) => Ok(Step::default()),
    }
}

/// Stores the row and says that the buyer was told.
fn speak(notification: Notification) -> Step {
    let Notification {
        order_id,
        answered: attempt,
        ..
    } = notification;
    let payload = Payload::Settled(Settled { order_id });
    let says = vec![Message {
        event_type: EventType::NotificationSent,
        attempt,
        payload,
    }];
    Step {
        notification: Some(notification),
        says,
    }
}

/// `None`: an event that this service does not consume.
fn kind_of(message: &Message) -> Option<Kind> {
    match message.payload {
        Payload::Purchase(_) if message.event_type == EventType::OrderCompleted => {
            Some(Kind::Completed)
        }
        Payload::Cancelled(_) if message.event_type == EventType::OrderCancelled => {
            Some(Kind::Cancelled)
        }
        Payload::Purchase(_)
        | Payload::Cancelled(_)
        | Payload::Settled(_)
        | Payload::Failure(_) => None,
    }
}

#[cfg(test)]
mod tests;
