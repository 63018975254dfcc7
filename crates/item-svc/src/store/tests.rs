//! The catalogue on a real database file.
#![allow(clippy::unwrap_used)]

use svc_chassis::Service;
use svc_chassis::testing::Bench;
use tempfile::TempDir;

use super::*;
use crate::ItemSvc;

/// A new database file; the folder goes when it is dropped.
fn bench() -> (TempDir, Bench) {
    let folder = TempDir::new().unwrap();
    let bench = Bench::open(folder.path(), &ItemSvc::migrations()).unwrap();
    (folder, bench)
}

/// What a request does: it is committed, or undone as a whole. The catalogue publishes nothing.
fn write<T>(
    bench: &mut Bench,
    job: impl FnMut(&mut Tx<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let (made, said) = bench.write(job)?;
    assert_eq!(said, []);
    Ok(made)
}

fn units(number: i64) -> Units {
    Units::new(number).unwrap()
}

fn sword(stock: i64) -> NewItem {
    let price = Amount::new(10_000).unwrap();
    NewItem {
        name: "sword".to_owned(),
        description: String::new(),
        price,
        stock: units(stock),
    }
}

/// An item of its own, with this much stock.
fn made(bench: &mut Bench, stock: i64) -> ItemId {
    let id = ItemId::new();
    assert!(write(bench, |tx| create(tx, id, &sword(stock))).unwrap());
    id
}

fn ledger(bench: &mut Bench, id: ItemId) -> Vec<i64> {
    let entries = restocks::table
        .filter(restocks::item_id.eq(id))
        .order(restocks::seq);
    entries
        .select(restocks::quantity)
        .load(bench.conn())
        .unwrap()
}

fn status<T: std::fmt::Debug>(result: Result<T, Error>) -> u16 {
    Problem::from(&result.unwrap_err()).status().as_u16()
}

#[test]
fn an_item_that_is_there_stays_as_it_is() {
    let (_folder, mut bench) = bench();
    let id = made(&mut bench, 50);
    let before = item(bench.conn(), id).unwrap();
    let other = NewItem {
        name: "shield".to_owned(),
        ..sword(7)
    };
    assert!(!write(&mut bench, |tx| create(tx, id, &other)).unwrap());
    assert_eq!(item(bench.conn(), id).unwrap(), before);
    assert_eq!(ledger(&mut bench, id), [50]);
}

#[test]
fn all_stock_that_came_in_is_in_the_ledger() {
    let (_folder, mut bench) = bench();
    let id = made(&mut bench, 0);
    assert_eq!(ledger(&mut bench, id), [0; 0]);
    write(&mut bench, |tx| restock(tx, id, units(3))).unwrap();
    write(&mut bench, |tx| restock(tx, id, units(4))).unwrap();
    assert_eq!(ledger(&mut bench, id), [3, 4]);
    assert_eq!(item(bench.conn(), id).unwrap().stock, units(7));
}

#[test]
fn more_stock_than_can_be_counted_is_refused_and_leaves_nothing() {
    let (_folder, mut bench) = bench();
    let id = made(&mut bench, 10);
    assert_eq!(
        status(write(&mut bench, |tx| restock(
            tx,
            id,
            units(MAX_MONEY - 9)
        ))),
        422
    );
    assert_eq!(ledger(&mut bench, id), [10]);
    write(&mut bench, |tx| restock(tx, id, units(MAX_MONEY - 10))).unwrap();
    assert_eq!(item(bench.conn(), id).unwrap().stock, Units::MAX);
}

#[test]
fn an_edit_changes_what_it_names_and_an_empty_one_nothing() {
    let (_folder, mut bench) = bench();
    let id = made(&mut bench, 1);
    let price = Some(Amount::new(12_000).unwrap());
    let dearer = Edit {
        name: None,
        description: None,
        price,
    };
    let item = write(&mut bench, |tx| edit(tx, id, &dearer)).unwrap();
    assert_eq!((item.name.as_str(), item.price.get()), ("sword", 12_000));
    let nothing = Edit {
        name: None,
        description: None,
        price: None,
    };
    assert_eq!(
        write(&mut bench, |tx| edit(tx, id, &nothing)).unwrap(),
        item
    );
}

#[test]
fn an_unknown_item_is_a_404_for_every_request() {
    let (_folder, mut bench) = bench();
    let id = ItemId::new();
    let nothing = Edit {
        name: None,
        description: None,
        price: None,
    };
    assert_eq!(status(item(bench.conn(), id)), 404);
    assert_eq!(status(write(&mut bench, |tx| edit(tx, id, &nothing))), 404);
    assert_eq!(
        status(write(&mut bench, |tx| restock(tx, id, units(1)))),
        404
    );
    assert_eq!(status(write(&mut bench, |tx| withdraw(tx, id))), 404);
}

#[test]
fn pages_are_in_order_of_id_and_miss_nothing() {
    let (_folder, mut bench) = bench();
    let mut ids = [
        made(&mut bench, 1),
        made(&mut bench, 1),
        made(&mut bench, 1),
    ];
    ids.sort();
    let all = items(bench.conn(), None, None).unwrap();
    assert_eq!(all.iter().map(|item| item.id).collect::<Vec<_>>(), ids);
    assert_eq!(items(bench.conn(), None, Some(2)).unwrap(), all[..2]);
    assert_eq!(
        items(bench.conn(), Some(ids[1]), Some(2)).unwrap(),
        all[2..]
    );
    let some = vec![ids[2], ItemId::new(), ids[0], ids[2]];
    let some = items_of(bench.conn(), some).unwrap();
    assert_eq!(some, [all[0].clone(), all[2].clone()]);
}

#[test]
fn the_schema_refuses_what_the_saga_would_never_do() {
    let (_folder, mut bench) = bench();
    let id = made(&mut bench, 1);
    let mut moved = |available, held, sold| {
        MoveStock {
            available,
            held,
            sold,
            id,
        }
        .execute(bench.conn())
    };
    assert!(moved(-2, 2, 0).is_err(), "more held than there is");
    assert!(moved(0, -1, 1).is_err(), "sold without a hold");
    assert!(moved(MAX_MONEY, 0, 0).is_err(), "more than can be counted");
    assert_eq!(item(bench.conn(), id).unwrap().stock, units(1));
}
