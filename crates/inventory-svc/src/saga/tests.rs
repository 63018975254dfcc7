//! Given the events so far, when one more comes, then what the table says: every cell of it.
#![allow(clippy::unwrap_used, clippy::panic)]

use saga_events::EventType::{
    InventoryConfirmed, InventoryReservationFailed, InventoryReserved, InventoryRollback,
    ItemDeducted as CONFIRM, ItemReservationFailed, ItemRestored, PaymentReserved as RESERVE,
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
    /// The row is in this state, this was said, and this happened to the shelf.
    Is(State, Vec<EventType>, Option<Change>),
    Silent,
    Impossible,
}
use Then::{Impossible, Is, Silent};

/// Both of the right neighbour's ways to say that it holds nothing.
const COMPENSATE: [EventType; 2] = [ItemReservationFailed, ItemRestored];
const NOTHING: Option<Change> = None;
const DO: Option<Change> = moved(0, 1, 0);
const KEEP: Option<Change> = moved(1, -1, 2);
const UNDO: Option<Change> = moved(0, -1, 0);

const fn moved(used: i64, held: i64, owned: i64) -> Option<Change> {
    Some(Change { used, held, owned })
}

/// Two slots, both free.
fn empty() -> Shelf {
    Shelf {
        capacity: 2,
        used: 0,
        held: 0,
        owned: 0,
    }
}

/// Two pieces of an item.
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
fn given(shelf: Option<&Shelf>, events: &[EventType]) -> Option<Hold> {
    events.iter().fold(None, |hold, event| {
        let step = step::<InventorySaga>(hold.as_ref(), &message(7, *event, 0), shelf);
        step.unwrap().hold.or(hold)
    })
}

fn when(shelf: Option<&Shelf>, hold: Option<&Hold>, event: EventType, attempt: u32) -> Then {
    let Ok(step) = step::<InventorySaga>(hold, &message(7, event, attempt), shelf) else {
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
    let shelf = Some(&empty());
    let happened = when(shelf, given(shelf, events).as_ref(), event, attempt);
    assert_eq!(happened, then, "{events:?}, then {event} {attempt}");
}

#[test]
fn without_a_row_it_reserves_or_leaves_a_tombstone() {
    let held = Is(Reserved, vec![InventoryReserved], DO);
    check(&[], (RESERVE, 0), held);
    check(&[], (CONFIRM, 0), Impossible);
    for compensate in COMPENSATE {
        let tombstone = Is(Released, vec![InventoryRollback], NOTHING);
        check(&[], (compensate, 0), tombstone);
    }
}

#[test]
fn held_room_is_used_or_given_back() {
    let held = [RESERVE];
    check(&held, (RESERVE, 0), Silent);
    let repeat = Is(Reserved, vec![InventoryReserved], NOTHING);
    check(&held, (RESERVE, 1), repeat);
    let used = Is(Confirmed, vec![InventoryConfirmed], KEEP);
    check(&held, (CONFIRM, 0), used);
    for compensate in COMPENSATE {
        let given_back = Is(Released, vec![InventoryRollback], UNDO);
        check(&held, (compensate, 0), given_back);
    }
}

#[test]
fn room_that_was_given_back_stays_so() {
    for first in COMPENSATE {
        // The second one is a tombstone: the undo came before the do.
        for given_back in [[RESERVE, first].as_slice(), &[first]] {
            let repeat = || Is(Released, vec![InventoryRollback], NOTHING);
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
fn room_that_was_used_stays_so() {
    let used = [RESERVE, CONFIRM];
    let repeat = || Is(Confirmed, vec![InventoryConfirmed], NOTHING);
    check(&used, (RESERVE, 0), Silent);
    check(&used, (RESERVE, 1), repeat());
    check(&used, (CONFIRM, 0), Silent);
    check(&used, (CONFIRM, 1), repeat());
    for compensate in COMPENSATE {
        check(&used, (compensate, 1), Impossible);
    }
}

#[test]
fn without_a_free_slot_it_refuses() {
    let used = Shelf { used: 2, ..empty() };
    let held = Shelf {
        used: 1,
        held: 1,
        ..empty()
    };
    let none = Shelf {
        capacity: 0,
        ..empty()
    };
    for full in [used, held, none] {
        let shelf = Some(&full);
        let refused = || Is(Refused, vec![InventoryReservationFailed], NOTHING);
        assert_eq!(when(shelf, None, RESERVE, 0), refused());
        let hold = given(shelf, &[RESERVE]).unwrap();
        let reason = Reason {
            reason_code: ReasonCode::InventoryFull,
            failed_step: Service::Inventory,
        };
        assert_eq!(hold.reason, Some(reason));
        assert_eq!(when(shelf, Some(&hold), RESERVE, 0), Silent);
        assert_eq!(when(shelf, Some(&hold), RESERVE, 1), refused());
        assert_eq!(when(shelf, Some(&hold), CONFIRM, 1), Impossible);
        for compensate in COMPENSATE {
            assert_eq!(when(shelf, Some(&hold), compensate, 0), Silent);
            assert_eq!(when(shelf, Some(&hold), compensate, 1), refused());
        }
    }
}

#[test]
fn an_unknown_user_has_twenty_free_slots() {
    let held = Is(Reserved, vec![InventoryReserved], DO);
    assert_eq!(when(None, None, RESERVE, 0), held);
    assert_eq!(Shelf::default().capacity, 20);
}

#[test]
fn more_of_an_owned_item_needs_no_slot() {
    let full = Shelf {
        used: 2,
        owned: 5,
        ..empty()
    };
    let held = Is(Reserved, vec![InventoryReserved], moved(0, 0, 0));
    assert_eq!(when(Some(&full), None, RESERVE, 0), held);
    let hold = given(Some(&full), &[RESERVE]);
    for (event, then) in [
        (
            CONFIRM,
            Is(Confirmed, vec![InventoryConfirmed], moved(0, 0, 2)),
        ),
        (
            ItemRestored,
            Is(Released, vec![InventoryRollback], moved(0, 0, 0)),
        ),
    ] {
        assert_eq!(when(Some(&full), hold.as_ref(), event, 0), then);
    }
}

#[test]
fn of_two_concurrent_purchases_of_a_new_item_the_second_gives_its_slot_back() {
    let hold = given(Some(&empty()), &[RESERVE]);
    let after_the_first = Shelf {
        used: 1,
        held: 1,
        owned: 2,
        ..empty()
    };
    let confirmed = Is(Confirmed, vec![InventoryConfirmed], moved(0, -1, 2));
    let happened = when(Some(&after_the_first), hold.as_ref(), CONFIRM, 0);
    assert_eq!(happened, confirmed);
}

/// All sequences of six events of three orders, two of them of the same item, with two slots.
#[test]
fn no_sequence_of_events_overfills_a_shelf_or_loses_an_item() {
    const ITEM: [usize; 3] = [0, 0, 1];
    let choices =
        [RESERVE, CONFIRM, ItemRestored].map(|event| [(0, event), (1, event), (2, event)]);
    let choices = choices.as_flattened();
    for sequence in 0..choices.len().pow(6) {
        let mut slots = empty();
        let mut owned = [0, 0];
        let mut holds = [None, None, None];
        for n in 0..6 {
            let (order, event) = choices[sequence / choices.len().pow(n) % choices.len()];
            let hold: &mut Option<Hold> = &mut holds[order];
            let message = message(order as u128, event, n);
            let shelf = Shelf {
                owned: owned[ITEM[order]],
                ..slots
            };
            let Ok(step) = step::<InventorySaga>(hold.as_ref(), &message, Some(&shelf)) else {
                continue;
            };
            *hold = step.hold.or(hold.take());
            if let Some(change) = step.change {
                slots.used += change.used;
                slots.held += change.held;
                owned[ITEM[order]] += change.owned;
            }
            let of = |state| {
                let holds = holds.iter().flatten();
                holds.filter(move |hold| hold.state == state)
            };
            let held: i64 = of(Reserved).map(|hold| hold.held).sum();
            assert_eq!(slots.held, held);
            let bought = 2 * of(Confirmed).count() as i64;
            assert_eq!(owned[0] + owned[1], bought);
            let stacks = owned.iter().filter(|owned| **owned > 0).count() as i64;
            assert_eq!(slots.used, stacks);
            assert!(slots.used + slots.held <= slots.capacity);
        }
    }
}
