//! Given the events so far, when one more comes, then what the table says: every cell of it.
#![allow(clippy::unwrap_used, clippy::panic)]

use saga_events::EventType::{
    InventoryConfirmed as CONFIRM, InventoryReservationFailed, InventoryRollback,
    OrderCreated as RESERVE, PaymentConfirmed, PaymentReservationFailed, PaymentReserved,
    PaymentRollback, UserValidated, UserValidationFailed,
};
use saga_events::{
    Amount, Cancelled, Failure, ItemId, Message, OrderId, Payload, PayloadKind, Quantity, Reason,
    Settled, Timestamp, UserId,
};
use svc_chassis::participant::State::{self, Confirmed, Refused, Released, Reserved};
use svc_chassis::participant::step;
use uuid::Uuid;

use super::*;

/// What one event did.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    /// The row is in this state, this was said, and this happened to the money.
    Is(State, Vec<EventType>, Option<Change>),
    Silent,
    Impossible,
}
use Then::{Impossible, Is, Silent};

const RESERVED: [EventType; 2] = [UserValidated, PaymentReserved];
/// Both of the right neighbour's ways to say that it holds nothing.
const COMPENSATE: [EventType; 2] = [InventoryReservationFailed, InventoryRollback];
const NOTHING: Option<Change> = None;
const DO: Option<Change> = moved(-200, 200, 0);
const KEEP: Option<Change> = moved(0, -200, 200);
const UNDO: Option<Change> = moved(200, -200, 0);

const fn moved(available: i64, held: i64, captured: i64) -> Option<Change> {
    Some(Change {
        available,
        held,
        captured,
    })
}

/// Enough money, of a buyer who may spend it.
fn plenty() -> Account {
    Account {
        active: true,
        available: 1000,
        held: 0,
        captured: 0,
    }
}

/// For 200.
fn purchase(order: u128) -> Purchase {
    Purchase {
        order_id: OrderId::from_uuid(Uuid::from_u128(order)),
        user_id: UserId::from_uuid(Uuid::from_u128(1)),
        item_id: ItemId::from_uuid(Uuid::from_u128(2)),
        quantity: Quantity::new(2).unwrap(),
        unit_price: Amount::new(100).unwrap(),
        total_amount: Amount::new(200).unwrap(),
        deadline: Timestamp::from_micros(0),
    }
}

fn message(order: u128, event_type: EventType, attempt: u32) -> Message {
    let purchase = purchase(order);
    let order_id = purchase.order_id;
    let reason = Reason {
        reason_code: ReasonCode::OutOfStock,
        failed_step: Service::Item,
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

/// The row that these events, each of attempt 0, have left.
fn given(account: Option<&Account>, events: &[EventType]) -> Option<Hold> {
    events.iter().fold(None, |hold, event| {
        let step = step::<UserSaga>(hold.as_ref(), &message(7, *event, 0), account);
        step.unwrap().hold.or(hold)
    })
}

fn when(account: Option<&Account>, hold: Option<&Hold>, event: EventType, attempt: u32) -> Then {
    let Ok(step) = step::<UserSaga>(hold, &message(7, event, attempt), account) else {
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

fn check(events: &[EventType], (event, attempt): (EventType, u32), then: Then) {
    let account = Some(&plenty());
    let happened = when(account, given(account, events).as_ref(), event, attempt);
    assert_eq!(happened, then, "{events:?}, then {event} {attempt}");
}

fn check_refused(account: Option<&Account>, reason_code: ReasonCode, says: EventType) {
    let refused = || Is(Refused, vec![says], NOTHING);
    assert_eq!(when(account, None, RESERVE, 0), refused());
    let hold = given(account, &[RESERVE]).unwrap();
    let failed_step = Service::User;
    let reason = Reason {
        reason_code,
        failed_step,
    };
    assert_eq!(hold.reason, Some(reason));
    assert_eq!(when(account, Some(&hold), RESERVE, 0), Silent);
    assert_eq!(when(account, Some(&hold), RESERVE, 1), refused());
    assert_eq!(when(account, Some(&hold), CONFIRM, 1), Impossible);
    for compensate in COMPENSATE {
        assert_eq!(when(account, Some(&hold), compensate, 0), Silent);
        assert_eq!(when(account, Some(&hold), compensate, 1), refused());
    }
}

#[test]
fn without_a_row_it_reserves_or_leaves_a_tombstone() {
    check(&[], (RESERVE, 0), Is(Reserved, RESERVED.to_vec(), DO));
    check(&[], (CONFIRM, 0), Impossible);
    for compensate in COMPENSATE {
        let tombstone = Is(Released, vec![PaymentRollback], NOTHING);
        check(&[], (compensate, 0), tombstone);
    }
}

#[test]
fn held_money_is_captured_or_given_back() {
    let held = [RESERVE];
    check(&held, (RESERVE, 0), Silent);
    let repeat = Is(Reserved, RESERVED.to_vec(), NOTHING);
    check(&held, (RESERVE, 1), repeat);
    let captured = Is(Confirmed, vec![PaymentConfirmed], KEEP);
    check(&held, (CONFIRM, 0), captured);
    for compensate in COMPENSATE {
        let given_back = Is(Released, vec![PaymentRollback], UNDO);
        check(&held, (compensate, 0), given_back);
    }
}

#[test]
fn money_that_was_given_back_stays_so() {
    for first in COMPENSATE {
        // The second one is a tombstone: the undo came before the do.
        for given_back in [[RESERVE, first].as_slice(), &[first]] {
            let repeat = || Is(Released, vec![PaymentRollback], NOTHING);
            check(given_back, (RESERVE, 0), Silent);
            check(given_back, (RESERVE, 1), repeat());
            check(given_back, (CONFIRM, 1), Impossible);
            for again in COMPENSATE {
                check(given_back, (again, 0), Silent);
                check(given_back, (again, 1), repeat());
            }
        }
    }
}

#[test]
fn money_that_was_captured_stays_so() {
    let captured = [RESERVE, CONFIRM];
    let repeat = || Is(Confirmed, vec![PaymentConfirmed], NOTHING);
    check(&captured, (RESERVE, 0), Silent);
    check(&captured, (RESERVE, 1), repeat());
    check(&captured, (CONFIRM, 0), Silent);
    check(&captured, (CONFIRM, 1), repeat());
    for compensate in COMPENSATE {
        check(&captured, (compensate, 1), Impossible);
    }
}

#[test]
fn what_cannot_be_held_is_refused_with_its_reason() {
    let inactive = Account {
        active: false,
        ..plenty()
    };
    let too_poor = Account {
        available: 199,
        ..plenty()
    };
    check_refused(None, ReasonCode::UserNotFound, UserValidationFailed);
    let reason = ReasonCode::UserInactive;
    check_refused(Some(&inactive), reason, UserValidationFailed);
    let reason = ReasonCode::InsufficientBalance;
    check_refused(Some(&too_poor), reason, PaymentReservationFailed);
}

#[test]
fn the_whole_balance_can_be_held() {
    let just_enough = Account {
        available: 200,
        ..plenty()
    };
    let held = Is(Reserved, RESERVED.to_vec(), DO);
    assert_eq!(when(Some(&just_enough), None, RESERVE, 0), held);
}

#[test]
fn what_is_held_of_a_deactivated_buyer_is_still_captured_or_given_back() {
    let hold = given(Some(&plenty()), &[RESERVE]);
    let account = Account {
        active: false,
        ..plenty()
    };
    for (event, then) in [
        (CONFIRM, Is(Confirmed, vec![PaymentConfirmed], KEEP)),
        (COMPENSATE[0], Is(Released, vec![PaymentRollback], UNDO)),
    ] {
        assert_eq!(when(Some(&account), hold.as_ref(), event, 0), then);
    }
}

/// All sequences of six events of two orders, with money for one of them.
#[test]
fn no_sequence_of_events_loses_or_mints_money() {
    let choices = [RESERVE, CONFIRM, InventoryRollback].map(|event| [(0, event), (1, event)]);
    let choices = choices.as_flattened();
    for sequence in 0..choices.len().pow(6) {
        let mut account = Account {
            available: 300,
            ..plenty()
        };
        let mut holds = [None, None];
        for n in 0..6 {
            let (order, event) = choices[sequence / choices.len().pow(n) % choices.len()];
            let hold: &mut Option<Hold> = &mut holds[order];
            let message = message(order as u128, event, n);
            let Ok(step) = step::<UserSaga>(hold.as_ref(), &message, Some(&account)) else {
                continue;
            };
            *hold = step.hold.or(hold.take());
            if let Some(change) = step.change {
                account.available += change.available;
                account.held += change.held;
                account.captured += change.captured;
            }
            let sum = |state| -> i64 {
                let holds = holds.iter().flatten();
                let of_state = holds.filter(|hold| hold.state == state);
                of_state.map(|hold| hold.held).sum()
            };
            let kept = (account.held, account.captured);
            assert_eq!(kept, (sum(Reserved), sum(Confirmed)));
            assert_eq!(account.available + account.held + account.captured, 300);
            assert!(account.available >= 0);
        }
    }
}
