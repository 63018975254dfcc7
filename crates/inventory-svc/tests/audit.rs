//! What inventory-svc says about itself: a file that steps made keeps every law, and what is planted
//! in it is found.
#![allow(clippy::unwrap_used)]

use inventory_svc::InventorySvc;
use inventory_svc::saga::InventorySaga;
use saga_events::{ItemId, Purchase};
use svc_chassis::Service;
use svc_chassis::testing::Bench;
use svc_chassis::testing::audits::{Plant, audited, everything_planted_is_found, seed};
use svc_chassis::testing::cells::purchase;
use tempfile::TempDir;
use uuid::Uuid;

fn of_item(order: usize, item: u128) -> Purchase {
    Purchase {
        item_id: ItemId::from_uuid(Uuid::from_u128(item)),
        ..purchase(order)
    }
}

/// A user who owns two pieces of one item, and has a slot held for another.
fn bags() -> (TempDir, Bench) {
    let folder = TempDir::new().unwrap();
    let mut bench = Bench::open(folder.path(), &InventorySvc::migrations()).unwrap();
    let purchases = [
        of_item(1, 11),
        of_item(2, 12),
        of_item(3, 13),
        of_item(4, 14),
    ];
    seed::<InventorySaga>(&mut bench, purchases);
    (folder, bench)
}

const PLANTS: &[Plant] = &[
    ("inventories-room", "UPDATE inventories SET capacity = 1"),
    ("inventories-used", "UPDATE inventories SET used = used + 1"),
    ("inventories-used", "DELETE FROM stacks"),
    ("inventories-used", "DELETE FROM inventories"),
    ("inventories-held", "UPDATE inventories SET held = 0"),
    (
        "inventories-held",
        "DELETE FROM holds WHERE state = 'Reserved'",
    ),
    (
        "inventories-owned",
        "UPDATE stacks SET quantity = quantity + 1",
    ),
    ("inventories-owned", "DELETE FROM stacks"),
    (
        "inventories-owned",
        "UPDATE holds SET state = 'Released' WHERE state = 'Confirmed'",
    ),
    (
        "inventories-hold-one-slot",
        "UPDATE holds SET held = 2 WHERE state = 'Reserved'",
    ),
    (
        "holds-whole",
        "UPDATE holds SET failed_step = NULL WHERE state = 'Released'",
    ),
    (
        "holds-said",
        "DELETE FROM outbox WHERE type = 'inventory.confirmed'",
    ),
];

#[test]
fn what_is_planted_in_the_inventories_is_found_and_named() {
    everything_planted_is_found::<InventorySvc, _>(bags, PLANTS);
}

#[test]
fn the_totals_are_the_sums_of_the_inventories() {
    let (_folder, mut bench) = bags();
    let report = audited::<InventorySvc>(&mut bench);
    let totals = ["used", "held", "stacks", "owned"].map(|name| report.total(name).unwrap());
    assert_eq!((totals, report.open), ([1, 1, 1, 2], 1));
}
