//! notify-svc's row.

use std::time::Duration;

use diesel::prelude::*;
use diesel_migrations::EmbeddedMigrations;
use notify_svc::schema::notifications;
use saga_events::{EventType, NotificationId, OrderId, UserId};
use svc_chassis::Service;

use super::PRICE;
use super::ledger::{Batch, Bought};
use super::part::Work;

/// As long as the letter about a purchase that completed.
const LETTER: &str = "Your order 00000000-0000-7000-8000-000000000000 (1 × item \
    00000000-0000-5000-8000-000000000000 for 100) is complete. Paid; it is in your inventory.";

struct NewNotification {
    id: NotificationId,
    order_id: OrderId,
    user_id: UserId,
    kind: &'static str,
    amount: i64,
    text: &'static str,
    channels: &'static str,
    answered: i64,
    created_at: i64,
    updated_at: i64,
    bucket: i64,
}

svc_chassis::cached_insert! {
    NewNotification, into notifications:
    id, order_id, user_id, kind, amount, text, channels, answered, created_at, updated_at, bucket
}

/// What notify-svc's default is.
const PACE: Duration = Duration::from_millis(20);

/// notify-svc's part.
pub struct Notify;

impl Work for Notify {
    fn migrations(&self) -> Vec<EmbeddedMigrations> {
        notify_svc::NotifySvc::migrations()
    }

    fn pace(&self) -> Duration {
        PACE
    }

    fn hear(&mut self, batch: &mut Batch<'_>, _: EventType, bought: Bought) -> QueryResult<()> {
        let kind = if bought.declined {
            "Cancelled"
        } else {
            "Completed"
        };
        let row = NewNotification {
            id: NotificationId::from_uuid(bought.order.uuid()),
            order_id: bought.order,
            user_id: bought.user,
            kind,
            amount: PRICE,
            text: LETTER,
            channels: "inbox,log",
            answered: 0,
            created_at: batch.now,
            updated_at: batch.now,
            bucket: batch.bucket(),
        };
        row.insert(batch.conn)?;
        batch.say(EventType::NotificationSent, bought.order)?;
        Ok(())
    }
}
