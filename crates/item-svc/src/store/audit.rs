//! What the stock adds up to, and the laws that it keeps in this database alone.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use saga_audit::{Check, Named};
use svc_chassis::audit::{Accounts, Asked, Law, law};
use svc_chassis::participant;

use crate::saga::ItemSaga;

#[derive(QueryableByName)]
struct Sums {
    #[diesel(sql_type = BigInt)]
    available: i64,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = BigInt)]
    sold: i64,
    #[diesel(sql_type = BigInt)]
    stocked: i64,
    #[diesel(sql_type = BigInt)]
    reserved: i64,
    #[diesel(sql_type = BigInt)]
    confirmed: i64,
}

const SUMS: &str = "SELECT i.available, i.held, i.sold, s.stocked, h.reserved, h.confirmed FROM
    (SELECT COALESCE(SUM(available), 0) AS available, COALESCE(SUM(held), 0) AS held,
            COALESCE(SUM(sold), 0) AS sold FROM items) i,
    (SELECT COALESCE(SUM(quantity), 0) AS stocked FROM restocks) s,
    (SELECT COALESCE(SUM(CASE WHEN state = 'Reserved' THEN held END), 0) AS reserved,
            COALESCE(SUM(CASE WHEN state = 'Confirmed' THEN held END), 0) AS confirmed FROM holds) h";

/// Whatever was ever stocked is available, held or sold.
const STOCK: &str = "SELECT * FROM (
    SELECT i.id AS subject, NULL AS order_id, i.available + i.held + i.sold AS l,
           COALESCE(s.quantity, 0) AS r
    FROM items i LEFT JOIN
        (SELECT item_id, SUM(quantity) AS quantity FROM restocks GROUP BY item_id) s
    ON s.item_id = i.id) x WHERE l <> r";

const NEGATIVE: &str = "SELECT id AS subject, NULL AS order_id, MIN(available, held, sold) AS l,
    0 AS r FROM items WHERE available < 0 OR held < 0 OR sold < 0";

/// The item's counts are a cache of the holds.
const HELD: &str = "SELECT subject, NULL AS order_id, SUM(l) AS l, SUM(r) AS r FROM (
    SELECT id AS subject, held AS l, 0 AS r FROM items
    UNION ALL
    SELECT item_id, 0, held FROM holds WHERE state = 'Reserved'
    ) x GROUP BY subject HAVING SUM(l) <> SUM(r)";

const SOLD: &str = "SELECT subject, NULL AS order_id, SUM(l) AS l, SUM(r) AS r FROM (
    SELECT id AS subject, sold AS l, 0 AS r FROM items
    UNION ALL
    SELECT item_id, 0, held FROM holds WHERE state = 'Confirmed'
    ) x GROUP BY subject HAVING SUM(l) <> SUM(r)";

const PIECES: &str = "SELECT item_id AS subject, order_id, held AS l, quantity AS r FROM holds
    WHERE state IN ('Reserved', 'Confirmed') AND held <> quantity";

/// What this service says about itself.
///
/// # Errors
/// The database's.
pub fn accounts(conn: &mut SqliteConnection, asked: &Asked) -> QueryResult<Accounts> {
    let Sums {
        available,
        held,
        sold,
        stocked,
        reserved,
        confirmed,
    } = diesel::sql_query(SUMS).get_result(conn)?;
    let mut accounts = Accounts {
        totals: vec![
            Named::number("available", available),
            Named::number("held", held),
            Named::number("sold", sold),
            Named::number("stocked", stocked),
        ],
        open: participant::reserved(conn)?,
        ..Accounts::default()
    };
    if !asked.checks {
        return Ok(accounts);
    }
    let of_items = |id, left, right| Law {
        id,
        subject: "item",
        sides: (left, right),
    };
    let all = [("available", available), ("held", held), ("sold", sold)];
    let least = available.min(held).min(sold).min(0);
    let laws = [
        (
            of_items("items-stock", "available + held + sold", "stocked"),
            Check::equal("items-stock", all, [("stocked", stocked)]),
            STOCK,
        ),
        (
            of_items(
                "items-not-negative",
                "least of available, held, sold",
                "least allowed",
            ),
            Check::equal(
                "items-not-negative",
                [("below zero", least)],
                [("least allowed", 0)],
            ),
            NEGATIVE,
        ),
        (
            of_items("items-held", "held", "holds Reserved"),
            Check::equal(
                "items-held",
                [("held", held)],
                [("holds Reserved", reserved)],
            ),
            HELD,
        ),
        (
            of_items("items-sold", "sold", "holds Confirmed"),
            Check::equal(
                "items-sold",
                [("sold", sold)],
                [("holds Confirmed", confirmed)],
            ),
            SOLD,
        ),
        (
            of_items(
                "items-hold-the-quantity",
                "held",
                "quantity of the purchase",
            ),
            Check::equal("items-hold-the-quantity", [], []),
            PIECES,
        ),
    ];
    for (found, totals, broken) in laws {
        accounts.checks.extend(law(conn, found, totals, broken)?);
    }
    accounts
        .checks
        .extend(participant::audit::<ItemSaga>(conn, asked)?);
    Ok(accounts)
}
