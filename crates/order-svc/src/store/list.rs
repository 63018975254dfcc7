//! Lists of orders, newest first. What has an index is found by it; what has none is looked for among
//! so many rows at most, so that no page reads a million of them.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Binary;
use saga_events::{ItemId, OrderId, ReasonCode, Timestamp, UserId};
use svc_chassis::buckets;

use super::{OrderRow, StoredOrder, first_id_at};
use crate::saga::Status;
use crate::schema::orders;

/// Rows that one page looks at.
pub const MOST_LOOKED_AT: i64 = 20_000;

/// Which orders a list shows.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Only those in this state.
    pub status: Option<Status>,
    /// Only those of one of these users; empty: of all.
    pub users: Vec<UserId>,
    /// Only those of one of these items; empty: of all.
    pub items: Vec<ItemId>,
    /// Only those cancelled for this reason.
    pub reason: Option<ReasonCode>,
    /// Only those with an id from this one up to that one.
    pub ids: Option<(OrderId, OrderId)>,
    /// Only those that the sweep looks after: open, or final and nobody was told.
    pub under_way: bool,
    /// Only those that began before this.
    pub before: Option<Timestamp>,
    /// Only those older than this order: where the page before ended.
    pub after: Option<OrderId>,
}

/// A page of orders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Those that match.
    pub orders: Vec<StoredOrder>,
    /// The last row looked at, where there may be more after it.
    pub more: Option<OrderId>,
}

type Query<'a> = orders::BoxedQuery<'a, diesel::sqlite::Sqlite>;

impl Filter {
    /// All that an index answers.
    fn indexed<'a>(&self) -> Query<'a> {
        let mut query = orders::table.into_boxed();
        if !self.users.is_empty() {
            query = query
                .filter(orders::user_id.eq_any(self.users.clone()))
                .filter(buckets::any_of("orders"));
        }
        if let Some((from, to)) = self.ids {
            query = query.filter(orders::order_id.between(from, to));
        }
        if let Some(before) = self.before {
            // The id carries the time: a bound on the key skips what is newer without reading it.
            query = query.filter(orders::order_id.lt(first_id_at(before)));
        }
        if let Some(after) = self.after {
            query = query.filter(orders::order_id.lt(after));
        }
        query
    }

    /// Few orders are under way, and all are in the index of the sweep.
    fn is_of_few(&self) -> bool {
        let open = self.status.is_some_and(|status| !status.is_final());
        self.users.is_empty() && (self.under_way || open)
    }

    /// Whether rows may be looked at that do not match.
    fn is_searched_for(&self) -> bool {
        let by_row = self.status.is_some() || self.reason.is_some() || !self.items.is_empty();
        by_row && !self.is_of_few()
    }

    /// The last row that a page may look at, where there are so many.
    fn floor(&self, conn: &mut SqliteConnection, most: i64) -> QueryResult<Option<OrderId>> {
        if !self.is_searched_for() {
            return Ok(None);
        }
        self.indexed()
            .order(orders::order_id.desc())
            .offset(most - 1)
            .limit(1)
            .select(orders::order_id)
            .get_result(conn)
            .optional()
    }
}

/// The orders that match, newest first, `limit` at most. A page may be short, or empty, and still
/// have more after it.
///
/// # Errors
/// The database's.
pub fn list(conn: &mut SqliteConnection, filter: &Filter, limit: i64) -> QueryResult<Listed> {
    list_among(conn, filter, limit, MOST_LOOKED_AT)
}

/// The same, looking at so many rows at most.
///
/// # Errors
/// The database's.
pub fn list_among(
    conn: &mut SqliteConnection,
    filter: &Filter,
    limit: i64,
    most: i64,
) -> QueryResult<Listed> {
    let floor = filter.floor(conn, most)?;
    let mut query = filter.indexed();
    if let Some(floor) = floor {
        query = query.filter(orders::order_id.ge(floor));
    }
    if let Some(status) = filter.status {
        query = query.filter(orders::status.eq(status));
    }
    if let Some(reason) = filter.reason {
        // While CANCELLING nobody knows yet how it ends.
        let cancelled = orders::status.eq(Status::Cancelled);
        query = query.filter(orders::reason_code.eq(reason).and(cancelled));
    }
    if !filter.items.is_empty() {
        query = query.filter(orders::item_id.eq_any(filter.items.clone()));
    }
    query = if filter.is_of_few() {
        // The plus sign keeps SQLite from reading all others in search of them just to have them in
        // order.
        query
            .filter(orders::due_at.is_not_null())
            .order(sql::<Binary>("+orders.order_id DESC"))
    } else if filter.under_way {
        let query = query.filter(orders::due_at.is_not_null());
        query.order(orders::order_id.desc())
    } else {
        query.order(orders::order_id.desc())
    };
    // One more than is shown tells whether there is one. The ids first, so that only they are sorted.
    let ids = query.limit(limit + 1).select(orders::order_id);
    let rows: Vec<OrderRow> = orders::table
        .filter(orders::order_id.eq_any(ids.load::<OrderId>(conn)?))
        .order(orders::order_id.desc())
        .select(OrderRow::as_select())
        .load(conn)?;
    let shown = usize::try_from(limit).unwrap_or(0);
    let full = rows.len() > shown;
    let rows = rows.into_iter().take(shown).map(StoredOrder::from);
    let orders: Vec<StoredOrder> = rows.collect();
    let more = if full {
        orders.last().map(StoredOrder::id)
    } else {
        floor
    };
    Ok(Listed { orders, more })
}

#[cfg(test)]
mod tests;
