//! The only SQL: notifications, in the writer's transaction.

pub mod audit;

use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel::sqlite::Sqlite;
use saga_events::{Amount, Event, NotificationId, OrderId, Timestamp, UserId};
use svc_chassis::{Error, Outcome, SagaRow, Tx, buckets};

use crate::letter::Letter;
use crate::saga::{Kind, Notification, step};
use crate::schema::notifications;

struct NewRow<'a> {
    id: NotificationId,
    order_id: OrderId,
    user_id: UserId,
    kind: Kind,
    amount: Amount,
    text: &'a str,
    channels: &'a str,
    answered: i64,
    created_at: Timestamp,
    updated_at: Timestamp,
    bucket: i64,
}

svc_chassis::cached_insert! {
    NewRow<'_>, into notifications:
    id, order_id, user_id, kind, amount, text, channels, answered, created_at, updated_at, bucket
}

/// A notification as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable)]
#[diesel(table_name = notifications)]
pub struct Shown {
    /// Its place in the order in which notifications were made.
    pub seq: i64,
    /// Its id.
    pub id: NotificationId,
    /// The purchase's id.
    pub order_id: OrderId,
    /// Who was told.
    pub user_id: UserId,
    /// How the purchase ended.
    pub kind: Kind,
    /// What was told.
    pub text: String,
    /// Where it was delivered, separated by commas.
    pub channels: String,
    /// When.
    pub created_at: Timestamp,
}

/// Applies one event. Where that tells the buyer something, the row is already in the inbox, and
/// the letter is for the channels that deliver after the commit.
///
/// # Errors
/// The database's; the event is then tried again.
pub fn apply(
    tx: &mut Tx<'_>,
    event: &Event,
    channels: &str,
) -> Result<(Outcome, Option<Letter>), Error> {
    let known = notification_of(tx.conn(), event.order_id())?;
    let step = match step(known.as_ref(), &event.message) {
        Ok(step) => step,
        Err(impossible) => return Ok((Outcome::Impossible(impossible.to_string()), None)),
    };
    let (outcome, letter) = match (&step.notification, known) {
        (None, _) => (Outcome::Duplicate, None),
        (Some(next), Some(_)) => {
            remember(tx, next)?;
            (Outcome::Repeated, None)
        }
        (Some(next), None) => {
            let letter = Letter::of(&event.message)
                .ok_or_else(|| Error::internal("an end of a purchase without a purchase"))?;
            insert(tx, next, &letter, channels)?;
            (Outcome::Changed(next.kind.as_str()), Some(letter))
        }
    };
    for message in step.says {
        tx.say(message, event)?;
    }
    Ok((outcome, letter))
}

/// A page of notifications, of one user or of all, newest first: those below `before`.
///
/// # Errors
/// The database's.
pub fn newest(
    conn: &mut SqliteConnection,
    user_id: Option<UserId>,
    before: Option<i64>,
    limit: i64,
) -> QueryResult<Vec<Shown>> {
    let mut which = of(user_id).order(notifications::seq.desc()).limit(limit);
    if let Some(before) = before {
        which = which.filter(notifications::seq.lt(before));
    }
    let seqs: Vec<i64> = which.load(conn)?;
    notifications::table
        .filter(notifications::seq.eq_any(seqs))
        .order(notifications::seq.desc())
        .select(Shown::as_select())
        .load(conn)
}

/// Notifications, of one user or of all, oldest first: those after the one with this number.
///
/// # Errors
/// The database's.
pub fn after(
    conn: &mut SqliteConnection,
    user_id: Option<UserId>,
    seq: i64,
    limit: i64,
) -> QueryResult<Vec<Shown>> {
    let which = of(user_id).filter(notifications::seq.gt(seq));
    let seqs: Vec<i64> = which.order(notifications::seq).limit(limit).load(conn)?;
    notifications::table
        .filter(notifications::seq.eq_any(seqs))
        .order(notifications::seq)
        .select(Shown::as_select())
        .load(conn)
}

/// The numbers of the notifications of one user, which an index knows, or of all.
fn of(user_id: Option<UserId>) -> notifications::BoxedQuery<'static, Sqlite, BigInt> {
    let all = notifications::table.select(notifications::seq).into_boxed();
    match user_id {
        Some(user_id) => all
            .filter(notifications::user_id.eq(user_id))
            .filter(buckets::any_of("notifications")),
        None => all,
    }
}

/// The number of the last notification; 0: there is none.
///
/// # Errors
/// The database's.
pub fn last_seq(conn: &mut SqliteConnection) -> QueryResult<i64> {
    let last = notifications::table.select(diesel::dsl::max(notifications::seq));
    Ok(last.get_result::<Option<i64>>(conn)?.unwrap_or(0))
}

/// A notification as `GET /sagas/{orderId}` shows it.
///
/// # Errors
/// The database's.
pub fn saga_of(conn: &mut SqliteConnection, order_id: OrderId) -> QueryResult<Option<SagaRow>> {
    let query = notifications::table.filter(notifications::order_id.eq(order_id));
    Ok(query
        .select(SAGA_COLUMNS)
        .get_result::<SagaColumns>(conn)
        .optional()?
        .map(saga_row))
}

/// Whether the buyer was told: there is nothing else to do about a purchase here.
///
/// # Errors
/// The database's.
pub fn is_over(conn: &mut SqliteConnection, order_id: OrderId) -> QueryResult<bool> {
    Ok(notification_of(conn, order_id)?.is_some())
}

/// A page of notifications in order of the order's id.
///
/// # Errors
/// The database's.
pub fn sagas(
    conn: &mut SqliteConnection,
    after: Option<OrderId>,
    state: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<SagaRow>> {
    let mut query = notifications::table
        .order(notifications::order_id)
        .limit(limit)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(notifications::order_id.gt(after));
    }
    if let Some(state) = state {
        query = query.filter(notifications::kind.eq(state.to_owned()));
    }
    let rows = query.select(SAGA_COLUMNS).load::<SagaColumns>(conn)?;
    Ok(rows.into_iter().map(saga_row).collect())
}

/// What was told about a purchase.
///
/// # Errors
/// The database's.
pub fn notification_of(
    conn: &mut SqliteConnection,
    order_id: OrderId,
) -> QueryResult<Option<Notification>> {
    let found = notifications::table
        .filter(notifications::order_id.eq(order_id))
        .select((notifications::kind, notifications::answered))
        .get_result::<(Kind, i64)>(conn)
        .optional()?;
    Ok(found.map(|(kind, answered)| {
        let answered = u32::try_from(answered).unwrap_or(u32::MAX);
        Notification {
            order_id,
            kind,
            answered,
        }
    }))
}

type SagaColumns = (OrderId, Kind, Amount, Timestamp);

const SAGA_COLUMNS: (
    notifications::order_id,
    notifications::kind,
    notifications::amount,
    notifications::updated_at,
) = (
    notifications::order_id,
    notifications::kind,
    notifications::amount,
    notifications::updated_at,
);

fn saga_row((order_id, kind, amount, updated_at): SagaColumns) -> SagaRow {
    SagaRow {
        order_id,
        state: kind.as_str().to_owned(),
        amount: amount.get(),
        quantity: None,
        updated_at,
    }
}

fn insert(
    tx: &mut Tx<'_>,
    Notification {
        order_id,
        kind,
        answered,
    }: &Notification,
    letter: &Letter,
    channels: &str,
) -> QueryResult<()> {
    let now = tx.now();
    let row = NewRow {
        id: NotificationId::new(),
        order_id: *order_id,
        user_id: letter.user_id,
        kind: *kind,
        amount: letter.amount,
        text: &letter.text,
        channels,
        answered: (*answered).into(),
        created_at: now,
        updated_at: now,
        bucket: tx.bucket(),
    };
    row.insert(tx.conn())
}

/// Repeats are rare: this statement need not be a cached one.
fn remember(tx: &mut Tx<'_>, notification: &Notification) -> QueryResult<()> {
    let now = tx.now();
    let of_order = notifications::order_id.eq(notification.order_id);
    let answered = notifications::answered.eq(i64::from(notification.answered));
    diesel::update(notifications::table.filter(of_order))
        .set((answered, notifications::updated_at.eq(now)))
        .execute(tx.conn())?;
    Ok(())
}

#[cfg(test)]
mod tests;
