//! Prunes what is over: old rows of the journal and old idempotency keys. Orders, holds, payments
//! and ledgers stay.
//!
//! What may go is looked up by a reader, oldest first; it goes in small jobs of the writer, with
//! rests in between, so that no purchase waits for it. Looking first is safe: what is over stays
//! over. Rows come in the order of time, so a pass ends at the first one that is young enough; a
//! row of a purchase that is still open is passed over and holds up none behind it.

use std::collections::HashMap;
use std::time::Duration;

use diesel::prelude::*;
use saga_events::{OrderId, Timestamp};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::chassis::Chassis;
use crate::error::Error;
use crate::service::Service;
use crate::{config, idempotency, outbox};

/// Rows that are removed in one job: a few milliseconds of the writer's time.
const PAGE: i64 = 256;
/// After a job, at least so long nothing is pruned …
const SHORTEST_REST: Duration = Duration::from_millis(50);
/// … and so many times as long as the job took, waiting for the writer included: the busier the
/// writer is, the less it is asked for.
const RESTS: u32 = 4;
/// From one pass to the next, at most: what a pass leaves is not old enough yet.
const BETWEEN_PASSES: Duration = Duration::from_secs(60);

/// Prunes for a service until shutdown. Errors are those of the moment: the next pass tries again.
pub(crate) async fn run<S: Service>(chassis: Chassis) -> anyhow::Result<()> {
    let config::Retention {
        journal_s,
        idempotency_keys_s,
    } = chassis.settings.retention;
    let (journal, keys) = (
        Duration::from_secs(journal_s),
        Duration::from_secs(idempotency_keys_s),
    );
    // Nothing stays much longer than it was to.
    let between = (journal.min(keys) / 10).min(BETWEEN_PASSES);
    let mut failing = false;
    while goes_on_after(&chassis.shutdown, between).await {
        let now = Timestamp::now();
        let rows = prune_journal::<S>(&chassis, now.minus(journal)).await;
        let keys = prune_keys(&chassis, now.minus(keys)).await;
        match (rows, keys) {
            (Ok(0), Ok(0)) => failing = false,
            (Ok(rows), Ok(keys)) => {
                failing = false;
                tracing::info!(journal.rows = rows, idempotency.keys = keys, "pruned");
            }
            (Err(error), _) | (_, Err(error)) if !failing => {
                failing = true;
                tracing::warn!(%error, "old rows are not pruned; the next pass tries again");
            }
            (Err(_), _) | (_, Err(_)) => {}
        }
    }
    Ok(())
}

/// One pass over the journal, from its beginning. Answers how many rows are gone.
async fn prune_journal<S: Service>(chassis: &Chassis, before: Timestamp) -> Result<usize, Error> {
    // The relay remembers its position while it publishes: after the last rows nobody would.
    let published = chassis.published.seq();
    let remember = move |tx: &mut crate::Tx<'_>| Ok(outbox::set_published(tx.conn(), published)?);
    chassis.writer.write(remember).await?;
    let (mut from, mut gone) = (Some(0), 0);
    while let Some(after) = from {
        let began = Instant::now();
        let look = move |conn: &mut SqliteConnection| look(conn, after, before, S::is_over);
        let Looked { over, next } = chassis.readers.read(look).await?;
        if !over.is_empty() {
            let remove = move |tx: &mut crate::Tx<'_>| Ok(outbox::prune(tx.conn(), &over)?);
            gone += chassis.writer.write(remove).await?;
        }
        from = next;
        if !rested(&chassis.shutdown, began).await {
            break;
        }
    }
    Ok(gone)
}

async fn prune_keys(chassis: &Chassis, before: Timestamp) -> Result<usize, Error> {
    let mut gone = 0;
    loop {
        let began = Instant::now();
        let look = move |conn: &mut SqliteConnection| Ok(last_expired_key(conn, before)?);
        let Some(last) = chassis.readers.read(look).await? else {
            return Ok(gone);
        };
        let forget = move |tx: &mut crate::Tx<'_>| Ok(idempotency::forget(tx.conn(), last)?);
        gone += chassis.writer.write(forget).await?;
        if !rested(&chassis.shutdown, began).await {
            return Ok(gone);
        }
    }
}

/// What a look at a page of the journal found.
#[derive(Debug, PartialEq, Eq)]
struct Looked {
    /// The rows to remove.
    over: Vec<i64>,
    /// After which row to go on; `None`: no other one is old enough.
    next: Option<i64>,
}

fn look(
    conn: &mut SqliteConnection,
    after: i64,
    before: Timestamp,
    is_over: impl Fn(&mut SqliteConnection, OrderId) -> QueryResult<bool>,
) -> Result<Looked, Error> {
    let page = outbox::published_after(conn, after, PAGE)?;
    let whole = page.len();
    let old: Vec<_> = page
        .into_iter()
        .take_while(|row| row.time < before)
        .collect();
    let all_old = old.len() == whole && whole == PAGE as usize;
    let next = old.last().map(|row| row.seq).filter(|_| all_old);
    let mut known = HashMap::new();
    let mut over = Vec::new();
    for row in old {
        let is_over = match known.get(&row.order_id) {
            Some(known) => *known,
            None => *known
                .entry(row.order_id)
                .or_insert(is_over(conn, row.order_id)?),
        };
        if is_over {
            over.push(row.seq);
        }
    }
    Ok(Looked { over, next })
}

/// The last of the oldest keys, at most a page of them, that is old enough.
fn last_expired_key(conn: &mut SqliteConnection, before: Timestamp) -> QueryResult<Option<i64>> {
    let oldest = idempotency::oldest(conn, PAGE)?;
    let expired = oldest.into_iter().take_while(|(_, made)| *made < before);
    Ok(expired.last().map(|(seq, _)| seq))
}

async fn rested(shutdown: &CancellationToken, began: Instant) -> bool {
    goes_on_after(shutdown, (began.elapsed() * RESTS).max(SHORTEST_REST)).await
}

/// Waits so long; `false` when the service is to end.
async fn goes_on_after(shutdown: &CancellationToken, rest: Duration) -> bool {
    tokio::select! {
        () = shutdown.cancelled() => false,
        () = tokio::time::sleep(rest) => true,
    }
}

#[cfg(test)]
mod tests;
