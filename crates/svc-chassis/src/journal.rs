//! What a service remembers of a purchase, as timelines read it.

use std::time::Duration;

use diesel::sqlite::SqliteConnection;
use saga_events::{OrderId, Timestamp};
use saga_timeline::{Entry, Journal};

use crate::chassis::Chassis;
use crate::error::Error;
use crate::outbox;
use crate::service::Service;

/// The journal of a purchase, with the row that it has led to: both of one moment. `None`: the
/// purchase never came here.
///
/// # Errors
/// The database's.
pub async fn of<S: Service>(chassis: &Chassis, order: OrderId) -> Result<Option<Journal>, Error> {
    let kept = Duration::from_secs(chassis.settings.retention.journal_s);
    let read = move |conn: &mut SqliteConnection| {
        let Some(row) = S::saga(conn, order)? else {
            return Ok(None);
        };
        let said = outbox::of_order(conn, order)?;
        let events: Result<Vec<Entry>, Error> = said.iter().map(entry).collect();
        Ok(Some(Journal {
            service: S::ME,
            order_id: order,
            state: row.state,
            amount: row.amount,
            updated_at: row.updated_at,
            kept_since: Timestamp::now().minus(kept),
            events: events?,
        }))
    };
    chassis.readers.read(read).await
}

fn entry(event: &saga_events::Event) -> Result<Entry, Error> {
    Ok(Entry {
        id: event.id,
        event_type: event.event_type(),
        attempt: event.message.attempt,
        causation_id: event.causation_id,
        time: event.time,
        data: serde_json::to_value(event.message.payload).map_err(Error::internal)?,
    })
}
