//! Run-time conformance: purchases that have ended are followed through all six services, one now and
//! then, and those that did not go the way that the protocol allows are listed. The model shows that
//! none can; this looks whether none did.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use saga_events::{OrderId, Timestamp};
use saga_timeline::Timeline;
use saga_timeline::conformance::Problem;
use serde::Serialize;
use svc_chassis::{Chassis, Error};
use utoipa::ToSchema;

use crate::gather::Gatherer;
use crate::live::Live;
use crate::peers::Peers;
use crate::store::{self, StoredOrder};

/// Purchases that are listed; the oldest gives way.
const LISTED: usize = 100;

/// A purchase that did not go the way that the protocol allows.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Illegal {
    /// Which.
    pub order_id: OrderId,
    /// When that was last seen.
    pub seen_at: Timestamp,
    /// What is wrong.
    pub problems: Vec<Problem>,
}

/// The purchases that were found so, in the life of this process.
#[derive(Debug, Default)]
pub struct Findings(Mutex<VecDeque<Illegal>>);

impl Findings {
    /// A purchase was followed.
    pub fn note(&self, order_id: OrderId, timeline: &Timeline) {
        let mut listed = self.lock();
        listed.retain(|illegal| illegal.order_id != order_id);
        if timeline.conformance.ok {
            return;
        }
        if listed.len() >= LISTED {
            listed.pop_front();
        }
        listed.push_back(Illegal {
            order_id,
            seen_at: Timestamp::now(),
            problems: timeline.conformance.problems.clone(),
        });
    }

    /// All that are listed, the latest last.
    pub fn listed(&self) -> Vec<Illegal> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Illegal>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Follows the latest purchase that has ended, if it was not followed yet, until shutdown.
///
/// # Errors
/// None: what cannot be read now is left out, or read at the next turn.
pub async fn watch(
    every: Duration,
    live: Arc<Live>,
    peers: Peers,
    chassis: Chassis,
) -> anyhow::Result<()> {
    let mut after = None;
    loop {
        tokio::select! {
            () = chassis.shutdown.cancelled() => return Ok(()),
            () = tokio::time::sleep(every) => {}
        }
        // Zero switches it off.
        if every.is_zero() {
            chassis.shutdown.cancelled().await;
            return Ok(());
        }
        let Ok(Some(stored)) = latest(&chassis, after).await else {
            continue;
        };
        let order = stored.id();
        after = Some(order);
        let Ok(timeline) = Gatherer::new(&chassis, &peers).timeline(&stored).await else {
            continue;
        };
        live.followed(order, &timeline);
        for problem in &timeline.conformance.problems {
            tracing::error!(
                order.id = %order, problem = problem.code.as_str(), at = %problem.service,
                error = problem.detail, "the path of a purchase is not as the protocol allows"
            );
        }
    }
}

async fn latest(chassis: &Chassis, after: Option<OrderId>) -> Result<Option<StoredOrder>, Error> {
    let read = chassis
        .readers
        .read(move |conn| Ok(store::latest_closed(conn, after)?));
    read.await
}
