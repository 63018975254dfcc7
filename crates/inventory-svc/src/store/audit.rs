//! What the room adds up to, and the laws that it keeps in this database alone.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use saga_audit::{Check, Named};
use svc_chassis::audit::{Accounts, Asked, Law, every_row, law};
use svc_chassis::participant;

use crate::saga::InventorySaga;

#[derive(QueryableByName)]
struct Sums {
    #[diesel(sql_type = BigInt)]
    inventories: i64,
    #[diesel(sql_type = BigInt)]
    used: i64,
    #[diesel(sql_type = BigInt)]
    held: i64,
    #[diesel(sql_type = BigInt)]
    stacks: i64,
    #[diesel(sql_type = BigInt)]
    owned: i64,
    #[diesel(sql_type = BigInt)]
    reserved: i64,
    #[diesel(sql_type = BigInt)]
    confirmed: i64,
}

const SUMS: &str =
    "SELECT i.inventories, i.used, i.held, s.stacks, s.owned, h.reserved, h.confirmed
    FROM
    (SELECT count(*) AS inventories, COALESCE(SUM(used), 0) AS used, COALESCE(SUM(held), 0) AS held
        FROM inventories) i,
    (SELECT count(*) AS stacks, COALESCE(SUM(quantity), 0) AS owned FROM stacks) s,
    (SELECT COALESCE(SUM(CASE WHEN state = 'Reserved' THEN held END), 0) AS reserved,
            COALESCE(SUM(CASE WHEN state = 'Confirmed' THEN quantity END), 0) AS confirmed
        FROM holds) h";

const ROOM: &str = "SELECT user_id AS subject, NULL AS order_id, used + held AS l, capacity AS r
    FROM inventories WHERE used + held > capacity OR used < 0 OR held < 0";

/// A stack takes one slot. What stands on two sides is laid on one heap and added up by what it is
/// about, here and in the other services: SQLite has no index for a full join of what it grouped, so
/// that compares every row with every row.
const USED: &str = "SELECT subject, NULL AS order_id, SUM(l) AS l, SUM(r) AS r FROM (
    SELECT user_id AS subject, used AS l, 0 AS r FROM inventories
    UNION ALL
    SELECT user_id, 0, 1 FROM stacks
    ) x GROUP BY subject HAVING SUM(l) <> SUM(r)";

/// The inventory is a cache of the holds.
const HELD: &str = "SELECT subject, NULL AS order_id, SUM(l) AS l, SUM(r) AS r FROM (
    SELECT user_id AS subject, held AS l, 0 AS r FROM inventories
    UNION ALL
    SELECT user_id, 0, held FROM holds WHERE state = 'Reserved'
    ) x GROUP BY subject HAVING SUM(l) <> SUM(r)";

const OWNED: &str = "SELECT subject, NULL AS order_id, SUM(l) AS l, SUM(r) AS r FROM (
    SELECT user_id AS subject, item_id, quantity AS l, 0 AS r FROM stacks
    UNION ALL
    SELECT user_id, item_id, 0, quantity FROM holds WHERE state = 'Confirmed'
    ) x GROUP BY subject, item_id HAVING SUM(l) <> SUM(r)";

const SLOTS: &str = "SELECT user_id AS subject, order_id, held AS l, 1 AS r FROM holds
    WHERE held > 1";

/// What this service says about itself.
///
/// # Errors
/// The database's.
pub fn accounts(conn: &mut SqliteConnection, asked: &Asked) -> QueryResult<Accounts> {
    let Sums {
        inventories,
        used,
        held,
        stacks,
        owned,
        reserved,
        confirmed,
    } = diesel::sql_query(SUMS).get_result(conn)?;
    let mut accounts = Accounts {
        totals: vec![
            Named::number("used", used),
            Named::number("held", held),
            Named::number("stacks", stacks),
            Named::number("owned", owned),
        ],
        open: participant::reserved(conn)?,
        ..Accounts::default()
    };
    if !asked.checks {
        return Ok(accounts);
    }
    let of_users = |id, left, right| Law {
        id,
        subject: "inventory of user",
        sides: (left, right),
    };
    let room = of_users("inventories-room", "used + held", "capacity");
    accounts.checks = every_row(conn, room, inventories, ROOM)?;
    let laws = [
        (
            of_users("inventories-used", "used", "stacks"),
            Check::equal("inventories-used", [("used", used)], [("stacks", stacks)]),
            USED,
        ),
        (
            of_users("inventories-held", "held", "holds Reserved"),
            Check::equal(
                "inventories-held",
                [("held", held)],
                [("holds Reserved", reserved)],
            ),
            HELD,
        ),
        (
            of_users(
                "inventories-owned",
                "pieces in a stack",
                "pieces of holds Confirmed",
            ),
            Check::equal(
                "inventories-owned",
                [("pieces in stacks", owned)],
                [("pieces of holds Confirmed", confirmed)],
            ),
            OWNED,
        ),
        (
            of_users(
                "inventories-hold-one-slot",
                "held",
                "most slots of a purchase",
            ),
            Check::equal("inventories-hold-one-slot", [], []),
            SLOTS,
        ),
    ];
    for (found, totals, broken) in laws {
        accounts.checks.extend(law(conn, found, totals, broken)?);
    }
    accounts
        .checks
        .extend(participant::audit::<InventorySaga>(conn, asked)?);
    Ok(accounts)
}
