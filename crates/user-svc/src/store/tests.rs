//! The users on a real database file.
#![allow(clippy::unwrap_used)]

use diesel::connection::SimpleConnection;
use saga_events::{Event, EventType, Failure, ItemId, Message, Payload, Quantity};
use saga_events::{Reason, ReasonCode};
use svc_chassis::Service;
use svc_chassis::participant;
use svc_chassis::testing::{Bench, plan_of};
use tempfile::TempDir;

use super::*;
use crate::UserSvc;

/// A new database file; the folder goes when it is dropped.
fn bench() -> (TempDir, Bench) {
    let folder = TempDir::new().unwrap();
    let bench = Bench::open(folder.path(), &UserSvc::migrations()).unwrap();
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

fn money(amount: i64) -> Money {
    Money::new(amount).unwrap()
}

fn amount(amount: i64) -> Amount {
    Amount::new(amount).unwrap()
}

fn named(username: &str, balance: i64) -> NewUser {
    NewUser {
        username: username.to_owned(),
        balance: money(balance),
    }
}

/// A user of its own, with this balance.
fn made(bench: &mut Bench, balance: i64) -> UserId {
    let id = UserId::new();
    assert!(write(bench, |tx| create(tx, id, &named("ada", balance))).unwrap());
    id
}

fn ledger(bench: &mut Bench, id: UserId) -> Vec<i64> {
    let entries = deposits::table.filter(deposits::user_id.eq(id));
    let entries = entries.order(deposits::id).select(deposits::amount);
    entries.load(bench.conn()).unwrap()
}

fn status<T: std::fmt::Debug>(result: Result<T, Error>) -> u16 {
    Problem::from(&result.unwrap_err()).status().as_u16()
}

/// Buys for this amount; returns the order.
fn reserve(bench: &mut Bench, user_id: UserId, total_amount: i64) -> OrderId {
    let order_id = OrderId::new();
    let payload = Payload::Purchase(Purchase {
        order_id,
        user_id,
        item_id: ItemId::new(),
        quantity: Quantity::MIN,
        unit_price: amount(total_amount),
        total_amount: amount(total_amount),
        deadline: Timestamp::now(),
    });
    step(bench, EventType::OrderCreated, payload);
    order_id
}

fn step(bench: &mut Bench, event_type: EventType, payload: Payload) {
    let message = Message {
        event_type,
        attempt: 0,
        payload,
    };
    let event = Event::new(message, None, None, Timestamp::now());
    let applied = bench.write(|tx| participant::apply::<UserSaga>(tx, &event));
    applied.unwrap();
}

#[test]
fn a_user_that_is_there_stays_as_it_is() {
    let (_folder, mut bench) = bench();
    let id = made(&mut bench, 50_000);
    let before = user(bench.conn(), id).unwrap();
    assert!(!write(&mut bench, |tx| create(tx, id, &named("bob", 7))).unwrap());
    assert_eq!(user(bench.conn(), id).unwrap(), before);
    assert_eq!(ledger(&mut bench, id), [50_000]);
}

#[test]
fn all_money_that_came_in_is_in_the_ledger() {
    let (_folder, mut bench) = bench();
    let id = made(&mut bench, 0);
    assert_eq!(ledger(&mut bench, id), [0; 0]);
    let first = write(&mut bench, |tx| add(tx, id, amount(3))).unwrap();
    let second = write(&mut bench, |tx| add(tx, id, amount(4))).unwrap();
    let mut amounts = ledger(&mut bench, id);
    amounts.sort_unstable();
    assert_eq!(amounts, [3, 4]);
    let shown = deposit(bench.conn(), first).unwrap();
    assert_eq!((shown.id, shown.user_id), (first, id));
    assert_eq!((shown.amount, shown.balance), (amount(3), money(7)));
    assert_ne!(first, second);
}

#[test]
fn more_money_than_can_be_counted_is_refused_and_leaves_nothing() {
    let (_folder, mut bench) = bench();
    let id = made(&mut bench, 10);
    // What is held counts too: it may come back.
    reserve(&mut bench, id, 4);
    let too_much = amount(MAX_MONEY - 9);
    assert_eq!(status(write(&mut bench, |tx| add(tx, id, too_much))), 422);
    assert_eq!(ledger(&mut bench, id), [10]);
    write(&mut bench, |tx| add(tx, id, amount(MAX_MONEY - 10))).unwrap();
    assert_eq!(
        user(bench.conn(), id).unwrap().balance,
        money(MAX_MONEY - 4)
    );
}

#[test]
fn an_unknown_user_is_a_404_for_every_request() {
    let (_folder, mut bench) = bench();
    let id = UserId::new();
    assert_eq!(status(user(bench.conn(), id)), 404);
    assert_eq!(status(holds(bench.conn(), id, None, 10)), 404);
    assert_eq!(status(write(&mut bench, |tx| add(tx, id, amount(1)))), 404);
    assert_eq!(
        status(write(&mut bench, |tx| set_active(tx, id, true))),
        404
    );
}

#[test]
fn a_user_is_deactivated_and_activated_as_often_as_one_asks() {
    let (_folder, mut bench) = bench();
    let id = made(&mut bench, 1);
    for active in [false, false, true, true] {
        let user = write(&mut bench, |tx| set_active(tx, id, active)).unwrap();
        assert_eq!(user.active, active);
    }
}

#[test]
fn pages_of_users_are_in_order_of_id_and_miss_nobody() {
    let (_folder, mut bench) = bench();
    let mut ids = [(); 3].map(|()| made(&mut bench, 1));
    ids.sort();
    let all = users(bench.conn(), None, None, 10).unwrap();
    assert_eq!(all.iter().map(|user| user.id).collect::<Vec<_>>(), ids);
    assert_eq!(users(bench.conn(), None, None, 2).unwrap(), all[..2]);
    assert_eq!(
        users(bench.conn(), None, Some(ids[1]), 2).unwrap(),
        all[2..]
    );
}

#[test]
fn the_holds_of_a_user_are_its_own_in_order_and_with_their_states() {
    let (_folder, mut bench) = bench();
    let (id, other) = (made(&mut bench, 100), made(&mut bench, 100));
    let held = reserve(&mut bench, id, 30);
    reserve(&mut bench, other, 1);
    let given_back = reserve(&mut bench, id, 40);
    let refused = reserve(&mut bench, id, 50);
    let reason = Reason {
        reason_code: ReasonCode::InventoryFull,
        failed_step: saga_events::Service::Inventory,
    };
    let order_id = given_back;
    let failure = Payload::Failure(Failure { order_id, reason });
    step(&mut bench, EventType::InventoryReservationFailed, failure);
    let mut expected = [
        (held, money(30), State::Reserved),
        (given_back, money(40), State::Released),
        (refused, money(0), State::Refused),
    ];
    expected.sort_by_key(|(order_id, ..)| *order_id);
    let mine = holds(bench.conn(), id, None, 10).unwrap();
    let shown: Vec<_> = mine
        .iter()
        .map(|hold| (hold.order_id, hold.amount, hold.state))
        .collect();
    assert_eq!(shown, expected);
    assert_eq!(holds(bench.conn(), id, None, 2).unwrap(), mine[..2]);
    let after = Some(mine[1].order_id);
    assert_eq!(holds(bench.conn(), id, after, 2).unwrap(), mine[2..]);
    // Whichever bucket each was made in.
    let spread = "UPDATE holds SET bucket = 7 * (SELECT count(*) FROM holds h WHERE h.order_id > holds.order_id)";
    bench.conn().batch_execute(spread).unwrap();
    assert_eq!(holds(bench.conn(), id, None, 10).unwrap(), mine);
    assert_eq!(holds(bench.conn(), id, after, 2).unwrap(), mine[2..]);
}

#[test]
fn the_holds_of_a_user_are_found_by_index() {
    let (_folder, mut bench) = bench();
    let page = ids_of_holds(UserId::new(), Some(OrderId::new()), 10);
    let plan = plan_of(bench.conn(), &page).unwrap();
    let by_index = "COVERING INDEX holds_of_user (bucket=? AND user_id=? AND order_id>?)";
    assert!(plan.contains(by_index), "{plan}");
    assert!(!plan.contains("SCAN holds"), "{plan}");
}

#[test]
fn the_schema_refuses_what_the_saga_would_never_do() {
    let (_folder, mut bench) = bench();
    let id = made(&mut bench, 1);
    let mut moved = |available, held, captured| {
        let movement = MoveMoney {
            available,
            held,
            captured,
            id,
        };
        movement.execute(bench.conn())
    };
    assert!(moved(-2, 2, 0).is_err(), "more held than there is");
    assert!(moved(0, -1, 1).is_err(), "captured without a hold");
    assert!(moved(MAX_MONEY, 0, 0).is_err(), "more than can be counted");
    assert_eq!(user(bench.conn(), id).unwrap().balance, money(1));
}
