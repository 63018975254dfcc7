//! What the payments add up to, and the laws that they keep in this database alone.

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use saga_audit::Named;
use saga_events::{Amount, EventType, OrderId, Service};
use svc_chassis::audit::{Accounts, Asked, Journal, Law, Said, every_row, journal};

use crate::gateway::statement::Payment;
use crate::saga::State;
use crate::schema::payments;

#[derive(QueryableByName)]
struct Sums {
    #[diesel(sql_type = BigInt)]
    rows: i64,
    #[diesel(sql_type = BigInt)]
    authorizing: i64,
    #[diesel(sql_type = BigInt)]
    processed: i64,
    #[diesel(sql_type = BigInt)]
    processed_count: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
}

const SUMS: &str = "SELECT count(*) AS rows,
    COALESCE(SUM(CASE WHEN state = 'Authorizing' THEN 1 END), 0) AS authorizing,
    COALESCE(SUM(CASE WHEN state = 'Processed' THEN total_amount END), 0) AS processed,
    COALESCE(SUM(CASE WHEN state = 'Processed' THEN 1 END), 0) AS processed_count,
    COALESCE(SUM(CASE WHEN state = 'Failed' THEN 1 END), 0) AS failed FROM payments";

/// The schema's checks refuse such a row; a file that was changed by hand may have it.
const WHOLE: &str = "SELECT NULL AS subject, order_id, 1 AS l, 0 AS r FROM payments
    WHERE (state IN ('Authorizing', 'Processed') AND (user_id IS NULL OR total_amount IS NULL))
       OR (state = 'Processed' AND gateway_reference IS NULL)
       OR (state = 'Failed' AND (reason_code IS NULL OR failed_step IS NULL))
       OR (state <> 'Failed' AND reason_code IS NOT NULL)
       OR total_amount <> unit_price * quantity";

/// What this service says about itself.
///
/// # Errors
/// The database's.
pub fn accounts(conn: &mut SqliteConnection, asked: &Asked) -> QueryResult<Accounts> {
    let Sums {
        rows,
        authorizing,
        processed,
        processed_count,
        failed,
    } = diesel::sql_query(SUMS).get_result(conn)?;
    let mut accounts = Accounts {
        totals: vec![
            Named::number("processed", processed),
            Named::number("processedCount", processed_count),
            Named::number("failedCount", failed),
        ],
        open: authorizing,
        ..Accounts::default()
    };
    if !asked.checks {
        return Ok(accounts);
    }
    let whole = Law {
        id: "payments-whole",
        subject: "",
        sides: ("rows", "rows that say all that their state needs"),
    };
    accounts.checks = every_row(conn, whole, rows, WHOLE)?;
    let said = |state: State, one_of: &[EventType]| Said {
        state: state.as_str(),
        one_of: one_of.to_vec(),
        perhaps: vec![],
        open: state == State::Authorizing,
    };
    let payments = Journal {
        me: Service::Payment,
        table: "payments",
        state: "state",
        said: vec![
            said(State::Authorizing, &[]),
            said(State::Processed, &[EventType::PaymentProcessed]),
            said(State::Failed, &[EventType::PaymentFailed]),
        ],
    };
    accounts
        .checks
        .extend(journal(conn, "payments-said", &payments, asked)?);
    Ok(accounts)
}

/// A page of payments in order of the order's id, as the gateway's statement is compared with them.
///
/// # Errors
/// The database's.
pub fn stated(
    conn: &mut SqliteConnection,
    after: Option<OrderId>,
    limit: i64,
) -> QueryResult<Vec<Payment>> {
    let mut query = payments::table
        .order(payments::order_id)
        .limit(limit)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(payments::order_id.gt(after));
    }
    let columns = (payments::order_id, payments::state, payments::total_amount);
    let rows: Vec<(OrderId, State, Option<Amount>)> = query.select(columns).load(conn)?;
    let payment = |(order_id, state, amount)| Payment {
        order_id,
        state,
        amount,
    };
    Ok(rows.into_iter().map(payment).collect())
}
