//! Dead letters: events that could not be applied. They leave the line, so that poison never blocks
//! another order, and stay here with what is needed to understand and to replay them.
//!
//! A row is never deleted. It is `open` until an operator replays it (see [`replay`]) or discards
//! it; who did that, when, why and what came of it is kept beside it, in rows that only grow.

pub mod evidence;
pub mod replay;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use saga_events::bus::{Delivery, carried_by};
use saga_events::{Event, EventType, OrderId, Timestamp};
use serde::Serialize;
use utoipa::ToSchema;

use crate::schema::{dead_letter_trail, dead_letters};
use crate::writer::Tx;
use evidence::Form;

saga_events::spelled! {
    /// Why an event is a dead letter.
    pub enum Reason: "reason" as "DeadLetterReason" {
        /// It is no event of this contract.
        Undecodable = "undecodable",
        /// It met a cell that cannot be reached unless something is broken.
        Impossible = "impossible",
        /// Its step failed technically, time and again.
        Exhausted = "exhausted",
    }
}

saga_events::spelled! {
    /// What became of a dead letter.
    pub enum State: "state" as "DeadLetterState" {
        /// Nothing yet.
        Open = "open",
        /// It was applied after all.
        Replayed = "replayed",
        /// An operator decided that it is not to be applied.
        Discarded = "discarded",
    }
}

saga_events::spelled! {
    /// What an operator can do to a dead letter.
    pub enum Act: "act" {
        /// Apply it again.
        Replay = "replay",
        /// Give it up.
        Discard = "discard",
    }
}

/// Who acts on a dead letter, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// The name that the operator gives: nobody is authenticated.
    pub by: Option<String>,
    /// The operator's reason, 1 to 500 characters.
    pub reason: String,
}

/// A dead letter.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Serialize, ToSchema)]
#[diesel(table_name = dead_letters)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// Its number in this service.
    pub id: i64,
    /// What became of it.
    pub state: State,
    /// Why it could not be applied, at the last try.
    pub reason: Reason,
    /// What exactly went wrong, at the last try.
    pub error: String,
    /// Tries that failed, replays included.
    pub attempts: i64,
    /// The event's type; where it could not be read, the type that its stream carries.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub event_type: Option<EventType>,
    /// The purchase, where the event could be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub order_id: Option<OrderId>,
    /// The stream that it was read from.
    pub stream: String,
    /// Its entry there.
    pub entry_id: String,
    /// When it was kept.
    pub created_at: Timestamp,
    /// What arrived, written in this form.
    #[serde(skip)]
    pub form: Form,
    /// What arrived.
    #[serde(skip)]
    pub event: String,
}

/// One entry of the operator trail.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Serialize, ToSchema)]
#[diesel(table_name = dead_letter_trail)]
pub struct TrailEntry {
    /// What was done.
    pub act: Act,
    /// When.
    pub time: Timestamp,
    /// By whom, where that was said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// Why.
    pub reason: String,
    /// What came of it, in words.
    pub outcome: String,
}

/// Which dead letters are meant.
#[derive(Debug, Clone, Copy, Default)]
pub struct Filter {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those of this type.
    pub event_type: Option<EventType>,
    /// Only those of this purchase.
    pub order_id: Option<OrderId>,
}

#[derive(Insertable)]
#[diesel(table_name = dead_letters)]
struct NewDeadLetter<'a> {
    reason: Reason,
    error: &'a str,
    attempts: i64,
    stream: &'a str,
    entry_id: &'a str,
    order_id: Option<OrderId>,
    event_type: Option<EventType>,
    event: String,
    created_at: Timestamp,
    form: Form,
}

/// Keeps a delivery as a dead letter, in the transaction that acknowledges it. The same entry
/// delivered again is the same dead letter.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    stream: &str,
    delivery: &Delivery,
    (reason, error, attempts): (Reason, &str, u32),
) -> QueryResult<()> {
    let event = delivery.event.as_ref().ok();
    let (form, text) = evidence::written(&delivery.raw);
    let row = NewDeadLetter {
        reason,
        error,
        attempts: attempts.into(),
        stream,
        entry_id: delivery.entry.id(),
        order_id: event.map(Event::order_id),
        event_type: event.map(Event::event_type).or_else(|| carried_by(stream)),
        event: text,
        created_at: tx.now(),
        form,
    };
    // Not "or ignore": that would swallow a row that breaks a check, and the evidence with it.
    diesel::insert_into(dead_letters::table)
        .values(row)
        .on_conflict((dead_letters::stream, dead_letters::entry_id))
        .do_nothing()
        .execute(tx.conn())?;
    Ok(())
}

/// How many are open.
///
/// # Errors
/// The database's.
pub fn count(conn: &mut SqliteConnection) -> QueryResult<i64> {
    dead_letters::table
        .filter(sql::<Bool>(OPEN))
        .count()
        .get_result(conn)
}

/// Those that match, oldest first: the `limit` that follow the one with the number `after`.
///
/// # Errors
/// The database's.
pub fn page(
    conn: &mut SqliteConnection,
    filter: Filter,
    after: Option<i64>,
    limit: i64,
) -> QueryResult<Vec<DeadLetter>> {
    matching(filter, after)
        .order(dead_letters::id)
        .limit(limit)
        .select(DeadLetter::as_select())
        .load(conn)
}

/// How many of those that match follow the one with the number `after`.
fn count_after(conn: &mut SqliteConnection, filter: Filter, after: i64) -> QueryResult<i64> {
    matching(filter, Some(after)).count().get_result(conn)
}

/// One of them.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut SqliteConnection, id: i64) -> QueryResult<Option<DeadLetter>> {
    dead_letters::table
        .find(id)
        .select(DeadLetter::as_select())
        .get_result(conn)
        .optional()
}

/// What operators did to one of them, oldest first.
///
/// # Errors
/// The database's.
pub fn trail_of(conn: &mut SqliteConnection, id: i64) -> QueryResult<Vec<TrailEntry>> {
    dead_letter_trail::table
        .filter(dead_letter_trail::dead_letter_id.eq(id))
        .order(dead_letter_trail::id)
        .select(TrailEntry::as_select())
        .load(conn)
}

/// Spelled out, or SQLite could not know that the small index has all such rows.
const OPEN: &str = "state = 'open'";

fn matching<'a>(
    filter: Filter,
    after: Option<i64>,
) -> dead_letters::BoxedQuery<'a, diesel::sqlite::Sqlite> {
    let mut query = dead_letters::table.into_boxed();
    query = match filter.state {
        Some(State::Open) => query.filter(sql::<Bool>(OPEN)),
        Some(state) => query.filter(dead_letters::state.eq(state)),
        None => query,
    };
    if let Some(event_type) = filter.event_type {
        query = query.filter(dead_letters::event_type.eq(event_type));
    }
    if let Some(order_id) = filter.order_id {
        query = query.filter(dead_letters::order_id.eq(order_id));
    }
    if let Some(after) = after {
        query = query.filter(dead_letters::id.gt(after));
    }
    query
}

/// Takes it out of what is open.
fn settle(tx: &mut Tx<'_>, id: i64, state: State) -> QueryResult<()> {
    diesel::update(dead_letters::table.find(id))
        .set(dead_letters::state.eq(state))
        .execute(tx.conn())?;
    Ok(())
}

/// It could not be applied this time either.
fn failed_again(tx: &mut Tx<'_>, id: i64, reason: Reason, error: &str) -> QueryResult<()> {
    diesel::update(dead_letters::table.find(id))
        .set((
            dead_letters::reason.eq(reason),
            dead_letters::error.eq(error),
            dead_letters::attempts.eq(dead_letters::attempts + 1),
        ))
        .execute(tx.conn())?;
    Ok(())
}

/// Enters into the operator trail what was done, and what came of it.
fn enter(
    tx: &mut Tx<'_>,
    id: i64,
    act: Act,
    operator: &Operator,
    outcome: &str,
) -> QueryResult<()> {
    let row = (
        dead_letter_trail::dead_letter_id.eq(id),
        dead_letter_trail::act.eq(act),
        dead_letter_trail::reason.eq(&operator.reason),
        dead_letter_trail::by.eq(&operator.by),
        dead_letter_trail::outcome.eq(outcome),
        dead_letter_trail::time.eq(tx.now()),
    );
    diesel::insert_into(dead_letter_trail::table)
        .values(row)
        .execute(tx.conn())?;
    Ok(())
}
