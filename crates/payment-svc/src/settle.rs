//! Brings payments from `Authorizing` to their end: asks the gateway outside of any database
//! transaction, after `Authorizing` is committed, many payments at a time, and stores what it is
//! told. After a start it asks again for every payment that is still `Authorizing`.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use saga_events::{Event, EventId, EventType, OrderId, Timestamp};
use svc_chassis::{Chassis, Outcome, Tx, failpoint};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::ask::{Asker, Due};
use crate::gateway::{Authorization, Gateway};
use crate::store;

/// How long to wait with an answer that could not be stored.
const STORE_DELAY: Duration = Duration::from_millis(500);
/// Far below the length at which the writer refuses, which events count towards, too.
const MAX_STORING: usize = 1024;

/// Brings payments from `Authorizing` to their end.
pub struct Desk<G> {
    asker: Arc<Asker<G>>,
    chassis: Chassis,
    /// Answers that may wait for the writer at a time: it refuses when its queue is too long.
    storing: Semaphore,
}

impl<G: Gateway> Desk<G> {
    /// Asks with this asker, and stores what it is told with this chassis' writer.
    pub fn new(asker: Arc<Asker<G>>, chassis: Chassis) -> Self {
        Self {
            asker,
            chassis,
            storing: Semaphore::new(MAX_STORING),
        }
    }

    /// Runs until shutdown: asks for what was `Authorizing` at the start, then for each new charge.
    ///
    /// # Errors
    /// The database cannot be read at the start, or there is a bug: a payment that nobody asks for
    /// any more would hang until the next start.
    pub async fn run(
        self: Arc<Self>,
        mut charges: mpsc::UnboundedReceiver<Due>,
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
        for due in left {
            open.spawn(self.clone().settle(due));
        }
        loop {
            tokio::select! {
                // What is open then stays `Authorizing`, and is asked again after the next start.
                () = self.chassis.shutdown.cancelled() => return Ok(()),
                Some(due) = charges.recv() => drop(open.spawn(self.clone().settle(due))),
                Some(ended) = open.join_next() => ended.context("asking for a payment panicked")?,
            }
        }
    }

    /// Brings one payment to its end, however long that takes.
    async fn settle(self: Arc<Self>, due: Due) {
        let charge = due.charge;
        failpoint!("gw.before_call");
        let told = self.asker.ask(due).await;
        failpoint!("gw.after_call");
        let _turn = self.storing.acquire().await;
        for tries in 1_u64.. {
            let answer = told.clone();
            let job = move |tx: &mut Tx<'_>| {
                let mark = tx.mark();
                let (outcome, _) = store::settle(tx, charge.order_id, &answer)?;
                Ok(Settled {
                    outcome,
                    said: tx.said_since(mark).first().cloned(),
                    at: tx.now(),
                })
            };
            match self.chassis.writer.write(job).await {
                Ok(settled) => {
                    failpoint!("gw.after_settle");
                    if matches!(settled.outcome, Outcome::Impossible(_)) {
                        self.chassis.metrics.alarm();
                    }
                    return log(charge.order_id, &told, &settled);
                }
                Err(error) => {
                    if tries.is_power_of_two() {
                        tracing::warn!(
                            order.id = %charge.order_id, tries, %error,
                            "the gateway's answer is not stored yet; it is in the gateway's book"
                        );
                    }
                    sleep(STORE_DELAY).await;
                }
            }
        }
    }
}

/// What an answer did.
struct Settled {
    outcome: Outcome,
    said: Option<Event>,
    at: Timestamp,
}

/// One line an answer, as the consumer writes one an event: with the time of its transaction, and the
/// event that made us ask.
fn log(order_id: OrderId, told: &Authorization, settled: &Settled) {
    let Authorization { answer, reference } = told;
    let Settled { outcome, said, at } = settled;
    let (answer, asked_by, label) = (answer.as_str(), EventType::ItemReserved, outcome.label());
    let says = said
        .as_ref()
        .map_or("", |event| event.event_type().as_str());
    match outcome {
        Outcome::Changed(state) => tracing::info!(
            at_us = at.micros(), order.id = %order_id, event.r#type = asked_by.as_str(), says,
            attempt = said.as_ref().map(|event| event.message.attempt), outcome = label,
            gateway.answer = answer, gateway.reference = %reference,
            event.id = %EventId::of(order_id, asked_by),
            trace.id = said.as_ref().and_then(Event::trace_id), "{state}"
        ),
        // Asked twice after a start: the second answer is the same, and changes nothing.
        Outcome::Duplicate | Outcome::Repeated => {}
        Outcome::Impossible(why) => tracing::error!(
            at_us = at.micros(), order.id = %order_id, event.r#type = asked_by.as_str(),
            outcome = label, gateway.answer = answer, gateway.reference = %reference,
            event.id = %EventId::of(order_id, asked_by), error = %why,
            "the gateway contradicts itself: nothing changed"
        ),
    }
}
