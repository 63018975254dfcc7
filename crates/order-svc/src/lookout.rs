//! The lookout: while somebody watches (`GET /live`), everybody is shown the same: how the system is
//! twice a second, some purchases step by step, and audits. While nobody does, nothing is asked.

mod audits;
mod steps;
mod ticks;

use std::sync::Arc;
use std::time::Duration;

use svc_chassis::Chassis;
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::OrderSvc;
use crate::ring::{Ring, Watcher};
pub use steps::Ended;

/// What was shown lately, kept for clients that come back: some seconds when much is going on.
const KEPT: usize = 1_000;
/// Who is new is shown the last tick and the last audit at once, unless they are older.
const GREETING: Duration = Duration::from_secs(1);
/// An audit is told at most once a second, and seldom where it takes long.
const GREETING_AUDIT: Duration = Duration::from_secs(30);

/// How often it is seen whether anybody watches still.
const LOOK: Duration = Duration::from_millis(100);

/// What a watcher sees.
#[derive(Debug)]
pub struct Sight {
    /// `tick`, `step` or `audit`
    pub event: &'static str,
    /// What it says, on one line.
    pub data: String,
    at: Instant,
}

/// Shows the system to whoever watches. Cheap to clone.
#[derive(Clone)]
pub struct Lookout {
    ring: Ring<Arc<Sight>>,
    ended: Arc<Ended>,
}

/// What the lookout's own half of the channels is.
pub struct Ends {
    ended: mpsc::Receiver<steps::Final>,
}

impl Lookout {
    /// Nobody watches yet.
    pub fn new() -> (Self, Ends) {
        let (ended, receiver) = Ended::new();
        let lookout = Self {
            ring: Ring::new(KEPT),
            ended: Arc::new(ended),
        };
        (lookout, Ends { ended: receiver })
    }

    /// Watches from now on, or from after what has this id.
    pub fn watch(&self, after: Option<&str>) -> Watcher<Arc<Sight>> {
        self.ring.watch_from(after, |latest| {
            let (mut tick, mut audit) = (None, None);
            for sight in latest {
                let age = sight.at.elapsed();
                match sight.event {
                    ticks::TICK if tick.is_none() && age < GREETING => tick = Some(sight.clone()),
                    audits::AUDIT if audit.is_none() && age < GREETING_AUDIT => {
                        audit = Some(sight.clone());
                    }
                    _ => {}
                }
            }
            tick.into_iter().chain(audit).collect()
        })
    }

    /// Where it is said that an order has ended.
    pub fn ended(&self) -> &Ended {
        &self.ended
    }

    /// Looks out while somebody watches, until shutdown.
    ///
    /// # Errors
    /// None: what cannot be seen now is looked at again.
    pub async fn run(
        self,
        svc: Arc<OrderSvc>,
        chassis: Chassis,
        mut ends: Ends,
    ) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = self.ring.wanted() => {}
                () = chassis.shutdown.cancelled() => return Ok(()),
            }
            self.ended.listen(&mut ends.ended);
            let looking = async {
                tokio::join!(
                    ticks::run(&self, &svc, &chassis),
                    steps::run(&self, &svc, &chassis, &mut ends.ended),
                    audits::run(&self, &svc),
                )
            };
            tokio::select! {
                _ = looking => {}
                () = self.left_alone() => {}
                () = chassis.shutdown.cancelled() => return Ok(()),
            }
            self.ended.stop_listening();
        }
    }

    /// Waits until nobody watches any more.
    async fn left_alone(&self) {
        while self.ring.is_watched() {
            tokio::time::sleep(LOOK).await;
        }
    }

    fn show(&self, event: &'static str, what: &impl serde::Serialize) {
        let Ok(data) = serde_json::to_string(what) else {
            return;
        };
        let at = Instant::now();
        self.ring.show(Arc::new(Sight { event, data, at }));
    }
}
