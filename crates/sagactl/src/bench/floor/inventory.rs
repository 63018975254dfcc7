//! inventory-svc's rows: a hold, a slot, and a stack that grows.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use diesel_migrations::EmbeddedMigrations;
use inventory_svc::schema::stacks;
use saga_events::{EventType, ItemId, UserId};
use svc_chassis::{Service, cached_statement};

use super::hold;
use super::ledger::{Batch, Bought, Crowd};
use super::part::Work;

/// inventory-svc's part.
pub struct Inventory;

cached_statement! {
    struct MoveSlots =
        "UPDATE inventories SET used = used + " { used: i64 => BigInt }
        ", held = held + " { held: i64 => BigInt }
        " WHERE user_id = " { user_id: UserId => Binary };
}

cached_statement! {
    struct AddToStack =
        "UPDATE stacks SET quantity = quantity + " { quantity: i64 => BigInt }
        " WHERE user_id = " { user_id: UserId => Binary }
        " AND item_id = " { item_id: ItemId => Binary };
}

impl Work for Inventory {
    fn migrations(&self) -> Vec<EmbeddedMigrations> {
        inventory_svc::InventorySvc::migrations()
    }

    fn seed(&self, conn: &mut SqliteConnection, crowd: &Crowd) -> QueryResult<()> {
        for id in &crowd.users {
            let inventory = "INSERT INTO inventories (user_id, capacity, used, held) \
                             VALUES (?, 10000, 0, 0)";
            diesel::sql_query(inventory)
                .bind::<Binary, _>(*id)
                .execute(conn)?;
        }
        Ok(())
    }

    fn hear(
        &mut self,
        batch: &mut Batch<'_>,
        event_type: EventType,
        bought: Bought,
    ) -> QueryResult<()> {
        let Bought {
            order,
            user: user_id,
            item: item_id,
            declined,
        } = bought;
        // Whether the stack is there already is looked up by nobody: a hold takes a slot, and gives
        // it back.
        let slots = |held| MoveSlots {
            used: 0,
            held,
            user_id,
        };
        if event_type == EventType::PaymentReserved {
            slots(1).execute(batch.conn)?;
            hold::take(batch, bought, 1)?;
            batch.say(EventType::InventoryReserved, order)?;
            return Ok(());
        }
        slots(-1).execute(batch.conn)?;
        if !declined {
            let add = AddToStack {
                quantity: 1,
                user_id,
                item_id,
            };
            if add.execute(batch.conn)? == 0 {
                let ids = (stacks::user_id.eq(user_id), stacks::item_id.eq(item_id));
                let row = (ids, stacks::quantity.eq(1));
                diesel::insert_into(stacks::table)
                    .values(row)
                    .execute(batch.conn)?;
            }
        }
        hold::leave(batch, bought)?;
        let says = if declined {
            EventType::InventoryRollback
        } else {
            EventType::InventoryConfirmed
        };
        batch.say(says, order)?;
        Ok(())
    }
}
