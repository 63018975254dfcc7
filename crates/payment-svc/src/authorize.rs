//! Asks the gateway: outside of any database transaction, after `Authorizing` is committed, many
//! payments at a time. No answer is neither yes nor no, so it asks until there is one, always with
//! the order id as key; after a start it asks again for every payment that is still `Authorizing`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use saga_events::{EventType, OrderId, Timestamp};
use svc_chassis::{Chassis, Outcome, Tx};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::gateway::{Authorization, Charge, Gateway, Unknown};
use crate::store;

/// The wait before asking again, doubled each time …
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// … up to this, so that a gateway that is back is noticed soon.
const MAX_DELAY: Duration = Duration::from_secs(2);
/// How long to wait with an answer that could not be stored.
const STORE_DELAY: Duration = Duration::from_millis(500);
/// Far below the length at which the writer refuses, which events count towards, too.
const MAX_STORING: usize = 1024;

/// Asks a gateway until it has answered.
pub struct Asker<G> {
    gateway: Arc<G>,
    timeout: Duration,
    /// Calls that may be open at a time; waiting to ask again holds none.
    calls: Semaphore,
    /// Payments whose last call ended without an answer.
    unknown: AtomicUsize,
}

impl<G: Gateway> Asker<G> {
    /// Calls end without an answer after `timeout`; at most `max_calls` are open at a time.
    pub fn new(gateway: Arc<G>, timeout: Duration, max_calls: usize) -> Self {
        let calls = Semaphore::new(max_calls);
        Self {
            gateway,
            timeout,
            calls,
            unknown: AtomicUsize::new(0),
        }
    }

    /// How many payments are unknown: asked for, and not answered.
    pub fn unknown(&self) -> usize {
        self.unknown.load(Ordering::Relaxed)
    }

    /// Asks until the gateway has answered, for as long as it takes.
    pub async fn ask(&self, charge: Charge) -> Authorization {
        let mut told = self.call(self.gateway.authorize(charge)).await;
        let (mut tries, mut delay) = (0_u32, FIRST_DELAY);
        loop {
            let why = match told {
                Ok(authorization) => {
                    if tries > 0 {
                        self.unknown.fetch_sub(1, Ordering::Relaxed);
                    }
                    return authorization;
                }
                Err(why) => why,
            };
            if tries == 0 {
                self.unknown.fetch_add(1, Ordering::Relaxed);
            }
            tries += 1;
            self.warn(charge.order_id, tries, &why);
            sleep(jittered(delay)).await;
            delay = (delay * 2).min(MAX_DELAY);
            told = self.ask_again(charge).await;
        }
    }

    /// The charge may have been made and only its answer lost: look first. That the book has no
    /// such key is not a no, since the earlier call may be on its way yet: ask with the same key.
    async fn ask_again(&self, charge: Charge) -> Result<Authorization, Unknown> {
        match self.call(self.gateway.look_up(charge.order_id)).await? {
            Some(found) => Ok(found),
            None => self.call(self.gateway.authorize(charge)).await,
        }
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, Unknown>>) -> Result<T, Unknown> {
        let _permit = self.calls.acquire().await;
        timeout(self.timeout, call)
            .await
            .unwrap_or(Err(Unknown::TimedOut))
    }

    /// The 1st, 2nd, 4th, 8th … time: an outage must not drown the log.
    fn warn(&self, order_id: OrderId, tries: u32, why: &Unknown) {
        if tries.is_power_of_two() {
            tracing::warn!(
                order.id = %order_id, tries, error = %why, payments.unknown = self.unknown(),
                "payment unknown: the gateway is asked again with the same key"
            );
        }
    }
}

/// Between half of it and all of it: those who wait do not ask in step.
fn jittered(delay: Duration) -> Duration {
    let random = Uuid::now_v7().as_u64_pair().1 % 512;
    delay / 2 + delay / 1024 * u32::try_from(random).unwrap_or(0)
}

/// Brings payments from `Authorizing` to their end.
pub struct Desk<G> {
    asker: Asker<G>,
    chassis: Chassis,
    /// Answers that may wait for the writer at a time: it refuses when its queue is too long.
    storing: Semaphore,
}

impl<G: Gateway> Desk<G> {
    /// Asks with this asker, and stores what it is told with this chassis' writer.
    pub fn new(asker: Asker<G>, chassis: Chassis) -> Self {
        Self {
            asker,
            chassis,
            storing: Semaphore::new(MAX_STORING),
        }
    }

    /// Runs until shutdown: asks for what was `Authorizing` at the start, then for each new charge.
    ///
    /// # Errors
    /// The database cannot be read at the start.
    pub async fn run(
        self: Arc<Self>,
        mut charges: mpsc::UnboundedReceiver<Charge>,
    ) -> anyhow::Result<()> {
        let mut open = JoinSet::new();
        let left = self
            .chassis
            .readers
            .read(|conn| Ok(store::authorizing(conn)?))
            .await?;
        if !left.is_empty() {
            tracing::info!(
                payments = left.len(),
                "asking again for what was open at the last end"
            );
        }
        for charge in left {
            open.spawn(self.clone().settle(charge));
        }
        loop {
            tokio::select! {
                // What is open then stays `Authorizing`, and is asked again after the next start.
                () = self.chassis.shutdown.cancelled() => return Ok(()),
                Some(charge) = charges.recv() => drop(open.spawn(self.clone().settle(charge))),
                Some(_) = open.join_next() => {}
            }
        }
    }

    /// Brings one payment to its end, however long that takes.
    async fn settle(self: Arc<Self>, charge: Charge) {
        let told = self.asker.ask(charge).await;
        let _turn = self.storing.acquire().await;
        loop {
            let answer = told.clone();
            let job = move |tx: &mut Tx<'_>| {
                let (outcome, said) = store::settle(tx, charge.order_id, &answer)?;
                Ok((outcome, said, tx.now()))
            };
            match self.chassis.writer.write(job).await {
                Ok((outcome, said, at)) => return log(charge.order_id, &told, &outcome, said, at),
                Err(error) => {
                    tracing::warn!(
                        order.id = %charge.order_id, %error, "the gateway's answer is not stored yet"
                    );
                    sleep(STORE_DELAY).await;
                }
            }
        }
    }
}

/// One line an answer, as the consumer writes one an event: with the time of its transaction.
fn log(
    order_id: OrderId,
    told: &Authorization,
    outcome: &Outcome,
    said: Option<EventType>,
    at: Timestamp,
) {
    let Authorization { answer, reference } = told;
    let (answer, says) = (answer.as_str(), said.map_or("", EventType::as_str));
    match outcome {
        Outcome::Changed(state) => tracing::info!(
            at_us = at.micros(), order.id = %order_id, gateway.answer = answer,
            gateway.reference = %reference, says, "{state}"
        ),
        // Asked twice after a start: the second answer is the same, and changes nothing.
        Outcome::Duplicate | Outcome::Repeated => {}
        Outcome::Impossible(why) => tracing::error!(
            at_us = at.micros(), order.id = %order_id, gateway.answer = answer,
            gateway.reference = %reference, error = %why,
            "the gateway contradicts itself: nothing changed"
        ),
    }
}

#[cfg(test)]
mod tests;
