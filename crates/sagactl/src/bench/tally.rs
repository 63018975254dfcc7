//! What came of the purchases while it counts: how many, how they ended, how long they took.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use super::buyers::End;

/// Latencies are kept to three digits …
const DIGITS: u8 = 3;
/// … up to five minutes; what takes longer counts as that. Microseconds.
const LONGEST_US: u64 = 300_000_000;

/// Counts between its beginning and its end; what warms up before and what runs out after is
/// not counted.
#[derive(Debug)]
pub struct Tally {
    begun: Option<Instant>,
    ended: Option<Instant>,
    /// Purchases that ended since the driver began, counted or not: what progress is shown by.
    all: u64,
    completed: u64,
    declined: u64,
    /// Counted always: a fault is one at any time.
    unexpected: BTreeMap<String, u64>,
    latencies: Histogram<u64>,
    lateness: Histogram<u64>,
    marks: Marks,
}

/// When every so-manieth purchase ended: the parts of a long run.
#[derive(Debug, Default)]
struct Marks {
    every: u64,
    at: Vec<Instant>,
}

/// How long something took, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Spread {
    /// Half of them took no longer.
    pub p50: f64,
    /// 99 of 100 took no longer.
    pub p99: f64,
    /// The longest.
    pub max: f64,
}

impl Tally {
    /// Counts nothing yet.
    ///
    /// # Errors
    /// None in practice: the bounds of the histogram are constants.
    pub fn new() -> anyhow::Result<Self> {
        let histogram = || Histogram::new_with_bounds(1, LONGEST_US, DIGITS);
        Ok(Self {
            begun: None,
            ended: None,
            all: 0,
            completed: 0,
            declined: 0,
            unexpected: BTreeMap::new(),
            latencies: histogram()?,
            lateness: histogram()?,
            marks: Marks::default(),
        })
    }

    /// Remembers when every so-manieth counted purchase ended.
    pub fn mark_every(&mut self, count: u64) {
        self.marks.every = count;
    }

    /// Counts from now on.
    pub fn begin(&mut self) {
        self.begun = Some(Instant::now());
    }

    /// No longer counts what happens from now on.
    pub fn end(&mut self) {
        self.ended = Some(Instant::now());
    }

    /// Whether it counts what happened then.
    fn counts(&self, at: Instant) -> bool {
        self.begun.is_some_and(|begun| begun <= at) && self.ended.is_none_or(|ended| at < ended)
    }

    /// A purchase ended. `at` is the moment by which it is counted or not: a closed loop's
    /// purchases count when they end, an open one's when they were due.
    pub fn ended(&mut self, at: Instant, took: Duration, end: End) {
        self.all += 1;
        let counts = self.counts(at);
        match end {
            End::Completed if counts => self.completed += 1,
            End::Declined if counts => self.declined += 1,
            End::Completed | End::Declined => return,
            End::Unexpected(what) => {
                *self.unexpected.entry(what).or_default() += 1;
                return;
            }
        }
        self.latencies.saturating_record(micros(took));
        let Marks { every, at } = &mut self.marks;
        if *every > 0 && (self.completed + self.declined).is_multiple_of(*every) {
            at.push(Instant::now());
        }
    }

    /// The driver itself began a purchase so much later than it was due.
    pub fn late(&mut self, due: Instant, by: Duration) {
        if self.counts(due) {
            self.lateness.saturating_record(micros(by));
        }
    }

    /// Purchases that ended, counted or not.
    pub const fn all(&self) -> u64 {
        self.all
    }

    /// Purchases that completed, and were counted.
    pub const fn completed(&self) -> u64 {
        self.completed
    }

    /// Purchases that were declined, and were counted.
    pub const fn declined(&self) -> u64 {
        self.declined
    }

    /// How many of what must not happen.
    pub const fn unexpected(&self) -> &BTreeMap<String, u64> {
        &self.unexpected
    }

    /// For how long it counted.
    pub fn counted_for(&self) -> Duration {
        match (self.begun, self.ended) {
            (Some(begun), Some(ended)) => ended.saturating_duration_since(begun),
            _ => Duration::ZERO,
        }
    }

    /// From a purchase's beginning to its end; `None`: there was none.
    pub fn latencies(&self) -> Option<Spread> {
        spread(&self.latencies)
    }

    /// How late the driver itself was; `None`: it had nothing to be late for.
    pub fn lateness(&self) -> Option<Spread> {
        spread(&self.lateness)
    }

    /// Purchases a second in each part between two marks, the first from the beginning on.
    pub fn rates(&self) -> Vec<f64> {
        let begun = self.begun.into_iter();
        let times: Vec<Instant> = begun.chain(self.marks.at.iter().copied()).collect();
        rates(self.marks.every, &times)
    }
}

#[allow(clippy::cast_precision_loss)] // counts far below 2^53
fn rates(every: u64, times: &[Instant]) -> Vec<f64> {
    let parts = times.windows(2).map(|pair| pair[1] - pair[0]);
    let rate = |part: Duration| every as f64 / part.as_secs_f64().max(1e-9);
    parts.map(rate).collect()
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

fn spread(histogram: &Histogram<u64>) -> Option<Spread> {
    #[allow(clippy::cast_precision_loss)] // five minutes of microseconds are exact
    let ms = |us: u64| us as f64 / 1000.0;
    (!histogram.is_empty()).then(|| Spread {
        p50: ms(histogram.value_at_quantile(0.5)),
        p99: ms(histogram.value_at_quantile(0.99)),
        max: ms(histogram.max()),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn only_what_happens_between_beginning_and_end_counts() {
        let mut tally = Tally::new().unwrap();
        let early = Instant::now();
        tally.ended(early, MS, End::Completed);
        tally.begin();
        let counted = Instant::now();
        tally.ended(early, MS, End::Completed);
        tally.ended(counted, MS, End::Completed);
        tally.ended(counted, 3 * MS, End::Declined);
        tally.end();
        tally.ended(Instant::now(), MS, End::Completed);
        // It was due before the end, and took longer.
        tally.ended(counted, 9 * MS, End::Completed);
        assert_eq!(
            (tally.completed(), tally.declined(), tally.all()),
            (2, 1, 6)
        );
        let latencies = tally.latencies().unwrap();
        assert!((2.99..3.01).contains(&latencies.p50), "{latencies:?}");
        assert!((8.99..9.02).contains(&latencies.max), "{latencies:?}");
    }

    #[test]
    fn a_fault_counts_always_and_is_no_purchase() {
        let mut tally = Tally::new().unwrap();
        for _ in 0..2 {
            tally.ended(Instant::now(), MS, End::Unexpected("503 OVERLOADED".into()));
        }
        assert_eq!(tally.unexpected()["503 OVERLOADED"], 2);
        assert_eq!((tally.completed(), tally.latencies()), (0, None));
    }

    #[test]
    fn a_long_run_is_told_in_parts() {
        let start = Instant::now();
        let at = |ms: u32| start + ms * MS;
        let rates = rates(100, &[at(0), at(1000), at(3000)]);
        assert_eq!(rates, [100.0, 50.0]);

        let mut tally = Tally::new().unwrap();
        tally.mark_every(5);
        tally.begin();
        for _ in 0..12 {
            tally.ended(Instant::now(), MS, End::Completed);
        }
        assert_eq!(tally.rates().len(), 2, "the last part is not full");
    }
}
