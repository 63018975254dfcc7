//! Dead letters: events that could not be applied. They leave the line, so that poison never blocks
//! another order, and stay here with what is needed to understand and to replay them.

use diesel::prelude::*;
use saga_events::bus::Delivery;
use saga_events::{EventType, OrderId};

use crate::schema::dead_letters;
use crate::writer::Tx;

/// Why an event is a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It is no event of this contract.
    Undecodable,
    /// It met a cell that cannot be reached unless something is broken.
    Impossible,
    /// Its step failed technically, time and again.
    Exhausted,
}

impl Reason {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Undecodable => "undecodable",
            Self::Impossible => "impossible",
            Self::Exhausted => "exhausted",
        }
    }
}

#[derive(Insertable)]
#[diesel(table_name = dead_letters)]
struct DeadLetter<'a> {
    reason: &'a str,
    error: &'a str,
    attempts: i64,
    stream: &'a str,
    entry_id: &'a str,
    order_id: Option<OrderId>,
    event_type: Option<EventType>,
    event: String,
    created_at: saga_events::Timestamp,
}

/// Keeps a delivery as a dead letter, in the transaction that acknowledges it. The same entry
/// delivered again is the same dead letter.
pub(crate) fn keep(
    tx: &mut Tx<'_>,
    stream: &str,
    delivery: &Delivery,
    (reason, error, attempts): (Reason, &str, u32),
) -> QueryResult<()> {
    let event = delivery.event.as_ref().ok();
    let text = match (event, &delivery.raw) {
        (Some(event), _) => event
            .encode()
            .ok()
            .and_then(|json| String::from_utf8(json).ok()),
        (None, raw) => raw.clone(),
    };
    let row = DeadLetter {
        reason: reason.as_str(),
        error,
        attempts: attempts.into(),
        stream,
        entry_id: delivery.entry.id(),
        order_id: event.map(saga_events::Event::order_id),
        event_type: event.map(saga_events::Event::event_type),
        event: text.unwrap_or_default(),
        created_at: tx.now(),
    };
    diesel::insert_or_ignore_into(dead_letters::table)
        .values(row)
        .execute(tx.conn())?;
    Ok(())
}

/// How many there are.
///
/// # Errors
/// The database's.
pub fn count(conn: &mut SqliteConnection) -> QueryResult<i64> {
    dead_letters::table.count().get_result(conn)
}
