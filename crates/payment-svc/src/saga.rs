//! **The screen**: the pivot transaction. Before it every step of the purchase can be compensated,
//! after it none can fail for a business reason. Pure: the row and an input go in, the next row
//! and the answers come out.
//!
//! | state | `item.reserved` | `order.cancel.requested` | gateway approved | gateway declined |
//! |---|---|---|---|---|
//! | – | → `Authorizing`, then ask the gateway | → `Failed` (tombstone), say `payment.failed` | Impossible | Impossible |
//! | `Authorizing` | note the attempt, say nothing | note the attempt, say nothing | → `Processed`, say `payment.processed` | → `Failed`, say `payment.failed` |
//! | `Processed` | repeat `payment.processed` | repeat `payment.processed` | nothing | Impossible |
//! | `Failed` | repeat `payment.failed` | repeat `payment.failed` | Impossible | nothing |
//!
//! A repeat is said only to an input that carries a higher attempt than this row has answered
//! before in that direction; else the input is a plain duplicate, and silent.
//!
//! A deadline and a buyer's cancel are the same request, and only a request: once the gateway was
//! asked, its answer decides.
#![deny(clippy::wildcard_enum_match_arm)]

use saga_events::{
    EventType, Failure, Message, OrderId, Payload, Purchase, Reason, ReasonCode, Service, Settled,
};
use svc_chassis::Impossible;

saga_events::spelled! {
    /// Where a payment stands.
    pub enum State: "state" {
        /// The gateway is being asked; until it answers nobody knows whether the buyer has paid.
        Authorizing = "Authorizing",
        /// The gateway approved: the purchase will complete.
        Processed = "Processed",
        /// Declined, or cancelled before it was asked: the purchase will be compensated. Without a
        /// purchase it is a tombstone that refuses the late `item.reserved`.
        Failed = "Failed",
    }
}

/// The row of one purchase: the inbox, the intent, the tombstone and the decision in one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payment {
    /// The purchase's id, which is also the gateway's idempotency key.
    pub order_id: OrderId,
    /// Where it stands.
    pub state: State,
    /// What is paid for; unknown to a tombstone.
    pub purchase: Option<Purchase>,
    /// Why it failed.
    pub reason: Option<Reason>,
    /// The highest attempt of `item.reserved` heard.
    pub answered_item: u32,
    /// The highest attempt of `order.cancel.requested` heard.
    pub answered_cancel: u32,
}

saga_events::spelled! {
    /// What the gateway said. A time-out is no answer: it is neither yes nor no.
    pub enum Answer: "answer" {
        /// Yes: the amount is charged.
        Approved = "Approved",
        /// No: nothing is charged, now or later.
        Declined = "Declined",
    }
}

/// What a payment hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input<'a> {
    /// A neighbour's event.
    Message(&'a Message),
    /// The gateway's answer.
    Gateway(Answer),
}

/// What one input does.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Step {
    /// The row as it is to be stored; `None`: nothing changes.
    pub payment: Option<Payment>,
    /// What is said.
    pub says: Vec<Message>,
    /// Whether the gateway is to be asked once the row is committed.
    pub ask_gateway: bool,
}

/// An input as the table's columns name it, with the attempt of an event.
enum Column {
    Pay(Purchase, u32),
    Cancel(Failure, u32),
    Gateway(Answer),
}

/// The table above.
///
/// # Errors
/// [`Impossible`] cells.
pub fn step(payment: Option<&Payment>, input: Input<'_>) -> Result<Step, Impossible> {
    let impossible = || {
        Impossible::new(
            payment.map_or("–", |payment| payment.state.as_str()),
            input.as_str(),
        )
    };
    let column = column_of(input).ok_or_else(impossible)?;
    let Some(payment) = payment else {
        return match column {
            Column::Pay(purchase, attempt) => Ok(authorize(purchase, attempt)),
            Column::Cancel(failure, attempt) => Ok(bury(failure, attempt)),
            Column::Gateway(_) => Err(impossible()),
        };
    };
    match (payment.state, column) {
        (State::Authorizing, Column::Gateway(Answer::Approved)) => Ok(process(payment)),
        (State::Authorizing, Column::Gateway(Answer::Declined)) => Ok(fail(payment)),
        (State::Processed, Column::Gateway(Answer::Approved))
        | (State::Failed, Column::Gateway(Answer::Declined)) => Ok(Step::default()),
        (State::Processed, Column::Gateway(Answer::Declined))
        | (State::Failed, Column::Gateway(Answer::Approved)) => Err(impossible()),
        (_, Column::Pay(_, attempt)) if attempt > payment.answered_item => Ok(speak(
            Payment {
                answered_item: attempt,
                ..payment.clone()
            },
            attempt,
        )),
        (_, Column::Cancel(_, attempt)) if attempt > payment.answered_cancel => Ok(speak(
            Payment {
                answered_cancel: attempt,
                ..payment.clone()
            },
            attempt,
        )),
        (_, Column::Pay(..) | Column::Cancel(..)) => Ok(Step::default()),
    }
}

/// Do, before the gateway hears of it: the intent is a row first, so that a crash cannot forget it.
fn authorize(purchase: Purchase, attempt: u32) -> Step {
    let payment = Payment {
        order_id: purchase.order_id,
        state: State::Authorizing,
        purchase: Some(purchase),
        reason: None,
        answered_item: attempt,
        answered_cancel: 0,
    };
    Step {
        payment: Some(payment),
        says: vec![],
        ask_gateway: true,
    }
}

/// Refuse, before the gateway heard of it: cancelled unpaid, and a late `item.reserved` changes
/// nothing any more.
fn bury(Failure { order_id, reason }: Failure, attempt: u32) -> Step {
    let reason = Reason {
        failed_step: Service::Payment,
        ..reason
    };
    let payment = Payment {
        order_id,
        state: State::Failed,
        purchase: None,
        reason: Some(reason),
        answered_item: 0,
        answered_cancel: attempt,
    };
    speak(payment, attempt)
}

/// Do: the gateway approved. The go of the purchase.
fn process(payment: &Payment) -> Step {
    speak(
        Payment {
            state: State::Processed,
            ..payment.clone()
        },
        highest_heard(payment),
    )
}

/// Refuse: the gateway declined. The no-go of the purchase.
fn fail(payment: &Payment) -> Step {
    let reason = Reason {
        reason_code: ReasonCode::PaymentDeclined,
        failed_step: Service::Payment,
    };
    let payment = Payment {
        state: State::Failed,
        reason: Some(reason),
        ..payment.clone()
    };
    let attempt = highest_heard(&payment);
    speak(payment, attempt)
}

/// Both ways ask for the same answer, so it goes out under the higher of their attempts.
fn highest_heard(payment: &Payment) -> u32 {
    payment.answered_item.max(payment.answered_cancel)
}

/// Stores the row and says what a row in this state has to say: the same when it came to be and at
/// every repeat. A payment that is still `Authorizing` has nothing to say.
fn speak(payment: Payment, attempt: u32) -> Step {
    let order_id = payment.order_id;
    let last_words = match (payment.state, payment.reason) {
        (State::Processed, _) => Some((
            EventType::PaymentProcessed,
            Payload::Settled(Settled { order_id }),
        )),
        (State::Failed, Some(reason)) => Some((
            EventType::PaymentFailed,
            Payload::Failure(Failure { order_id, reason }),
        )),
        // A failure without a reason is a row that the table never makes and the schema refuses.
        (State::Authorizing, _) | (State::Failed, None) => None,
    };
    let says = last_words.map(|(event_type, payload)| Message {
        event_type,
        attempt,
        payload,
    });
    Step {
        payment: Some(payment),
        says: says.into_iter().collect(),
        ask_gateway: false,
    }
}

/// `None`: an event that this service does not consume.
fn column_of(input: Input<'_>) -> Option<Column> {
    let message = match input {
        Input::Gateway(answer) => return Some(Column::Gateway(answer)),
        Input::Message(message) => message,
    };
    match message.payload {
        Payload::Purchase(purchase) if message.event_type == EventType::ItemReserved => {
            Some(Column::Pay(purchase, message.attempt))
        }
        Payload::Failure(failure) if message.event_type == EventType::OrderCancelRequested => {
            Some(Column::Cancel(failure, message.attempt))
        }
        Payload::Purchase(_)
        | Payload::Failure(_)
        | Payload::Settled(_)
        | Payload::Cancelled(_) => None,
    }
}

impl Input<'_> {
    /// What an alarm calls it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Message(message) => message.event_type.as_str(),
            Self::Gateway(Answer::Approved) => "gateway approved",
            Self::Gateway(Answer::Declined) => "gateway declined",
        }
    }
}

#[cfg(test)]
mod tests;
