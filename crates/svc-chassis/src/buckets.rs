//! Indexes by user that are written at their end.
//!
//! An index that begins with the user has a page for each who buys, and each row goes to another one:
//! a whole page is written, and written again when the log is moved, for forty bytes. So these indexes
//! begin with a bucket, a number that rows share which are made one after another. What is written is
//! then the few pages of the latest bucket. Who looks for a user's rows looks into each bucket, which
//! takes a microsecond or two.

use diesel::dsl::sql;
use diesel::expression::SqlLiteral;
use diesel::sql_types::Bool;

/// The bucket of a row that is made when the outbox is at this number. A purchase has a few rows there,
/// so that some thousand purchases share a bucket: forty pages of an index at most.
pub const fn of(seq: i64) -> i64 {
    seq >> 13
}

/// That a row is in any bucket of its table. It always is; SQLite then asks an index that begins with
/// the column `bucket` once for each.
///
/// What is found has to be sorted, so who wants a page of rows asks for their ids first, which are in
/// the index, and then for the rows of the page.
pub fn any_of(table: &'static str) -> SqlLiteral<Bool> {
    sql(&format!(
        "bucket IN (WITH RECURSIVE buckets (n) AS (SELECT max(bucket) FROM {table} \
         UNION ALL SELECT n - 1 FROM buckets WHERE n > 0) SELECT n FROM buckets)"
    ))
}
