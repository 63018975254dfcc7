//! The users and their money: the only SQL of user-svc.

pub mod audit;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use diesel::sqlite::Sqlite;
use saga_events::{Amount, MAX_MONEY, Money, OrderId, Purchase, Timestamp, UserId};
use serde::Serialize;
use svc_chassis::http::Problem;
use svc_chassis::participant::{Books, State};
use svc_chassis::schema::holds;
use svc_chassis::{Error, Tx, buckets};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::saga::{Account, Change, UserSaga};
use crate::schema::{deposits, users};

/// A user as callers see it. Money is in the currency's minor unit.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Serialize, ToSchema)]
#[diesel(table_name = users)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// Its id.
    pub id: UserId,
    /// What people call it; need not be unique.
    pub username: String,
    /// May buy.
    pub active: bool,
    /// Free to be spent.
    #[diesel(column_name = available)]
    pub balance: Money,
    /// Held for purchases under way.
    pub held: Money,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a new user is.
#[derive(Debug, Clone)]
pub struct NewUser {
    /// What people call it.
    pub username: String,
    /// Its first deposit; 0: none.
    pub balance: Money,
}

/// Money that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Deposit {
    /// Its id.
    pub id: Uuid,
    /// Whose it is.
    pub user_id: UserId,
    /// How much came in.
    pub amount: Amount,
    /// What the user can spend now.
    pub balance: Money,
}

/// What is or was held for one purchase.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Serialize, ToSchema)]
#[diesel(table_name = holds)]
#[serde(rename_all = "camelCase")]
pub struct UserHold {
    /// The purchase.
    pub order_id: OrderId,
    /// How much; 0 where it was refused.
    #[diesel(column_name = held)]
    pub amount: Money,
    /// Where it stands.
    pub state: State,
    /// When it changed last.
    pub updated_at: Timestamp,
}

svc_chassis::cached_statement! {
    struct MoveMoney =
        "UPDATE users SET available = available + " { available: i64 => BigInt }
        ", held = held + " { held: i64 => BigInt }
        ", captured = captured + " { captured: i64 => BigInt }
        " WHERE id = " { id: UserId => Binary };
}

impl Books for UserSaga {
    fn load(conn: &mut SqliteConnection, purchase: &Purchase) -> QueryResult<Option<Account>> {
        let columns = (
            users::active,
            users::available,
            users::held,
            users::captured,
        );
        let row = users::table
            .find(purchase.user_id)
            .select(columns)
            .get_result(conn)
            .optional()?;
        Ok(row.map(|(active, available, held, captured)| Account {
            active,
            available,
            held,
            captured,
        }))
    }

    fn apply(conn: &mut SqliteConnection, purchase: &Purchase, change: &Change) -> QueryResult<()> {
        let Change {
            available,
            held,
            captured,
        } = *change;
        MoveMoney {
            available,
            held,
            captured,
            id: purchase.user_id,
        }
        .execute(conn)?;
        Ok(())
    }
}

/// The user of this id.
///
/// # Errors
/// 404 where there is none.
pub fn user(conn: &mut SqliteConnection, id: UserId) -> Result<User, Error> {
    let row = users::table
        .find(id)
        .select(User::as_select())
        .get_result(conn)
        .optional()?;
    row.ok_or_else(|| Problem::not_found("USER_NOT_FOUND", format!("user {id}")).into())
}

/// At most `limit` users after this one, in order of id; only those of this name, where one is given.
///
/// # Errors
/// The database's.
pub fn users(
    conn: &mut SqliteConnection,
    name: Option<&str>,
    after: Option<UserId>,
    limit: i64,
) -> Result<Vec<User>, Error> {
    let mut query = users::table.order(users::id).limit(limit).into_boxed();
    if let Some(after) = after {
        query = query.filter(users::id.gt(after));
    }
    if let Some(name) = name {
        query = query.filter(users::username.eq(name.to_owned()));
    }
    Ok(query.select(User::as_select()).load(conn)?)
}

/// At most `limit` holds of a user, those of the orders after this one, in order of the order's id.
///
/// # Errors
/// 404 where there is no such user.
pub fn holds(
    conn: &mut SqliteConnection,
    user_id: UserId,
    after: Option<OrderId>,
    limit: i64,
) -> Result<Vec<UserHold>, Error> {
    user(conn, user_id)?;
    let ids: Vec<OrderId> = ids_of_holds(user_id, after, limit).load(conn)?;
    Ok(holds::table
        .filter(holds::order_id.eq_any(ids))
        .order(holds::order_id)
        .select(UserHold::as_select())
        .load(conn)?)
}

/// Which holds those are: the index of users knows.
fn ids_of_holds(
    user_id: UserId,
    after: Option<OrderId>,
    limit: i64,
) -> holds::BoxedQuery<'static, Sqlite, Binary> {
    let mut query = holds::table
        .filter(holds::user_id.eq(user_id))
        .filter(buckets::any_of("holds"))
        .order(holds::order_id)
        .limit(limit)
        .select(holds::order_id)
        .into_boxed();
    if let Some(after) = after {
        query = query.filter(holds::order_id.gt(after));
    }
    query
}

/// Makes a user, unless there is one of this id, which then stays as it is. Says whether it was
/// made.
///
/// # Errors
/// The database's.
pub fn create(tx: &mut Tx<'_>, id: UserId, new: &NewUser) -> Result<bool, Error> {
    let row = (
        users::id.eq(id),
        users::username.eq(&new.username),
        users::active.eq(true),
        users::available.eq(new.balance),
        users::held.eq(0),
        users::captured.eq(0),
        users::created_at.eq(tx.now()),
    );
    let insert = diesel::insert_into(users::table)
        .values(row)
        .on_conflict(users::id)
        .do_nothing();
    let made = insert.execute(tx.conn())? == 1;
    if made && let Ok(amount) = Amount::new(new.balance.get()) {
        enter(tx, id, amount)?;
    }
    Ok(made)
}

/// Adds to a user's balance. Returns the deposit's id.
///
/// # Errors
/// 404 where there is no such user; 422 where its money could not be counted any more.
pub fn add(tx: &mut Tx<'_>, user_id: UserId, amount: Amount) -> Result<Uuid, Error> {
    user(tx.conn(), user_id)?;
    let all = users::available + users::held + users::captured;
    let counted: i64 = users::table
        .find(user_id)
        .select(all)
        .get_result(tx.conn())?;
    let room = MAX_MONEY - counted;
    if amount.get() > room {
        let message = format!("must be at most {room}: more money cannot be counted");
        return Err(Problem::invalid("amount", message).into());
    }
    let more = users::available.eq(users::available + amount);
    diesel::update(users::table.find(user_id))
        .set(more)
        .execute(tx.conn())?;
    Ok(enter(tx, user_id, amount)?)
}

/// The deposit of this id, with the user's balance as it is now.
///
/// # Errors
/// 404 where there is none.
pub fn deposit(conn: &mut SqliteConnection, id: Uuid) -> Result<Deposit, Error> {
    let columns = (deposits::user_id, deposits::amount, users::available);
    let (user_id, amount, balance) = deposits::table
        .inner_join(users::table)
        .filter(deposits::id.eq(id.into_bytes().to_vec()))
        .select(columns)
        .get_result(conn)?;
    Ok(Deposit {
        id,
        user_id,
        amount,
        balance,
    })
}

/// Lets a user buy, or no longer. What is held is still captured or given back.
///
/// # Errors
/// 404 where there is no such user.
pub fn set_active(tx: &mut Tx<'_>, id: UserId, active: bool) -> Result<User, Error> {
    diesel::update(users::table.find(id))
        .set(users::active.eq(active))
        .execute(tx.conn())?;
    user(tx.conn(), id)
}

/// Writes what came in to the ledger.
fn enter(tx: &mut Tx<'_>, user_id: UserId, amount: Amount) -> QueryResult<Uuid> {
    let id = Uuid::now_v7();
    let row = (
        deposits::id.eq(id.into_bytes().to_vec()),
        deposits::user_id.eq(user_id),
        deposits::amount.eq(amount),
        deposits::created_at.eq(tx.now()),
    );
    diesel::insert_into(deposits::table)
        .values(row)
        .execute(tx.conn())?;
    Ok(id)
}

#[cfg(test)]
mod tests;
