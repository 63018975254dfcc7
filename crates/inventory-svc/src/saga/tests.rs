//! The table at the top of `saga.rs`, every cell of it, and what the buyer's slots have to do with
//! it.

use saga_events::EventType::{
    InventoryConfirmed, InventoryReservationFailed, InventoryReserved, InventoryRollback,
    ItemDeducted, ItemReservationFailed, ItemRestored, PaymentReserved,
};
use svc_chassis::participant::State::{Confirmed, Reserved};
use svc_chassis::testing::cells::Then::Is;
use svc_chassis::testing::cells::{Table, advance, given, of_state, sequences, sum, when};

use super::*;

const fn moved(used: i64, held: i64, owned: i64) -> Change {
    Change { used, held, owned }
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

/// Of a purchase of two pieces of an item, that finds this shelf and takes so many slots of it.
fn table(book: Shelf, slots: i64) -> Table<InventorySaga> {
    // Both of the right neighbour's ways to say that it holds nothing.
    let compensate_on = &[ItemReservationFailed, ItemRestored];
    Table {
        me: Service::Inventory,
        book,
        reserve: (PaymentReserved, &[InventoryReserved], moved(0, slots, 0)),
        confirm: (ItemDeducted, InventoryConfirmed, moved(slots, -slots, 2)),
        compensate: (compensate_on, InventoryRollback, moved(0, -slots, 0)),
    }
}

#[test]
fn without_a_row_it_reserves_or_leaves_a_tombstone() {
    table(empty(), 1).without_a_row_it_reserves_or_leaves_a_tombstone();
}

#[test]
fn held_room_is_used_or_given_back_also_of_a_shelf_that_shrank_meanwhile() {
    let shrunk = Shelf {
        capacity: 0,
        ..empty()
    };
    table(empty(), 1).what_is_held_is_kept_or_given_back(&shrunk);
}

#[test]
fn room_that_was_given_back_stays_so() {
    table(empty(), 1).what_was_given_back_stays_so();
}

#[test]
fn room_that_was_used_stays_so() {
    table(empty(), 1).what_was_kept_stays_so();
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
        let reason = ReasonCode::InventoryFull;
        table(empty(), 1).it_refuses(Some(&full), reason, InventoryReservationFailed);
    }
}

#[test]
fn an_unknown_user_has_twenty_free_slots() {
    let held = Is(Reserved, vec![InventoryReserved], Some(moved(0, 1, 0)));
    assert_eq!(when::<InventorySaga>(None, None, PaymentReserved, 0), held);
    assert_eq!(Shelf::default().capacity, 20);
}

#[test]
fn more_of_an_owned_item_needs_no_slot() {
    let full = Shelf {
        used: 2,
        owned: 5,
        ..empty()
    };
    let table = table(full, 0);
    table.without_a_row_it_reserves_or_leaves_a_tombstone();
    table.what_is_held_is_kept_or_given_back(&full);
}

#[test]
fn of_two_concurrent_purchases_of_a_new_item_the_second_gives_its_slot_back() {
    let hold = given::<InventorySaga>(Some(&empty()), &[PaymentReserved]);
    let after_the_first = Shelf {
        used: 1,
        held: 1,
        owned: 2,
        ..empty()
    };
    let after_the_first = Some(&after_the_first);
    let confirmed = Is(Confirmed, vec![InventoryConfirmed], Some(moved(0, -1, 2)));
    let happened = when::<InventorySaga>(after_the_first, hold.as_ref(), ItemDeducted, 0);
    assert_eq!(happened, confirmed);
}

/// All sequences of six events of three orders, two of them of the same item, with two slots.
#[test]
fn no_sequence_of_events_overfills_a_shelf_or_loses_an_item() {
    const ITEM: [usize; 3] = [0, 0, 1];
    for sequence in sequences([PaymentReserved, ItemDeducted, ItemRestored], 3) {
        let mut slots = empty();
        let mut owned = [0, 0];
        let mut holds = [None, None, None];
        for (order, message) in sequence {
            let item = ITEM[order];
            let shelf = Shelf {
                owned: owned[item],
                ..slots
            };
            if let Some(change) = advance::<InventorySaga>(&mut holds[order], &message, &shelf) {
                slots.used += change.used;
                slots.held += change.held;
                owned[item] += change.owned;
            }
            assert_eq!(slots.held, sum(&holds, Reserved));
            let bought = 2 * of_state(&holds, Confirmed).count() as i64;
            assert_eq!(owned[0] + owned[1], bought);
            let stacks = owned.iter().filter(|owned| **owned > 0).count() as i64;
            assert_eq!(slots.used, stacks);
            assert!(slots.used + slots.held <= slots.capacity);
        }
    }
}
