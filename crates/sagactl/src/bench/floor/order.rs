//! order-svc's rows. It is also who keeps purchases under way: for each that has ended it begins
//! another one, in the same transaction.

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Binary, Bool, Nullable, Text};
use diesel_migrations::EmbeddedMigrations;
use order_svc::schema::orders;
use saga_events::{EventType, ItemId, OrderId, UserId};
use svc_chassis::{Service, buckets, cached_statement};

use super::ledger::{Batch, Bought, Crowd};
use super::part::Work;
use super::{PRICE, TRACE};

cached_statement! {
    struct UpdateOrder =
        "UPDATE orders SET status = " { status: &'static str => Text }
        ", reason_code = " { reason_code: Option<&'static str> => Nullable<Text> }
        ", failed_step = " { failed_step: Option<&'static str> => Nullable<Text> }
        ", attempt = " { attempt: i64 => BigInt }
        ", told = " { told: bool => Bool }
        ", due_at = " { due_at: Option<i64> => Nullable<BigInt> }
        ", repeats = " { repeats: i64 => BigInt }
        ", last_seq = " { last_seq: i64 => BigInt }
        ", updated_at = " { updated_at: i64 => BigInt }
        " WHERE order_id = " { order_id: OrderId => Binary };
}

struct NewOrder {
    order_id: OrderId,
    user_id: UserId,
    item_id: ItemId,
    quantity: i64,
    unit_price: i64,
    total_amount: i64,
    deadline: i64,
    status: &'static str,
    reason_code: Option<&'static str>,
    failed_step: Option<&'static str>,
    attempt: i64,
    told: bool,
    due_at: Option<i64>,
    repeats: i64,
    last_seq: i64,
    traceparent: Option<&'static str>,
    created_at: i64,
    updated_at: i64,
    bucket: i64,
}

svc_chassis::cached_insert! {
    NewOrder, into orders:
    order_id, user_id, item_id, quantity, unit_price, total_amount, deadline, status, reason_code, failed_step, attempt, told, due_at, repeats, last_seq, traceparent, created_at, updated_at, bucket
}

/// order-svc's part.
pub struct Order {
    /// Purchases to be begun.
    missing: usize,
    crowd: Crowd,
}

impl Order {
    /// Keeps so many under way.
    pub const fn new(in_flight: usize, crowd: Crowd) -> Self {
        Self {
            missing: in_flight,
            crowd,
        }
    }
}

impl Work for Order {
    fn migrations(&self) -> Vec<EmbeddedMigrations> {
        order_svc::OrderSvc::migrations()
    }

    fn hear(
        &mut self,
        batch: &mut Batch<'_>,
        event_type: EventType,
        bought: Bought,
    ) -> QueryResult<()> {
        let (status, reason_code, failed_step, says) = if bought.declined {
            let why = (Some(super::DECLINED), Some("payment-svc"));
            ("CANCELLED", why.0, why.1, EventType::OrderCancelled)
        } else {
            ("COMPLETED", None, None, EventType::OrderCompleted)
        };
        let told = event_type == EventType::NotificationSent;
        let last_seq = if told {
            0
        } else {
            self.missing += 1;
            batch.say(says, bought.order)?
        };
        let update = UpdateOrder {
            status,
            reason_code,
            failed_step,
            attempt: 0,
            told,
            due_at: (!told).then_some(batch.now),
            repeats: 0,
            last_seq,
            updated_at: batch.now,
            order_id: bought.order,
        };
        update.execute(batch.conn)?;
        Ok(())
    }

    fn is_busy(&self) -> bool {
        self.missing > 0
    }

    fn add(&mut self, batch: &mut Batch<'_>) -> QueryResult<()> {
        for _ in 0..std::mem::take(&mut self.missing) {
            let bought = self.crowd.bought(OrderId::new());
            let last_seq = batch.say(EventType::OrderCreated, bought.order)?;
            let row = NewOrder {
                order_id: bought.order,
                user_id: bought.user,
                item_id: bought.item,
                quantity: 1,
                unit_price: PRICE,
                total_amount: PRICE,
                deadline: batch.now,
                status: "PENDING",
                reason_code: None::<&str>,
                failed_step: None::<&str>,
                attempt: 0,
                told: false,
                due_at: Some(batch.now),
                repeats: 0,
                last_seq,
                traceparent: Some(TRACE),
                created_at: batch.now,
                updated_at: batch.now,
                bucket: buckets::of(last_seq),
            };
            row.insert(batch.conn)?;
        }
        Ok(())
    }
}
