//! The outbox: what this service has said, in the order in which it was committed. It is also the
//! journal that timelines and audits read.

use std::collections::HashSet;

use diesel::prelude::*;
use saga_events::{Event, EventId, EventType, Message, OrderId, Payload, Timestamp, TraceParent};

use crate::error::Error;
use crate::schema::{outbox, relay_position};

/// A row: the payload and the few fields of the envelope that cannot be derived.
#[derive(Queryable, Selectable)]
#[diesel(table_name = outbox)]
struct OutboxRow {
    seq: i64,
    event_id: EventId,
    order_id: OrderId,
    event_type: EventType,
    causation_id: Option<EventId>,
    attempt: i64,
    time: Timestamp,
    traceparent: Option<String>,
    data: String,
}

crate::cached_insert! {
    OutboxRow, into outbox:
    seq, event_id, order_id, event_type, causation_id, attempt, time, traceparent, data
}

/// Appends an event under the next number of the sequence, which the one writer hands out.
pub(crate) fn append(conn: &mut SqliteConnection, seq: i64, event: &Event) -> Result<(), Error> {
    let row = OutboxRow {
        seq,
        event_id: event.id,
        order_id: event.order_id(),
        event_type: event.event_type(),
        causation_id: event.causation_id,
        attempt: event.message.attempt.into(),
        time: event.time,
        traceparent: event
            .traceparent
            .as_ref()
            .map(|trace| trace.as_str().to_owned()),
        data: serde_json::to_string(&event.message.payload).map_err(Error::internal)?,
    };
    Ok(row.insert(conn)?)
}

/// The rows from `seq` on, at most `limit`, with their numbers.
///
/// # Errors
/// The database's; [`Error::Internal`] for a row that is no event of the contract.
pub fn read_from(
    conn: &mut SqliteConnection,
    seq: i64,
    limit: i64,
) -> Result<Vec<(i64, Event)>, Error> {
    let query = outbox::table
        .filter(outbox::seq.ge(seq))
        .order(outbox::seq)
        .limit(limit);
    events(query.select(OutboxRow::as_select()).load(conn)?)
}

/// Everything this service said about a purchase, oldest first.
///
/// # Errors
/// As [`read_from`].
pub fn of_order(conn: &mut SqliteConnection, order: OrderId) -> Result<Vec<Event>, Error> {
    let query = outbox::table
        .filter(outbox::order_id.eq(order))
        .order(outbox::seq);
    let rows = events(query.select(OutboxRow::as_select()).load(conn)?)?;
    Ok(rows.into_iter().map(|(_, event)| event).collect())
}

/// A row of the journal that may have become too old to keep.
#[derive(Debug, Clone, Copy, Queryable)]
pub(crate) struct Aged {
    /// Its number.
    pub seq: i64,
    /// The purchase that it is about.
    pub order_id: OrderId,
    /// When it was said.
    pub time: Timestamp,
}

/// The published rows after `seq`, oldest first, at most `limit`. What counts is the position that
/// a restart would go on from: no row behind it is ever read again to be published.
pub(crate) fn published_after(
    conn: &mut SqliteConnection,
    seq: i64,
    limit: i64,
) -> QueryResult<Vec<Aged>> {
    let published = published(conn)?;
    outbox::table
        .filter(outbox::seq.gt(seq).and(outbox::seq.le(published)))
        .order(outbox::seq)
        .limit(limit)
        .select((outbox::seq, outbox::order_id, outbox::time))
        .load(conn)
}

/// Removes these rows. Their numbers are never given out again.
pub(crate) fn prune(conn: &mut SqliteConnection, rows: &[i64]) -> QueryResult<usize> {
    diesel::delete(outbox::table.filter(outbox::seq.eq_any(rows))).execute(conn)
}

/// The purchases that something was said about since, the latest first, `most` of them. Reads from
/// the end: rows are in the order of their time, but for a clock that is set back.
///
/// # Errors
/// The database's.
pub(crate) fn changed_since(
    conn: &mut SqliteConnection,
    since: Timestamp,
    most: usize,
) -> QueryResult<Vec<OrderId>> {
    const PAGE: i64 = 1000;
    let (mut orders, mut known) = (Vec::new(), HashSet::new());
    let mut below = i64::MAX;
    loop {
        let rows: Vec<(i64, OrderId, Timestamp)> = outbox::table
            .filter(outbox::seq.lt(below))
            .order(outbox::seq.desc())
            .limit(PAGE)
            .select((outbox::seq, outbox::order_id, outbox::time))
            .load(conn)?;
        for (seq, order, time) in &rows {
            below = *seq;
            if *time < since || orders.len() >= most {
                return Ok(orders);
            }
            if known.insert(*order) {
                orders.push(*order);
            }
        }
        if rows.is_empty() {
            return Ok(orders);
        }
    }
}

/// Some of the purchases with rows that are not published.
pub(crate) fn unpublished(
    conn: &mut SqliteConnection,
    published: i64,
    most: i64,
) -> QueryResult<Vec<OrderId>> {
    outbox::table
        .filter(outbox::seq.gt(published))
        .order(outbox::seq)
        .limit(most)
        .select(outbox::order_id)
        .load(conn)
}

/// When the first row from this number on was said; `None`: there is none.
pub(crate) fn time_from(conn: &mut SqliteConnection, seq: i64) -> QueryResult<Option<Timestamp>> {
    outbox::table
        .filter(outbox::seq.ge(seq))
        .order(outbox::seq)
        .limit(1)
        .select(outbox::time)
        .get_result(conn)
        .optional()
}

/// The number of the last row ever written: pruning may have removed it, so the relay's position
/// counts too.
///
/// # Errors
/// The database's.
pub fn last_seq(conn: &mut SqliteConnection) -> QueryResult<i64> {
    let last: Option<i64> = outbox::table
        .select(diesel::dsl::max(outbox::seq))
        .get_result(conn)?;
    Ok(last.unwrap_or(0).max(published(conn)?))
}

/// How far the relay has published, as remembered.
pub(crate) fn published(conn: &mut SqliteConnection) -> QueryResult<i64> {
    relay_position::table
        .select(relay_position::published)
        .get_result(conn)
}

/// Remembers how far the relay has published. It never goes back: rows up to here may be pruned,
/// and then this is all that is left of their numbers.
pub(crate) fn set_published(conn: &mut SqliteConnection, seq: i64) -> QueryResult<()> {
    diesel::update(relay_position::table.filter(relay_position::published.lt(seq)))
        .set(relay_position::published.eq(seq))
        .execute(conn)?;
    Ok(())
}

fn events(rows: Vec<OutboxRow>) -> Result<Vec<(i64, Event)>, Error> {
    rows.into_iter()
        .map(|row| Ok((row.seq, Event::try_from(row)?)))
        .collect()
}

impl TryFrom<OutboxRow> for Event {
    type Error = Error;

    fn try_from(row: OutboxRow) -> Result<Self, Error> {
        let kind = row.event_type.spec().payload;
        let payload = Payload::decode(kind, &row.data).map_err(Error::internal)?;
        let attempt = u32::try_from(row.attempt).map_err(Error::internal)?;
        Ok(Event {
            id: row.event_id,
            time: row.time,
            causation_id: row.causation_id,
            traceparent: row
                .traceparent
                .and_then(|text| text.parse::<TraceParent>().ok()),
            message: Message {
                event_type: row.event_type,
                attempt,
                payload,
            },
        })
    }
}
