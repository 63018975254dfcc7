//! One part of the floor, in a process of its own: a plain loop, and nothing but rows and commands.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::Args;
use diesel::prelude::*;
use diesel_migrations::EmbeddedMigrations;
use saga_events::bus::{Bus, BusConfig};
use saga_events::{EventType, Service};

use super::conveyor::Conveyor;
use super::ledger::{Batch, Bought, Crowd, Ledger};
use super::texts::Texts;
use super::{Counts, inventory, item, notify, order, payment, user};

/// The services trim their streams so often, by default.
const TRIM_EVERY: Duration = Duration::from_millis(200);

/// What a part is told.
#[derive(Debug, Args)]
pub struct Options {
    /// Whose work it does
    service: Service,
    /// Where Redis is
    #[arg(long)]
    redis: String,
    /// Where its file goes
    #[arg(long)]
    folder: PathBuf,
    /// Purchases that order-svc's part keeps under way
    #[arg(long)]
    in_flight: usize,
    /// How many users there are
    #[arg(long)]
    users: u64,
    /// How many items there are
    #[arg(long)]
    items: u64,
}

/// What one service writes and says, without the reasons.
pub trait Work {
    /// The service's own tables.
    fn migrations(&self) -> Vec<EmbeddedMigrations>;

    /// The rows that purchases change.
    ///
    /// # Errors
    /// The database's.
    fn seed(&self, _conn: &mut SqliteConnection, _crowd: &Crowd) -> QueryResult<()> {
        Ok(())
    }

    /// The rows that follow from one input, and what is said about it.
    ///
    /// # Errors
    /// The database's.
    fn hear(
        &mut self,
        batch: &mut Batch<'_>,
        event_type: EventType,
        bought: Bought,
    ) -> QueryResult<()>;

    /// From one read that brought inputs to the next, at least.
    fn pace(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether there is something to do without an input.
    fn is_busy(&self) -> bool {
        false
    }

    /// What goes into the batch besides its inputs.
    ///
    /// # Errors
    /// The database's.
    fn add(&mut self, _batch: &mut Batch<'_>) -> QueryResult<()> {
        Ok(())
    }

    /// What follows a commit.
    ///
    /// # Errors
    /// Another database's.
    fn follow(&mut self) -> Result<()> {
        Ok(())
    }
}

/// What a part has done, as its loop counts it and another thread tells it.
#[derive(Default)]
struct Done {
    commits: AtomicU64,
    jobs: AtomicU64,
    checkpoints: AtomicU64,
    completed: AtomicU64,
    declined: AtomicU64,
    stop: AtomicBool,
}

impl Done {
    fn counts(&self) -> Counts {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            commits: count(&self.commits),
            jobs: count(&self.jobs),
            checkpoints: count(&self.checkpoints),
            completed: count(&self.completed),
            declined: count(&self.declined),
        }
    }
}

/// Works until standard input ends. To each line there it answers with one line: what it has done.
///
/// # Errors
/// Redis or the file.
pub fn run(options: &Options) -> Result<()> {
    let folder = &options.folder;
    match options.service {
        Service::Order => {
            let crowd = Crowd::new(options.users, options.items);
            work(options, order::Order::new(options.in_flight, crowd))
        }
        Service::User => work(options, user::User),
        Service::Inventory => work(options, inventory::Inventory),
        Service::Item => work(options, item::Item),
        Service::Payment => work(options, payment::Payment::open(&book(folder))?),
        Service::Notify => work(options, notify::Notify),
    }
}

fn book(folder: &Path) -> PathBuf {
    folder.join("gateway.db")
}

fn work(options: &Options, mut work: impl Work) -> Result<()> {
    let Options {
        service,
        redis,
        folder,
        users,
        items,
        ..
    } = options;
    let crowd = Crowd::new(*users, *items);
    let mut texts = Texts::new()?;
    let path = folder.join(format!("{service}.db"));
    let mut ledger = Ledger::open(&path, &work.migrations())?;
    ledger.conn.transaction(|conn| work.seed(conn, &crowd))?;
    let mut conveyor = Conveyor::open(redis, *service)?;
    let mut trimmer = Trimmer::open(redis, *service)?;
    let done = Arc::new(Done::default());
    tell(done.clone())?;
    while !done.stop.load(Ordering::Relaxed) {
        let heard = conveyor.read(&texts, work.is_busy())?;
        let pace = if heard.is_empty() {
            Duration::ZERO
        } else {
            work.pace()
        };
        let again = Instant::now() + pace;
        if !heard.is_empty() || work.is_busy() {
            let mut jobs = heard.len();
            let said = ledger.commit(&mut texts, |batch| {
                for input in &heard {
                    let bought = crowd.bought(input.order);
                    work.hear(batch, input.event_type, bought)?;
                }
                let before = batch.said.len();
                work.add(batch)?;
                jobs += batch.said.len() - before;
                Ok(())
            })?;
            conveyor.publish(&mut texts, &said, heard)?;
            work.follow()?;
            let add = |counter: &AtomicU64, count| counter.fetch_add(count, Ordering::Relaxed);
            add(&done.commits, 1);
            add(&done.jobs, u64::try_from(jobs)?);
            let ended = |kind| {
                said.iter()
                    .filter(|(event_type, _)| *event_type == kind)
                    .count()
            };
            add(
                &done.completed,
                u64::try_from(ended(EventType::OrderCompleted))?,
            );
            add(
                &done.declined,
                u64::try_from(ended(EventType::OrderCancelled))?,
            );
            add(&done.checkpoints, u64::from(ledger.tend()?));
        }
        trimmer.tend()?;
        std::thread::sleep(again.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// Answers who asks, and ends the loop when nobody can ask any more: a part never outlives the
/// bench.
fn tell(done: Arc<Done>) -> Result<()> {
    let answer = move || {
        for line in std::io::stdin().lock().lines() {
            let told = serde_json::to_string(&done.counts());
            let (Ok(_), Ok(told)) = (line, told) else {
                break;
            };
            let mut out = std::io::stdout().lock();
            if writeln!(out, "{told}").and_then(|()| out.flush()).is_err() {
                break;
            }
        }
        done.stop.store(true, Ordering::Relaxed);
    };
    let thread = std::thread::Builder::new().name("teller".into());
    thread.spawn(answer).context("a thread does not start")?;
    Ok(())
}

/// Cuts what is acknowledged, with the commands of the services' own trimmer.
struct Trimmer {
    service: Service,
    bus: Bus,
    runtime: tokio::runtime::Runtime,
    last: Instant,
}

impl Trimmer {
    fn open(redis: &str, service: Service) -> Result<Self> {
        let config = BusConfig {
            url: redis.to_owned(),
            partitions: 1,
            read_count: 1,
            block_ms: 1,
            claim_idle_ms: 60_000,
            max_stream_entries: 100_000,
            max_unconsumed_entries: 1_000,
            trim_ms: 200,
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        let entered = runtime.enter();
        let bus = Bus::open(&config, service)?;
        drop(entered);
        Ok(Self {
            service,
            bus,
            runtime,
            last: Instant::now(),
        })
    }

    fn tend(&mut self) -> Result<()> {
        if self.last.elapsed() < TRIM_EVERY {
            return Ok(());
        }
        self.last = Instant::now();
        for event_type in self.service.publishes() {
            self.runtime.block_on(self.bus.trim(event_type))?;
        }
        Ok(())
    }
}
