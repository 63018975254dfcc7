//! The table at the top of `saga.rs`, every cell of it, and what the item's stock has to do with it.
#![allow(clippy::unwrap_used)]

use saga_events::EventType::{
    InventoryReserved, ItemDeducted, ItemReservationFailed, ItemReserved, ItemRestored,
    PaymentFailed, PaymentProcessed,
};
use svc_chassis::participant::State::{Confirmed, Reserved};
use svc_chassis::testing::cells::{Table, advance, sequences, sum};

use super::*;

const fn moved(available: i64, held: i64, sold: i64) -> Change {
    Change {
        available,
        held,
        sold,
    }
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

/// Of a purchase of two pieces.
fn table() -> Table<ItemSaga> {
    Table {
        me: Service::Item,
        book: plenty(),
        reserve: (InventoryReserved, &[ItemReserved], moved(-2, 2, 0)),
        confirm: (PaymentProcessed, ItemDeducted, moved(0, -2, 2)),
        compensate: (&[PaymentFailed], ItemRestored, moved(2, -2, 0)),
    }
}

#[test]
fn without_a_row_it_reserves_or_leaves_a_tombstone() {
    table().without_a_row_it_reserves_or_leaves_a_tombstone();
}

#[test]
fn held_stock_is_sold_or_given_back_also_of_an_item_withdrawn_or_dearer_meanwhile() {
    let item = Item {
        withdrawn: true,
        price: Amount::MAX,
        ..plenty()
    };
    table().what_is_held_is_kept_or_given_back(&item);
}

#[test]
fn stock_that_was_given_back_stays_so() {
    table().what_was_given_back_stays_so();
}

#[test]
fn stock_that_was_sold_stays_so() {
    table().what_was_kept_stays_so();
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
    let refuses = |item, reason| table().it_refuses(item, reason, ItemReservationFailed);
    refuses(None, ReasonCode::ItemNotFound);
    refuses(Some(&withdrawn), ReasonCode::ItemWithdrawn);
    refuses(Some(&dearer), ReasonCode::PriceChanged);
    refuses(Some(&too_few), ReasonCode::OutOfStock);
}

#[test]
fn the_last_pieces_can_be_held() {
    let last = Item {
        available: 2,
        ..plenty()
    };
    let table = Table {
        book: last,
        ..table()
    };
    table.without_a_row_it_reserves_or_leaves_a_tombstone();
}

/// All sequences of six events of two orders, with stock for one of them.
#[test]
fn no_sequence_of_events_loses_or_mints_stock() {
    for sequence in sequences([InventoryReserved, PaymentProcessed, PaymentFailed], 2) {
        let mut item = Item {
            available: 3,
            ..plenty()
        };
        let mut holds = [None, None];
        for (order, message) in sequence {
            if let Some(change) = advance::<ItemSaga>(&mut holds[order], &message, &item) {
                item.available += change.available;
                item.held += change.held;
                item.sold += change.sold;
            }
            let kept = (item.held, item.sold);
            assert_eq!(kept, (sum(&holds, Reserved), sum(&holds, Confirmed)));
            assert_eq!(item.available + item.held + item.sold, 3);
            assert!(item.available >= 0);
        }
    }
}
