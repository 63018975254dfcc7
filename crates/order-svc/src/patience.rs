//! When an order is looked at next: its deadline, and the waits between repeats. Pure: no clock and
//! no randomness, so the times of one order can be told in advance.

use std::time::Duration;

use saga_events::Timestamp;

use crate::config::OrderConfig;
use crate::saga::{Order, Status};
use crate::store::StoredOrder;

/// A repeat comes after so many times the recent time-to-final: an order that is merely slow
/// because all are is not helped by saying everything twice.
const TIMES_TO_FINAL: u32 = 4;

/// What the sweep does with an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// The deadline has passed: ask the pivot.
    Cancel,
    /// No news for a while: say it again.
    Repeat,
    /// Look again at this time.
    Postpone(Timestamp),
    /// There was news meanwhile.
    NotDue,
}

/// The shortest and the longest wait between two repeats.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    first: Duration,
    max: Duration,
}

impl Patience {
    /// As configured.
    pub fn new(config: &OrderConfig) -> Self {
        let first = Duration::from_millis(config.first_repeat_ms);
        Self {
            first,
            max: Duration::from_millis(config.max_repeat_ms),
        }
    }

    /// The wait before the first repeat, given how long orders have taken recently.
    pub fn first_wait(&self, time_to_final: Duration) -> Duration {
        self.first
            .max(time_to_final.saturating_mul(TIMES_TO_FINAL))
            .min(self.max)
    }

    /// What is to be done with an order now.
    pub fn turn(&self, stored: &StoredOrder, time_to_final: Duration, now: Timestamp) -> Turn {
        if stored.due_at.is_none_or(|due_at| due_at > now) {
            return Turn::NotDue;
        }
        if stored.order.status == Status::Pending && stored.order.purchase.deadline <= now {
            return Turn::Cancel;
        }
        // Orders may have become slower since this one was put down for its first repeat.
        let first = self.due_at(&stored.order, 0, time_to_final, stored.updated_at);
        match first {
            Some(first) if stored.repeats == 0 && first > now => Turn::Postpone(first),
            Some(_) | None => Turn::Repeat,
        }
    }

    /// When an order is due that has just said something: changed its status (0 repeats so far) or
    /// repeated itself. `None`: never, it is closed.
    pub fn due_at(
        &self,
        order: &Order,
        repeats: u32,
        time_to_final: Duration,
        now: Timestamp,
    ) -> Option<Timestamp> {
        if order.told {
            return None;
        }
        let wait = self
            .first_wait(time_to_final)
            .saturating_mul(1 << repeats.min(16))
            .min(self.max);
        // Only later waits are spread: the first one already is, by the orders' own times.
        let wait = if repeats == 0 {
            wait
        } else {
            jittered(wait, order)
        };
        let repeat = now.plus(wait);
        match order.status {
            Status::Pending => Some(repeat.min(order.purchase.deadline)),
            Status::Cancelling | Status::Completed | Status::Cancelled => Some(repeat),
        }
    }
}

/// Takes up to a quarter off, so that orders that stopped together do not repeat together. Which
/// share is decided by the order and its attempt.
fn jittered(wait: Duration, order: &Order) -> Duration {
    // Fibonacci hashing: an odd multiplier near 2^64/φ spreads the attempts over the high bits.
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let low = order.purchase.order_id.uuid().as_u64_pair().1;
    let mixed = (low ^ u64::from(order.attempt)).wrapping_mul(SPREAD);
    let per_mille = u32::try_from((mixed >> 32) % 251).unwrap_or(0);
    wait - wait / 1000 * per_mille
}

/// How many repeats may be made now: so many a second, saved up for one second at most.
#[derive(Debug, Clone, Copy)]
pub struct Allowance {
    per_second: u32,
    micros_saved: u64,
}

impl Allowance {
    /// Of so many a second; starts with nothing saved.
    pub fn new(per_second: u32) -> Self {
        Self {
            per_second,
            micros_saved: 0,
        }
    }

    /// Time has passed.
    pub fn earn(&mut self, elapsed: Duration) {
        let elapsed = u64::try_from(elapsed.as_micros()).unwrap_or(u64::MAX);
        self.micros_saved = self.micros_saved.saturating_add(elapsed).min(1_000_000);
    }

    /// How many may be made.
    pub fn left(&self) -> u64 {
        self.micros_saved * u64::from(self.per_second) / 1_000_000
    }

    /// So many were made.
    pub fn spend(&mut self, repeats: u64) {
        let cost = (repeats * 1_000_000).div_ceil(u64::from(self.per_second));
        self.micros_saved = self.micros_saved.saturating_sub(cost);
    }
}
