//! A participant's step on a real database file: row, effect and answers are one transaction, and
//! nothing happens twice. One proof, applied to every participant and each of its steps.
#![allow(clippy::unwrap_used)]

use std::fmt::Debug;

use saga_events::{Event, EventType, Purchase, ReasonCode, Timestamp};

use super::Bench;
use super::cells::message;
use crate::error::Error;
use crate::outbox;
use crate::participant::{Books, Participant, State, apply, hold_of};
use crate::service::Outcome;

/// What a step came to, and what was said.
pub type Stepped = (Outcome, Vec<EventType>);

/// A participant on a database file of its own, as the proofs drive it.
pub trait Participating: Sized {
    /// What it does.
    type Saga: Books;
    /// What its book says, to be compared.
    type Seen: Debug + PartialEq;

    /// Its database.
    fn bench(&mut self) -> &mut Bench;

    /// The process was killed and starts again on the same file.
    #[must_use]
    fn restarted(self) -> Self;

    /// What its book says.
    fn seen(&mut self) -> Self::Seen;

    /// The event that makes it reserve a purchase of a new order, the same for every order.
    fn reserve_one(&self) -> Event;

    /// The event that makes it reserve this purchase.
    fn reserve_for(purchase: Purchase) -> Event {
        event(purchase, Self::Saga::WIRE.reserve_on)
    }

    /// The event that makes it keep what this one made it reserve.
    fn confirm(reserve: &Event) -> Event {
        event(bought_by(reserve), Self::Saga::WIRE.confirm_on)
    }

    /// An event that makes it give back what this one made it reserve.
    fn compensate(reserve: &Event) -> Event {
        let compensate_on = Self::Saga::WIRE.compensate_on.last();
        event(bought_by(reserve), *compensate_on.unwrap())
    }

    /// Takes the step and commits it. What is said names the event as its cause.
    fn step(&mut self, event: &Event) -> Stepped {
        let applied = self.bench().write(|tx| apply::<Self::Saga>(tx, event));
        let (outcome, said) = applied.unwrap();
        assert!(said.iter().all(|said| said.causation_id == Some(event.id)));
        (outcome, said.iter().map(Event::event_type).collect())
    }
}

/// Makes a test of each proof below that wants nothing but a participant that has plenty.
#[macro_export]
macro_rules! prove_every_step {
    ($plenty:expr) => {
        $crate::prove_every_step! { $plenty =>
            a_duplicate_is_silent_and_a_repeat_is_answered_and_neither_has_an_effect
            an_event_read_again_after_a_crash_before_its_acknowledgement_has_no_second_effect
            an_error_after_the_step_leaves_neither_row_nor_effect_nor_event
            a_reserve_that_comes_after_its_undo_does_nothing
            a_confirmation_of_what_was_never_held_is_impossible_and_changes_nothing
        }
    };
    ($plenty:expr => $($proof:ident)+) => {
        $(#[test]
        fn $proof() {
            $crate::testing::steps::$proof($plenty);
        })+
    };
}

/// Of every step: do, keep and undo.
pub fn a_duplicate_is_silent_and_a_repeat_is_answered_and_neither_has_an_effect(
    mut tested: impl Participating,
) {
    for steps in both_ways(&tested) {
        for (event, state, says) in steps {
            assert_eq!(tested.step(&event), changed(state, &says));
            let seen = tested.seen();
            assert_eq!(tested.step(&event), silent());
            let repeat = repeated(&event, 1);
            assert_eq!(tested.step(&repeat), answered(&says));
            assert_eq!(tested.step(&repeat), silent());
            assert_eq!(tested.seen(), seen);
        }
    }
}

/// Of every step: do, keep and undo.
pub fn an_event_read_again_after_a_crash_before_its_acknowledgement_has_no_second_effect(
    mut tested: impl Participating,
) {
    for steps in both_ways(&tested) {
        for (event, state, says) in steps {
            assert_eq!(tested.step(&event), changed(state, &says));
            let seen = tested.seen();
            tested = tested.restarted();
            assert_eq!(tested.step(&event), silent());
            assert_eq!(tested.seen(), seen);
        }
    }
}

/// Of every step: do, keep and undo. The step can be taken afterwards.
pub fn an_error_after_the_step_leaves_neither_row_nor_effect_nor_event<T: Participating>(
    mut tested: T,
) {
    for steps in both_ways(&tested) {
        let order_id = steps[0].0.order_id();
        assert_eq!(hold_of(tested.bench().conn(), order_id).unwrap(), None);
        for (event, state, says) in steps {
            let stored = |tested: &mut T| {
                let conn = tested.bench().conn();
                let said = outbox::of_order(conn, order_id).unwrap();
                (hold_of(conn, order_id).unwrap(), said, tested.seen())
            };
            let before = stored(&mut tested);
            let failed = tested.bench().write(|tx| {
                apply::<T::Saga>(tx, &event)?;
                Err::<(), _>(Error::internal("the disk went away"))
            });
            assert!(failed.is_err());
            assert_eq!(stored(&mut tested), before);
            assert_eq!(tested.step(&event), changed(state, &says));
        }
    }
}

/// The undo came first: it is remembered and answers the reserve.
pub fn a_reserve_that_comes_after_its_undo_does_nothing<T: Participating>(mut tested: T) {
    let released = [T::Saga::WIRE.released];
    let seen = tested.seen();
    let reserve = tested.reserve_one();
    let tombstone = changed(State::Released, &released);
    assert_eq!(tested.step(&T::compensate(&reserve)), tombstone);
    assert_eq!(tested.step(&reserve), silent());
    assert_eq!(tested.step(&repeated(&reserve, 1)), answered(&released));
    assert_eq!(tested.seen(), seen);
}

/// There is no such cell: it is left for people to look at.
pub fn a_confirmation_of_what_was_never_held_is_impossible_and_changes_nothing<T: Participating>(
    mut tested: T,
) {
    let seen = tested.seen();
    let confirm = T::confirm(&tested.reserve_one());
    let why = format!("impossible: {} in state –", confirm.event_type());
    let impossible = (Outcome::Impossible(why), vec![]);
    assert_eq!(tested.step(&confirm), impossible);
    let hold = hold_of(tested.bench().conn(), confirm.order_id()).unwrap();
    assert_eq!(hold, None);
    assert_eq!(tested.seen(), seen);
}

/// Where there is enough for one order, the second one is refused, and stays refused when the first
/// one has given back what it held: whoever heard of a refusal counts on it.
pub fn a_refusal_stands_when_there_is_enough_again<T: Participating>(
    mut enough_for_one: T,
    reason_code: ReasonCode,
    says: EventType,
) {
    let tested = &mut enough_for_one;
    let seen = tested.seen();
    let (first, second) = (tested.reserve_one(), tested.reserve_one());
    let reserved = changed(State::Reserved, T::Saga::WIRE.reserved);
    assert_eq!(tested.step(&first), reserved);
    assert_eq!(tested.step(&second), changed(State::Refused, &[says]));
    tested.step(&T::compensate(&first));
    assert_eq!(tested.step(&repeated(&second, 1)), answered(&[says]));
    let hold = hold_of(tested.bench().conn(), second.order_id()).unwrap();
    let hold = hold.unwrap();
    assert_eq!((hold.state, hold.held), (State::Refused, 0));
    assert_eq!(hold.reason.unwrap().reason_code, reason_code);
    assert_eq!(tested.seen(), seen);
}

/// It was done: the row is in this state, and this was said.
#[must_use]
pub fn changed(state: State, says: &[EventType]) -> Stepped {
    (Outcome::Changed(state.as_str()), says.to_vec())
}

/// It was done before: nothing but the answer, again.
#[must_use]
pub fn answered(says: &[EventType]) -> Stepped {
    (Outcome::Repeated, says.to_vec())
}

/// A plain duplicate.
#[must_use]
pub fn silent() -> Stepped {
    (Outcome::Duplicate, vec![])
}

/// The same event, said once more.
#[must_use]
pub fn repeated(event: &Event, attempt: u32) -> Event {
    let mut event = event.clone();
    event.message.attempt = attempt;
    event
}

type Taken = (Event, State, Vec<EventType>);

/// The steps of one order that is kept, and of another one that is undone; what each comes to.
fn both_ways<T: Participating>(tested: &T) -> [[Taken; 2]; 2] {
    let wire = T::Saga::WIRE;
    let both = [
        (
            T::confirm as fn(&Event) -> Event,
            State::Confirmed,
            wire.confirmed,
        ),
        (T::compensate, State::Released, wire.released),
    ];
    both.map(|(end, state, says)| {
        let reserve = tested.reserve_one();
        let end = (end(&reserve), state, vec![says]);
        [(reserve, State::Reserved, wire.reserved.to_vec()), end]
    })
}

fn event(purchase: Purchase, event_type: EventType) -> Event {
    let message = message(purchase, event_type, 0);
    Event::new(message, None, None, Timestamp::now())
}

fn bought_by(reserve: &Event) -> Purchase {
    match reserve.message.payload {
        saga_events::Payload::Purchase(purchase) => purchase,
        ref other => unreachable!("not a purchase: {other:?}"),
    }
}
