//! How evenly the machine runs. A virtual machine may be slowed down for moments that nothing in it
//! tells, and whoever buys then is among the slowest: a p99 can be the machine's.

use std::hint::black_box;
use std::time::{Duration, Instant};

/// Longer than what recurs every few seconds.
const WATCHED: Duration = Duration::from_secs(4);
/// What is done in so long is compared.
const WINDOW: Duration = Duration::from_millis(10);
/// From this share on, the slowest of a hundred purchases may be slow for the machine's sake.
const SLOW: f64 = 0.005;

/// Keeps a processor busy for some seconds. Answers the share of the time, from 0 to 1, in which it ran
/// at less than half its speed.
pub fn slow_share() -> f64 {
    let end = Instant::now() + WATCHED;
    let windows = std::iter::from_fn(|| (Instant::now() < end).then(work));
    share_below_half(windows.collect())
}

/// What whoever reads the latencies has to know of this share; `None`: nothing.
pub fn warning(slow_share: f64) -> Option<String> {
    (slow_share > SLOW).then(|| {
        format!(
            "before the first load the machine ran at less than half its speed in {:.1} % of the time: \
             P99 and MAX are its own, too",
            slow_share * 100.0
        )
    })
}

/// How much is done in a window.
fn work() -> u32 {
    let (end, mut done) = (Instant::now() + WINDOW, 0);
    while Instant::now() < end {
        black_box((0..1000_u32).fold(done, |sum, number| black_box(sum ^ number)));
        done += 1;
    }
    done
}

/// The share of the windows in which less than half as much was done as in the one in the middle.
fn share_below_half(mut windows: Vec<u32>) -> f64 {
    windows.sort_unstable();
    let middle = windows.get(windows.len() / 2).copied().unwrap_or(0);
    let below = windows.partition_point(|done| done.saturating_mul(2) < middle);
    below as f64 / windows.len().max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_that_did_less_than_half_as_much_as_most() {
        let even: Vec<u32> = (90..110).collect();
        assert_eq!(share_below_half(even.clone()), 0.0);
        let held_up = even.into_iter().chain([48, 9, 60, 51, 70]).collect();
        assert_eq!(share_below_half(held_up), 2.0 / 25.0);
        assert_eq!(share_below_half(Vec::new()), 0.0);
    }

    #[test]
    fn who_reads_latencies_is_warned_where_they_may_be_the_machines() {
        let words = warning(0.118).unwrap();
        assert!(words.contains("half its speed in 11.8 %"), "{words}");
        assert_eq!(warning(SLOW), None);
    }

    #[test]
    fn something_is_done_in_a_window() {
        assert!(work() > 0);
    }
}
