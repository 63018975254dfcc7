//! Drives purchases through HTTP, on one thread: it shares the machine with what it measures, so it
//! must be light, and its own CPU time is reported beside the services'.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::buyers::{Buyers, End};
use super::plan::Load;
use super::tally::Tally;
use super::wire::Connection;

/// After a fault a buyer of the closed loop waits so long: faults must not drown each other.
const AFTER_A_FAULT: Duration = Duration::from_millis(100);
/// Purchases of an open loop that may be under way: more means that the system has stopped.
const MOST_OPEN: usize = 20_000;
/// The services close a connection that was idle for five seconds; one that was idle for less is
/// used again.
const FRESH: Duration = Duration::from_secs(2);

/// Buys until it is told to stop.
pub struct Driver {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<Result<()>>,
}

/// What every purchase needs.
#[derive(Clone)]
struct Shop {
    buyers: Arc<Buyers>,
    tally: Arc<Mutex<Tally>>,
    stop: Arc<AtomicBool>,
}

/// What was counted so far.
pub fn counted(tally: &Mutex<Tally>) -> MutexGuard<'_, Tally> {
    tally.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Driver {
    /// Begins to buy.
    ///
    /// # Errors
    /// There is no thread to be had.
    pub fn start(load: Load, buyers: Arc<Buyers>, tally: Arc<Mutex<Tally>>) -> Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let shop = Shop {
            buyers,
            tally,
            stop: stop.clone(),
        };
        let drive = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                match load {
                    Load::Closed { in_flight } => shop.buy_in_turns(in_flight).await,
                    Load::Open { per_second } => shop.buy_when_due(per_second).await,
                }
            })
        };
        let thread = std::thread::Builder::new()
            .name("driver".into())
            .spawn(drive)
            .context("the driver does not start")?;
        Ok(Self { stop, thread })
    }

    /// Whether it ended by itself, which only an error makes it do.
    pub fn has_ended(&self) -> bool {
        self.thread.is_finished()
    }

    /// Begins no more purchases, and waits until those under way have ended.
    ///
    /// # Errors
    /// What ended it before.
    pub async fn stop(self) -> Result<()> {
        self.stop.store(true, Ordering::Relaxed);
        let joined = tokio::task::spawn_blocking(move || self.thread.join()).await?;
        joined.map_err(|_| anyhow!("the driver panicked"))?
    }
}

impl Shop {
    fn is_open(&self) -> bool {
        !self.stop.load(Ordering::Relaxed)
    }

    /// The closed loop: so many buyers, each of whom buys again as soon as a purchase has ended.
    async fn buy_in_turns(self, in_flight: usize) -> Result<()> {
        let mut buyers = JoinSet::new();
        for _ in 0..in_flight {
            buyers.spawn(self.clone().buy_again_and_again());
        }
        while let Some(ended) = buyers.join_next().await {
            ended.context("a buyer panicked")?;
        }
        Ok(())
    }

    async fn buy_again_and_again(self) {
        let (mut kept, mut request) = (None, Vec::new());
        while self.is_open() {
            self.buyers.next(&mut request);
            let begun = Instant::now();
            let end = self.buy(&mut kept, &request).await;
            let is_fault = matches!(end, End::Unexpected(_));
            let now = Instant::now();
            counted(&self.tally).ended(now, now - begun, end);
            if is_fault {
                sleep(AFTER_A_FAULT).await;
            }
        }
    }

    /// Over the kept connection, or a new one. A connection that broke is not kept.
    async fn buy(&self, kept: &mut Option<Connection>, request: &[u8]) -> End {
        let bought = async {
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => self.buyers.connect().await?,
            };
            let end = self.buyers.buy(&mut connection, request).await?;
            *kept = Some(connection);
            Ok::<_, std::io::Error>(end)
        };
        bought
            .await
            .unwrap_or_else(|error| End::Unexpected(format!("no answer: {error}")))
    }

    /// The open loop: a purchase is due at its time whatever became of those before, and its
    /// latency counts from that time, also where the driver or the system was late.
    async fn buy_when_due(self, per_second: u32) -> Result<()> {
        let (arrive, mut arrivals) = mpsc::unbounded_channel();
        let stop = self.stop.clone();
        let clock = std::thread::Builder::new().name("arrivals".into());
        let clock = clock.spawn(move || tell_arrivals(per_second, &stop, &arrive))?;
        let idle: Arc<Mutex<Vec<(Connection, Instant)>>> = Arc::default();
        let mut open = JoinSet::new();
        while let Some(due) = arrivals.recv().await {
            while let Some(ended) = open.try_join_next() {
                ended.context("a buyer panicked")?;
            }
            if open.len() >= MOST_OPEN {
                let end = End::Unexpected(format!("not begun: {MOST_OPEN} are open"));
                counted(&self.tally).ended(due, due.elapsed(), end);
                continue;
            }
            let (shop, idle) = (self.clone(), idle.clone());
            open.spawn(async move { shop.buy_at(due, &idle).await });
        }
        while let Some(ended) = open.join_next().await {
            ended.context("a buyer panicked")?;
        }
        clock.join().map_err(|_| anyhow!("the clock panicked"))
    }

    async fn buy_at(&self, due: Instant, idle: &Mutex<Vec<(Connection, Instant)>>) {
        let lock = || idle.lock().unwrap_or_else(PoisonError::into_inner);
        let mut request = Vec::new();
        self.buyers.next(&mut request);
        let last = lock().pop();
        let mut kept = last.and_then(|(connection, since)| {
            let is_fresh = since.elapsed() < FRESH;
            if !is_fresh {
                // Those below were idle for longer.
                lock().clear();
            }
            is_fresh.then_some(connection)
        });
        counted(&self.tally).late(due, due.elapsed());
        let end = self.buy(&mut kept, &request).await;
        counted(&self.tally).ended(due, due.elapsed(), end);
        lock().extend(kept.map(|connection| (connection, Instant::now())));
    }
}

/// Tells each arrival when it is due. A thread of its own: the runtime's timer ticks in
/// milliseconds.
fn tell_arrivals(per_second: u32, stop: &AtomicBool, arrive: &mpsc::UnboundedSender<Instant>) {
    let start = Instant::now();
    for number in 0.. {
        let due = start + since_start(number, per_second);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        if stop.load(Ordering::Relaxed) || arrive.send(due).is_err() {
            return;
        }
    }
}

/// Arrivals are evenly spaced, and fixed from the start on: none waits for another.
fn since_start(number: u64, per_second: u32) -> Duration {
    let rate = u64::from(per_second.max(1));
    let nanos = number % rate * 1_000_000_000 / rate;
    Duration::from_secs(number / rate) + Duration::from_nanos(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_are_evenly_spaced_and_do_not_drift() {
        assert_eq!(since_start(0, 20), Duration::ZERO);
        assert_eq!(since_start(1, 20), Duration::from_millis(50));
        assert_eq!(since_start(1_000, 1_000), Duration::from_secs(1));
        // A rate that does not divide a second is exact again at each full second.
        assert_eq!(since_start(7_000_000, 7), Duration::from_secs(1_000_000));
        let gap = since_start(4, 3) - since_start(3, 3);
        assert_eq!(gap, Duration::from_nanos(333_333_333));
    }
}
