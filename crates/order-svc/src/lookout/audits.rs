//! Now and then: whether the books agree.

use std::time::Duration;

use saga_audit::{Audit, Check, CheckState, Group, Scope};
use saga_events::{OrderId, Service, Timestamp};
use serde::Serialize;
use tokio::time::{Instant, sleep};
use utoipa::ToSchema;

use super::Lookout;
use crate::OrderSvc;

/// The name of the event.
pub const AUDIT: &str = "audit";
/// The least time from one audit to the next.
const REST: Duration = Duration::from_secs(1);
/// An audit reads much: a rest so many times as long as it took leaves the machine to purchases.
const RESTS: u32 = 20;
/// Yet who watches is not left without one because a single audit was held up.
const LONGEST_REST: Duration = Duration::from_secs(15);
/// It is made again soon, so it looks at what is new.
const SCOPE: Scope = Scope::Recent {
    within: Duration::from_secs(60),
    most: 200,
};
/// So many orders and violations are named.
const NAMED: usize = 10;

/// Whether the books agree, for people.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Told<'a> {
    at: Timestamp,
    /// Nothing is violated, and nobody is missing.
    ok: bool,
    /// Nothing was under way while it was read.
    quiet: bool,
    took_ms: u64,
    /// How many purchases were looked at one by one.
    purchases: u64,
    /// Purchases that are not final.
    in_flight: i64,
    /// All six, always in this order.
    groups: Vec<OfGroup>,
    /// What is violated, the first ten.
    violations: Vec<&'a Check>,
    /// Who did not answer.
    missing: &'a [Service],
}

/// What the laws of a group come to.
#[derive(Serialize, ToSchema)]
struct OfGroup {
    group: Group,
    state: CheckState,
    /// The orders of its violations, the first ten.
    orders: Vec<OrderId>,
}

/// For ever.
pub async fn run(lookout: &Lookout, svc: &OrderSvc) {
    loop {
        let began = Instant::now();
        let audit = svc.auditor.lock().await.audit(SCOPE).await;
        let took = began.elapsed();
        lookout.show(AUDIT, &Told::of(&audit, took, svc.live.load.open()));
        sleep((took * RESTS).clamp(REST, LONGEST_REST)).await;
    }
}

impl<'a> Told<'a> {
    fn of(audit: &'a Audit, took: Duration, in_flight: i64) -> Self {
        Self {
            at: Timestamp::now(),
            ok: audit.ok,
            quiet: audit.quiet,
            took_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
            purchases: audit.purchases,
            in_flight,
            groups: Group::ALL.map(|group| OfGroup::of(group, audit)).into(),
            violations: audit.violations().take(NAMED).collect(),
            missing: &audit.missing,
        }
    }
}

impl OfGroup {
    fn of(group: Group, audit: &Audit) -> Self {
        let checks = || {
            audit
                .checks
                .iter()
                .filter(|check| Group::of(&check.id) == group)
        };
        let any = |state| checks().any(|check| check.state == state);
        let state = if any(CheckState::Violated) {
            CheckState::Violated
        } else if any(CheckState::InFlight) || checks().next().is_none() {
            CheckState::InFlight
        } else {
            CheckState::Holds
        };
        let mut orders = Vec::new();
        for order in checks()
            .filter(|check| check.is_violated())
            .flat_map(|check| &check.orders)
        {
            if orders.len() < NAMED && !orders.contains(order) {
                orders.push(*order);
            }
        }
        Self {
            group,
            state,
            orders,
        }
    }
}
