//! `sagactl bench`: how many purchases the system completes, how fast, and what they cost, against
//! the floor: what the same rows and the same Redis commands cost without any logic.

mod buyers;
mod driver;
mod evenness;
mod floor;
mod machine;
mod measure;
mod meter;
mod place;
mod plan;
mod progress;
mod report;
mod shelves;
mod tally;
mod wire;

pub use floor::part;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use saga_audit::{Auditor, Scope};
use saga_events::{Service, Timestamp};
use tokio::time::sleep;

use crate::client::Client;
use crate::exit::Exit;
use crate::gateway::Gateway;
use crate::interruption::interruption;
use crate::screen::{Screen, Tone};
use crate::services::Services;
use buyers::Buyers;
use floor::Floor;
use measure::{Bench, Until};
use meter::{Meter, Redis};
use place::Place;
use plan::{Load, Plan};
use progress::Progress;
use report::{Audited, Long, Ratio, Report, Run, Settings};

/// The share of the payments that the gateway approves.
const APPROVED: f64 = 0.9;
/// The widths at which the floor is measured where no closed loop says at which.
const WIDTHS: [usize; 2] = [512, 64];
/// The load of the long run.
const LONG: Load = Load::Closed { in_flight: 512 };
/// A service's own report; a million purchases take some seconds.
const AUDITED_WITHIN: Duration = Duration::from_secs(300);
/// From so many processors on, what other programs do is told: the kernel's own writing takes less.
const OTHERS: f64 = 0.2;
/// Until the last buyers are told, so that the audit can judge sums.
const QUIET_WITHIN: Duration = Duration::from_secs(60);

/// What `sagactl bench` can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// Drives the system that the addresses name, instead of one that it starts and removes itself.
    /// Its users, items and purchases stay there
    #[arg(long)]
    running: bool,
    /// With --running: the system's Redis, to tell what that takes
    #[arg(long, value_name = "URL", requires = "running")]
    redis: Option<String>,
    /// Where the system's files and logs go, to be looked at afterwards [default: a temporary
    /// folder that is removed]
    #[arg(long, value_name = "FOLDER", conflicts_with = "running")]
    folder: Option<PathBuf>,
    /// Measures only these: closed-N (so many in flight), open-N (so many a second), floor
    #[arg(long, value_name = "LOAD", value_delimiter = ',')]
    only: Vec<String>,
    /// Buys so often with 512 in flight, and tells whether that becomes slower; then a tenth as
    /// often in a new system, to tell that from a machine that does. Alone it is all that is
    /// measured; --only adds loads
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(10..))]
    orders: Option<u64>,
    /// Counts for so long under each load
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Lets each load run for so long before it counts
    #[arg(long, value_name = "SECONDS", default_value_t = 2)]
    warm_up: u64,
    /// How many users buy
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u64).range(1..))]
    users: u64,
    /// How many items they buy
    #[arg(long, value_name = "N", default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    items: u64,
    /// Writes the report to this file as JSON; `-`: to standard output, in place of the tables
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Shows each figure beside that of an earlier report
    #[arg(long, value_name = "FILE")]
    compare: Option<PathBuf>,
}

/// Measures, and tells.
///
/// # Errors
/// The system does not start, or does not answer any more.
pub async fn run(services: Services, screen: &mut Screen, options: &Options) -> Result<Exit> {
    let plan = options.plan()?;
    // Before minutes pass.
    let before = options.compare.as_deref().map(Report::read).transpose()?;
    let report = tokio::select! {
        report = measured(services, options, &plan) => report?,
        stopped = interruption() => stopped?,
    };
    show(screen, options.json.as_deref(), &report, before.as_ref())?;
    Ok(if report.is_good() {
        Exit::Clean
    } else {
        Exit::Failed
    })
}

impl Options {
    fn plan(&self) -> Result<Plan> {
        match self.orders {
            Some(_) if self.only.is_empty() => Ok(Plan {
                loads: Vec::new(),
                floor: false,
            }),
            _ => Plan::of(&self.only),
        }
    }
}

fn show(
    screen: &mut Screen,
    json: Option<&Path>,
    report: &Report,
    before: Option<&Report>,
) -> Result<()> {
    match json {
        Some(path) if path == Path::new("-") => return screen.json(report),
        Some(path) => std::fs::write(path, serde_json::to_string_pretty(report)? + "\n")
            .with_context(|| format!("{} cannot be written", path.display()))?,
        None => {}
    }
    report::tell(screen, report)?;
    if let Some(before) = before {
        let (table, doubts) = report::compare(before, report);
        screen.line("")?;
        screen.table(&table)?;
        for doubt in doubts {
            let line = format!("hard to compare: {doubt}");
            screen.line(screen.paint(Some(Tone::Bad), line))?;
        }
    }
    Ok(())
}

async fn measured(services: Services, options: &Options, plan: &Plan) -> Result<Report> {
    let place = Place::find(services, options).await?;
    let mut report = at(place, async |place, client| {
        measured_at(place, client, options, plan).await
    })
    .await?;
    if let (Some(long), Some(orders), false) = (&mut report.long, options.orders, options.running) {
        let place = Place::start(options.folder.as_ref().map(|folder| folder.join("new"))).await?;
        let run = at(place, async |place, client| {
            let bench = bench_at(place, client, options).await?;
            let (run, _) = bench.load(LONG, Until::Ended(orders / 10)).await?;
            Ok(run)
        });
        long.beside(run.await?);
    }
    Ok(report)
}

/// Does this to a system whose gateway declines as a bench's does, and ends it.
async fn at<T>(place: Place, work: impl AsyncFnOnce(&Place, &Client) -> Result<T>) -> Result<T> {
    let client = Client::new(place.services())?;
    let gateway = Gateway::take_over(&client).await?;
    let asked = gateway.approve(APPROVED).await;
    asked.context("the share of declines cannot be set: is the demo switch on?")?;
    let done = work(&place, &client).await;
    let given_back = gateway.give_back().await;
    let done = done?;
    given_back?;
    place.end().await?;
    Ok(done)
}

/// Fills the shop, and has the buyers wait before it.
async fn bench_at<'a>(place: &Place, client: &'a Client, options: &Options) -> Result<Bench<'a>> {
    let services = place.services();
    let (users, items) = (options.users, options.items);
    let made = Progress::new("shop", 2 * users + items);
    shelves::fill(&services, users, items, move || made.one_more()).await?;
    let redis = match place.redis() {
        Some(url) => Some(Redis::at(&url).await?),
        None => None,
    };
    let order_svc = wire::address_of(services.url(Service::Order))?;
    Ok(Bench {
        meter: Meter {
            pids: place.pids(),
            services: Some(client),
            redis,
        },
        buyers: Arc::new(Buyers::new(order_svc, users, items)),
        warm_up: Duration::from_secs(options.warm_up),
    })
}

async fn measured_at(
    place: &Place,
    client: &Client,
    options: &Options,
    plan: &Plan,
) -> Result<Report> {
    let bench = bench_at(place, client, options).await?;
    let version = match &bench.meter.redis {
        Some(redis) => redis.info().await?.version(),
        None => None,
    };
    let mut report = Report {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        at: Timestamp::now(),
        machine: machine::machine(&place.folder(), version)?,
        slow_share: slow_share().await?,
        settings: Settings {
            own_system: !options.running,
            users: options.users,
            items: options.items,
            seconds: options.seconds,
            warm_up: options.warm_up,
        },
        system: Vec::new(),
        floor: Vec::new(),
        ratios: Vec::new(),
        long: None,
        audit: Audited::default(),
        lacking: Vec::new(),
    };
    let time = Duration::from_secs(options.seconds);
    for load in &plan.loads {
        let (run, _) = bench.load(*load, Until::Passed(time)).await?;
        bench.settle(client).await?;
        place.write_back()?;
        if let (Some(in_flight), true) = (load.in_flight(), plan.floor) {
            let floor = floor_of(place, options, in_flight).await?;
            report.ratios.push(Ratio::of(in_flight, &run, &floor));
            report.floor.push(floor);
        }
        report.system.push(run);
    }
    if plan.floor && report.floor.is_empty() {
        for in_flight in WIDTHS {
            report
                .floor
                .push(floor_of(place, options, in_flight).await?);
        }
    }
    if let Some(orders) = options.orders {
        let (run, tenths) = bench.load(LONG, Until::Ended(orders)).await?;
        bench.settle(client).await?;
        report.long = Some(Long::of(run, tenths));
    }
    report.audit = audit(&place.services()).await?;
    report.lacking = lacking(&report);
    report.at = Timestamp::now();
    Ok(report)
}

async fn slow_share() -> Result<f64> {
    let _line = Progress::waiting("machine");
    Ok(tokio::task::spawn_blocking(evenness::slow_share).await?)
}

/// The floor at this width, on a Redis of its own that is set as the system's.
async fn floor_of(place: &Place, options: &Options, in_flight: usize) -> Result<Run> {
    let ground = place.ground().await?;
    let (url, folder) = (ground.redis(), ground.folder());
    let floor = Floor::start(&url, folder, in_flight, options.users, options.items)?;
    let redis = Redis::at(&url).await?;
    let warm_up = Duration::from_secs(options.warm_up);
    let time = Duration::from_secs(options.seconds);
    measure::floor(floor, redis, Load::Closed { in_flight }, warm_up, time).await
}

/// Every purchase, and every sum once all buyers are told.
async fn audit(services: &Services) -> Result<Audited> {
    let _line = Progress::waiting("audit");
    let auditor = Auditor::new(|service| services.url(service).to_owned())?;
    let auditor = auditor.waiting(AUDITED_WITHIN);
    let deadline = Instant::now() + QUIET_WITHIN;
    loop {
        let audit = auditor.audit(Scope::All).await;
        if audit.quiet || !audit.ok || Instant::now() > deadline {
            return Ok(Audited::from(&audit));
        }
        sleep(Duration::from_secs(1)).await;
    }
}

/// What could not be had, and why.
fn lacking(report: &Report) -> Vec<String> {
    let mut lacking = Vec::new();
    let mut unless = |known: bool, what: &str| {
        if !known {
            lacking.push(what.to_owned());
        }
    };
    let all = |is: fn(&Run) -> bool| report.runs().all(is);
    unless(
        all(|run| run.cost.cpu_ms.contains_key(meter::REDIS)),
        "what Redis takes is not known: --redis says where it is",
    );
    unless(
        all(|run| !run.cost.fsyncs.is_empty()),
        "commits are not known: the services do not tell them at /metrics",
    );
    unless(
        all(|run| {
            Service::ALL
                .iter()
                .all(|service| run.cost.cpu_ms.contains_key(service.as_str()))
        }),
        "the services' CPU time and memory are not known: they do not tell them at /metrics",
    );
    unless(
        report.machine.file_system.as_deref() != Some("tmpfs"),
        "the files are in memory, where a sync costs nothing: --folder on a disk says more",
    );
    lacking.extend(evenness::warning(report.slow_share));
    let runs = report.runs().map(|run| (run.name.clone(), run));
    let floors = report.floor.iter();
    let floors = floors.map(|run| (format!("floor {}", run.name), run));
    for (name, run) in runs.chain(floors) {
        if let Some(others) = run.cost.others.filter(|others| *others > OTHERS) {
            lacking.push(format!(
                "{name}: other programs kept {others:.1} processors busy, which is measured, too"
            ));
        }
    }
    lacking
}
