//! The users' slots and stacks: the only SQL of inventory-svc.

pub mod audit;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use saga_events::{ItemId, Purchase, UserId};
use serde::Serialize;
use svc_chassis::http::Problem;
use svc_chassis::participant::Books;
use svc_chassis::{Error, Tx};
use utoipa::ToSchema;

use crate::saga::{Change, InventorySaga, Shelf};
use crate::schema::{inventories, stacks};

/// A user's inventory as callers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    /// Whose it is.
    pub user_id: UserId,
    /// How many slots there are.
    pub capacity: i64,
    /// Slots with a stack in them.
    pub used: i64,
    /// Slots held for purchases under way.
    pub held: i64,
    /// What the user owns, in order of the item's id.
    pub items: Vec<Stack>,
}

/// How many of an item a user owns.
#[derive(Debug, Clone, PartialEq, Eq, Queryable, Selectable, Serialize, ToSchema)]
#[diesel(table_name = stacks)]
#[serde(rename_all = "camelCase")]
pub struct Stack {
    /// The item.
    pub item_id: ItemId,
    /// How many pieces, at least one.
    pub quantity: i64,
}

svc_chassis::cached_statement! {
    struct MoveSlots =
        "UPDATE inventories SET used = used + " { used: i64 => BigInt }
        ", held = held + " { held: i64 => BigInt }
        " WHERE user_id = " { user_id: UserId => Binary };
}

svc_chassis::cached_statement! {
    struct AddToStack =
        "UPDATE stacks SET quantity = quantity + " { quantity: i64 => BigInt }
        " WHERE user_id = " { user_id: UserId => Binary }
        " AND item_id = " { item_id: ItemId => Binary };
}

impl Books for InventorySaga {
    fn load(conn: &mut SqliteConnection, purchase: &Purchase) -> QueryResult<Option<Shelf>> {
        let Purchase {
            user_id, item_id, ..
        } = *purchase;
        let Some((capacity, used, held)) = slots(conn, user_id)? else {
            return Ok(None);
        };
        let stack = stacks::table
            .find((user_id, item_id))
            .select(stacks::quantity);
        let owned = stack.get_result(conn).optional()?.unwrap_or(0);
        Ok(Some(Shelf {
            capacity,
            used,
            held,
            owned,
        }))
    }

    fn apply(conn: &mut SqliteConnection, purchase: &Purchase, change: &Change) -> QueryResult<()> {
        let Purchase {
            user_id, item_id, ..
        } = *purchase;
        let Change { used, held, owned } = *change;
        // Nearly always there is a row; so the update comes first and the insert after a miss.
        if (MoveSlots {
            used,
            held,
            user_id,
        })
        .execute(conn)?
            == 0
        {
            insert(
                conn,
                user_id,
                Shelf {
                    used,
                    held,
                    ..Shelf::default()
                },
            )?;
        }
        if owned > 0
            && (AddToStack {
                quantity: owned,
                user_id,
                item_id,
            })
            .execute(conn)?
                == 0
        {
            let ids = (stacks::user_id.eq(user_id), stacks::item_id.eq(item_id));
            let row = (ids, stacks::quantity.eq(owned));
            diesel::insert_into(stacks::table)
                .values(row)
                .execute(conn)?;
        }
        Ok(())
    }
}

/// A user's inventory. Any user has one, of 20 free slots until something happens to it.
///
/// # Errors
/// The database's.
pub fn inventory(conn: &mut SqliteConnection, user_id: UserId) -> Result<Inventory, Error> {
    let Shelf {
        capacity,
        used,
        held,
        ..
    } = shelf(conn, user_id)?;
    let owned = stacks::table
        .filter(stacks::user_id.eq(user_id))
        .order(stacks::item_id);
    let items = owned.select(Stack::as_select()).load(conn)?;
    Ok(Inventory {
        user_id,
        capacity,
        used,
        held,
        items,
    })
}

/// Sets how many slots a user has.
///
/// # Errors
/// 409 when that is fewer than are used and held.
pub fn set_capacity(tx: &mut Tx<'_>, user_id: UserId, capacity: i64) -> Result<Inventory, Error> {
    let Shelf { used, held, .. } = shelf(tx.conn(), user_id)?;
    if capacity < used + held {
        let detail = format!("{used} slots are used and {held} held; {capacity} are too few");
        return Err(Problem::conflict("CAPACITY_IN_USE", detail).into());
    }
    let resize = inventories::capacity.eq(capacity);
    let found = diesel::update(inventories::table.find(user_id))
        .set(resize)
        .execute(tx.conn())?;
    if found == 0 {
        insert(
            tx.conn(),
            user_id,
            Shelf {
                capacity,
                ..Shelf::default()
            },
        )?;
    }
    inventory(tx.conn(), user_id)
}

/// A user's slots, without a stack in view.
fn shelf(conn: &mut SqliteConnection, user_id: UserId) -> QueryResult<Shelf> {
    let row = slots(conn, user_id)?;
    Ok(
        row.map_or_else(Shelf::default, |(capacity, used, held)| Shelf {
            capacity,
            used,
            held,
            owned: 0,
        }),
    )
}

fn slots(conn: &mut SqliteConnection, user_id: UserId) -> QueryResult<Option<(i64, i64, i64)>> {
    let columns = (inventories::capacity, inventories::used, inventories::held);
    inventories::table
        .find(user_id)
        .select(columns)
        .get_result(conn)
        .optional()
}

fn insert(conn: &mut SqliteConnection, user_id: UserId, shelf: Shelf) -> QueryResult<()> {
    let row = (
        inventories::user_id.eq(user_id),
        inventories::capacity.eq(shelf.capacity),
        inventories::used.eq(shelf.used),
        inventories::held.eq(shelf.held),
    );
    diesel::insert_into(inventories::table)
        .values(row)
        .execute(conn)?;
    Ok(())
}

#[cfg(test)]
mod tests;
