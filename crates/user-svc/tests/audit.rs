//! What user-svc says about itself: a file that steps made keeps every law, and what is planted in
//! it is found.
#![allow(clippy::unwrap_used)]

use saga_audit::Value;
use saga_events::{Amount, Money, Purchase};
use svc_chassis::Service;
use svc_chassis::testing::Bench;
use svc_chassis::testing::audits::{Plant, audited, everything_planted_is_found, seed};
use svc_chassis::testing::cells::purchase;
use tempfile::TempDir;
use user_svc::UserSvc;
use user_svc::saga::UserSaga;
use user_svc::store::{self, NewUser};

/// A buyer with 1000 in all, of which 200 is held and 200 is spent; one purchase was given back, one
/// was cancelled before it was heard of, one refused.
fn bank() -> (TempDir, Bench) {
    let folder = TempDir::new().unwrap();
    let mut bench = Bench::open(folder.path(), &UserSvc::migrations()).unwrap();
    let new = NewUser {
        username: "ada".to_owned(),
        balance: Money::new(900).unwrap(),
    };
    let user = purchase(1).user_id;
    bench.write(|tx| store::create(tx, user, &new)).unwrap();
    bench
        .write(|tx| store::add(tx, user, Amount::new(100).unwrap()))
        .unwrap();
    seed::<UserSaga>(&mut bench, [1, 2, 3, 4].map(purchase));
    let too_dear = Purchase {
        unit_price: Amount::new(5_000).unwrap(),
        total_amount: Amount::new(10_000).unwrap(),
        ..purchase(5)
    };
    // Refused, and then undone in vain.
    seed::<UserSaga>(
        &mut bench,
        [too_dear, purchase(6), purchase(7), purchase(8)],
    );
    (folder, bench)
}

const PLANTS: &[Plant] = &[
    ("users-money", "UPDATE users SET available = available + 1"),
    (
        "users-money",
        "UPDATE deposits SET amount = amount - 1 WHERE amount = 100",
    ),
    ("users-money", "DELETE FROM deposits"),
    (
        "users-not-negative",
        "UPDATE users SET available = -1, held = held + available + 1",
    ),
    (
        "users-held",
        "UPDATE users SET held = held - 1, available = available + 1",
    ),
    ("users-held", "DELETE FROM holds WHERE state = 'Reserved'"),
    (
        "users-held",
        "UPDATE holds SET state = 'Reserved' WHERE state = 'Released' AND held > 0",
    ),
    ("users-held", "DELETE FROM users"),
    (
        "users-captured",
        "UPDATE users SET captured = captured - 1, available = available + 1",
    ),
    (
        "users-captured",
        "UPDATE holds SET state = 'Released' WHERE state = 'Confirmed'",
    ),
    (
        "users-hold-the-total",
        "UPDATE holds SET held = held + 1 WHERE state = 'Reserved'",
    ),
    (
        "users-hold-the-total",
        "UPDATE holds SET total_amount = 1, quantity = 1, unit_price = 1
        WHERE state = 'Confirmed'",
    ),
    (
        "holds-whole",
        "UPDATE holds SET user_id = NULL WHERE state = 'Reserved'",
    ),
    (
        "holds-whole",
        "UPDATE holds SET held = 1 WHERE state = 'Refused'",
    ),
    (
        "holds-whole",
        "UPDATE holds SET held = -1 WHERE state = 'Reserved'",
    ),
    (
        "holds-whole",
        "UPDATE holds SET reason_code = NULL WHERE state = 'Released'",
    ),
    (
        "holds-said",
        "DELETE FROM outbox WHERE type = 'payment.confirmed'",
    ),
    (
        "holds-said",
        "DELETE FROM outbox WHERE type IN ('user.validated', 'payment.reserved')",
    ),
    (
        "holds-said",
        "UPDATE outbox SET type = 'payment.rollback' WHERE type = 'payment.confirmed'",
    ),
    (
        "holds-said",
        "UPDATE holds SET state = 'Confirmed' WHERE state = 'Reserved'",
    ),
    ("holds-said", "DELETE FROM holds WHERE state = 'Released'"),
];

#[test]
fn what_is_planted_in_the_users_is_found_and_named() {
    everything_planted_is_found::<UserSvc, _>(bank, PLANTS);
}

#[test]
fn the_totals_are_the_sums_of_the_accounts() {
    let (_folder, mut bench) = bank();
    let report = audited::<UserSvc>(&mut bench);
    let total = |name: &str| report.total(name).unwrap();
    assert_eq!(total("deposits"), 1_000);
    assert_eq!(
        total("available") + total("held") + total("captured"),
        1_000
    );
    assert_eq!((total("captured"), total("held")), (400, 200));
    assert_eq!(report.open, 1);
    assert!(
        report
            .totals
            .iter()
            .all(|named| matches!(named.value, Value::Number(_)))
    );
}

#[test]
fn a_row_that_changed_before_the_journals_retention_needs_no_entry() {
    let (_folder, mut bench) = bank();
    use diesel::connection::SimpleConnection;
    bench
        .conn()
        .batch_execute(
            "DELETE FROM outbox; UPDATE holds SET updated_at = 1 WHERE state <> 'Reserved'",
        )
        .unwrap();
    let report = audited::<UserSvc>(&mut bench);
    let unsaid: Vec<_> = report
        .checks
        .iter()
        .filter(|check| check.is_violated())
        .collect();
    // What is open may never be pruned.
    assert_eq!(unsaid.len(), 1);
    assert_eq!(
        (unsaid[0].id.as_str(), &*unsaid[0].orders),
        ("holds-said", &[purchase(1).order_id][..])
    );
}
