//! The inventories on a real database file.
#![allow(clippy::unwrap_used)]

use saga_events::{Amount, OrderId, Quantity, Timestamp};
use svc_chassis::Service;
use svc_chassis::testing::Bench;
use tempfile::TempDir;

use super::*;
use crate::InventorySvc;

/// A new database file; the folder goes when it is dropped.
fn bench() -> (TempDir, Bench) {
    let folder = TempDir::new().unwrap();
    let bench = Bench::open(folder.path(), &InventorySvc::migrations()).unwrap();
    (folder, bench)
}

/// What a request does: it is committed, or undone as a whole. It publishes nothing.
fn write<T>(
    bench: &mut Bench,
    job: impl FnMut(&mut Tx<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (made, said) = bench.write(job)?;
    assert_eq!(said, []);
    Ok(made)
}

fn status<T: std::fmt::Debug>(result: Result<T, Error>) -> u16 {
    Problem::from(&result.unwrap_err()).status().as_u16()
}

/// What this user buys.
fn purchase(user_id: UserId) -> Purchase {
    Purchase {
        order_id: OrderId::new(),
        user_id,
        item_id: ItemId::new(),
        quantity: Quantity::MIN,
        unit_price: Amount::MIN,
        total_amount: Amount::MIN,
        deadline: Timestamp::now(),
    }
}

fn change(bench: &mut Bench, purchase: &Purchase, used: i64, held: i64, owned: i64) -> bool {
    let change = Change { used, held, owned };
    InventorySaga::apply(bench.conn(), purchase, &change).is_ok()
}

fn empty(user_id: UserId) -> Inventory {
    Inventory {
        user_id,
        capacity: 20,
        used: 0,
        held: 0,
        items: vec![],
    }
}

#[test]
fn an_unknown_user_has_an_empty_inventory_and_looking_stores_nothing() {
    let (_folder, mut bench) = bench();
    let id = UserId::new();
    assert_eq!(inventory(bench.conn(), id).unwrap(), empty(id));
    assert_eq!(
        InventorySaga::load(bench.conn(), &purchase(id)).unwrap(),
        None
    );
    assert_eq!(slots(bench.conn(), id).unwrap(), None);
}

#[test]
fn the_first_hold_makes_the_row() {
    let (_folder, mut bench) = bench();
    let purchase = purchase(UserId::new());
    assert!(change(&mut bench, &purchase, 0, 1, 0));
    let shelf = Shelf {
        held: 1,
        ..Shelf::default()
    };
    let loaded = InventorySaga::load(bench.conn(), &purchase).unwrap();
    assert_eq!(loaded, Some(shelf));
}

#[test]
fn a_stack_grows_and_its_slot_stays_one() {
    let (_folder, mut bench) = bench();
    let purchase = purchase(UserId::new());
    assert!(change(&mut bench, &purchase, 0, 1, 0));
    assert!(change(&mut bench, &purchase, 1, -1, 3));
    assert!(change(&mut bench, &purchase, 0, 0, 4));
    let item_id = purchase.item_id;
    let quantity = 7;
    let owned = Inventory {
        used: 1,
        items: vec![Stack { item_id, quantity }],
        ..empty(purchase.user_id)
    };
    assert_eq!(inventory(bench.conn(), purchase.user_id).unwrap(), owned);
    let shelf = InventorySaga::load(bench.conn(), &purchase).unwrap();
    assert_eq!(shelf.unwrap().owned, 7);
}

#[test]
fn a_capacity_is_kept_by_known_and_unknown_users_alike() {
    let (_folder, mut bench) = bench();
    let id = UserId::new();
    for capacity in [3, 0, 10_000] {
        let set = write(&mut bench, |tx| set_capacity(tx, id, capacity)).unwrap();
        assert_eq!(
            set,
            Inventory {
                capacity,
                ..empty(id)
            }
        );
        assert_eq!(inventory(bench.conn(), id).unwrap(), set);
    }
}

#[test]
fn a_capacity_below_what_is_used_and_held_is_refused_and_leaves_nothing() {
    let (_folder, mut bench) = bench();
    let purchase = purchase(UserId::new());
    let id = purchase.user_id;
    assert!(change(&mut bench, &purchase, 0, 2, 0));
    assert!(change(&mut bench, &purchase, 1, -1, 1));
    assert_eq!(status(write(&mut bench, |tx| set_capacity(tx, id, 1))), 409);
    assert_eq!(inventory(bench.conn(), id).unwrap().capacity, 20);
    write(&mut bench, |tx| set_capacity(tx, id, 2)).unwrap();
    assert_eq!(inventory(bench.conn(), id).unwrap().capacity, 2);
}

#[test]
fn the_schema_refuses_what_the_saga_would_never_do() {
    let (_folder, mut bench) = bench();
    let purchase = purchase(UserId::new());
    write(&mut bench, |tx| set_capacity(tx, purchase.user_id, 1)).unwrap();
    assert!(
        !change(&mut bench, &purchase, 0, 2, 0),
        "more held than there is"
    );
    assert!(
        !change(&mut bench, &purchase, 0, -1, 0),
        "given back without a hold"
    );
    let nothing_happened = inventory(bench.conn(), purchase.user_id).unwrap();
    assert_eq!((nothing_happened.used, nothing_happened.held), (0, 0));
}
