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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::time::Duration;

    use saga_events::{Amount, ItemId, OrderId, Purchase, Quantity, UserId};
    use uuid::Uuid;

    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_000_000_000);
    const AT_ONCE: Duration = Duration::ZERO;

    fn at(ms: u64) -> Timestamp {
        START.plus(Duration::from_millis(ms))
    }

    fn patience() -> Patience {
        Patience {
            first: Duration::from_millis(2_000),
            max: Duration::from_millis(15_000),
        }
    }

    /// Begun at the start, with a deadline after 60 s.
    fn order(id: u128, status: Status, attempt: u32) -> Order {
        let id = Uuid::from_u128(id);
        let purchase = Purchase {
            order_id: OrderId::from_uuid(id),
            user_id: UserId::from_uuid(id),
            item_id: ItemId::from_uuid(id),
            quantity: Quantity::MIN,
            unit_price: Amount::MIN,
            total_amount: Amount::MIN,
            deadline: at(60_000),
        };
        Order {
            purchase,
            status,
            reason: None,
            attempt,
            told: false,
        }
    }

    fn stored(order: Order, repeats: u32, due_at: Timestamp) -> StoredOrder {
        StoredOrder {
            order,
            due_at: Some(due_at),
            repeats,
            last_seq: 1,
            traceparent: None,
            created_at: START,
            updated_at: START,
        }
    }

    fn wait_ms(repeats: u32, id: u128, attempt: u32) -> u64 {
        let order = order(id, Status::Cancelling, attempt);
        let due = patience().due_at(&order, repeats, AT_ONCE, START).unwrap();
        u64::try_from(due.since(START).as_millis()).unwrap()
    }

    #[test]
    fn the_first_wait_is_the_configured_one_or_four_times_the_time_to_final() {
        let first = |ms| patience().first_wait(Duration::from_millis(ms)).as_millis();
        assert_eq!((first(0), first(500), first(501)), (2_000, 2_000, 2_004));
        assert_eq!(first(3_000), 12_000);
        // After an outage everything took long; that is no reason to wait as long again.
        assert_eq!(first(600_000), 15_000);
    }

    #[test]
    fn waits_double_with_jitter_and_are_never_longer_than_the_longest() {
        for (repeats, shortest, longest) in [
            (0, 2_000, 2_000),
            (1, 3_000, 4_000),
            (2, 6_000, 8_000),
            (3, 11_250, 15_000),
            (99, 11_250, 15_000),
        ] {
            let waits: Vec<u64> = (0..200).map(|id| wait_ms(repeats, id, repeats)).collect();
            let (min, max) = (*waits.iter().min().unwrap(), *waits.iter().max().unwrap());
            assert!(
                min >= shortest && max <= longest,
                "{repeats}: {min} to {max}"
            );
            let spread = (longest - shortest) * 9 / 10;
            assert!(
                max - min >= spread,
                "{repeats}: {min} to {max} is hardly spread"
            );
        }
        assert_eq!(wait_ms(2, 5, 2), wait_ms(2, 5, 2));
        assert_ne!(wait_ms(3, 5, 3), wait_ms(3, 5, 4));
    }

    #[test]
    fn a_pending_order_is_due_at_its_deadline_at_the_latest_and_a_closed_one_never() {
        let due = |status, told| {
            let order = Order {
                told,
                ..order(1, status, 0)
            };
            patience().due_at(&order, 0, AT_ONCE, at(59_000))
        };
        assert_eq!(due(Status::Pending, false), Some(at(60_000)));
        for status in [Status::Cancelling, Status::Completed, Status::Cancelled] {
            assert_eq!(due(status, false), Some(at(61_000)));
        }
        assert_eq!(due(Status::Completed, true), None);
        assert_eq!(due(Status::Cancelled, true), None);
    }

    #[test]
    fn a_due_order_is_repeated_unless_its_deadline_has_passed_or_there_was_news() {
        let turn =
            |status, due, now| patience().turn(&stored(order(1, status, 0), 0, due), AT_ONCE, now);
        assert_eq!(turn(Status::Pending, at(2_000), at(1_999)), Turn::NotDue);
        assert_eq!(turn(Status::Pending, at(2_000), at(2_000)), Turn::Repeat);
        assert_eq!(turn(Status::Pending, at(2_000), at(60_000)), Turn::Cancel);
        for status in [Status::Cancelling, Status::Completed, Status::Cancelled] {
            assert_eq!(turn(status, at(2_000), at(60_000)), Turn::Repeat);
        }
        let closed = StoredOrder {
            due_at: None,
            ..stored(order(1, Status::Completed, 0), 0, START)
        };
        assert_eq!(patience().turn(&closed, AT_ONCE, at(60_000)), Turn::NotDue);
    }

    #[test]
    fn a_first_repeat_is_put_off_where_orders_have_become_slower_and_later_ones_are_not() {
        let slow = Duration::from_secs(2);
        let turn = |repeats, now| {
            let stored = stored(order(1, Status::Pending, repeats), repeats, at(2_000));
            patience().turn(&stored, slow, now)
        };
        assert_eq!(turn(0, at(2_000)), Turn::Postpone(at(8_000)));
        assert_eq!(turn(0, at(8_000)), Turn::Repeat);
        assert_eq!(turn(1, at(2_000)), Turn::Repeat);
    }

    #[test]
    fn the_allowance_is_saved_for_a_second_at_most() {
        let mut allowance = Allowance::new(500);
        assert_eq!(allowance.left(), 0);
        allowance.earn(Duration::from_millis(200));
        assert_eq!(allowance.left(), 100);
        allowance.spend(30);
        assert_eq!(allowance.left(), 70);
        allowance.spend(70);
        assert_eq!(allowance.left(), 0);
        allowance.earn(Duration::from_secs(60));
        assert_eq!(allowance.left(), 500);
    }

    #[test]
    fn a_small_allowance_adds_up_over_many_sweeps() {
        let mut allowance = Allowance::new(1);
        let mut repeats = 0;
        for _ in 0..50 {
            allowance.earn(Duration::from_millis(200));
            let left = allowance.left();
            allowance.spend(left);
            repeats += left;
        }
        assert_eq!(repeats, 10);
    }
}
