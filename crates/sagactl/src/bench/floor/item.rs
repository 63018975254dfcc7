//! item-svc's rows: a hold, and stock that moves.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use diesel_migrations::EmbeddedMigrations;
use saga_events::{EventType, ItemId};
use svc_chassis::{Service, cached_statement};

use super::ledger::{Batch, Bought, Crowd};
use super::part::Work;
use super::{PLENTY, PRICE, hold};

/// item-svc's part.
pub struct Item;

cached_statement! {
    struct MoveStock =
        "UPDATE items SET available = available + " { available: i64 => BigInt }
        ", held = held + " { held: i64 => BigInt }
        ", sold = sold + " { sold: i64 => BigInt }
        " WHERE id = " { id: ItemId => Binary };
}

impl Work for Item {
    fn migrations(&self) -> Vec<EmbeddedMigrations> {
        item_svc::ItemSvc::migrations()
    }

    fn seed(&self, conn: &mut SqliteConnection, crowd: &Crowd) -> QueryResult<()> {
        for id in &crowd.items {
            let item = "INSERT INTO items (id, name, description, price, available, held, sold, \
                        withdrawn, created_at) VALUES (?, 'one of many', '', ?, ?, 0, 0, 0, 0)";
            let insert = diesel::sql_query(item).bind::<Binary, _>(*id);
            let insert = insert.bind::<BigInt, _>(PRICE).bind::<BigInt, _>(PLENTY);
            insert.execute(conn)?;
        }
        Ok(())
    }

    fn hear(
        &mut self,
        batch: &mut Batch<'_>,
        event_type: EventType,
        bought: Bought,
    ) -> QueryResult<()> {
        let stock = |available, held, sold| MoveStock {
            available,
            held,
            sold,
            id: bought.item,
        };
        if event_type == EventType::InventoryReserved {
            stock(-1, 1, 0).execute(batch.conn)?;
            hold::take(batch, bought, 1)?;
            batch.say(EventType::ItemReserved, bought.order)?;
            return Ok(());
        }
        let (moved, says) = if bought.declined {
            (stock(1, -1, 0), EventType::ItemRestored)
        } else {
            (stock(0, -1, 1), EventType::ItemDeducted)
        };
        moved.execute(batch.conn)?;
        hold::leave(batch, bought)?;
        batch.say(says, bought.order)?;
        Ok(())
    }
}
