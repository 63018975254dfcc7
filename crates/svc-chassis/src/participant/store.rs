//! The rows of the participant state machine: the same table in three services.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Nullable, Text};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use saga_audit::SagaRow;
use saga_events::{Amount, Event, ItemId, OrderId, Payload, Purchase, Quantity, Reason, UserId};
use saga_events::{ReasonCode, Service, Timestamp};

use super::machine::{Hold, Participant, State, step};
use crate::error::Error;
use crate::schema::holds;
use crate::service::Outcome;
use crate::writer::Tx;

/// The migrations of the `holds` table.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("participant-migrations");

/// A participant's `store.rs`: how its book is read and changed.
pub trait Books: Participant {
    /// The book that this purchase's hold is taken from.
    ///
    /// # Errors
    /// The database's.
    fn load(conn: &mut SqliteConnection, purchase: &Purchase) -> QueryResult<Option<Self::Book>>;

    /// Applies a change, relative to what is there.
    ///
    /// # Errors
    /// The database's; a check constraint where it would go below zero.
    fn apply(
        conn: &mut SqliteConnection,
        purchase: &Purchase,
        change: &Self::Change,
    ) -> QueryResult<()>;
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = holds)]
struct HoldRow {
    order_id: OrderId,
    state: State,
    user_id: Option<UserId>,
    item_id: Option<ItemId>,
    quantity: Option<Quantity>,
    unit_price: Option<Amount>,
    total_amount: Option<Amount>,
    deadline: Option<Timestamp>,
    held: i64,
    reason_code: Option<ReasonCode>,
    failed_step: Option<Service>,
    answered_there: i64,
    answered_back: i64,
    updated_at: Timestamp,
    bucket: i64,
}

crate::cached_insert! {
    HoldRow, into holds:
    order_id, state, user_id, item_id, quantity, unit_price, total_amount, deadline, held, reason_code, failed_step, answered_there, answered_back, updated_at, bucket
}

crate::cached_statement! {
    struct UpdateHold =
        "UPDATE holds SET state = " { state: State => Text }
        ", reason_code = " { reason_code: Option<ReasonCode> => Nullable<Text> }
        ", failed_step = " { failed_step: Option<Service> => Nullable<Text> }
        ", answered_there = " { answered_there: i64 => BigInt }
        ", answered_back = " { answered_back: i64 => BigInt }
        ", updated_at = " { updated_at: Timestamp => BigInt }
        " WHERE order_id = " { order_id: OrderId => Binary };
}

/// Applies one event to a participant: row, effect and answers in the writer's transaction.
///
/// # Errors
/// The database's; the event is then tried again.
pub fn apply<P: Books>(tx: &mut Tx<'_>, event: &Event) -> Result<Outcome, Error> {
    let hold = hold_of(tx.conn(), event.order_id())?;
    let purchase = match (&hold, event.message.payload) {
        (None, Payload::Purchase(purchase)) => Some(purchase),
        (Some(hold), _) if hold.state == State::Reserved => hold.purchase,
        _ => None,
    };
    let book = match &purchase {
        Some(purchase) if hold.is_none() || event.event_type() != P::WIRE.reserve_on => {
            P::load(tx.conn(), purchase)?
        }
        _ => None,
    };
    let step = match step::<P>(hold.as_ref(), &event.message, book.as_ref()) {
        Ok(step) => step,
        Err(impossible) => return Ok(Outcome::Impossible(impossible.to_string())),
    };
    let changed = hold.as_ref().map(|hold| hold.state) != step.hold.as_ref().map(|hold| hold.state);
    let outcome = match &step.hold {
        None => Outcome::Duplicate,
        Some(next) if changed => Outcome::Changed(next.state.as_str()),
        Some(_) => Outcome::Repeated,
    };
    if let (Some(change), Some(purchase)) = (&step.change, &purchase) {
        P::apply(tx.conn(), purchase, change)?;
    }
    if let Some(next) = step.hold {
        save(tx, hold.is_none(), next)?;
    }
    for message in step.says {
        tx.say(message, event)?;
    }
    Ok(outcome)
}

/// Where this participant stands with a purchase.
///
/// # Errors
/// The database's.
pub fn hold_of(conn: &mut SqliteConnection, order_id: OrderId) -> QueryResult<Option<Hold>> {
    let row = holds::table
        .find(order_id)
        .select(HoldRow::as_select())
        .get_result(conn)
        .optional()?;
    Ok(row.map(Hold::from))
}

/// This participant's row as `GET /sagas/{orderId}` shows it.
///
/// # Errors
/// The database's.
pub fn saga_of(conn: &mut SqliteConnection, order_id: OrderId) -> QueryResult<Option<SagaRow>> {
    let row = holds::table
        .find(order_id)
        .select(HoldRow::as_select())
        .get_result(conn)
        .optional()?;
    Ok(row.map(SagaRow::from))
}

/// Whether a purchase is over here: nothing is held for it, and nothing ever will be.
///
/// # Errors
/// The database's.
pub fn is_over(conn: &mut SqliteConnection, order_id: OrderId) -> QueryResult<bool> {
    let state = holds::table.find(order_id).select(holds::state);
    Ok(match state.get_result::<State>(conn).optional()? {
        Some(State::Refused | State::Released | State::Confirmed) => true,
        Some(State::Reserved) | None => false,
    })
}

/// A page of this participant's rows, in order of the order's id.
///
/// # Errors
/// The database's.
pub fn sagas(
    conn: &mut SqliteConnection,
    after: Option<OrderId>,
    state: Option<&str>,
    limit: i64,
) -> QueryResult<Vec<SagaRow>> {
    let mut query = holds::table
        .order(holds::order_id)
        .limit(limit)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(holds::order_id.gt(after));
    }
    if let Some(state) = state {
        query = query.filter(holds::state.eq(state.to_owned()));
    }
    let rows = query.select(HoldRow::as_select()).load(conn)?;
    Ok(rows.into_iter().map(SagaRow::from).collect())
}

fn save(tx: &mut Tx<'_>, new: bool, hold: Hold) -> QueryResult<()> {
    let updated_at = tx.now();
    let reason_code = hold.reason.map(|reason| reason.reason_code);
    let failed_step = hold.reason.map(|reason| reason.failed_step);
    let (answered_there, answered_back) = (hold.answered_there.into(), hold.answered_back.into());
    let Hold {
        order_id,
        state,
        held,
        purchase,
        ..
    } = hold;
    if new {
        let row = HoldRow {
            order_id,
            state,
            user_id: purchase.map(|p| p.user_id),
            item_id: purchase.map(|p| p.item_id),
            quantity: purchase.map(|p| p.quantity),
            unit_price: purchase.map(|p| p.unit_price),
            total_amount: purchase.map(|p| p.total_amount),
            deadline: purchase.map(|p| p.deadline),
            held,
            reason_code,
            failed_step,
            answered_there,
            answered_back,
            updated_at,
            bucket: tx.bucket(),
        };
        row.insert(tx.conn())?;
    } else {
        UpdateHold {
            state,
            reason_code,
            failed_step,
            answered_there,
            answered_back,
            updated_at,
            order_id,
        }
        .execute(tx.conn())?;
    }
    Ok(())
}

impl HoldRow {
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

impl From<HoldRow> for Hold {
    fn from(row: HoldRow) -> Self {
        let reason = row.reason_code.zip(row.failed_step);
        Self {
            order_id: row.order_id,
            state: row.state,
            purchase: row.purchase(),
            held: row.held,
            reason: reason.map(|(reason_code, failed_step)| Reason {
                reason_code,
                failed_step,
            }),
            answered_there: u32::try_from(row.answered_there).unwrap_or(u32::MAX),
            answered_back: u32::try_from(row.answered_back).unwrap_or(u32::MAX),
        }
    }
}

impl From<HoldRow> for SagaRow {
    fn from(row: HoldRow) -> Self {
        Self {
            order_id: row.order_id,
            state: row.state.as_str().to_owned(),
            amount: row.held,
            quantity: row.quantity.map(Quantity::get),
            updated_at: row.updated_at,
        }
    }
}
