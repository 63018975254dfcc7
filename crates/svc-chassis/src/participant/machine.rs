//! The participant state machine, written once for user-, inventory- and item-svc. Pure: the state
//! row and a message go in, the next row, a change and the answers come out.
//!
//! | state | reserve | confirm | compensate |
//! |---|---|---|---|
//! | – | do it → `Reserved`, or → `Refused` | Impossible | → `Released` (tombstone) |
//! | `Reserved` | repeat *reserved* | capture → `Confirmed` | undo → `Released` |
//! | `Refused` | repeat *refused* | Impossible | repeat *refused* |
//! | `Released` | repeat *released* | Impossible | repeat *released* |
//! | `Confirmed` | repeat *confirmed* | repeat *confirmed* | Impossible |
//!
//! A repeat is said only to an input that carries a higher attempt than this row has answered
//! before in that direction; else the input is a plain duplicate, and silent.

use saga_events::{
    EventType, Failure, Message, OrderId, Payload, Purchase, Reason, ReasonCode, Service, Settled,
};

use crate::service::Impossible;

/// What a participant's `saga.rs` says: when it acts, and what doing and undoing means to it.
pub trait Participant: 'static {
    /// What the hold is taken from, as it stands in this transaction: an account, an item.
    type Book;
    /// What happens to the book, as relative amounts: never "write the old value back".
    type Change;
    /// Which events make it act, and which it answers with.
    const WIRE: Wire;

    /// Do: how much is held, and what that does to the book; or why it cannot be held.
    ///
    /// # Errors
    /// A business refusal is a reason code, never an exception.
    fn reserve(
        book: Option<&Self::Book>,
        purchase: &Purchase,
    ) -> Result<(i64, Self::Change), ReasonCode>;

    /// Keep: the held amount is captured. It cannot fail: it lies behind the pivot.
    fn confirm(book: Option<&Self::Book>, hold: &Hold) -> Self::Change;

    /// Undo, the compensating transaction: the held amount is given back.
    fn compensate(hold: &Hold) -> Self::Change;
}

/// How a participant is wired into the line.
#[derive(Debug, Clone, Copy)]
pub struct Wire {
    /// Who it is: the failed step of its refusals.
    pub me: Service,
    /// The left neighbour's event that makes it reserve.
    pub reserve_on: EventType,
    /// What it says when it has reserved.
    pub reserved: &'static [EventType],
    /// What it says when it refuses for this reason.
    pub refused: fn(ReasonCode) -> EventType,
    /// The right neighbour's event that makes it confirm.
    pub confirm_on: EventType,
    /// What it says when it has confirmed.
    pub confirmed: EventType,
    /// The right neighbour's events that make it compensate.
    pub compensate_on: &'static [EventType],
    /// What it says when it has given back, and when there was nothing to give back.
    pub released: EventType,
}

saga_events::spelled! {
    /// Where a participant stands with one purchase. The row is the inbox, the idempotence barrier,
    /// the tombstone and the semantic lock in one.
    pub enum State: "state" {
        /// The hold is taken: a semantic lock until the pivot has decided.
        Reserved = "Reserved",
        /// It could not be held; nothing beyond here ever will.
        Refused = "Refused",
        /// Given back; without a purchase it is a tombstone that refuses the late reserve.
        Released = "Released",
        /// Captured.
        Confirmed = "Confirmed",
    }
}

/// A participant's row for one purchase.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hold {
    /// The purchase's id.
    pub order_id: OrderId,
    /// Where it stands.
    pub state: State,
    /// What is bought; unknown to a tombstone.
    pub purchase: Option<Purchase>,
    /// How much was held: money, slots or pieces.
    pub held: i64,
    /// Why it was refused or given back.
    pub reason: Option<Reason>,
    /// The highest attempt answered on the way there.
    pub answered_there: u32,
    /// The highest attempt answered on the way back.
    pub answered_back: u32,
}

/// What one message does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step<C> {
    /// The row as it is to be stored; `None`: nothing changes.
    pub hold: Option<Hold>,
    /// What happens to the book.
    pub change: Option<C>,
    /// What is said.
    pub says: Vec<Message>,
}

enum Input {
    Reserve(Purchase),
    Confirm,
    Compensate(Reason),
}

/// The table above. `book` is asked for only by cells that change it.
///
/// # Errors
/// [`Impossible`] cells.
pub fn step<P: Participant>(
    hold: Option<&Hold>,
    message: &Message,
    book: Option<&P::Book>,
) -> Result<Step<P::Change>, Impossible> {
    let Some(input) = input_of(&P::WIRE, message) else {
        return impossible(hold, message);
    };
    let attempt = message.attempt;
    let Some(hold) = hold else {
        return match input {
            Input::Reserve(purchase) => Ok(begin::<P>(purchase, attempt, book)),
            Input::Compensate(reason) => Ok(tombstone(&P::WIRE, message, reason)),
            Input::Confirm => impossible(None, message),
        };
    };
    match (hold.state, input) {
        (State::Reserved, Input::Confirm) => {
            let hold = Hold {
                state: State::Confirmed,
                answered_back: attempt,
                ..hold.clone()
            };
            let change = Some(P::confirm(book, &hold));
            Ok(Step {
                says: last_words(&P::WIRE, &hold, attempt),
                hold: Some(hold),
                change,
            })
        }
        (State::Reserved, Input::Compensate(reason)) => {
            let (state, reason) = (State::Released, Some(reason));
            let hold = Hold {
                state,
                reason,
                answered_back: attempt,
                ..hold.clone()
            };
            let change = Some(P::compensate(&hold));
            Ok(Step {
                says: last_words(&P::WIRE, &hold, attempt),
                hold: Some(hold),
                change,
            })
        }
        (State::Refused | State::Released, Input::Confirm)
        | (State::Confirmed, Input::Compensate(_)) => impossible(Some(hold), message),
        (_, Input::Reserve(_)) if attempt > hold.answered_there => Ok(repeat(
            &P::WIRE,
            Hold {
                answered_there: attempt,
                ..hold.clone()
            },
            attempt,
        )),
        (State::Refused | State::Released, Input::Compensate(_))
        | (State::Confirmed, Input::Confirm)
            if attempt > hold.answered_back =>
        {
            Ok(repeat(
                &P::WIRE,
                Hold {
                    answered_back: attempt,
                    ..hold.clone()
                },
                attempt,
            ))
        }
        // A plain duplicate.
        (_, Input::Reserve(_))
        | (State::Refused | State::Released, Input::Compensate(_))
        | (State::Confirmed, Input::Confirm) => Ok(Step {
            hold: None,
            change: None,
            says: vec![],
        }),
    }
}

fn begin<P: Participant>(
    purchase: Purchase,
    attempt: u32,
    book: Option<&P::Book>,
) -> Step<P::Change> {
    let blank = Hold {
        order_id: purchase.order_id,
        state: State::Reserved,
        purchase: Some(purchase),
        held: 0,
        reason: None,
        answered_there: attempt,
        answered_back: 0,
    };
    let (hold, change) = match P::reserve(book, &purchase) {
        Ok((held, change)) => (Hold { held, ..blank }, Some(change)),
        Err(reason_code) => {
            let reason = Some(Reason {
                reason_code,
                failed_step: P::WIRE.me,
            });
            (
                Hold {
                    state: State::Refused,
                    reason,
                    ..blank
                },
                None,
            )
        }
    };
    Step {
        says: last_words(&P::WIRE, &hold, attempt),
        hold: Some(hold),
        change,
    }
}

/// The undo came before the do: remember it, so that the late do is refused, and pass it on.
fn tombstone<C>(wire: &Wire, message: &Message, reason: Reason) -> Step<C> {
    let hold = Hold {
        order_id: message.order_id(),
        state: State::Released,
        purchase: None,
        held: 0,
        reason: Some(reason),
        answered_there: 0,
        answered_back: message.attempt,
    };
    Step {
        says: last_words(wire, &hold, message.attempt),
        hold: Some(hold),
        change: None,
    }
}

fn repeat<C>(wire: &Wire, hold: Hold, attempt: u32) -> Step<C> {
    Step {
        says: last_words(wire, &hold, attempt),
        hold: Some(hold),
        change: None,
    }
}

/// What a row in this state has to say: the same to the input that made it so and to every repeat.
fn last_words(wire: &Wire, hold: &Hold, attempt: u32) -> Vec<Message> {
    let say = |event_type, payload| Message {
        event_type,
        attempt,
        payload,
    };
    let order_id = hold.order_id;
    match (hold.state, hold.purchase, hold.reason) {
        (State::Reserved, Some(purchase), _) => wire
            .reserved
            .iter()
            .map(|kind| say(*kind, Payload::Purchase(purchase)))
            .collect(),
        (State::Refused, _, Some(reason)) => {
            let refused = (wire.refused)(reason.reason_code);
            vec![say(refused, Payload::Failure(Failure { order_id, reason }))]
        }
        (State::Released, _, Some(reason)) => {
            vec![say(
                wire.released,
                Payload::Failure(Failure { order_id, reason }),
            )]
        }
        (State::Confirmed, ..) => vec![say(wire.confirmed, Payload::Settled(Settled { order_id }))],
        // Rows that the table never makes, and the schema's checks refuse.
        (State::Reserved, None, _) | (State::Refused | State::Released, _, None) => vec![],
    }
}

fn input_of(wire: &Wire, message: &Message) -> Option<Input> {
    match message.payload {
        Payload::Purchase(purchase) if message.event_type == wire.reserve_on => {
            Some(Input::Reserve(purchase))
        }
        Payload::Settled(_) if message.event_type == wire.confirm_on => Some(Input::Confirm),
        Payload::Failure(failure) if wire.compensate_on.contains(&message.event_type) => {
            Some(Input::Compensate(failure.reason))
        }
        _ => None,
    }
}

fn impossible<C>(hold: Option<&Hold>, message: &Message) -> Result<Step<C>, Impossible> {
    Err(Impossible::new(
        hold.map_or("–", |hold| hold.state.as_str()),
        message.event_type,
    ))
}
