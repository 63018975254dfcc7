//! Everything that is said, for whoever watches all purchases: `GET /events`. Nothing is read from
//! Redis while nobody watches.

use std::sync::Arc;
use std::time::Duration;

use saga_events::Event;
use saga_events::bus::Tap;
use svc_chassis::Chassis;
use tokio::time::Instant;

use crate::ring::{Ring, Watcher};

/// What was said lately, kept for clients that come back or are slow.
const KEPT: usize = 2_000;
/// From one try to reach Redis to the next.
const AGAIN: Duration = Duration::from_secs(1);
/// So long the tap stays open for a client that comes back.
const LINGER: Duration = Duration::from_secs(30);
/// How often it is seen whether anybody watches still.
const LOOK: Duration = Duration::from_secs(1);

/// What was said; none: something was said that is not known here.
pub type Heard = Option<Arc<Event>>;

/// What was said lately, and who watches. Cheap to clone.
#[derive(Clone)]
pub struct Watched(Ring<Heard>);

impl Default for Watched {
    fn default() -> Self {
        Self(Ring::new(KEPT))
    }
}

impl Watched {
    /// Watches from now on, or from after what has this id: where that is not known any more, the
    /// first thing seen is that something was missed.
    pub fn watch(&self, after: Option<&str>) -> Watcher<Heard> {
        self.0.watch(after)
    }

    /// Listens to Redis while somebody watches, until shutdown.
    ///
    /// # Errors
    /// None: what cannot be heard now is tried again.
    pub async fn listen(self, chassis: Chassis) -> anyhow::Result<()> {
        loop {
            tokio::select! {
                () = self.0.wanted() => {}
                () = chassis.shutdown.cancelled() => return Ok(()),
            }
            let mut heard_before = false;
            while self.0.is_watched() && !chassis.shutdown.is_cancelled() {
                if let Ok(tap) = chassis.bus.tap().await {
                    if heard_before {
                        self.0.show(None);
                    }
                    heard_before = true;
                    self.hear(tap, &chassis).await;
                } else {
                    tokio::time::sleep(AGAIN).await;
                }
            }
        }
    }

    /// Until the tap is closed, or nobody has watched for a while.
    async fn hear(&self, mut tap: Tap, chassis: &Chassis) {
        let mut watched_at = Instant::now();
        loop {
            tokio::select! {
                event = tap.next() => match event {
                    Some(event) => self.0.show(Some(Arc::new(event))),
                    None => return,
                },
                () = tokio::time::sleep(LOOK) => {}
                () = chassis.shutdown.cancelled() => return,
            }
            if self.0.is_watched() {
                watched_at = Instant::now();
            } else if watched_at.elapsed() > LINGER {
                return;
            }
        }
    }
}
