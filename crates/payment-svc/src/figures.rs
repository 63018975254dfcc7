//! What payment-svc counts beside what all services count: what the gateway answers, and how soon.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use saga_events::{OrderId, Timestamp};
use svc_chassis::metrics::{Counter, Histogram, Measures, Page};

use crate::ask::Call;
use crate::gateway::{Authorization, Unknown};
use crate::saga::Answer;

/// The label `outcome`: the gateway's answers, then the ways in which there is none.
const OUTCOMES: [&str; 6] = [
    "approved",
    "declined",
    "unknown_key",
    "refused",
    "timed_out",
    "failed",
];

/// The figures of the gateway.
#[derive(Debug, Default)]
pub struct Figures {
    authorize: Calls,
    look_up: Calls,
    /// Payments whose last call ended without an answer, and since when that is so.
    unknown: Mutex<HashMap<OrderId, Timestamp>>,
}

#[derive(Debug)]
struct Calls {
    outcomes: [Counter; OUTCOMES.len()],
    seconds: Histogram,
}

impl Default for Calls {
    fn default() -> Self {
        Self {
            outcomes: Default::default(),
            seconds: Histogram::of_seconds(),
        }
    }
}

impl Figures {
    /// A call was told this, or nothing, after so long.
    pub fn called(
        &self,
        call: Call,
        told: &Result<Option<Authorization>, Unknown>,
        took: Duration,
    ) {
        let calls = match call {
            Call::Authorize => &self.authorize,
            Call::LookUp => &self.look_up,
        };
        let outcome = match told {
            Ok(Some(authorization)) => match authorization.answer {
                Answer::Approved => 0,
                Answer::Declined => 1,
            },
            Ok(None) => 2,
            Err(Unknown::Refused) => 3,
            Err(Unknown::TimedOut) => 4,
            Err(Unknown::Failed(_)) => 5,
        };
        calls.outcomes[outcome].add(1);
        calls.seconds.took(took);
    }

    /// A payment has become unknown.
    pub fn unknown_begins(&self, order: OrderId) {
        self.lock().insert(order, Timestamp::now());
    }

    /// A payment that was unknown is answered.
    pub fn unknown_ends(&self, order: OrderId) {
        self.lock().remove(&order);
    }

    /// How many payments are unknown: asked for, and not answered.
    pub fn unknown(&self) -> usize {
        self.lock().len()
    }

    /// Since when a payment is unknown; none: it is not.
    pub fn unknown_since(&self, order: OrderId) -> Option<Timestamp> {
        self.lock().get(&order).copied()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<OrderId, Timestamp>> {
        self.unknown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn calls(&self) -> [(&'static str, &Calls); 2] {
        [("authorize", &self.authorize), ("look_up", &self.look_up)]
    }
}

impl Measures for Figures {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let outcomes = self.calls().into_iter().flat_map(|(call, calls)| {
            let labels = move |outcome| [("call", call), ("outcome", outcome)];
            let counts = OUTCOMES.into_iter().zip(&calls.outcomes);
            counts.map(move |(outcome, count)| (labels(outcome), count.get()))
        });
        let help = "Calls of the gateway, by its answer or why there was none";
        page.counters("saga_gateway_calls_total", help, outcomes)?;
        let seconds = self
            .calls()
            .map(|(call, calls)| ([("call", call)], &calls.seconds));
        let help = "How long calls of the gateway took, with the wait for one of the calls that may be open";
        page.histograms("saga_gateway_call_seconds", help, seconds)?;
        let unknown = u32::try_from(self.unknown()).unwrap_or(u32::MAX);
        let help = "Payments that were asked for and not answered yet: neither yes nor no";
        page.gauge("saga_gateway_unknown_payments", help, Some(unknown.into()))
    }
}
