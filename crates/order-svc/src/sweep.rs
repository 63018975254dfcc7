//! The sweep: asks the pivot to cancel what is overdue, and repeats what had no news for a while.
//! order-svc is the only service that repeats; the repeat makes certain what the outbox makes
//! prompt.
//!
//! A repeat never overtakes. It waits while the order's last output is unpublished, and for a while
//! also while the stream that it goes to has a backlog: it would only wait there behind what it
//! repeats.

use std::sync::Arc;
use std::time::Duration;

use saga_events::bus::stream;
use saga_events::{EventId, OrderId, ReasonCode, Timestamp};
use svc_chassis::outbox;
use svc_chassis::singleton::{Fence, Singleton};
use svc_chassis::traces::Traces;
use svc_chassis::{Chassis, Error, Outcome, Tx, failpoint};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::advance::{advance, trace_said};
use crate::config::OrderConfig;
use crate::live::Live;
use crate::patience::{Allowance, Turn};
use crate::saga::{Input, Status};
use crate::store::{self, StoredOrder};

/// Orders that are taken to the writer at once.
const BATCH: i64 = 1024;
/// A backlog holds a repeat up for so long at most: its consumer may be stuck on something that
/// only the repeat can mend.
pub const BACKLOG_PATIENCE: Duration = Duration::from_secs(30);
/// The sweep's lock ends this long after its holder was last heard of.
const CLAIM: Duration = Duration::from_secs(5);
/// Open orders first: they hold money, room and stock; an untold buyer holds nothing.
pub const FIRST_TO_LAST: [Status; 4] = [
    Status::Cancelling,
    Status::Pending,
    Status::Completed,
    Status::Cancelled,
];

/// Looks for due orders until shutdown.
pub struct Sweep {
    every: Duration,
    allowance: Allowance,
    counted: bool,
    live: Arc<Live>,
    chassis: Chassis,
}

impl Sweep {
    /// As configured.
    pub fn new(config: &OrderConfig, live: Arc<Live>, chassis: Chassis) -> Self {
        let every = Duration::from_millis(config.sweep_ms);
        Self {
            every,
            allowance: Allowance::new(config.repeats_per_second),
            counted: false,
            live,
            chassis,
        }
    }

    /// Runs until shutdown. Errors are those of the moment: the next turn tries again.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let mut claim = Singleton::new(&self.chassis.bus, "sweep", CLAIM);
        let (mut last, mut failing) = (Instant::now(), false);
        while !self.chassis.shutdown.is_cancelled() {
            self.allowance.earn(last.elapsed());
            last = Instant::now();
            match self.turn(&mut claim).await {
                Err(error) if !failing => {
                    tracing::warn!(%error, "the sweep cannot look after all orders; it tries again");
                    failing = true;
                }
                Err(_) => {}
                Ok(()) => failing = false,
            }
            tokio::select! {
                () = self.chassis.shutdown.cancelled() => {}
                () = tokio::time::sleep(self.every) => {}
            }
        }
        claim.release().await;
        Ok(())
    }

    async fn turn(&mut self, claim: &mut Singleton) -> Result<(), Error> {
        if !self.counted {
            self.count().await?;
            self.counted = true;
        }
        match claim.is_mine(&self.chassis.writer).await? {
            Some(fence) => self.sweep(&fence).await,
            None => Ok(()),
        }
    }

    /// Tells the overload rules what the database holds. A job of the writer, so that it is exact
    /// while orders are already coming in.
    async fn count(&self) -> Result<(), Error> {
        let live = self.live.clone();
        let count = move |tx: &mut Tx<'_>| {
            let (open, last_seq) = (store::count_open(tx.conn())?, outbox::last_seq(tx.conn())?);
            let live = live.clone();
            tx.after_commit(move || live.load.set(open, last_seq));
            Ok(())
        };
        self.chassis.writer.write(count).await
    }

    async fn sweep(&mut self, fence: &Fence) -> Result<(), Error> {
        loop {
            let now = Timestamp::now();
            let overdue = self
                .chassis
                .readers
                .read(move |conn| Ok(store::overdue(conn, now, BATCH)?));
            let overdue = overdue.await?;
            let done = self.take_up(&overdue, fence).await;
            // What failed this time would be found again at once.
            if done < BATCH as u64 {
                break;
            }
        }
        for status in FIRST_TO_LAST {
            let repeats = self.repeat(status, fence).await?;
            self.allowance.spend(repeats);
        }
        Ok(())
    }

    /// Repeats what is due in this state, as far as the allowance goes.
    async fn repeat(&self, status: Status, fence: &Fence) -> Result<u64, Error> {
        let now = Timestamp::now();
        let mut due = self.due(status, now).await?;
        // Asked only where it matters: most of the time nothing is due.
        if !due.is_empty() && self.has_backlog(status).await? {
            due = self.due(status, now.minus(BACKLOG_PATIENCE)).await?;
        }
        Ok(self.take_up(&due, fence).await)
    }

    async fn due(&self, status: Status, since: Timestamp) -> Result<Vec<OrderId>, Error> {
        let most = i64::try_from(self.allowance.left())
            .unwrap_or(BATCH)
            .min(BATCH);
        if most == 0 {
            return Ok(Vec::new());
        }
        let published = self.chassis.published.seq();
        self.chassis
            .readers
            .read(move |conn| Ok(store::due(conn, status, since, published, most)?))
            .await
    }

    /// Whether the consumer of this state's event is behind, in any partition.
    async fn has_backlog(&self, status: Status) -> Result<bool, Error> {
        let event_type = status.says();
        for partition in 0..self.chassis.settings.bus.partitions {
            let stream = stream(partition, event_type);
            for consumer in event_type.spec().consumers {
                if self.chassis.bus.backlog(&stream, *consumer).await? > 0 {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// Takes orders up, each in a job of its own, so that one that fails does so alone; the writer
    /// commits them together. Answers how many said something.
    async fn take_up(&self, orders: &[OrderId], fence: &Fence) -> u64 {
        let mut jobs = JoinSet::new();
        for &order_id in orders {
            let (live, fence, writer) = (
                self.live.clone(),
                fence.clone(),
                self.chassis.writer.clone(),
            );
            jobs.spawn(async move {
                writer
                    .write(move |tx: &mut Tx<'_>| take_up_one(tx, &live, &fence, order_id))
                    .await
            });
        }
        let (mut said, mut failed, mut last_error) = (0, 0, None);
        for done in jobs.join_all().await {
            match done {
                Ok(Some((stored, at))) => {
                    log_said(&self.chassis.traces, &stored, at);
                    failpoint!("sweep.mid");
                    said += 1;
                }
                Ok(None) => {}
                Err(error) => {
                    failed += 1;
                    last_error = Some(error);
                }
            }
        }
        if let Some(error) = last_error {
            tracing::warn!(failed, %error, "the sweep could not take up some orders; it tries again");
        }
        said
    }
}

/// Under the fence, and only if the order is still due: meanwhile there may have been news.
/// Answers with the order, and when, if it said something.
///
/// # Errors
/// The database's.
pub fn take_up_one(
    tx: &mut Tx<'_>,
    live: &Arc<Live>,
    fence: &Fence,
    order_id: OrderId,
) -> Result<Option<(StoredOrder, Timestamp)>, Error> {
    if !fence.holds(tx)? {
        return Ok(None);
    }
    let now = tx.now();
    let Some(stored) = store::find(tx.conn(), order_id)? else {
        return Ok(None);
    };
    let input = match live.patience.turn(&stored, live.pace.time_to_final(), now) {
        Turn::Cancel => Input::Cancel(ReasonCode::DeadlineExceeded),
        Turn::Repeat => Input::NoNews,
        Turn::Postpone(due_at) => {
            store::postpone(tx.conn(), order_id, due_at)?;
            return Ok(None);
        }
        Turn::NotDue => return Ok(None),
    };
    let (stored, outcome) = advance(tx, live, stored, input, None)?;
    failpoint!("sweep.before_commit");
    Ok(matches!(outcome, Outcome::Changed(_) | Outcome::Repeated).then_some((stored, now)))
}

/// Nothing came in, so the line is about what went out.
fn log_said(traces: &Traces, stored: &StoredOrder, at: Timestamp) {
    let (order, says) = (&stored.order, stored.order.status.says());
    let order_id = order.purchase.order_id;
    let (why, outcome) = match stored.repeats {
        0 => ("deadline passed: the pivot is asked to cancel", "changed"),
        _ => ("no news: said again", "repeated"),
    };
    trace_said(traces, stored, at, outcome);
    tracing::info!(
        at_us = at.micros(), order.id = %order_id, event.r#type = says.as_str(),
        says = says.as_str(), attempt = order.attempt, outcome,
        event.id = %EventId::of(order_id, says), trace.id = stored.trace_id(), "{why}"
    );
}
