//! The only SQL of order-svc.

pub mod audit;
pub mod list;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
use saga_events::{
    Amount, EventId, EventType, ItemId, OrderId, Purchase, Quantity, Reason, ReasonCode, Service,
    Timestamp, TraceParent, UserId,
};
use svc_chassis::{SagaRow, buckets};

use crate::saga::{Order, Status};
use crate::schema::orders;

/// An order with what the shell keeps beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredOrder {
    /// The order.
    pub order: Order,
    /// The next time the sweep must look at it.
    pub due_at: Option<Timestamp>,
    /// Repeats since the status changed.
    pub repeats: u32,
    /// Its last output's row in the outbox.
    pub last_seq: i64,
    /// The trace of the request that began it.
    pub traceparent: Option<TraceParent>,
    /// When it began.
    pub created_at: Timestamp,
    /// When its status changed last.
    pub updated_at: Timestamp,
}

impl StoredOrder {
    /// The purchase's id.
    pub fn id(&self) -> OrderId {
        self.order.purchase.order_id
    }

    /// The id of its trace, 32 hexadecimal digits.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_ref().map(TraceParent::trace_id)
    }

    /// The span in which something is said of it that no event has caused.
    pub fn saying(&self, event_type: EventType, attempt: u32) -> Option<TraceParent> {
        let event = EventId::of(self.order.purchase.order_id, event_type);
        Some(self.traceparent.as_ref()?.saying(event, attempt))
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = orders)]
struct OrderRow {
    order_id: OrderId,
    user_id: UserId,
    item_id: ItemId,
    quantity: Quantity,
    unit_price: Amount,
    total_amount: Amount,
    deadline: Timestamp,
    status: Status,
    reason_code: Option<ReasonCode>,
    failed_step: Option<Service>,
    attempt: i64,
    told: bool,
    due_at: Option<Timestamp>,
    repeats: i64,
    last_seq: i64,
    traceparent: Option<String>,
    created_at: Timestamp,
    updated_at: Timestamp,
    bucket: i64,
}

svc_chassis::cached_insert! {
    OrderRow, into orders:
    order_id, user_id, item_id, quantity, unit_price, total_amount, deadline, status, reason_code, failed_step, attempt, told, due_at, repeats, last_seq, traceparent, created_at, updated_at, bucket
}

svc_chassis::cached_statement! {
    struct UpdateOrder =
        "UPDATE orders SET status = " { status: Status => Text }
        ", reason_code = " { reason_code: Option<ReasonCode> => Nullable<Text> }
        ", failed_step = " { failed_step: Option<Service> => Nullable<Text> }
        ", attempt = " { attempt: i64 => BigInt }
        ", told = " { told: bool => Bool }
        ", due_at = " { due_at: Option<Timestamp> => Nullable<BigInt> }
        ", repeats = " { repeats: i64 => BigInt }
        ", last_seq = " { last_seq: i64 => BigInt }
        ", updated_at = " { updated_at: Timestamp => BigInt }
        " WHERE order_id = " { order_id: OrderId => Binary };
}

/// Stores a new order.
///
/// # Errors
/// The database's.
pub fn insert(conn: &mut SqliteConnection, stored: &StoredOrder) -> QueryResult<()> {
    OrderRow::from(stored).insert(conn)
}

/// Stores what a step changes; the purchase never changes.
///
/// # Errors
/// The database's.
pub fn update(conn: &mut SqliteConnection, stored: &StoredOrder) -> QueryResult<()> {
    let order = &stored.order;
    let update = UpdateOrder {
        status: order.status,
        reason_code: order.reason.map(|reason| reason.reason_code),
        failed_step: order.reason.map(|reason| reason.failed_step),
        attempt: order.attempt.into(),
        told: order.told,
        due_at: stored.due_at,
        repeats: stored.repeats.into(),
        last_seq: stored.last_seq,
        updated_at: stored.updated_at,
        order_id: order.purchase.order_id,
    };
    update.execute(conn)?;
    Ok(())
}

/// An order by its id.
///
/// # Errors
/// The database's.
pub fn find(conn: &mut SqliteConnection, id: OrderId) -> QueryResult<Option<StoredOrder>> {
    let row = orders::table
        .find(id)
        .select(OrderRow::as_select())
        .get_result(conn)
        .optional()?;
    Ok(row.map(StoredOrder::from))
}

/// The smallest UUID v7 of a millisecond.
fn first_id_at(time: Timestamp) -> OrderId {
    let millis = u64::try_from(time.micros() / 1000).unwrap_or(0);
    OrderId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &[0; 10]).into_uuid())
}

/// The latest order that has ended and whose buyer was told, unless it is not after this one.
///
/// # Errors
/// The database's.
pub fn latest_closed(
    conn: &mut SqliteConnection,
    after: Option<OrderId>,
) -> QueryResult<Option<StoredOrder>> {
    // From the end, past the few that are under way.
    let mut query = orders::table
        .filter(orders::told)
        .order(orders::order_id.desc())
        .limit(1)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(orders::order_id.gt(after));
    }
    let row = query.select(OrderRow::as_select()).get_result(conn);
    Ok(row.optional()?.map(StoredOrder::from))
}

/// Orders whose deadline has passed and whose pivot is not asked yet.
///
/// # Errors
/// The database's.
pub fn overdue(
    conn: &mut SqliteConnection,
    now: Timestamp,
    limit: i64,
) -> QueryResult<Vec<OrderId>> {
    orders::table
        .filter(orders::status.eq(Status::Pending))
        .filter(orders::due_at.le(now).and(orders::deadline.le(now)))
        .limit(limit)
        .select(orders::order_id)
        .load(conn)
}

/// Orders in this state that have been due for a repeat since `due`, and whose last output is
/// published; the longest due first.
///
/// # Errors
/// The database's.
pub fn due(
    conn: &mut SqliteConnection,
    status: Status,
    due: Timestamp,
    published: i64,
    limit: i64,
) -> QueryResult<Vec<OrderId>> {
    orders::table
        .filter(orders::status.eq(status).and(orders::due_at.le(due)))
        .filter(orders::last_seq.le(published))
        .order(orders::due_at)
        .limit(limit)
        .select(orders::order_id)
        .load(conn)
}

/// Moves the next look at an order.
///
/// # Errors
/// The database's.
pub fn postpone(conn: &mut SqliteConnection, id: OrderId, due_at: Timestamp) -> QueryResult<()> {
    diesel::update(orders::table.find(id))
        .set(orders::due_at.eq(due_at))
        .execute(conn)?;
    Ok(())
}

/// How many orders are not final.
///
/// # Errors
/// The database's.
pub fn count_open(conn: &mut SqliteConnection) -> QueryResult<i64> {
    let open = orders::status.eq_any([Status::Pending, Status::Cancelling]);
    orders::table
        .filter(open.and(orders::due_at.is_not_null()))
        .count()
        .get_result(conn)
}

/// When the oldest order that is not final began, as its id tells.
///
/// # Errors
/// The database's.
pub fn oldest_open(conn: &mut SqliteConnection) -> QueryResult<Option<Timestamp>> {
    let open = orders::status.eq_any([Status::Pending, Status::Cancelling]);
    let oldest: Option<OrderId> = orders::table
        .filter(open.and(orders::due_at.is_not_null()))
        // As in `list`: all of them are in the index of the sweep, which has the ids, too.
        .order(sql::<Binary>("+orders.order_id"))
        .limit(1)
        .select(orders::order_id)
        .get_result(conn)
        .optional()?;
    let made = oldest.and_then(|id| id.uuid().get_timestamp());
    let millis = made.map(|made| {
        let (seconds, nanos) = made.to_unix();
        seconds
            .saturating_mul(1000)
            .saturating_add((nanos / 1_000_000).into())
    });
    let micros = millis.and_then(|millis| i64::try_from(millis.saturating_mul(1000)).ok());
    Ok(micros.map(Timestamp::from_micros))
}

/// Some of the orders that are not final and began before this: so many of the oldest, and so many
/// of the newest.
///
/// # Errors
/// The database's.
pub fn some_open(
    conn: &mut SqliteConnection,
    before: Timestamp,
    some: i64,
) -> QueryResult<Vec<OrderId>> {
    let some_by = |conn: &mut SqliteConnection, order: &'static str| {
        let open = orders::status.eq_any([Status::Pending, Status::Cancelling]);
        orders::table
            .filter(open.and(orders::due_at.is_not_null()))
            .filter(orders::order_id.lt(first_id_at(before)))
            // As in `list`.
            .order(sql::<Binary>(order))
            .limit(some)
            .select(orders::order_id)
            .load::<OrderId>(conn)
    };
    let mut found = some_by(conn, "+orders.order_id")?;
    for order in some_by(conn, "+orders.order_id DESC")? {
        if !found.contains(&order) {
            found.push(order);
        }
    }
    Ok(found)
}

/// Whether an order is closed: final, and its buyer told.
///
/// # Errors
/// The database's.
pub fn is_over(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<bool> {
    let told = orders::table.find(order).select(orders::told);
    Ok(told.get_result(conn).optional()?.unwrap_or(false))
}

/// An order as `GET /sagas/{orderId}` shows it.
///
/// # Errors
/// The database's.
pub fn saga(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<Option<SagaRow>> {
    Ok(find(conn, order)?.map(SagaRow::from))
}

/// A page of orders in order of their ids, oldest first.
///
/// # Errors
/// The database's.
pub fn sagas(
    conn: &mut SqliteConnection,
    after: Option<OrderId>,
    state: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<SagaRow>> {
    let mut query = orders::table
        .order(orders::order_id)
        .limit(limit)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(orders::order_id.gt(after));
    }
    if let Some(state) = state {
        // No order is in a state that does not exist.
        let Ok(status) = state.parse::<Status>() else {
            return Ok(Vec::new());
        };
        query = query.filter(orders::status.eq(status));
        if !status.is_final() {
            // As in `list`: open orders are few and all in the index of the sweep.
            let by_id = sql::<Binary>("+orders.order_id");
            query = query.filter(orders::due_at.is_not_null()).order(by_id);
        }
    }
    let rows = query.select(OrderRow::as_select()).load(conn)?;
    Ok(rows
        .into_iter()
        .map(|row| StoredOrder::from(row).into())
        .collect())
}

impl From<&StoredOrder> for OrderRow {
    fn from(stored: &StoredOrder) -> Self {
        let Order {
            purchase,
            status,
            reason,
            attempt,
            told,
        } = stored.order;
        Self {
            order_id: purchase.order_id,
            user_id: purchase.user_id,
            item_id: purchase.item_id,
            quantity: purchase.quantity,
            unit_price: purchase.unit_price,
            total_amount: purchase.total_amount,
            deadline: purchase.deadline,
            status,
            reason_code: reason.map(|reason| reason.reason_code),
            failed_step: reason.map(|reason| reason.failed_step),
            attempt: attempt.into(),
            told,
            due_at: stored.due_at,
            repeats: stored.repeats.into(),
            last_seq: stored.last_seq,
            traceparent: stored.traceparent.clone().map(String::from),
            created_at: stored.created_at,
            updated_at: stored.updated_at,
            bucket: buckets::of(stored.last_seq),
        }
    }
}

impl From<OrderRow> for StoredOrder {
    fn from(row: OrderRow) -> Self {
        let purchase = Purchase {
            order_id: row.order_id,
            user_id: row.user_id,
            item_id: row.item_id,
            quantity: row.quantity,
            unit_price: row.unit_price,
            total_amount: row.total_amount,
            deadline: row.deadline,
        };
        let reason = row.reason_code.zip(row.failed_step);
        let order = Order {
            purchase,
            status: row.status,
            reason: reason.map(|(reason_code, failed_step)| Reason {
                reason_code,
                failed_step,
            }),
            attempt: u32::try_from(row.attempt).unwrap_or(u32::MAX),
            told: row.told,
        };
        Self {
            order,
            due_at: row.due_at,
            repeats: u32::try_from(row.repeats).unwrap_or(u32::MAX),
            last_seq: row.last_seq,
            traceparent: row.traceparent.and_then(|text| text.parse().ok()),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

impl From<StoredOrder> for SagaRow {
    fn from(stored: StoredOrder) -> Self {
        let Order {
            purchase, status, ..
        } = stored.order;
        Self {
            order_id: purchase.order_id,
            state: status.as_str().to_owned(),
            amount: purchase.total_amount.get(),
            quantity: Some(purchase.quantity.get()),
            updated_at: stored.updated_at,
        }
    }
}
