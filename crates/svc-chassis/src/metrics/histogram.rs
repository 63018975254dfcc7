//! How a measured quantity is distributed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds in microseconds: finer where commits and steps lie, up to a purchase's deadline.
const MICROS: &[u64] = &[
    100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000,
    1_000_000, 2_500_000, 5_000_000, 10_000_000, 30_000_000, 60_000_000,
];
/// Upper bounds of numbers of things, up to the default cap of a batch.
const COUNTS: &[u64] = &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024];

/// How often a quantity was found to be at most so much, and its sum. Adding takes two additions.
#[derive(Debug)]
pub struct Histogram {
    bounds: &'static [u64],
    /// How many of a bound's unit are one of the metric's.
    per_unit: f64,
    /// One for each bound, and one for what is above all of them.
    buckets: Box<[AtomicU64]>,
    sum: AtomicU64,
}

/// A histogram as it is at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// The sum of all that was found.
    pub sum: f64,
    /// How many were found.
    pub count: u64,
    /// How many were at most the bound, and above the one before.
    pub buckets: Vec<(f64, u64)>,
}

impl Histogram {
    /// Of durations.
    pub fn of_seconds() -> Self {
        Self::of(MICROS, 1e6)
    }

    /// Of numbers of things.
    pub fn of_counts() -> Self {
        Self::of(COUNTS, 1.0)
    }

    fn of(bounds: &'static [u64], per_unit: f64) -> Self {
        let buckets = (0..=bounds.len()).map(|_| AtomicU64::new(0)).collect();
        Self {
            bounds,
            per_unit,
            buckets,
            sum: AtomicU64::new(0),
        }
    }

    /// One took this long.
    pub fn took(&self, duration: Duration) {
        self.found(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// One was this many.
    pub fn found(&self, value: u64) {
        let bucket = self.bounds.partition_point(|bound| *bound < value);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
        self.sum.fetch_add(value, Ordering::Relaxed);
    }

    /// How many were found, and their sum in the bounds' unit.
    pub fn totals(&self) -> (u64, u64) {
        let count = self
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed));
        (count.sum(), self.sum.load(Ordering::Relaxed))
    }

    /// As it is now. What is added meanwhile may be in the buckets and not yet in the sum.
    #[expect(clippy::cast_precision_loss)]
    pub fn now(&self) -> Distribution {
        let bounds = self
            .bounds
            .iter()
            .map(|bound| *bound as f64 / self.per_unit);
        let counts = self
            .buckets
            .iter()
            .map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<_> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        Distribution {
            sum: self.sum.load(Ordering::Relaxed) as f64 / self.per_unit,
            count: buckets.iter().map(|(_, count)| count).sum(),
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_the_highest_value_of_its_bucket() {
        let histogram = Histogram::of_seconds();
        for micros in [0, 100, 101, 60_000_000, 60_000_001] {
            histogram.took(Duration::from_micros(micros));
        }
        let Distribution {
            sum,
            count,
            buckets,
        } = histogram.now();
        assert_eq!((sum, count), (120.000_202, 5));
        let filled: Vec<_> = buckets
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .collect();
        let expected = [(0.0001, 2), (0.000_25, 1), (60.0, 1), (f64::INFINITY, 1)];
        assert_eq!(filled, expected);
    }
}
