//! HEAL ALL: every fault is healed, the gateway is well, and all seven are ready again.

use std::time::{Duration, Instant};

use saga_local::Part;
use svc_chassis::http::Problem;
use tokio::time::sleep;

use super::Lab;
use super::parts::State;

/// All are ready within this time, on a loaded machine too.
const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(50);

impl Lab {
    /// Heals all, and waits for it.
    ///
    /// # Errors
    /// 503 that names who is not ready, or what the gateway refuses.
    pub async fn heal_all(&self) -> Result<(), Problem> {
        self.faults.heal_all();
        let deadline = Instant::now() + PATIENCE;
        for part in Part::ALL {
            while !self.is_well(part).await {
                if Instant::now() > deadline {
                    let why = format!("not ready within {PATIENCE:?}");
                    return Err(Problem::unavailable(part.as_str(), why));
                }
                sleep(PAUSE).await;
            }
        }
        self.gateway_is_well().await
    }

    async fn is_well(&self, part: Part) -> bool {
        self.parts.state(part) == State::Running && self.parts.system().part_is_ready(part).await
    }
}
