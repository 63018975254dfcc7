//! What this process keeps in memory beside the database: made from commits, lost without harm.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use saga_events::OrderId;
use saga_timeline::Timeline;

use crate::config::OrderConfig;
use crate::conformance::Findings;
use crate::figures::Figures;
use crate::load::Load;
use crate::lookout::Lookout;
use crate::patience::Patience;
use crate::peers::Peers;
use crate::prices::Prices;
use crate::store::StoredOrder;
use crate::waiting::Waiting;
use crate::watched::Watched;

/// The parts that commits keep up to date.
pub struct Live {
    /// From an order's beginning to its deadline.
    pub deadline: Duration,
    /// When orders are looked at again.
    pub patience: Patience,
    /// How long orders take at present.
    pub pace: Pace,
    /// How much there is to do.
    pub load: Load,
    /// How many there were, and how they ended.
    pub figures: Arc<Figures>,
    /// Who waits for which order.
    pub waiting: Waiting,
    /// What items cost.
    pub prices: Prices,
    /// What is said, for whoever watches.
    pub watched: Watched,
    /// The system as it is, for whoever watches.
    pub lookout: Lookout,
    /// The purchases that did not go as the protocol allows.
    pub findings: Findings,
}

impl Live {
    /// As configured, with nothing known yet.
    pub fn new(config: &OrderConfig, peers: Peers, lookout: Lookout) -> Self {
        let load = Load::new(config);
        Self {
            deadline: config.deadline(),
            patience: Patience::new(config),
            pace: Pace::default(),
            figures: Arc::new(Figures::new(load.clone())),
            load,
            waiting: Waiting::default(),
            prices: Prices::new(peers, Duration::from_millis(config.price_ttl_ms)),
            watched: Watched::default(),
            lookout,
            findings: Findings::default(),
        }
    }

    /// A purchase was followed through all six services.
    pub fn followed(&self, order: OrderId, timeline: &Timeline) {
        self.figures.followed(timeline);
        self.findings.note(order, timeline);
    }

    /// An order is final, and that is on disk.
    pub fn ended(&self, stored: &StoredOrder) {
        self.load.ended();
        self.figures.ended(stored);
        self.pace.note(stored.updated_at.since(stored.created_at));
        self.waiting.wake(stored);
        self.lookout.ended().note(stored.id());
    }
}

/// How long orders have taken recently: a moving average in which the last eight weigh most, so
/// that it forgets an outage after a few dozen orders.
#[derive(Debug, Default)]
pub struct Pace(AtomicU64);

impl Pace {
    /// The average time from an order's beginning to its end; zero before the first.
    pub fn time_to_final(&self) -> Duration {
        Duration::from_micros(self.0.load(Ordering::Relaxed))
    }

    /// One order has taken this long. Only the writer says so.
    pub fn note(&self, took: Duration) {
        let (old, took) = (self.time_to_final(), took.min(Duration::from_secs(3600)));
        let average = (old * 7 + took) / 8;
        self.0.store(
            u64::try_from(average.as_micros()).unwrap_or(u64::MAX),
            Ordering::Relaxed,
        );
    }
}
