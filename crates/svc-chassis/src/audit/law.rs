//! Laws over the rows of one database, said as the query for what breaks them.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable};
use saga_audit::{Check, CheckState, check::MOST_NAMED};
use saga_events::OrderId;
use uuid::Uuid;

/// A law that every row has to keep.
#[derive(Debug, Clone, Copy)]
pub struct Law {
    /// Its name in every answer.
    pub id: &'static str,
    /// What a row is of, where that is no order: `user`, `item`.
    pub subject: &'static str,
    /// What is compared, by name.
    pub sides: (&'static str, &'static str),
}

#[derive(QueryableByName)]
struct Broken {
    #[diesel(sql_type = Nullable<Binary>)]
    subject: Option<Vec<u8>>,
    #[diesel(sql_type = Nullable<Binary>)]
    order_id: Option<OrderId>,
    #[diesel(sql_type = BigInt)]
    l: i64,
    #[diesel(sql_type = BigInt)]
    r: i64,
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// One number: `SELECT … AS number`.
///
/// # Errors
/// The database's.
pub fn number(conn: &mut SqliteConnection, sql: &str) -> QueryResult<i64> {
    Ok(diesel::sql_query(sql).get_result::<Number>(conn)?.number)
}

/// Judges a law by the query for the rows that break it: `subject` and `order_id` (either may be
/// NULL), and the two sides as `l` and `r`. Where there are none, the law's totals say so.
///
/// # Errors
/// The database's.
pub fn law(
    conn: &mut SqliteConnection,
    law: Law,
    totals: Check,
    broken: &str,
) -> QueryResult<Vec<Check>> {
    let sql = format!("{broken} LIMIT {MOST_NAMED}");
    let rows: Vec<Broken> = diesel::sql_query(sql).load(conn)?;
    if rows.is_empty() {
        return Ok(vec![totals]);
    }
    let check = |row: Broken| {
        let sides = Check::equal(law.id, [(law.sides.0, row.l)], [(law.sides.1, row.r)]);
        let check = Check {
            state: CheckState::Violated,
            ..sides
        };
        let check = check.naming(row.order_id);
        match row.subject {
            Some(id) => check.about(format!("{} {}", law.subject, name_of(&id))),
            None => check,
        }
    };
    Ok(rows.into_iter().map(check).collect())
}

/// As [`law`], where what holds is told by the number of rows that it speaks of.
///
/// # Errors
/// The database's.
pub fn every_row(
    conn: &mut SqliteConnection,
    found: Law,
    rows: i64,
    broken: &str,
) -> QueryResult<Vec<Check>> {
    let totals = Check::equal(found.id, [("rows", rows)], [("rows that keep it", rows)]);
    law(conn, found, totals, broken)
}

fn name_of(id: &[u8]) -> String {
    Uuid::from_slice(id).map_or_else(|_| format!("{id:02x?}"), |id| id.to_string())
}
