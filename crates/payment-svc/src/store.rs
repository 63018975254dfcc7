//! The only SQL: payments, in the writer's transaction.

pub mod audit;

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
use saga_events::{
    Amount, Event, EventId, EventType, ItemId, OrderId, Purchase, Quantity, Reason, ReasonCode,
    Service, Timestamp, UserId,
};
use svc_chassis::{Cause, Error, Outcome, SagaRow, Tx, cached_statement};

use crate::ask::Due;
use crate::gateway::{Authorization, Charge};
use crate::saga::{Input, Payment, State, Step, step};
use crate::schema::payments;

#[derive(Queryable, Selectable)]
#[diesel(table_name = payments)]
struct PaymentRow {
    order_id: OrderId,
    state: State,
    user_id: Option<UserId>,
    item_id: Option<ItemId>,
    quantity: Option<Quantity>,
    unit_price: Option<Amount>,
    total_amount: Option<Amount>,
    deadline: Option<Timestamp>,
    reason_code: Option<ReasonCode>,
    failed_step: Option<Service>,
    gateway_reference: Option<String>,
    answered_item: i64,
    answered_cancel: i64,
    traceparent: Option<String>,
    updated_at: Timestamp,
}

svc_chassis::cached_insert! {
    PaymentRow, into payments:
    order_id, state, user_id, item_id, quantity, unit_price, total_amount, deadline, reason_code, failed_step, gateway_reference, answered_item, answered_cancel, traceparent, updated_at
}

cached_statement! {
    struct UpdatePayment =
        "UPDATE payments SET state = " { state: State => Text }
        ", reason_code = " { reason_code: Option<ReasonCode> => Nullable<Text> }
        ", failed_step = " { failed_step: Option<Service> => Nullable<Text> }
        ", gateway_reference = " { gateway_reference: Option<String> => Nullable<Text> }
        ", answered_item = " { answered_item: i64 => BigInt }
        ", answered_cancel = " { answered_cancel: i64 => BigInt }
        ", updated_at = " { updated_at: Timestamp => BigInt }
        " WHERE order_id = " { order_id: OrderId => Binary };
}

/// A payment as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The payment.
    pub payment: Payment,
    /// Under which name the gateway keeps its answer.
    pub gateway_reference: Option<String>,
    /// When the row changed last.
    pub updated_at: Timestamp,
}

/// Applies one event. Where that makes the gateway to be asked, says what for: the caller asks
/// after the commit, never before.
///
/// # Errors
/// The database's; the event is then tried again.
pub fn apply(tx: &mut Tx<'_>, event: &Event) -> Result<(Outcome, Option<Charge>), Error> {
    let row = row_of(tx.conn(), event.order_id())?;
    let payment = row.as_ref().map(PaymentRow::payment);
    let step = match step(payment.as_ref(), Input::Message(&event.message)) {
        Ok(step) => step,
        Err(impossible) => return Ok((Outcome::Impossible(impossible.to_string()), None)),
    };
    let outcome = outcome_of(payment.as_ref(), &step);
    let charge = step
        .payment
        .as_ref()
        .filter(|_| step.ask_gateway)
        .and_then(charge_of);
    if let Some(next) = step.payment {
        match row {
            None => insert(tx, next, &Cause::from(event))?,
            Some(row) => update(tx, next, row.gateway_reference)?,
        }
    }
    for message in step.says {
        tx.say(message, event)?;
    }
    Ok((outcome, charge))
}

/// Applies the gateway's answer, and says what was said about it.
///
/// # Errors
/// The database's; the answer is in the gateway's book, so it can be applied later.
pub fn settle(
    tx: &mut Tx<'_>,
    order_id: OrderId,
    told: &Authorization,
) -> Result<(Outcome, Option<EventType>), Error> {
    let row = row_of(tx.conn(), order_id)?;
    let payment = row.as_ref().map(PaymentRow::payment);
    let step = match step(payment.as_ref(), Input::Gateway(told.answer)) {
        Ok(step) => step,
        Err(impossible) => return Ok((Outcome::Impossible(impossible.to_string()), None)),
    };
    let outcome = outcome_of(payment.as_ref(), &step);
    if let Some(next) = step.payment {
        update(tx, next, Some(told.reference.clone()))?;
    }
    // The answer's cause is the event that made us ask; its id is known without having kept it.
    let cause = Cause {
        event: Some(EventId::of(order_id, EventType::ItemReserved)),
        traceparent: row.and_then(|row| row.traceparent?.parse().ok()),
    };
    let said = step.says.first().map(|message| message.event_type);
    for message in step.says {
        tx.say(message, cause.clone())?;
    }
    Ok((outcome, said))
}

/// Every payment whose answer is not known: what is asked again after a start.
///
/// # Errors
/// The database's.
pub fn authorizing(conn: &mut SqliteConnection) -> QueryResult<Vec<Due>> {
    let rows = payments::table
        .filter(sql::<Bool>(AUTHORIZING))
        .order(payments::order_id)
        .select(PaymentRow::as_select())
        .load(conn)?;
    let due = |row: PaymentRow| {
        let carried = row.traceparent.as_ref().and_then(|text| text.parse().ok());
        let charge = charge_of(&row.payment())?;
        Some(Due::new(charge, carried.as_ref()))
    };
    Ok(rows.into_iter().filter_map(due).collect())
}

/// One payment.
///
/// # Errors
/// The database's.
pub fn payment_of(conn: &mut SqliteConnection, order_id: OrderId) -> QueryResult<Option<Shown>> {
    Ok(row_of(conn, order_id)?.map(Shown::from))
}

/// A page of payments, newest order first: those below `before`.
///
/// # Errors
/// The database's.
pub fn newest(
    conn: &mut SqliteConnection,
    state: Option<State>,
    before: Option<OrderId>,
    limit: i64,
) -> QueryResult<Vec<Shown>> {
    let mut query = payments::table
        .order(payments::order_id.desc())
        .limit(limit)
        .into_boxed();
    if let Some(before) = before {
        query = query.filter(payments::order_id.lt(before));
    }
    query = match state {
        // Spelled out, or SQLite could not know that the small index has all such rows.
        Some(State::Authorizing) => query.filter(sql::<Bool>(AUTHORIZING)),
        Some(state @ (State::Processed | State::Failed)) => query.filter(payments::state.eq(state)),
        None => query,
    };
    let rows = query.select(PaymentRow::as_select()).load(conn)?;
    Ok(rows.into_iter().map(Shown::from).collect())
}

/// A payment as `GET /sagas/{orderId}` shows it.
///
/// # Errors
/// The database's.
pub fn saga_of(conn: &mut SqliteConnection, order_id: OrderId) -> QueryResult<Option<SagaRow>> {
    Ok(row_of(conn, order_id)?.map(SagaRow::from))
}

/// Whether a payment is decided.
///
/// # Errors
/// The database's.
pub fn is_over(conn: &mut SqliteConnection, order_id: OrderId) -> QueryResult<bool> {
    let state = payments::table.find(order_id).select(payments::state);
    Ok(match state.get_result::<State>(conn).optional()? {
        Some(State::Processed | State::Failed) => true,
        Some(State::Authorizing) | None => false,
    })
}

/// A page of payments in order of the order's id.
///
/// # Errors
/// The database's.
pub fn sagas(
    conn: &mut SqliteConnection,
    after: Option<OrderId>,
    state: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<SagaRow>> {
    let mut query = payments::table
        .order(payments::order_id)
        .limit(limit)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(payments::order_id.gt(after));
    }
    if let Some(state) = state {
        query = query.filter(payments::state.eq(state.to_owned()));
    }
    let rows = query.select(PaymentRow::as_select()).load(conn)?;
    Ok(rows.into_iter().map(SagaRow::from).collect())
}

const AUTHORIZING: &str = "state = 'Authorizing'";

fn row_of(conn: &mut SqliteConnection, order_id: OrderId) -> QueryResult<Option<PaymentRow>> {
    payments::table
        .find(order_id)
        .select(PaymentRow::as_select())
        .get_result(conn)
        .optional()
}

fn outcome_of(before: Option<&Payment>, step: &Step) -> Outcome {
    match &step.payment {
        Some(next) if before.map(|payment| payment.state) != Some(next.state) => {
            Outcome::Changed(next.state.as_str())
        }
        Some(_) if !step.says.is_empty() => Outcome::Repeated,
        Some(_) | None => Outcome::Duplicate,
    }
}

fn charge_of(payment: &Payment) -> Option<Charge> {
    let amount = payment.purchase?.total_amount;
    Some(Charge {
        order_id: payment.order_id,
        amount,
    })
}

fn insert(tx: &mut Tx<'_>, payment: Payment, cause: &Cause) -> QueryResult<()> {
    let Payment {
        order_id,
        state,
        purchase,
        reason,
        answered_item,
        answered_cancel,
    } = payment;
    let row = PaymentRow {
        order_id,
        state,
        user_id: purchase.map(|p| p.user_id),
        item_id: purchase.map(|p| p.item_id),
        quantity: purchase.map(|p| p.quantity),
        unit_price: purchase.map(|p| p.unit_price),
        total_amount: purchase.map(|p| p.total_amount),
        deadline: purchase.map(|p| p.deadline),
        reason_code: reason.map(|reason| reason.reason_code),
        failed_step: reason.map(|reason| reason.failed_step),
        gateway_reference: None,
        answered_item: answered_item.into(),
        answered_cancel: answered_cancel.into(),
        traceparent: cause
            .traceparent
            .as_ref()
            .map(|trace| trace.as_str().to_owned()),
        updated_at: tx.now(),
    };
    row.insert(tx.conn())
}

fn update(tx: &mut Tx<'_>, payment: Payment, gateway_reference: Option<String>) -> QueryResult<()> {
    let Payment {
        order_id,
        state,
        purchase: _,
        reason,
        answered_item,
        answered_cancel,
    } = payment;
    let statement = UpdatePayment {
        state,
        reason_code: reason.map(|reason| reason.reason_code),
        failed_step: reason.map(|reason| reason.failed_step),
        gateway_reference,
        answered_item: answered_item.into(),
        answered_cancel: answered_cancel.into(),
        updated_at: tx.now(),
        order_id,
    };
    statement.execute(tx.conn())?;
    Ok(())
}

impl PaymentRow {
    fn payment(&self) -> Payment {
        let reason = self.reason_code.zip(self.failed_step);
        Payment {
            order_id: self.order_id,
            state: self.state,
            purchase: self.purchase(),
            reason: reason.map(|(reason_code, failed_step)| Reason {
                reason_code,
                failed_step,
            }),
            answered_item: u32::try_from(self.answered_item).unwrap_or(u32::MAX),
            answered_cancel: u32::try_from(self.answered_cancel).unwrap_or(u32::MAX),
        }
    }

    fn purchase(&self) -> Option<Purchase> {
        Some(Purchase {
            order_id: self.order_id,
            user_id: self.user_id?,
            item_id: self.item_id?,
            quantity: self.quantity?,
            unit_price: self.unit_price?,
            total_amount: self.total_amount?,
            deadline: self.deadline?,
        })
    }
}

impl From<PaymentRow> for Shown {
    fn from(row: PaymentRow) -> Self {
        let payment = row.payment();
        Self {
            payment,
            gateway_reference: row.gateway_reference,
            updated_at: row.updated_at,
        }
    }
}

impl From<PaymentRow> for SagaRow {
    fn from(row: PaymentRow) -> Self {
        Self {
            order_id: row.order_id,
            state: row.state.as_str().to_owned(),
            amount: row.total_amount.map_or(0, Amount::get),
            quantity: row.quantity.map(Quantity::get),
            updated_at: row.updated_at,
        }
    }
}
