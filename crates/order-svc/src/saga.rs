//! The initiator: how a purchase begins and ends. Pure: the order and an input go in, the next
//! order and what is said come out.
//!
//! | state | paid | failed | cancel | no news | told |
//! |---|---|---|---|---|---|
//! | `PENDING` | → `COMPLETED` | → `CANCELLED` | → `CANCELLING`, ask the pivot | repeat `order.created` | Impossible |
//! | `CANCELLING` | → `COMPLETED`: payment won the race | → `CANCELLED` | – | repeat `order.cancel.requested` | Impossible |
//! | `COMPLETED` | – | Impossible | – (409 to the buyer) | until told: repeat `order.completed` | closed |
//! | `CANCELLED` | Impossible | – | – | until told: repeat `order.cancelled` | closed |
//!
//! A deadline and a buyer's cancel are *requests to the pivot*, never decisions: payment-svc alone
//! knows whether the order was paid. There is one attempt counter an order, shared by all four
//! events that may be repeated; separate counters get stuck.
#![deny(clippy::wildcard_enum_match_arm)]

use saga_events::{
    Cancelled, EventType, Failure, Message, Payload, Purchase, Reason, ReasonCode, Service,
};
use svc_chassis::Impossible;

saga_events::spelled! {
    /// Where a purchase stands.
    pub enum Status: "status" {
        /// On its way there, or back: a semantic lock that says "not final yet".
        Pending = "PENDING",
        /// The pivot is asked to cancel; it may have been paid all the same.
        Cancelling = "CANCELLING",
        /// Final: money, slot and stock are all captured.
        Completed = "COMPLETED",
        /// Final: everything is given back.
        Cancelled = "CANCELLED",
    }
}

/// A purchase, as its initiator knows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Order {
    /// What is bought, and until when.
    pub purchase: Purchase,
    /// Where it stands.
    pub status: Status,
    /// `CANCELLED`: why. `CANCELLING`: why the pivot is asked. Else none.
    pub reason: Option<Reason>,
    /// How many repeats there have been, of whatever event: what is said next carries it.
    pub attempt: u32,
    /// The buyer was told how it ended; the order is closed.
    pub told: bool,
}

/// What can happen to an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input<'a> {
    /// A neighbour said something.
    Message(&'a Message),
    /// The deadline passed (`DEADLINE_EXCEEDED`), or the buyer asked (`CANCELLED_BY_USER`).
    Cancel(ReasonCode),
    /// Nobody said anything for a while.
    NoNews,
}

/// What an input does.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// The order as it is to be stored; `None`: nothing changes.
    pub order: Option<Order>,
    /// What is said.
    pub says: Option<Message>,
}

/// What a message means to the initiator.
enum News {
    Paid,
    Failed(Reason),
    Told,
}

/// Begins a purchase: `PENDING`, and `order.created` makes the first neighbour reserve.
pub fn begin(purchase: Purchase) -> (Order, Message) {
    let order = Order {
        purchase,
        status: Status::Pending,
        reason: None,
        attempt: 0,
        told: false,
    };
    let payload = Payload::Purchase(purchase);
    (
        order,
        Message {
            event_type: EventType::OrderCreated,
            attempt: 0,
            payload,
        },
    )
}

/// The table above.
///
/// # Errors
/// [`Impossible`] cells, and any event of an order that does not exist.
pub fn step(order: Option<&Order>, input: Input<'_>) -> Result<Step, Impossible> {
    let Some(order) = order else {
        return Err(Impossible::new("–", name_of(input)));
    };
    match input {
        Input::Message(message) => hear(order, message),
        Input::Cancel(reason_code) => Ok(cancel(order, reason_code)),
        Input::NoNews => Ok(repeat(order)),
    }
}

fn hear(order: &Order, message: &Message) -> Result<Step, Impossible> {
    let impossible = || Err(Impossible::new(order.status.as_str(), message.event_type));
    let Some(news) = news_of(message) else {
        return impossible();
    };
    match (order.status, news) {
        (Status::Pending | Status::Cancelling, News::Paid) => Ok(say(Order {
            status: Status::Completed,
            reason: None,
            ..order.clone()
        })),
        (Status::Pending | Status::Cancelling, News::Failed(reason)) => Ok(say(Order {
            status: Status::Cancelled,
            reason: Some(reason),
            ..order.clone()
        })),
        (Status::Completed | Status::Cancelled, News::Told) if !order.told => Ok(Step {
            order: Some(Order {
                told: true,
                ..order.clone()
            }),
            says: None,
        }),
        // Plain duplicates.
        (Status::Completed | Status::Cancelled, News::Told)
        | (Status::Completed, News::Paid)
        | (Status::Cancelled, News::Failed(_)) => Ok(UNCHANGED),
        (Status::Completed, News::Failed(_))
        | (Status::Cancelled, News::Paid)
        | (Status::Pending | Status::Cancelling, News::Told) => impossible(),
    }
}

/// Asks the pivot; what is final stays as it is.
fn cancel(order: &Order, reason_code: ReasonCode) -> Step {
    match order.status {
        Status::Pending => {
            let reason = Some(Reason {
                reason_code,
                failed_step: Service::Payment,
            });
            say(Order {
                status: Status::Cancelling,
                reason,
                ..order.clone()
            })
        }
        Status::Cancelling | Status::Completed | Status::Cancelled => UNCHANGED,
    }
}

/// Says the last output again under the next number: every neighbour answers it with its own last
/// output, so one repeat travels to wherever a message went missing.
fn repeat(order: &Order) -> Step {
    if order.told {
        return UNCHANGED;
    }
    say(Order {
        attempt: order.attempt.saturating_add(1),
        ..order.clone()
    })
}

const UNCHANGED: Step = Step {
    order: None,
    says: None,
};

/// Stores the order and says what an order in this state has to say.
fn say(order: Order) -> Step {
    Step {
        says: last_words(&order),
        order: Some(order),
    }
}

/// The same to the input that made it so and to every repeat.
fn last_words(order: &Order) -> Option<Message> {
    let Order {
        purchase,
        reason,
        attempt,
        ..
    } = *order;
    let order_id = purchase.order_id;
    let payload = match order.status {
        Status::Pending | Status::Completed => Payload::Purchase(purchase),
        // Without a reason: a row that the table never makes, and the schema's checks refuse.
        Status::Cancelling => Payload::Failure(Failure {
            order_id,
            reason: reason?,
        }),
        Status::Cancelled => Payload::Cancelled(Cancelled {
            purchase,
            reason: reason?,
        }),
    };
    Some(Message {
        event_type: order.status.says(),
        attempt,
        payload,
    })
}

fn news_of(message: &Message) -> Option<News> {
    use EventType::{
        NotificationSent, PaymentConfirmed, PaymentReservationFailed, PaymentRollback,
        UserValidationFailed,
    };
    match (message.event_type, message.payload) {
        (PaymentConfirmed, Payload::Settled(_)) => Some(News::Paid),
        (
            PaymentRollback | PaymentReservationFailed | UserValidationFailed,
            Payload::Failure(failure),
        ) => Some(News::Failed(failure.reason)),
        (NotificationSent, Payload::Settled(_)) => Some(News::Told),
        _ => None,
    }
}

fn name_of(input: Input<'_>) -> &'static str {
    match input {
        Input::Message(message) => message.event_type.as_str(),
        Input::Cancel(reason_code) => reason_code.as_str(),
        Input::NoNews => "no news",
    }
}

impl Status {
    /// The event that an order says when it becomes so, and repeats while it is so.
    pub const fn says(self) -> EventType {
        match self {
            Self::Pending => EventType::OrderCreated,
            Self::Cancelling => EventType::OrderCancelRequested,
            Self::Completed => EventType::OrderCompleted,
            Self::Cancelled => EventType::OrderCancelled,
        }
    }

    /// Whether it never changes again.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Pending | Self::Cancelling => false,
            Self::Completed | Self::Cancelled => true,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
