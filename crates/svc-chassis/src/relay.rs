//! The relay: takes what was committed to Redis, in the order of the outbox.
//!
//! Committed batches arrive through memory. Where that does not continue what is published (after
//! a start, or when Redis was away) the outbox is read instead. Acknowledgements go behind the
//! outputs in the same transaction, or alone where Redis refuses outputs: the outbox is durable, so
//! a refused output must not hold back an acknowledgement, or nothing could ever be trimmed.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use saga_events::Event;
use saga_events::bus::{Bus, Entry, PublishError};
use tokio::sync::mpsc::{self, error::TryRecvError};
use tokio::time::Instant;

use crate::database::Readers;
use crate::error::Error;
use crate::failpoint;
use crate::outbox;
use crate::writer::{Batch, Writer};

/// Rows read from the outbox at once, and events published in one transaction.
const PAGE: i64 = 512;
/// How often the position is remembered: a restart publishes at most so much twice.
const REMEMBER_EVERY: Duration = Duration::from_secs(1);

/// How far this service has published. Cheap to clone.
#[derive(Clone, Default)]
pub struct Published(Arc<AtomicI64>);

impl Published {
    /// The number of the last row of the outbox that Redis has.
    pub fn seq(&self) -> i64 {
        self.0.load(Ordering::Acquire)
    }
}

/// Publishes committed batches until the channel closes.
pub(crate) struct Relay {
    pub bus: Bus,
    pub readers: Readers,
    pub writer: Writer,
    pub batches: mpsc::UnboundedReceiver<Batch>,
    pub published: Published,
    /// How long after the writer's end Redis is waited for.
    pub patience: Duration,
}

impl Relay {
    /// Publishes what an earlier run left, then what comes. Ends when the writer has ended and
    /// everything is published, or `patience` later when Redis is away.
    pub async fn run(mut self) -> anyhow::Result<()> {
        let remembered = self
            .readers
            .read(|conn| Ok(outbox::published(conn)?))
            .await?;
        self.published.0.store(remembered, Ordering::Release);
        let mut saved = (remembered, Instant::now());
        self.catch_up().await?;
        while let Some(batch) = self.batches.recv().await {
            self.take(batch).await?;
            if saved.0 != self.published.seq() && saved.1.elapsed() >= REMEMBER_EVERY {
                saved = (self.remember().await, Instant::now());
            }
        }
        self.catch_up().await?;
        Ok(())
    }

    /// Publishes a batch and what came in meanwhile.
    async fn take(&mut self, mut batch: Batch) -> Result<(), Error> {
        while batch.events.len() < PAGE as usize
            && let Ok(next) = self.batches.try_recv()
        {
            batch.events.extend(next.events);
            batch.acks.extend(next.acks);
        }
        let continues = batch.events.is_empty() || batch.first_seq == self.published.seq() + 1;
        if continues {
            match self.publish(&batch.events, &batch.acks).await {
                Ok(()) => return Ok(()),
                Err(error) => {
                    tracing::warn!(%error, "redis does not take events; they wait in the outbox")
                }
            }
        }
        self.acknowledge(&batch.acks).await;
        self.catch_up().await
    }

    async fn publish(&self, events: &[Event], acks: &[Entry]) -> Result<(), PublishError> {
        failpoint!("relay.before_xadd");
        self.bus.publish(events, acks).await?;
        failpoint!("relay.after_xadd");
        let count = i64::try_from(events.len()).unwrap_or(0);
        self.published.0.fetch_add(count, Ordering::AcqRel);
        Ok(())
    }

    /// Publishes from the outbox until nothing is left there. While Redis is away, what arrives
    /// through memory is acknowledged and dropped: it is in the outbox. Once the channel is closed
    /// it does not wait for Redis longer than the patience.
    async fn catch_up(&mut self) -> Result<(), Error> {
        let mut delay = Duration::from_millis(50);
        let mut deadline: Option<Instant> = None;
        loop {
            let mut acks = Vec::new();
            let mut dropped = self.batches.try_recv();
            while let Ok(batch) = dropped {
                acks.extend(batch.acks);
                dropped = self.batches.try_recv();
            }
            if matches!(dropped, Err(TryRecvError::Disconnected)) {
                deadline.get_or_insert(Instant::now() + self.patience);
            }
            let from = self.published.seq() + 1;
            let rows = self
                .readers
                .read(move |conn| outbox::read_from(conn, from, PAGE))
                .await?;
            let Some(last) = rows.last().map(|(seq, _)| *seq) else {
                self.acknowledge(&acks).await;
                return Ok(());
            };
            let events: Vec<Event> = rows.into_iter().map(|(_, event)| event).collect();
            match self.bus.publish(&events, &acks).await {
                Ok(()) => {
                    failpoint!("relay.catching_up");
                    // Pruned rows leave gaps in the numbers, so the position is set, not counted.
                    self.published.0.store(last, Ordering::Release);
                    delay = Duration::from_millis(50);
                }
                Err(error) => {
                    self.acknowledge(&acks).await;
                    if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                        tracing::warn!(%error, "what is not published waits in the outbox for the next start");
                        return Ok(());
                    }
                    tokio::time::sleep(delay).await;
                    delay = (delay * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    /// Failing is harmless: the entries come again, as plain duplicates.
    async fn acknowledge(&self, acks: &[Entry]) {
        if let Err(error) = self.bus.acknowledge(acks).await {
            tracing::debug!(%error, count = acks.len(), "not acknowledged; they will be delivered again");
        }
    }

    async fn remember(&self) -> i64 {
        let seq = self.published.seq();
        failpoint!("relay.before_remember");
        let stored = self
            .writer
            .write(move |tx| Ok(outbox::set_published(tx.conn(), seq)?))
            .await;
        failpoint!("relay.after_remember");
        if let Err(error) = stored {
            tracing::debug!(%error, "the relay's position is not remembered; a restart publishes more twice");
        }
        seq
    }
}
