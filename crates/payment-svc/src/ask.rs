//! Asks the gateway until it has answered. No answer is neither yes nor no, so it asks again, always
//! with the order id as key, for as long as it takes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use saga_events::{EventId, EventType, OrderId, Service, Timestamp, TraceParent};
use svc_chassis::traces::{Kind, Span, Traces};
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::figures::Figures;
use crate::gateway::{Authorization, Charge, Gateway, Unknown};

/// The wait before asking again, doubled each time …
const FIRST_DELAY: Duration = Duration::from_millis(100);
/// … up to this, so that a gateway that is back is noticed soon.
const MAX_DELAY: Duration = Duration::from_secs(2);

/// A call of the gateway, always with the order id as key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Call {
    /// Charge the amount.
    Authorize,
    /// Say what was answered to this key.
    LookUp,
}

impl Call {
    /// What follows a call that was told this: the payment's end, or the next call. After no answer
    /// the charge may have been made and only its answer lost: look first. That the book has no such
    /// key is not a no, since an earlier call may be on its way yet: charge under the same key.
    ///
    /// # Errors
    /// The next call.
    pub fn then(
        self,
        told: Result<Option<Authorization>, Unknown>,
    ) -> Result<Authorization, (Self, Option<Unknown>)> {
        match (self, told) {
            (_, Ok(Some(authorization))) => Ok(authorization),
            (_, Ok(None)) => Err((Self::Authorize, None)),
            (_, Err(why)) => Err((Self::LookUp, Some(why))),
        }
    }
}

/// A charge to ask for, and the step that has made that necessary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    /// What to ask for.
    pub charge: Charge,
    /// The span of the step, the parent of the calls' spans.
    pub step: Option<TraceParent>,
}

impl Due {
    /// `carried`: the `traceparent` of the event that has made it necessary.
    pub fn new(charge: Charge, carried: Option<&TraceParent>) -> Self {
        let event = EventId::of(charge.order_id, EventType::ItemReserved);
        let step = carried.map(|carried| carried.step(event, Service::Payment));
        Self { charge, step }
    }
}

impl From<Charge> for Due {
    fn from(charge: Charge) -> Self {
        Self { charge, step: None }
    }
}

/// Asks a gateway until it has answered.
pub struct Asker<G> {
    gateway: Arc<G>,
    timeout: Duration,
    /// Calls that may be open at a time; waiting to ask again holds none.
    calls: Semaphore,
    figures: Arc<Figures>,
    traces: Traces,
}

impl<G: Gateway> Asker<G> {
    /// Calls end without an answer after `timeout`; at most `max_calls` are open at a time.
    pub fn new(gateway: Arc<G>, timeout: Duration, max_calls: usize) -> Self {
        let calls = Semaphore::new(max_calls);
        Self {
            gateway,
            timeout,
            calls,
            figures: Arc::default(),
            traces: Traces::default(),
        }
    }

    /// Makes each call a span.
    #[must_use]
    pub fn traced(self, traces: Traces) -> Self {
        Self { traces, ..self }
    }

    /// What it counts.
    pub fn figures(&self) -> &Arc<Figures> {
        &self.figures
    }

    /// Asks until the gateway has answered, for as long as it takes.
    pub async fn ask(&self, due: impl Into<Due>) -> Authorization {
        let Due { charge, step } = due.into();
        let (mut call, mut tries, mut delay) = (Call::Authorize, 0_u32, FIRST_DELAY);
        loop {
            let began = Instant::now();
            let told = self.make(call, charge).await;
            let took = began.elapsed();
            self.figures.called(call, &told, took);
            let span = |step: &TraceParent| span(step, call, charge.order_id, &told, took);
            self.traces.record(step.as_ref(), span);
            let (next, no_answer) = match call.then(told) {
                Ok(authorization) => {
                    if tries > 0 {
                        self.figures.unknown_ends(charge.order_id);
                    }
                    return authorization;
                }
                Err(next) => next,
            };
            call = next;
            let Some(why) = no_answer else { continue };
            if tries == 0 {
                self.figures.unknown_begins(charge.order_id);
            }
            tries += 1;
            self.warn(charge.order_id, tries, &why);
            sleep(jittered(delay)).await;
            delay = (delay * 2).min(MAX_DELAY);
        }
    }

    async fn make(&self, call: Call, charge: Charge) -> Result<Option<Authorization>, Unknown> {
        match call {
            Call::Authorize => self.call(self.gateway.authorize(charge)).await.map(Some),
            Call::LookUp => self.call(self.gateway.look_up(charge.order_id)).await,
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
                order.id = %order_id, tries, error = %why, payments.unknown = self.figures.unknown(),
                "payment unknown: the gateway is asked again with the same key"
            );
        }
    }
}

/// A call, as a child of the step that began it.
fn span(
    step: &TraceParent,
    call: Call,
    order_id: OrderId,
    told: &Result<Option<Authorization>, Unknown>,
    took: Duration,
) -> Span {
    let name = match call {
        Call::Authorize => "charge gateway",
        Call::LookUp => "look up gateway",
    };
    let span = Span::new(
        Kind::Client,
        name,
        step.child(),
        Timestamp::now().minus(took),
    )
    .child_of(step)
    .with("order.id", order_id.to_string());
    match told {
        Ok(Some(Authorization { answer, reference })) => span
            .with("gateway.answer", answer.as_str())
            .with("gateway.reference", reference.clone()),
        Ok(None) => span.with("gateway.answer", "not found"),
        Err(why) => span
            .with("gateway.answer", "unknown")
            .failed(why.to_string()),
    }
}

/// Between half of it and all of it: those who wait do not ask in step.
fn jittered(delay: Duration) -> Duration {
    let random = Uuid::now_v7().as_u64_pair().1 % 512;
    delay / 2 + delay / 1024 * u32::try_from(random).unwrap_or(0)
}

#[cfg(test)]
mod tests;
