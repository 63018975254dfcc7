//! What item-svc says about itself: a file that steps made keeps every law, and what is planted in
//! it is found.
#![allow(clippy::unwrap_used)]

use item_svc::ItemSvc;
use item_svc::saga::ItemSaga;
use item_svc::store::{self, NewItem};
use saga_events::{Amount, Units};
use svc_chassis::Service;
use svc_chassis::testing::Bench;
use svc_chassis::testing::audits::{Plant, audited, everything_planted_is_found, seed};
use svc_chassis::testing::cells::purchase;
use tempfile::TempDir;

/// An item of which 12 were stocked: two are held, two are sold.
fn shop() -> (TempDir, Bench) {
    let folder = TempDir::new().unwrap();
    let mut bench = Bench::open(folder.path(), &ItemSvc::migrations()).unwrap();
    let new = NewItem {
        name: "shield".to_owned(),
        description: String::new(),
        price: Amount::new(100).unwrap(),
        stock: Units::new(10).unwrap(),
    };
    let item = purchase(1).item_id;
    bench.write(|tx| store::create(tx, item, &new)).unwrap();
    bench
        .write(|tx| store::restock(tx, item, Units::new(2).unwrap()))
        .unwrap();
    seed::<ItemSaga>(&mut bench, [1, 2, 3, 4].map(purchase));
    (folder, bench)
}

const PLANTS: &[Plant] = &[
    ("items-stock", "UPDATE items SET available = available - 1"),
    ("items-stock", "DELETE FROM restocks WHERE quantity = 2"),
    (
        "items-not-negative",
        "UPDATE items SET available = -1, sold = sold + available + 1",
    ),
    (
        "items-held",
        "UPDATE items SET held = held + 1, available = available - 1",
    ),
    ("items-held", "DELETE FROM holds WHERE state = 'Reserved'"),
    ("items-held", "DELETE FROM items"),
    (
        "items-sold",
        "UPDATE items SET sold = sold + 1, available = available - 1",
    ),
    (
        "items-sold",
        "UPDATE holds SET held = 4 WHERE state = 'Confirmed'",
    ),
    (
        "items-hold-the-quantity",
        "UPDATE holds SET held = 1 WHERE state = 'Reserved'",
    ),
    (
        "holds-whole",
        "UPDATE holds SET total_amount = 1 WHERE state = 'Confirmed'",
    ),
    (
        "holds-said",
        "DELETE FROM outbox WHERE type = 'item.deducted'",
    ),
];

#[test]
fn what_is_planted_in_the_stock_is_found_and_named() {
    everything_planted_is_found::<ItemSvc, _>(shop, PLANTS);
}

#[test]
fn the_totals_are_the_sums_of_the_stock() {
    let (_folder, mut bench) = shop();
    let report = audited::<ItemSvc>(&mut bench);
    let totals = ["stocked", "available", "held", "sold"].map(|name| report.total(name).unwrap());
    assert_eq!((totals, report.open), ([12, 8, 2, 2], 1));
}
