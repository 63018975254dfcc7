//! Given the events so far, when one more comes, then what the table says: every cell of a
//! participant's table. Pure, no database.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::fmt::Debug;

use saga_events::{
    Amount, Cancelled, EventType, Failure, ItemId, Message, OrderId, Payload, PayloadKind,
    Purchase, Quantity, Reason, ReasonCode, Service, Settled, Timestamp, UserId,
};
use uuid::Uuid;

use crate::participant::{Hold, Participant, State, step};

/// What one event did.
#[derive(Debug, PartialEq, Eq)]
pub enum Then<C> {
    /// The row is in this state, this was said, and this happened to the book.
    Is(State, Vec<EventType>, Option<C>),
    /// Nothing at all.
    Silent,
    /// The table has no such cell.
    Impossible,
}
use Then::{Impossible, Is, Silent};

/// What a participant's table is expected to say, in its tests' own words: on which events, what
/// is then said, and what happens to the book.
pub struct Table<P: Participant> {
    /// Who it is.
    pub me: Service,
    /// A book that has what [`purchase`] asks for.
    pub book: P::Book,
    /// Do.
    pub reserve: (EventType, &'static [EventType], P::Change),
    /// Keep.
    pub confirm: (EventType, EventType, P::Change),
    /// Undo.
    pub compensate: (&'static [EventType], EventType, P::Change),
}

impl<P: Participant<Change: Copy + Debug + PartialEq>> Table<P> {
    /// It holds, or remembers that there is nothing to be held any more.
    pub fn without_a_row_it_reserves_or_leaves_a_tombstone(&self) {
        let (reserve, reserved, held) = self.reserve;
        let (compensate, released, _) = self.compensate;
        let done = Is(State::Reserved, reserved.to_vec(), Some(held));
        self.check(&[], (reserve, 0), done);
        self.check(&[], (self.confirm.0, 0), Impossible);
        for undo in compensate {
            let tombstone = Is(State::Released, vec![released], None);
            self.check(&[], (*undo, 0), tombstone);
        }
    }

    /// Also when `later`, another book, is what the second event finds.
    pub fn what_is_held_is_kept_or_given_back(&self, later: &P::Book) {
        let (reserve, reserved, _) = self.reserve;
        let (confirm, confirmed, kept) = self.confirm;
        let (compensate, released, undone) = self.compensate;
        let held = [reserve];
        self.check(&held, (reserve, 0), Silent);
        let repeat = Is(State::Reserved, reserved.to_vec(), None);
        self.check(&held, (reserve, 1), repeat);
        let hold = given::<P>(Some(&self.book), &held);
        for book in [&self.book, later] {
            let when = |event| when::<P>(Some(book), hold.as_ref(), event, 0);
            let keep = Is(State::Confirmed, vec![confirmed], Some(kept));
            assert_eq!(when(confirm), keep);
            for undo in compensate {
                let given_back = Is(State::Released, vec![released], Some(undone));
                assert_eq!(when(*undo), given_back, "{undo}");
            }
        }
    }

    /// Whichever event undid it, and also where the undo came before the do.
    pub fn what_was_given_back_stays_so(&self) {
        let (reserve, ..) = self.reserve;
        let (compensate, released, _) = self.compensate;
        for first in compensate {
            // The second one is a tombstone.
            for given_back in [[reserve, *first].as_slice(), &[*first]] {
                let repeat = || Is(State::Released, vec![released], None);
                self.check(given_back, (reserve, 0), Silent);
                self.check(given_back, (reserve, 1), repeat());
                self.check(given_back, (self.confirm.0, 1), Impossible);
                for again in compensate {
                    self.check(given_back, (*again, 0), Silent);
                    self.check(given_back, (*again, 1), repeat());
                }
            }
        }
    }

    /// It lies behind the pivot: nothing undoes it.
    pub fn what_was_kept_stays_so(&self) {
        let (reserve, ..) = self.reserve;
        let (confirm, confirmed, _) = self.confirm;
        let kept = [reserve, confirm];
        let repeat = || Is(State::Confirmed, vec![confirmed], None);
        for event in [reserve, confirm] {
            self.check(&kept, (event, 0), Silent);
            self.check(&kept, (event, 1), repeat());
        }
        for undo in self.compensate.0 {
            self.check(&kept, (*undo, 1), Impossible);
        }
    }

    /// This book cannot give what [`purchase`] asks for: that is said, with the reason, and stays.
    pub fn it_refuses(&self, book: Option<&P::Book>, reason_code: ReasonCode, says: EventType) {
        let (reserve, ..) = self.reserve;
        let refused = || Is(State::Refused, vec![says], None);
        assert_eq!(when::<P>(book, None, reserve, 0), refused());
        let hold = given::<P>(book, &[reserve]).unwrap();
        let reason = Reason {
            reason_code,
            failed_step: self.me,
        };
        assert_eq!(hold.reason, Some(reason));
        let when = |event, attempt| when::<P>(book, Some(&hold), event, attempt);
        assert_eq!(when(reserve, 0), Silent);
        assert_eq!(when(reserve, 1), refused());
        assert_eq!(when(self.confirm.0, 1), Impossible);
        for undo in self.compensate.0 {
            assert_eq!(when(*undo, 0), Silent, "{undo}");
            assert_eq!(when(*undo, 1), refused(), "{undo}");
        }
    }

    fn check(
        &self,
        events: &[EventType],
        (event, attempt): (EventType, u32),
        then: Then<P::Change>,
    ) {
        let book = Some(&self.book);
        let happened = when::<P>(book, given::<P>(book, events).as_ref(), event, attempt);
        assert_eq!(happened, then, "{events:?}, then {event} {attempt}");
    }
}

/// The row that these events, each of attempt 0, have left.
#[must_use]
pub fn given<P: Participant>(book: Option<&P::Book>, events: &[EventType]) -> Option<Hold> {
    events.iter().fold(None, |hold, event| {
        let step = step::<P>(hold.as_ref(), &message(purchase(7), *event, 0), book);
        step.unwrap().hold.or(hold)
    })
}

/// What one more event does to that row.
#[must_use]
pub fn when<P: Participant>(
    book: Option<&P::Book>,
    hold: Option<&Hold>,
    event: EventType,
    attempt: u32,
) -> Then<P::Change> {
    let Ok(step) = step::<P>(hold, &message(purchase(7), event, attempt), book) else {
        return Impossible;
    };
    let said: Vec<_> = step.says.iter().map(|said| said.event_type).collect();
    assert!(step.says.iter().all(|said| said.attempt == attempt));
    match step.hold {
        Some(hold) => Is(hold.state, said, step.change),
        None if step.change.is_none() && said.is_empty() => Silent,
        None => panic!("{event} is answered by {said:?}, but not remembered"),
    }
}

/// All sequences of six such events of so many orders: whose each is, and what it says. The later,
/// the higher the attempt.
pub fn sequences(
    events: [EventType; 3],
    orders: usize,
) -> impl Iterator<Item = impl Iterator<Item = (usize, Message)>> {
    let choices = orders * events.len();
    (0..choices.pow(6)).map(move |sequence| {
        (0..6).map(move |n| {
            let choice = sequence / choices.pow(n) % choices;
            let (order, event) = (choice % orders, events[choice / orders]);
            (order, message(purchase(order), event, n))
        })
    })
}

/// Takes the step, if the table has it; what then happens to the book.
pub fn advance<P: Participant>(
    hold: &mut Option<Hold>,
    message: &Message,
    book: &P::Book,
) -> Option<P::Change> {
    let step = step::<P>(hold.as_ref(), message, Some(book)).ok()?;
    *hold = step.hold.or(hold.take());
    step.change
}

/// The rows that are in this state.
pub fn of_state(holds: &[Option<Hold>], state: State) -> impl Iterator<Item = &Hold> {
    let holds = holds.iter().flatten();
    holds.filter(move |hold| hold.state == state)
}

/// How much the rows of this state hold, or held.
#[must_use]
pub fn sum(holds: &[Option<Hold>], state: State) -> i64 {
    of_state(holds, state).map(|hold| hold.held).sum()
}

/// The order of this number: two of an item for 100 each.
#[must_use]
pub fn purchase(order: usize) -> Purchase {
    Purchase {
        order_id: OrderId::from_uuid(Uuid::from_u128(order as u128)),
        user_id: UserId::from_uuid(Uuid::from_u128(1)),
        item_id: ItemId::from_uuid(Uuid::from_u128(2)),
        quantity: Quantity::new(2).unwrap(),
        unit_price: Amount::new(100).unwrap(),
        total_amount: Amount::new(200).unwrap(),
        deadline: Timestamp::from_micros(0),
    }
}

/// Such an event about this purchase; if it fails, then because the payment was declined.
#[must_use]
pub fn message(purchase: Purchase, event_type: EventType, attempt: u32) -> Message {
    let order_id = purchase.order_id;
    let reason = Reason {
        reason_code: ReasonCode::PaymentDeclined,
        failed_step: Service::Payment,
    };
    let payload = match event_type.spec().payload {
        PayloadKind::Purchase => Payload::Purchase(purchase),
        PayloadKind::Settled => Payload::Settled(Settled { order_id }),
        PayloadKind::Failure => Payload::Failure(Failure { order_id, reason }),
        PayloadKind::Cancelled => Payload::Cancelled(Cancelled { purchase, reason }),
    };
    Message {
        event_type,
        attempt,
        payload,
    }
}
