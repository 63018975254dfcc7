//! The consumer: reads this service's streams and makes each event a job of the writer. An input
//! is acknowledged only when its effects and outputs are committed.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use saga_events::bus::{Bus, Delivery};
use saga_events::{Event, EventType, Timestamp, TraceParent};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::config::Consumption;
use crate::dead_letters::{self, Reason};
use crate::error::{Error, Fault};
use crate::failpoint;
use crate::metrics::Steps;
use crate::service::{Outcome, Service};
use crate::traces::{Kind, Span, Traces};
use crate::writer::{Job, Tx, Writer};

/// Reads events for a service until shutdown.
pub(crate) struct EventLoop<S> {
    pub service: Arc<S>,
    pub bus: Bus,
    pub writer: Writer,
    pub instance: String,
    pub limits: Consumption,
    pub metrics: Arc<Steps>,
    pub traces: Traces,
    pub shutdown: CancellationToken,
}

/// A delivery that failed and will be tried again.
pub(crate) struct Retry<S> {
    pub(crate) job: Box<Step<S>>,
    delay: Duration,
}

impl<S: Service> EventLoop<S> {
    /// Runs until shutdown; what is in hand then is committed by the writer before it closes.
    pub async fn run(self) -> anyhow::Result<()> {
        let mut consumer = self.bus.consumer(&self.instance);
        let in_flight = Arc::new(Semaphore::new(self.limits.max_in_flight));
        let (retry, retries) = mpsc::unbounded_channel();
        tokio::spawn(try_again(retries, self.writer.clone()));
        let pace = Duration::from_millis(self.limits.pace_ms);
        let mut delay = Duration::from_millis(50);
        loop {
            // Nothing but shutdown may drop a read: what Redis answers to an abandoned one stays
            // pending until the next connect.
            let read = tokio::select! {
                () = self.shutdown.cancelled() => return Ok(()),
                read = consumer.next() => read,
            };
            let deliveries = match read {
                Ok(deliveries) => deliveries,
                Err(error) => {
                    tracing::warn!(%error, "the bus is not reached; reading again soon");
                    tokio::select! {
                        () = self.shutdown.cancelled() => return Ok(()),
                        () = tokio::time::sleep(delay) => {}
                    }
                    delay = (delay * 2).min(Duration::from_secs(1));
                    continue;
                }
            };
            delay = Duration::from_millis(50);
            if deliveries.is_empty() {
                continue;
            }
            failpoint!("consumer.after_read");
            let again = Instant::now() + pace;
            let mut deliveries = deliveries.into_iter();
            while deliveries.len() > 0 {
                // Waiting here is the back-pressure: what is not read stays in Redis.
                let permit = tokio::select! {
                    () = self.shutdown.cancelled() => return Ok(()),
                    permit = in_flight.clone().acquire_owned() => permit?,
                };
                let more = std::iter::from_fn(|| in_flight.clone().try_acquire_owned().ok());
                let permits = std::iter::once(permit).chain(more);
                // In this order: a permit too many is given back, a delivery would be lost.
                let jobs = permits
                    .zip(deliveries.by_ref())
                    .map(|(permit, delivery)| self.step(delivery, permit, &retry));
                self.writer.submit_all(jobs.collect::<Vec<_>>());
            }
            if !pace.is_zero() {
                // What arrives meanwhile is read together.
                tokio::select! {
                    () = self.shutdown.cancelled() => return Ok(()),
                    () = tokio::time::sleep_until(again) => {}
                }
            }
        }
    }

    fn step(
        &self,
        delivery: Delivery,
        permit: OwnedSemaphorePermit,
        retry: &mpsc::UnboundedSender<Retry<S>>,
    ) -> Box<dyn Job> {
        let stream = self.bus.stream_of(&delivery.entry).to_owned();
        let (service, max_tries) = (self.service.clone(), self.limits.max_tries);
        Box::new(Step {
            metrics: Some(self.metrics.clone()),
            traces: self.traces.clone(),
            _permit: Some(permit),
            ..Step::new(service, stream, delivery, max_tries, retry.clone())
        })
    }
}

/// Submits failed deliveries again, each after its delay. Their number is bounded by the permits
/// that they hold.
async fn try_again<S: Service>(mut retries: mpsc::UnboundedReceiver<Retry<S>>, writer: Writer) {
    while let Some(Retry { job, delay }) = retries.recv().await {
        let writer = writer.clone();
        tokio::spawn(async move {
            tokio::time::sleep(delay).await;
            writer.submit(job);
        });
    }
}

/// One event as a job of the writer.
pub(crate) struct Step<S> {
    service: Arc<S>,
    stream: String,
    delivery: Delivery,
    max_tries: u32,
    /// Tries in which this event, alone in its savepoint, failed with an error of its own.
    failures: u32,
    last_error: String,
    did: Option<Did>,
    /// When: the time of its transaction.
    at: Timestamp,
    retry: mpsc::UnboundedSender<Retry<S>>,
    /// Where it is counted, once it is on disk.
    metrics: Option<Arc<Steps>>,
    traces: Traces,
    _permit: Option<OwnedSemaphorePermit>,
}

impl<S> Step<S> {
    /// One that was not tried yet; where it fails it is sent to `retry`.
    pub(crate) fn new(
        service: Arc<S>,
        stream: String,
        delivery: Delivery,
        max_tries: u32,
        retry: mpsc::UnboundedSender<Retry<S>>,
    ) -> Self {
        Self {
            service,
            stream,
            delivery,
            max_tries,
            failures: 0,
            last_error: String::new(),
            did: None,
            at: Timestamp::now(),
            retry,
            metrics: None,
            traces: Traces::default(),
            _permit: None,
        }
    }
}

enum Did {
    Applied {
        outcome: Outcome,
        said: Vec<EventType>,
    },
    Dead(Reason, String),
}

impl<S: Service> Job for Step<S> {
    fn run(&mut self, tx: &mut Tx<'_>) -> Result<(), Error> {
        let mark = tx.mark();
        let did = match &self.delivery.event {
            Err(undecodable) => Did::Dead(Reason::Undecodable, undecodable.why.clone()),
            Ok(_) if self.failures >= self.max_tries => {
                Did::Dead(Reason::Exhausted, self.last_error.clone())
            }
            Ok(event) => match self.service.step(tx, event)? {
                Outcome::Impossible(why) => Did::Dead(Reason::Impossible, why),
                outcome => Did::Applied {
                    outcome,
                    said: tx.said_since(mark).iter().map(Event::event_type).collect(),
                },
            },
        };
        if let Did::Dead(reason, why) = &did {
            let attempts = self.failures.max(1);
            dead_letters::keep(tx, &self.stream, &self.delivery, (*reason, why, attempts))?;
            failpoint!("dead_letter.before_commit");
        }
        tx.acknowledge(self.delivery.entry.clone());
        (self.did, self.at) = (Some(did), tx.now());
        failpoint!("inbox.before_commit");
        Ok(())
    }

    fn committed(self: Box<Self>) {
        self.count();
        self.trace();
        let entry = self.delivery.entry.id();
        match (&self.did, &self.delivery.event) {
            (Some(Did::Applied { outcome, said }), Ok(event)) => {
                log_applied(event, outcome, said, self.at);
            }
            (Some(Did::Dead(reason, why)), Ok(event)) => tracing::error!(
                order.id = %event.order_id(), event.r#type = %event.event_type(), event.id = %event.id,
                attempt = event.message.attempt, outcome = "dead letter", reason = reason.as_str(),
                trace.id = event.trace_id(), error = %why,
                "dead letter: nothing changed; the order goes on by its repeat or its deadline"
            ),
            (Some(Did::Dead(reason, why)), Err(_)) => tracing::error!(
                stream = %self.stream, entry, outcome = "dead letter", reason = reason.as_str(),
                error = %why,
                "dead letter: nothing changed; the line goes on"
            ),
            (Some(Did::Applied { .. }), Err(_)) | (None, _) => {}
        }
    }

    fn failed(mut self: Box<Self>, error: Error) {
        let retry = self.retry.clone();
        if let Some(metrics) = &self.metrics {
            metrics.failed();
        }
        // A database or a disk that fails is no event's fault.
        let own = error.fault() == Fault::Own && !matches!(error, Error::Problem(_));
        let delay = if own {
            self.failures += 1;
            self.last_error = error.to_string();
            Duration::from_millis(20 << self.failures.min(6))
        } else {
            Duration::from_millis(500)
        };
        if let Ok(event) = &self.delivery.event {
            tracing::warn!(
                order.id = %event.order_id(), event.r#type = %event.event_type(), event.id = %event.id,
                attempt = event.message.attempt, failures = self.failures,
                trace.id = event.trace_id(), %error, "a step failed and is tried again"
            );
        }
        // At shutdown nobody listens; the entry stays pending and comes again after the start.
        let _ = retry.send(Retry { job: self, delay });
    }
}

impl<S: Service> Step<S> {
    /// A span from the beginning of the transaction until now.
    fn trace(&self) {
        let (Some(did), Ok(event)) = (&self.did, &self.delivery.event) else {
            return;
        };
        self.traces.record(event.traceparent.as_ref(), |carried| {
            // Only what says something can be somebody's parent, and happens once.
            let id = match did {
                Did::Applied {
                    outcome: Outcome::Changed(_) | Outcome::Repeated,
                    ..
                } => carried.step(event.id, S::ME),
                Did::Applied { .. } | Did::Dead(..) => carried.child(),
            };
            let span = span(event, id, self.at)
                .child_of(carried)
                .with("messaging.destination.name", self.stream.clone());
            match did {
                Did::Applied { outcome, said } => span
                    .with("outcome", outcome.label())
                    .with("says", Says(said).to_string()),
                Did::Dead(reason, why) => span
                    .with("outcome", "dead letter")
                    .with("reason", reason.as_str())
                    .failed(why.clone()),
            }
        });
    }
}

impl<S> Step<S> {
    /// What it did is on disk.
    fn count(&self) {
        let (Some(metrics), Some(did)) = (&self.metrics, &self.did) else {
            return;
        };
        let event = self.delivery.event.as_ref().ok();
        match (did, event) {
            (Did::Applied { outcome, .. }, Some(event)) => {
                let took = Timestamp::now().since(event.time);
                metrics.applied(event.event_type(), outcome, took);
            }
            (Did::Dead(reason, _), event) => metrics.died(*reason, event.map(Event::event_type)),
            (Did::Applied { .. }, None) => {}
        }
    }
}

/// The span of a step, as far as it is known before.
fn span(event: &Event, id: TraceParent, at: Timestamp) -> Span {
    let name = format!("process {}", event.event_type());
    Span::new(Kind::Consumer, name, id, at)
        .with("messaging.system", "redis")
        .with("messaging.operation.type", "process")
        .with("messaging.message.id", event.id.to_string())
        .with("order.id", event.order_id().to_string())
        .with("event.type", event.event_type().as_str())
        .with("attempt", event.message.attempt)
}

/// The step of a dead letter that is replayed. What that says names it as its parent, so it is a span
/// like that of a delivery.
pub(crate) fn replayed_step<S: Service>(
    service: &S,
    traces: &Traces,
    tx: &mut Tx<'_>,
    event: &Event,
) -> Result<Outcome, Error> {
    let outcome = service.step(tx, event)?;
    if matches!(outcome, Outcome::Changed(_) | Outcome::Repeated) {
        let (traces, event, at, label) = (traces.clone(), event.clone(), tx.now(), outcome.label());
        tx.after_commit(move || {
            traces.record(event.traceparent.as_ref(), |carried| {
                span(&event, carried.step(event.id, S::ME), at)
                    .child_of(carried)
                    .with("outcome", label)
            });
        });
    }
    Ok(outcome)
}

/// One line an event: what came, what it did, what was said.
fn log_applied(event: &Event, outcome: &Outcome, said: &[EventType], at: Timestamp) {
    if !tracing::enabled!(tracing::Level::INFO) {
        return;
    }
    let (label, words) = (outcome.label(), outcome.words());
    tracing::info!(
        at_us = at.micros(), order.id = %event.order_id(), event.r#type = %event.event_type(),
        says = %Says(said), attempt = event.message.attempt, outcome = label, event.id = %event.id,
        trace.id = event.trace_id(), "{words}"
    );
}

/// `user.validated+payment.reserved`
struct Says<'a>(&'a [EventType]);

impl fmt::Display for Says<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, event_type) in self.0.iter().enumerate() {
            if number > 0 {
                f.write_str("+")?;
            }
            f.write_str(event_type.as_str())?;
        }
        Ok(())
    }
}
