//! Buyers who come at their time, whatever became of those before: a system that stalls does not
//! keep them away.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{Semaphore, watch};
use tokio::time::{Instant, sleep_until};

use super::Lab;

/// The most that may come in a second.
pub const MOST: u32 = 50;
/// Who wait for their answer at the same time. The next ones go home: a stalled order-svc is no
/// reason to collect requests.
const IN_FLIGHT: usize = 256;

/// How many come in a second.
#[derive(Default)]
pub struct Traffic(watch::Sender<u32>);

impl Traffic {
    /// As it is.
    pub fn per_second(&self) -> u32 {
        *self.0.borrow()
    }

    /// From now on.
    pub fn set(&self, per_second: u32) {
        self.0.send_replace(per_second.min(MOST));
    }
}

/// Lets them come, for ever.
pub async fn run(lab: Arc<Lab>) {
    let mut wanted = lab.traffic.0.subscribe();
    let places = Arc::new(Semaphore::new(IN_FLIGHT));
    let mut turn = 0;
    loop {
        let per_second = *wanted.borrow_and_update();
        let (mut next, gap) = (Instant::now(), Duration::from_secs(1));
        let gap = gap.checked_div(per_second);
        loop {
            tokio::select! {
                changed = wanted.changed() => match changed {
                    Ok(()) => break,
                    Err(_) => return,
                },
                () = sleep_until(next), if gap.is_some() => {
                    next += gap.unwrap_or_default();
                    turn += 1;
                    if let Ok(place) = places.clone().try_acquire_owned() {
                        let lab = lab.clone();
                        tokio::spawn(async move {
                            let _place = place;
                            let item = &lab.shop.items[turn % lab.shop.items.len()];
                            // Who is turned away goes home; the witness counts promises only.
                            let _ = lab.buy(&json!(item.id), &json!(1)).await;
                        });
                    }
                }
            }
        }
    }
}
