//! Given the events so far, when one more comes, then what the table says: every cell of it.
#![allow(clippy::unwrap_used, clippy::panic)]

use saga_events::EventType::{
    InventoryReserved as RESERVE, ItemDeducted, ItemReservationFailed, ItemReserved, ItemRestored,
    PaymentFailed as COMPENSATE, PaymentProcessed as CONFIRM,
};
use saga_events::{
    Cancelled, Failure, ItemId, Message, OrderId, Payload, PayloadKind, Quantity, Reason, Settled,
    Timestamp, UserId,
};
use svc_chassis::participant::State::{self, Confirmed, Refused, Released, Reserved};
use svc_chassis::participant::step;
use uuid::Uuid;

use super::*;

/// What one event did.
#[derive(Debug, PartialEq, Eq)]
enum Then {
    /// The row is in this state, this was said, and this happened to the stock.
    Is(State, Vec<EventType>, Option<Change>),
    Silent,
    Impossible,
}
use Then::{Impossible, Is, Silent};

const NOTHING: Option<Change> = None;
const DO: Option<Change> = moved(-2, 2, 0);
const KEEP: Option<Change> = moved(0, -2, 2);
const UNDO: Option<Change> = moved(2, -2, 0);

const fn moved(available: i64, held: i64, sold: i64) -> Option<Change> {
    Some(Change {
        available,
        held,
        sold,
    })
}

/// Ten pieces, at the price that purchases quote.
fn plenty() -> Item {
    Item {
        price: Amount::new(100).unwrap(),
        available: 10,
        held: 0,
        sold: 0,
        withdrawn: false,
    }
}

/// Two pieces.
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

/// The row that these events, each of attempt 0, have left.
fn given(item: Option<&Item>, events: &[EventType]) -> Option<Hold> {
    events.iter().fold(None, |hold, event| {
        let step = step::<ItemSaga>(hold.as_ref(), &message(7, *event, 0), item);
        step.unwrap().hold.or(hold)
    })
}

fn when(item: Option<&Item>, hold: Option<&Hold>, event: EventType, attempt: u32) -> Then {
    let Ok(step) = step::<ItemSaga>(hold, &message(7, event, attempt), item) else {
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
    let item = Some(&plenty());
    let happened = when(item, given(item, events).as_ref(), event, attempt);
    assert_eq!(happened, then, "{events:?}, then {event} {attempt}");
}

fn check_refused(item: Option<&Item>, reason_code: ReasonCode) {
    let refused = || Is(Refused, vec![ItemReservationFailed], NOTHING);
    assert_eq!(when(item, None, RESERVE, 0), refused());
    let hold = given(item, &[RESERVE]).unwrap();
    let failed_step = Service::Item;
    assert_eq!(
        hold.reason,
        Some(Reason {
            reason_code,
            failed_step
        })
    );
    for (event, attempt, then) in [
        (RESERVE, 0, Silent),
        (RESERVE, 1, refused()),
        (CONFIRM, 1, Impossible),
        (COMPENSATE, 0, Silent),
        (COMPENSATE, 1, refused()),
    ] {
        assert_eq!(when(item, Some(&hold), event, attempt), then, "{event}");
    }
}

#[test]
fn without_a_row_it_reserves_or_leaves_a_tombstone() {
    check(&[], (RESERVE, 0), Is(Reserved, vec![ItemReserved], DO));
    check(&[], (CONFIRM, 0), Impossible);
    let tombstone = Is(Released, vec![ItemRestored], NOTHING);
    check(&[], (COMPENSATE, 0), tombstone);
}

#[test]
fn held_stock_is_sold_or_given_back() {
    let held = [RESERVE];
    check(&held, (RESERVE, 0), Silent);
    let repeat = Is(Reserved, vec![ItemReserved], NOTHING);
    check(&held, (RESERVE, 1), repeat);
    let sold = Is(Confirmed, vec![ItemDeducted], KEEP);
    check(&held, (CONFIRM, 0), sold);
    let given_back = Is(Released, vec![ItemRestored], UNDO);
    check(&held, (COMPENSATE, 0), given_back);
}

#[test]
fn stock_that_was_given_back_stays_so() {
    // The second one is a tombstone: the undo came before the do.
    for given_back in [[RESERVE, COMPENSATE].as_slice(), &[COMPENSATE]] {
        let repeat = || Is(Released, vec![ItemRestored], NOTHING);
        check(given_back, (RESERVE, 0), Silent);
        check(given_back, (RESERVE, 1), repeat());
        check(given_back, (CONFIRM, 1), Impossible);
        check(given_back, (COMPENSATE, 0), Silent);
        check(given_back, (COMPENSATE, 1), repeat());
    }
}

#[test]
fn stock_that_was_sold_stays_so() {
    let sold = [RESERVE, CONFIRM];
    let repeat = || Is(Confirmed, vec![ItemDeducted], NOTHING);
    check(&sold, (RESERVE, 0), Silent);
    check(&sold, (RESERVE, 1), repeat());
    check(&sold, (CONFIRM, 0), Silent);
    check(&sold, (CONFIRM, 1), repeat());
    check(&sold, (COMPENSATE, 1), Impossible);
}

#[test]
fn what_cannot_be_held_is_refused_with_its_reason() {
    let withdrawn = Item {
        withdrawn: true,
        ..plenty()
    };
    let dearer = Item {
        price: Amount::new(101).unwrap(),
        ..plenty()
    };
    let too_few = Item {
        available: 1,
        ..plenty()
    };
    check_refused(None, ReasonCode::ItemNotFound);
    check_refused(Some(&withdrawn), ReasonCode::ItemWithdrawn);
    check_refused(Some(&dearer), ReasonCode::PriceChanged);
    check_refused(Some(&too_few), ReasonCode::OutOfStock);
}

#[test]
fn the_last_pieces_can_be_held() {
    let last = Item {
        available: 2,
        ..plenty()
    };
    let held = Is(Reserved, vec![ItemReserved], DO);
    assert_eq!(when(Some(&last), None, RESERVE, 0), held);
}

#[test]
fn what_is_held_of_a_withdrawn_item_is_still_sold_or_given_back() {
    let hold = given(Some(&plenty()), &[RESERVE]);
    let item = Item {
        withdrawn: true,
        price: Amount::MAX,
        ..plenty()
    };
    for (event, then) in [
        (CONFIRM, Is(Confirmed, vec![ItemDeducted], KEEP)),
        (COMPENSATE, Is(Released, vec![ItemRestored], UNDO)),
    ] {
        assert_eq!(when(Some(&item), hold.as_ref(), event, 0), then);
    }
}

/// All sequences of six events of two orders, with stock for one of them.
#[test]
fn no_sequence_of_events_loses_or_mints_stock() {
    let choices = [RESERVE, CONFIRM, COMPENSATE].map(|event| [(0, event), (1, event)]);
    let choices = choices.as_flattened();
    for sequence in 0..choices.len().pow(6) {
        let mut item = Item {
            available: 3,
            ..plenty()
        };
        let mut holds = [None, None];
        for n in 0..6 {
            let (order, event) = choices[sequence / choices.len().pow(n) % choices.len()];
            let hold: &mut Option<Hold> = &mut holds[order];
            let message = message(order as u128, event, n);
            let Ok(step) = step::<ItemSaga>(hold.as_ref(), &message, Some(&item)) else {
                continue;
            };
            *hold = step.hold.or(hold.take());
            if let Some(change) = step.change {
                item.available += change.available;
                item.held += change.held;
                item.sold += change.sold;
            }
            let sum = |state| -> i64 {
                let holds = holds.iter().flatten();
                let of_state = holds.filter(|hold| hold.state == state);
                of_state.map(|hold| hold.held).sum()
            };
            assert_eq!((item.held, item.sold), (sum(Reserved), sum(Confirmed)));
            assert_eq!(item.available + item.held + item.sold, 3);
            assert!(item.available >= 0);
        }
    }
}
