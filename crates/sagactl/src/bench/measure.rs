//! One load for some time: warm up, read the meter, count, read the meter again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use saga_events::Service;
use serde_json::Value;
use tokio::time::sleep;

use super::buyers::Buyers;
use super::driver::{Driver, counted};
use super::floor::Floor;
use super::meter::{Cost, Meter, Peaks, Reading, Redis};
use super::plan::Load;
use super::progress::Progress;
use super::report::Run;
use super::tally::Tally;
use crate::client::Client;

/// How often the line moves; the memory is looked at every fourth time.
const TICK: Duration = Duration::from_millis(250);
const TICKS_PER_LOOK: u32 = 4;
/// What is under way when a load ends is final soon, and its buyers are told a moment later.
const SETTLED_WITHIN: Duration = Duration::from_secs(120);
const AFTERWARDS: Duration = Duration::from_millis(500);

/// When a load has been measured.
#[derive(Debug, Clone, Copy)]
pub enum Until {
    /// After this time.
    Passed(Duration),
    /// When so many purchases have ended.
    Ended(u64),
}

/// What is measured, how, and by whom.
pub struct Bench<'a> {
    /// Reads the system's processes.
    pub meter: Meter<'a>,
    /// Who buys.
    pub buyers: Arc<Buyers>,
    /// For how long a load runs before it is counted.
    pub warm_up: Duration,
}

impl Bench<'_> {
    /// Puts the system under a load. Answers with what came of it, and where `until` is a number of
    /// purchases, with how many ended a second in each tenth of them.
    ///
    /// # Errors
    /// The system does not answer any more.
    pub async fn load(&self, load: Load, until: Until) -> Result<(Run, Vec<f64>)> {
        let mut tally = Tally::new()?;
        if let Until::Ended(purchases) = until {
            tally.mark_every((purchases / 10).max(1));
        }
        let tally = Arc::new(Mutex::new(tally));
        let driver = Driver::start(load, self.buyers.clone(), tally.clone())?;
        let mut watch = Watch::new(&load.name(), until, self.warm_up);
        let all = || counted(&tally).all();
        watch.pass(self.warm_up, &driver, all).await;
        // Both readings come a moment after the count: as long a time lies between them.
        counted(&tally).begin();
        let before = self.meter.read().await?;
        let mut peaks = Peaks::default();
        match until {
            Until::Passed(time) => {
                let end = Instant::now() + time;
                while Instant::now() < end && !driver.has_ended() {
                    watch.look(&self.meter, &mut peaks).await?;
                    let left = end.saturating_duration_since(Instant::now());
                    sleep(TICK.min(left)).await;
                    watch.show(all());
                }
            }
            Until::Ended(purchases) => {
                let ended = || {
                    let tally = counted(&tally);
                    tally.completed() + tally.declined()
                };
                while ended() < purchases && !driver.has_ended() {
                    watch.look(&self.meter, &mut peaks).await?;
                    sleep(TICK).await;
                    watch.show(ended());
                }
            }
        }
        // Once at least, however short it was.
        self.meter.look(&mut peaks).await?;
        counted(&tally).end();
        let after = self.meter.read().await?;
        driver.stop().await?;
        let tally = counted(&tally);
        let mut tenths = tally.rates();
        tenths.truncate(10);
        Ok((run_of(load, &tally, &before, &after, &peaks), tenths))
    }

    /// Waits until no order is open.
    ///
    /// # Errors
    /// One stays open.
    pub async fn settle(&self, client: &Client) -> Result<()> {
        let deadline = Instant::now() + SETTLED_WITHIN;
        for status in ["PENDING", "CANCELLING"] {
            let path = format!("/orders?status={status}&limit=1");
            loop {
                let open: Value = client.get(Service::Order, &path).await?;
                let orders = open["orders"].as_array().map_or(0, Vec::len);
                if orders == 0 {
                    break;
                }
                if Instant::now() > deadline {
                    bail!(
                        "an order is {status} long after the load: {}",
                        open["orders"][0]["id"]
                    );
                }
                sleep(TICK).await;
            }
        }
        sleep(AFTERWARDS).await;
        Ok(())
    }
}

/// Counts what the floor does.
///
/// # Errors
/// A part has ended.
pub async fn floor(
    mut floor: Floor,
    redis: Redis,
    load: Load,
    warm_up: Duration,
    time: Duration,
) -> Result<Run> {
    let meter = Meter {
        pids: floor.pids(),
        services: None,
        redis: Some(redis),
    };
    let mut watch = Watch::new(
        &format!("floor {}", load.words()),
        Until::Passed(time),
        warm_up,
    );
    sleep(warm_up).await;
    let mut peaks = Peaks::default();
    let (first, begun) = (floor.ended()?, Instant::now());
    let mut before = meter.read().await?;
    before.written = floor.written()?.into_iter().collect();
    while begun.elapsed() < time {
        meter.look(&mut peaks).await?;
        let left = time.saturating_sub(begun.elapsed());
        sleep((TICK * TICKS_PER_LOOK).min(left)).await;
        let ended = floor.ended()?;
        watch.show(ended.completed + ended.declined);
    }
    let (last, took) = (floor.ended()?, begun.elapsed());
    let mut after = meter.read().await?;
    after.written = floor.written()?.into_iter().collect();
    let completed = last.completed - first.completed;
    let declined = last.declined - first.declined;
    let cost = Cost::of(completed + declined, &before, &after, &peaks);
    Ok(Run {
        name: load.name(),
        load,
        seconds: took.as_secs_f64(),
        completed,
        declined,
        unexpected: BTreeMap::new(),
        completed_per_second: rate(completed, took),
        ended_per_second: rate(completed + declined, took),
        latency_ms: None,
        driver_late_ms: None,
        cost,
    })
}

fn run_of(load: Load, tally: &Tally, before: &Reading, after: &Reading, peaks: &Peaks) -> Run {
    let (completed, declined, took) = (tally.completed(), tally.declined(), tally.counted_for());
    Run {
        name: load.name(),
        load,
        seconds: took.as_secs_f64(),
        completed,
        declined,
        unexpected: tally.unexpected().clone(),
        completed_per_second: rate(completed, took),
        ended_per_second: rate(completed + declined, took),
        latency_ms: tally.latencies(),
        driver_late_ms: tally.lateness(),
        cost: Cost::of(completed + declined, before, after, peaks),
    }
}

#[allow(clippy::cast_precision_loss)] // counts far below 2^53
fn rate(count: u64, took: Duration) -> f64 {
    count as f64 / took.as_secs_f64().max(1e-9)
}

/// Shows how far it is, and looks at the memory now and then.
struct Watch {
    progress: Progress,
    until: Until,
    begun: Instant,
    ticks: u32,
    last: (Instant, u64),
}

impl Watch {
    fn new(what: &str, until: Until, warm_up: Duration) -> Self {
        let progress = match until {
            Until::Passed(time) => Progress::lasting(what, warm_up + time),
            Until::Ended(purchases) => Progress::new(what, purchases),
        };
        let now = Instant::now();
        Self {
            progress,
            until,
            begun: now,
            ticks: 0,
            last: (now, 0),
        }
    }

    async fn pass(&mut self, time: Duration, driver: &Driver, ended: impl Fn() -> u64) {
        let end = Instant::now() + time;
        while Instant::now() < end && !driver.has_ended() {
            sleep(TICK.min(end.saturating_duration_since(Instant::now()))).await;
            self.show(ended());
        }
    }

    /// How many ended a second since it was shown before.
    fn show(&mut self, ended: u64) {
        let (since, before) = self.last;
        let now = Instant::now();
        let rate = rate(ended.saturating_sub(before), now - since);
        self.last = (now, ended);
        let message = format!("{rate:.0} purchases/s");
        match self.until {
            Until::Passed(_) => self.progress.after(self.begun.elapsed(), message),
            Until::Ended(_) => self.progress.at(ended, message),
        }
    }

    async fn look(&mut self, meter: &Meter<'_>, peaks: &mut Peaks) -> Result<()> {
        if self.ticks.is_multiple_of(TICKS_PER_LOOK) {
            meter.look(peaks).await?;
        }
        self.ticks += 1;
        Ok(())
    }
}
