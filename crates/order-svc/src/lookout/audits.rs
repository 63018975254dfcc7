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
/// The least time from one look to the next.
const REST: Duration = Duration::from_secs(1);
/// A look reads much: a rest so many times as long as it took leaves the machine to purchases.
const RESTS: u32 = 50;
/// Who watches is not left without a look because a single one was held up.
const LONGEST_REST: Duration = Duration::from_secs(15);
/// While purchases are under way, what they all come to cannot be judged, and reading it takes from
/// them: it rests so many times as long as it took, and for a minute at first.
const RESTS_UNDER_WAY: u32 = 200;
const FIRST_REST_UNDER_WAY: Duration = Duration::from_secs(60);
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

/// The last audit that read whole tables, too.
struct Whole {
    audit: Option<Audit>,
    took: Duration,
    /// When it ended; when the watch began, where there was none yet.
    at: Instant,
}

impl Whole {
    /// Another one is worth what it costs.
    fn is_due(&self, under_way: bool) -> bool {
        let rest = match (&self.audit, under_way) {
            (None, false) => Duration::ZERO,
            (None, true) => FIRST_REST_UNDER_WAY,
            (Some(_), false) => self.took * RESTS,
            (Some(_), true) => self.took * RESTS_UNDER_WAY,
        };
        self.at.elapsed() >= rest
    }
}

/// For ever.
pub async fn run(lookout: &Lookout, svc: &OrderSvc) {
    let mut whole = Whole {
        audit: None,
        took: Duration::ZERO,
        at: Instant::now(),
    };
    loop {
        let auditor = svc.auditor.lock().await;
        let began = Instant::now();
        let open = svc.live.load.open();
        let audit = if whole.is_due(open > 0) {
            let audit = auditor.audit(SCOPE).await;
            whole = Whole {
                audit: Some(audit.clone()),
                took: began.elapsed(),
                at: Instant::now(),
            };
            audit
        } else {
            auditor.glance(SCOPE, whole.audit.as_ref()).await
        };
        drop(auditor);
        let took = began.elapsed();
        lookout.show(AUDIT, &Told::of(&audit, took, open));
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
