//! What the money adds up to, and the laws that it keeps in this database alone.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use saga_audit::{Check, Named};
use svc_chassis::audit::{Accounts, Asked, Law, law};
use svc_chassis::participant;

use crate::saga::UserSaga;

#[derive(QueryableByName)]
struct Sums {
    #[diesel(sql_type = BigInt)]
    available: i64,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = BigInt)]
    captured: i64,
    #[diesel(sql_type = BigInt)]
    deposits: i64,
    #[diesel(sql_type = BigInt)]
    reserved: i64,
    #[diesel(sql_type = BigInt)]
    confirmed: i64,
}

const SUMS: &str = "SELECT u.available, u.held, u.captured, d.deposits, h.reserved, h.confirmed FROM
    (SELECT COALESCE(SUM(available), 0) AS available, COALESCE(SUM(held), 0) AS held,
            COALESCE(SUM(captured), 0) AS captured FROM users) u,
    (SELECT COALESCE(SUM(amount), 0) AS deposits FROM deposits) d,
    (SELECT COALESCE(SUM(CASE WHEN state = 'Reserved' THEN held END), 0) AS reserved,
            COALESCE(SUM(CASE WHEN state = 'Confirmed' THEN held END), 0) AS confirmed FROM holds) h";

/// Whatever was ever deposited is available, held or captured.
const MONEY: &str = "SELECT * FROM (
    SELECT u.id AS subject, NULL AS order_id, u.available + u.held + u.captured AS l,
           COALESCE(d.amount, 0) AS r
    FROM users u LEFT JOIN
        (SELECT user_id, SUM(amount) AS amount FROM deposits GROUP BY user_id) d
    ON d.user_id = u.id) x WHERE l <> r";

const NEGATIVE: &str =
    "SELECT id AS subject, NULL AS order_id, MIN(available, held, captured) AS l,
    0 AS r FROM users WHERE available < 0 OR held < 0 OR captured < 0";

/// The account is a cache of the holds.
const HELD: &str = "SELECT subject, NULL AS order_id, SUM(l) AS l, SUM(r) AS r FROM (
    SELECT id AS subject, held AS l, 0 AS r FROM users
    UNION ALL
    SELECT user_id, 0, held FROM holds WHERE state = 'Reserved'
    ) x GROUP BY subject HAVING SUM(l) <> SUM(r)";

const CAPTURED: &str = "SELECT subject, NULL AS order_id, SUM(l) AS l, SUM(r) AS r FROM (
    SELECT id AS subject, captured AS l, 0 AS r FROM users
    UNION ALL
    SELECT user_id, 0, held FROM holds WHERE state = 'Confirmed'
    ) x GROUP BY subject HAVING SUM(l) <> SUM(r)";

const AMOUNT: &str = "SELECT user_id AS subject, order_id, held AS l, total_amount AS r FROM holds
    WHERE state IN ('Reserved', 'Confirmed') AND held <> total_amount";

/// What this service says about itself.
///
/// # Errors
/// The database's.
pub fn accounts(conn: &mut SqliteConnection, asked: &Asked) -> QueryResult<Accounts> {
    let Sums {
        available,
        held,
        captured,
        deposits,
        reserved,
        confirmed,
    } = diesel::sql_query(SUMS).get_result(conn)?;
    let mut accounts = Accounts {
        totals: vec![
            Named::number("available", available),
            Named::number("held", held),
            Named::number("captured", captured),
            Named::number("deposits", deposits),
        ],
        open: participant::reserved(conn)?,
        ..Accounts::default()
    };
    if !asked.checks {
        return Ok(accounts);
    }
    let of_users = |id, left, right| Law {
        id,
        subject: "user",
        sides: (left, right),
    };
    let all = [
        ("available", available),
        ("held", held),
        ("captured", captured),
    ];
    let least = available.min(held).min(captured).min(0);
    let laws = [
        (
            of_users("users-money", "available + held + captured", "deposits"),
            Check::equal("users-money", all, [("deposits", deposits)]),
            MONEY,
        ),
        (
            of_users(
                "users-not-negative",
                "least of available, held, captured",
                "least allowed",
            ),
            Check::equal(
                "users-not-negative",
                [("below zero", least)],
                [("least allowed", 0)],
            ),
            NEGATIVE,
        ),
        (
            of_users("users-held", "held", "holds Reserved"),
            Check::equal(
                "users-held",
                [("held", held)],
                [("holds Reserved", reserved)],
            ),
            HELD,
        ),
        (
            of_users("users-captured", "captured", "holds Confirmed"),
            Check::equal(
                "users-captured",
                [("captured", captured)],
                [("holds Confirmed", confirmed)],
            ),
            CAPTURED,
        ),
        (
            of_users("users-hold-the-total", "held", "total of the purchase"),
            Check::equal("users-hold-the-total", [], []),
            AMOUNT,
        ),
    ];
    for (found, totals, broken) in laws {
        accounts.checks.extend(law(conn, found, totals, broken)?);
    }
    accounts
        .checks
        .extend(participant::audit::<UserSaga>(conn, asked)?);
    Ok(accounts)
}
