//! user-svc's rows: a hold, and money that moves.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary};
use diesel_migrations::EmbeddedMigrations;
use saga_events::{EventType, UserId};
use svc_chassis::{Service, cached_statement};

use super::ledger::{Batch, Bought, Crowd};
use super::part::Work;
use super::{PLENTY, PRICE, hold};

/// user-svc's part.
pub struct User;

cached_statement! {
    struct MoveMoney =
        "UPDATE users SET available = available + " { available: i64 => BigInt }
        ", held = held + " { held: i64 => BigInt }
        ", captured = captured + " { captured: i64 => BigInt }
        " WHERE id = " { id: UserId => Binary };
}

impl Work for User {
    fn migrations(&self) -> Vec<EmbeddedMigrations> {
        user_svc::UserSvc::migrations()
    }

    fn seed(&self, conn: &mut SqliteConnection, crowd: &Crowd) -> QueryResult<()> {
        for id in &crowd.users {
            let user = "INSERT INTO users (id, username, active, available, held, captured, created_at) \
                        VALUES (?, 'one of many', 1, ?, 0, 0, 0)";
            let insert = diesel::sql_query(user).bind::<Binary, _>(*id);
            insert.bind::<BigInt, _>(PLENTY).execute(conn)?;
        }
        Ok(())
    }

    fn hear(
        &mut self,
        batch: &mut Batch<'_>,
        event_type: EventType,
        bought: Bought,
    ) -> QueryResult<()> {
        let money = |available, held, captured| MoveMoney {
            available,
            held,
            captured,
            id: bought.user,
        };
        if event_type == EventType::OrderCreated {
            money(-PRICE, PRICE, 0).execute(batch.conn)?;
            hold::take(batch, bought, PRICE)?;
            batch.say(EventType::UserValidated, bought.order)?;
            batch.say(EventType::PaymentReserved, bought.order)?;
            return Ok(());
        }
        let (moved, says) = if bought.declined {
            (money(PRICE, -PRICE, 0), EventType::PaymentRollback)
        } else {
            (money(0, -PRICE, PRICE), EventType::PaymentConfirmed)
        };
        moved.execute(batch.conn)?;
        hold::leave(batch, bought)?;
        batch.say(says, bought.order)?;
        Ok(())
    }
}
