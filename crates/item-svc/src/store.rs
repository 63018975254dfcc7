//! The catalogue and its stock: the only SQL of item-svc.

pub mod audit;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use saga_events::{Amount, ItemId, MAX_MONEY, Purchase, Units};
use serde::Serialize;
use svc_chassis::http::Problem;
use svc_chassis::participant::Books;
use svc_chassis::{Error, Tx};
use utoipa::ToSchema;

use crate::saga::{Change, Item, ItemSaga};
use crate::schema::{items, restocks};

/// An item as callers see it.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Serialize, ToSchema)]
#[diesel(table_name = items)]
#[serde(rename_all = "camelCase")]
#[schema(as = Item)]
pub struct CatalogueItem {
    /// Its id.
    pub id: ItemId,
    /// What people call it.
    pub name: String,
    /// More about it; may be empty.
    pub description: String,
    /// What one costs.
    pub price: Amount,
    /// Pieces free to be bought.
    #[diesel(column_name = available)]
    pub stock: Units,
    /// Pieces held for purchases under way.
    pub held: Units,
    /// Pieces sold.
    pub sold: Units,
    /// No longer sold.
    pub withdrawn: bool,
}

/// What a new item is.
#[derive(Debug, Clone)]
pub struct NewItem {
    /// What people call it.
    pub name: String,
    /// More about it; may be empty.
    pub description: String,
    /// What one costs.
    pub price: Amount,
    /// Pieces in stock at first.
    pub stock: Units,
}

/// What is to be another about an item; `None` stays as it is.
#[derive(Debug, Clone, AsChangeset)]
#[diesel(table_name = items)]
pub struct Edit {
    /// What people call it.
    pub name: Option<String>,
    /// More about it.
    pub description: Option<String>,
    /// What one costs. Purchases under way at the old price are refused with `PRICE_CHANGED`.
    pub price: Option<Amount>,
}

svc_chassis::cached_statement! {
    struct MoveStock =
        "UPDATE items SET available = available + " { available: i64 => BigInt }
        ", held = held + " { held: i64 => BigInt }
        ", sold = sold + " { sold: i64 => BigInt }
        " WHERE id = " { id: ItemId => Binary };
}

impl Books for ItemSaga {
    fn load(conn: &mut SqliteConnection, purchase: &Purchase) -> QueryResult<Option<Item>> {
        let columns = (
            items::price,
            items::available,
            items::held,
            items::sold,
            items::withdrawn,
        );
        let row = items::table
            .find(purchase.item_id)
            .select(columns)
            .get_result(conn)
            .optional()?;
        Ok(row.map(|(price, available, held, sold, withdrawn)| Item {
            price,
            available,
            held,
            sold,
            withdrawn,
        }))
    }

    fn apply(conn: &mut SqliteConnection, purchase: &Purchase, change: &Change) -> QueryResult<()> {
        let Change {
            available,
            held,
            sold,
        } = *change;
        MoveStock {
            available,
            held,
            sold,
            id: purchase.item_id,
        }
        .execute(conn)?;
        Ok(())
    }
}

/// The item of this id.
///
/// # Errors
/// 404 where there is none.
pub fn item(conn: &mut SqliteConnection, id: ItemId) -> Result<CatalogueItem, Error> {
    let row = row_of(conn, id)?;
    row.ok_or_else(|| Problem::not_found("ITEM_NOT_FOUND", format!("item {id}")).into())
}

fn row_of(conn: &mut SqliteConnection, id: ItemId) -> QueryResult<Option<CatalogueItem>> {
    let row = items::table.find(id).select(CatalogueItem::as_select());
    row.get_result(conn).optional()
}

/// Those of these items that there are, in order of id, each once.
///
/// # Errors
/// The database's.
pub fn items_of(
    conn: &mut SqliteConnection,
    mut ids: Vec<ItemId>,
) -> Result<Vec<CatalogueItem>, Error> {
    ids.sort_unstable();
    ids.dedup();
    // One statement that stays prepared, whatever their number.
    let rows = ids.into_iter().map(|id| row_of(conn, id));
    Ok(rows
        .filter_map(Result::transpose)
        .collect::<QueryResult<_>>()?)
}

/// The items after this one in order of id, `limit` of them or all.
///
/// # Errors
/// The database's.
pub fn items(
    conn: &mut SqliteConnection,
    after: Option<ItemId>,
    limit: Option<i64>,
) -> Result<Vec<CatalogueItem>, Error> {
    let mut query = items::table.order(items::id).into_boxed();
    if let Some(after) = after {
        query = query.filter(items::id.gt(after));
    }
    if let Some(limit) = limit {
        query = query.limit(limit);
    }
    Ok(query.select(CatalogueItem::as_select()).load(conn)?)
}

/// Makes an item, unless there is one of this id, which then stays as it is. Says whether it was
/// made.
///
/// # Errors
/// The database's.
pub fn create(tx: &mut Tx<'_>, id: ItemId, new: &NewItem) -> Result<bool, Error> {
    let created_at = tx.now();
    let row = (
        items::id.eq(id),
        items::name.eq(&new.name),
        items::description.eq(&new.description),
        items::price.eq(new.price),
        items::available.eq(new.stock),
        items::held.eq(0),
        items::sold.eq(0),
        items::withdrawn.eq(false),
        items::created_at.eq(created_at),
    );
    let insert = diesel::insert_into(items::table)
        .values(row)
        .on_conflict(items::id)
        .do_nothing();
    let made = insert.execute(tx.conn())? == 1;
    if made && new.stock > Units::MIN {
        enter(tx, id, new.stock)?;
    }
    Ok(made)
}

/// Changes what is written about an item.
///
/// # Errors
/// 404 where there is none.
pub fn edit(tx: &mut Tx<'_>, id: ItemId, edit: &Edit) -> Result<CatalogueItem, Error> {
    // An edit of nothing is no statement at all, and fine.
    diesel::update(items::table.find(id))
        .set(edit)
        .execute(tx.conn())
        .optional_empty_changeset()?;
    item(tx.conn(), id)
}

/// Adds to an item's stock. Returns the item's id, for an idempotency key to remember.
///
/// # Errors
/// 404 where there is no such item; 422 where its pieces could not be counted any more.
pub fn restock(tx: &mut Tx<'_>, id: ItemId, quantity: Units) -> Result<ItemId, Error> {
    let CatalogueItem {
        stock, held, sold, ..
    } = item(tx.conn(), id)?;
    let room = MAX_MONEY - stock.get() - held.get() - sold.get();
    if quantity.get() > room {
        let message = format!("must be at most {room}: more pieces cannot be counted");
        return Err(Problem::invalid("quantity", message).into());
    }
    let more = items::available.eq(items::available + quantity);
    diesel::update(items::table.find(id))
        .set(more)
        .execute(tx.conn())?;
    enter(tx, id, quantity)?;
    Ok(id)
}

/// Takes an item out of sale. What is held is still sold or given back.
///
/// # Errors
/// 404 where there is none.
pub fn withdraw(tx: &mut Tx<'_>, id: ItemId) -> Result<CatalogueItem, Error> {
    diesel::update(items::table.find(id))
        .set(items::withdrawn.eq(true))
        .execute(tx.conn())?;
    item(tx.conn(), id)
}

/// Writes what came in to the ledger.
fn enter(tx: &mut Tx<'_>, item_id: ItemId, quantity: Units) -> QueryResult<()> {
    let created_at = restocks::created_at.eq(tx.now());
    let row = (
        restocks::item_id.eq(item_id),
        restocks::quantity.eq(quantity),
        created_at,
    );
    diesel::insert_into(restocks::table)
        .values(row)
        .execute(tx.conn())?;
    Ok(())
}

#[cfg(test)]
mod tests;
