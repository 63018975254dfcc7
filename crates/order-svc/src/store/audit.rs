//! What the orders add up to, and the laws that they keep in this database alone.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use saga_audit::Named;
use saga_events::{EventType, OrderId, Service, Timestamp};
use svc_chassis::audit::{Accounts, Asked, Journal, Law, Said, every_row, journal};

use crate::saga::Status;
use crate::schema::orders;

/// How long past its deadline an open order may be: two turns of the sweep, and a minute in which
/// the pivot answers.
const MAY_BE_LATE: Duration = Duration::from_millis(60_400);
/// Some late orders are named.
const LATE_NAMED: i64 = 100;

#[derive(QueryableByName)]
struct Sums {
    #[diesel(sql_type = BigInt)]
    rows: i64,
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(sql_type = BigInt)]
    cancelling: i64,
    #[diesel(sql_type = BigInt)]
    completed: i64,
    #[diesel(sql_type = BigInt)]
    cancelled: i64,
    #[diesel(sql_type = BigInt)]
    completed_amount: i64,
    #[diesel(sql_type = BigInt)]
    completed_quantity: i64,
    #[diesel(sql_type = BigInt)]
    untold: i64,
}

const SUMS: &str = "SELECT count(*) AS rows,
    COALESCE(SUM(CASE WHEN status = 'PENDING' THEN 1 END), 0) AS pending,
    COALESCE(SUM(CASE WHEN status = 'CANCELLING' THEN 1 END), 0) AS cancelling,
    COALESCE(SUM(CASE WHEN status = 'COMPLETED' THEN 1 END), 0) AS completed,
    COALESCE(SUM(CASE WHEN status = 'CANCELLED' THEN 1 END), 0) AS cancelled,
    COALESCE(SUM(CASE WHEN status = 'COMPLETED' THEN total_amount END), 0) AS completed_amount,
    COALESCE(SUM(CASE WHEN status = 'COMPLETED' THEN quantity END), 0) AS completed_quantity,
    COALESCE(SUM(CASE WHEN told = 0 THEN 1 END), 0) AS untold FROM orders";

/// The schema's checks refuse such a row; a file that was changed by hand may have it. An order
/// that is not closed and that the sweep does not look at would hang for ever.
const WHOLE: &str = "SELECT user_id AS subject, order_id, 1 AS l, 0 AS r FROM orders
    WHERE (status IN ('CANCELLING', 'CANCELLED') AND (reason_code IS NULL OR failed_step IS NULL))
       OR (status IN ('PENDING', 'COMPLETED') AND reason_code IS NOT NULL)
       OR (told = 1 AND status NOT IN ('COMPLETED', 'CANCELLED'))
       OR (told = 0 AND due_at IS NULL)
       OR total_amount <> unit_price * quantity";

/// What this service says about itself.
///
/// # Errors
/// The database's.
pub fn accounts(conn: &mut SqliteConnection, asked: &Asked) -> QueryResult<Accounts> {
    let Sums {
        rows,
        pending,
        cancelling,
        completed,
        cancelled,
        completed_amount,
        completed_quantity,
        untold,
    } = diesel::sql_query(SUMS).get_result(conn)?;
    let late = late(conn, asked.now)?;
    let mut accounts = Accounts {
        totals: vec![
            Named::number("pending", pending),
            Named::number("cancelling", cancelling),
            Named::number("completed", completed),
            Named::number("cancelled", cancelled),
            Named::number("completedAmount", completed_amount),
            Named::number("completedQuantity", completed_quantity),
        ],
        // Whoever is open is untold, too.
        open: untold,
        oldest_overdue_ms: late.first().map(|(_, deadline)| {
            i64::try_from(asked.now.since(*deadline).as_millis()).unwrap_or(i64::MAX)
        }),
        overdue: overdue(late, asked.now),
        ..Accounts::default()
    };
    if !asked.checks {
        return Ok(accounts);
    }
    let whole = Law {
        id: "orders-whole",
        subject: "order of user",
        sides: ("rows", "rows that say all that their state needs"),
    };
    accounts.checks = every_row(conn, whole, rows, WHOLE)?;
    let said = |status: Status, perhaps: &[EventType]| Said {
        state: status.as_str(),
        one_of: vec![status.says()],
        perhaps: perhaps.to_vec(),
        open: !status.is_final(),
    };
    let before = [EventType::OrderCreated, EventType::OrderCancelRequested];
    let orders = Journal {
        me: Service::Order,
        table: "orders",
        state: "status",
        said: vec![
            said(Status::Pending, &[]),
            said(Status::Cancelling, &before),
            said(Status::Completed, &before),
            said(Status::Cancelled, &before),
        ],
    };
    accounts
        .checks
        .extend(journal(conn, "orders-said", &orders, asked)?);
    Ok(accounts)
}

/// Open orders past their deadline, the oldest deadline first, some of them.
fn late(conn: &mut SqliteConnection, now: Timestamp) -> QueryResult<Vec<(OrderId, Timestamp)>> {
    let open = orders::status.eq_any([Status::Pending, Status::Cancelling]);
    orders::table
        .filter(open.and(orders::due_at.is_not_null()))
        .filter(orders::deadline.lt(now))
        .order(orders::deadline)
        .limit(LATE_NAMED)
        .select((orders::order_id, orders::deadline))
        .load(conn)
}

fn overdue(late: Vec<(OrderId, Timestamp)>, now: Timestamp) -> Vec<OrderId> {
    let too_late = |(_, deadline): &(OrderId, Timestamp)| now.since(*deadline) > MAY_BE_LATE;
    let late = late.into_iter().filter(too_late);
    late.map(|(order, _)| order).collect()
}
