//! What the notifications add up to, and the laws that they keep in this database alone.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use saga_audit::Named;
use saga_events::{EventType, Service};
use svc_chassis::audit::{Accounts, Asked, Journal, Law, Said, every_row, journal};

use crate::saga::Kind;

#[derive(QueryableByName)]
struct Sums {
    #[diesel(sql_type = BigInt)]
    rows: i64,
    #[diesel(sql_type = BigInt)]
    completed: i64,
    #[diesel(sql_type = BigInt)]
    cancelled: i64,
}

const SUMS: &str = "SELECT count(*) AS rows,
    COALESCE(SUM(CASE WHEN kind = 'Completed' THEN 1 END), 0) AS completed,
    COALESCE(SUM(CASE WHEN kind = 'Cancelled' THEN 1 END), 0) AS cancelled FROM notifications";

const TWICE: &str = "SELECT NULL AS subject, order_id, count(*) AS l, 1 AS r FROM notifications
    GROUP BY order_id HAVING count(*) > 1";

/// What this service says about itself.
///
/// # Errors
/// The database's.
pub fn accounts(conn: &mut SqliteConnection, asked: &Asked) -> QueryResult<Accounts> {
    let Sums {
        rows,
        completed,
        cancelled,
    } = diesel::sql_query(SUMS).get_result(conn)?;
    let mut accounts = Accounts {
        totals: vec![
            Named::number("completed", completed),
            Named::number("cancelled", cancelled),
        ],
        ..Accounts::default()
    };
    if !asked.checks {
        return Ok(accounts);
    }
    let once = Law {
        id: "notifications-once",
        subject: "",
        sides: ("notifications", "most of an order"),
    };
    accounts.checks = every_row(conn, once, rows, TWICE)?;
    let said = |kind: Kind| Said {
        state: kind.as_str(),
        one_of: vec![EventType::NotificationSent],
        perhaps: vec![],
        open: false,
    };
    let notifications = Journal {
        me: Service::Notify,
        table: "notifications",
        state: "kind",
        said: vec![said(Kind::Completed), said(Kind::Cancelled)],
    };
    accounts
        .checks
        .extend(journal(conn, "notifications-said", &notifications, asked)?);
    Ok(accounts)
}
