//! A run of one seed, and runs of many.

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use payment_svc::gateway::simulated::{Behaviour, Kind, Outage, Simulated};
use saga_events::Service;
use saga_model::record::Cell;

use crate::air::Air;
use crate::audit::{audit_live, audit_quiet};
use crate::chaos::something_happens;
use crate::fault::{Counts, Fault};
use crate::judge::judge;
use crate::settle::{come_to_rest, end_all};
use crate::stray::impossible;
use crate::world::World;
use crate::wrong::Wrong;

/// Purchases of one seed at most; few, so that each run ends soon and another schedule begins.
const PURCHASES: u32 = 30;
/// So many things happen for each purchase while everything goes wrong.
const HAPPENINGS: u32 = 45;

/// One in so many happenings is followed by an audit.
const AUDITS: u64 = 2_000;
/// So many impossible events meet the final orders.
const STRAYS: u32 = 10;

/// What came of a seed whose run holds what is promised.
#[derive(Debug, Clone, Default)]
pub struct Run {
    /// Orders that exist.
    pub purchases: u64,
    /// Of those, the ones that were completed.
    pub completed: u64,
    /// Committed steps.
    pub steps: u64,
    /// What went wrong how often.
    pub faults: Counts,
    /// The cells of the state tables that were reached.
    pub cells: BTreeSet<Cell>,
    /// The cells that cannot be, reached by what was made up: whose, state, input.
    pub impossible: BTreeSet<(Service, &'static str, &'static str)>,
    /// What everything that happened comes to.
    pub digest: u64,
}

/// A seed whose run does not hold what is promised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The seed; it replays the run.
    pub seed: u64,
    /// What is not as it must be.
    pub what: String,
    /// The last that happened.
    pub story: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, what, story } = self;
        for line in story {
            writeln!(f, "{line}")?;
        }
        write!(f, "seed {seed}: {what}")
    }
}

impl std::error::Error for Violation {}

/// Runs seeds: with a folder for their databases and a gateway that is never asked.
pub struct Simulator {
    folder: tempfile::TempDir,
    gateway: Arc<Simulated>,
    wrong: Option<Wrong>,
}

impl Simulator {
    /// A simulator of the services as they are, or with something done wrong.
    ///
    /// # Errors
    /// The temporary folder cannot be written.
    pub fn new(wrong: Option<Wrong>) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("saga-sim-").tempdir()?;
        let never_asked = |error: String| anyhow::anyhow!(error);
        let behaviour = Behaviour {
            kind: Kind::Simulated,
            approval_rate: 1.0.try_into().map_err(never_asked)?,
            latency_min_ms: 0.try_into().map_err(never_asked)?,
            latency_max_ms: 0.try_into().map_err(never_asked)?,
            outage: Outage::Refuse,
            seed: 0.try_into().map_err(never_asked)?,
        };
        let gateway = Simulated::open(&folder.path().join("gateway.db"), behaviour)?;
        Ok(Self {
            folder,
            gateway: Arc::new(gateway),
            wrong,
        })
    }

    /// Runs a seed: a pure function of it.
    ///
    /// # Errors
    /// The first thing that must not be, with the last that happened before.
    pub fn run(&self, seed: u64) -> Result<Run, Violation> {
        self.attempt(seed, false).map_err(|what| {
            // The same again, and now the story is told.
            let told = self.attempt(seed, true).err();
            let (again, story) = told.unwrap_or_default();
            let same = again == what.0;
            let what = if same {
                again
            } else {
                format!("{}, but when run again: {again:?}", what.0)
            };
            Violation { seed, what, story }
        })
    }

    fn attempt(&self, seed: u64, tell: bool) -> Result<Run, (String, Vec<String>)> {
        let no_story = |error: anyhow::Error| (format!("{error:#}"), Vec::new());
        let folder =
            tempfile::tempdir_in(self.folder.path()).map_err(|error| no_story(error.into()))?;
        let mut world = self.open(folder.path(), seed, tell).map_err(no_story)?;
        match live(&mut world) {
            Ok(()) => Ok(summary(&world)),
            Err(what) => Err((what, world.air.story())),
        }
    }

    fn open(&self, folder: &Path, seed: u64, tell: bool) -> anyhow::Result<World> {
        World::open(folder, &self.gateway, Air::of(seed, tell), self.wrong)
    }
}

/// Chaos, the end of it, and then everything once more from the beginning, a long time later.
fn live(world: &mut World) -> Result<(), String> {
    let mut purchases_left = 1 + u32::try_from(world.air.dice.below(PURCHASES.into())).unwrap_or(0);
    for _ in 0..purchases_left * HAPPENINGS {
        something_happens(world, &mut purchases_left)?;
        if world.air.dice.below(AUDITS) == 0 {
            audit_live(world, &mut purchases_left)?;
        }
    }
    end_all(world)?;
    judge(world)?;
    replay(world)?;
    judge(world)?;
    audit_quiet(world)
}

/// All that was ever published comes again, in any order, and much that cannot be: nothing that was
/// final changes.
fn replay(world: &mut World) -> Result<(), String> {
    world
        .air
        .tell(|| "everything that was ever published comes again".to_owned());
    let mut history = world.air.history.clone();
    world.air.dice.shuffle(&mut history);
    for (stream, bytes) in history {
        world.air.bus.add(&stream, bytes);
    }
    for _ in 0..STRAYS {
        impossible(world)?;
    }
    come_to_rest(world)
}

fn summary(world: &World) -> Run {
    let known = &world.known;
    let states = known
        .orders()
        .keys()
        .map(|order| known.state(*order, Service::Order));
    Run {
        purchases: known.orders().len() as u64,
        completed: states
            .filter(|state| state.starts_with("COMPLETED"))
            .count() as u64,
        steps: known.steps,
        faults: world.air.faults,
        cells: known.cells.clone(),
        impossible: known.impossible.clone(),
        digest: world.air.digest(),
    }
}

/// What came of many seeds.
#[derive(Debug, Clone, Default)]
pub struct Total {
    /// Seeds that were run.
    pub schedules: u64,
    /// All of them together.
    pub sum: Run,
}

impl Total {
    pub(crate) fn add(&mut self, run: Run) {
        self.schedules += 1;
        self.sum.purchases += run.purchases;
        self.sum.completed += run.completed;
        self.sum.steps += run.steps;
        self.sum.faults += &run.faults;
        self.sum.cells.extend(run.cells);
        self.sum.impossible.extend(run.impossible);
        // Whatever thread ran it, the sum is the same.
        self.sum.digest = self.sum.digest.wrapping_add(run.digest);
    }
}

impl fmt::Display for Total {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { schedules, sum } = self;
        let Run {
            purchases,
            completed,
            steps,
            faults,
            ..
        } = sum;
        let all = faults.total();
        write!(
            f,
            "{purchases} purchases ({completed} completed) in {schedules} schedules, {steps} steps, {all} faults ("
        )?;
        for (place, fault) in Fault::ALL.into_iter().enumerate() {
            let comma = if place == 0 { "" } else { ", " };
            write!(f, "{comma}{} {}", fault.as_str(), faults[fault])?;
        }
        write!(f, ")")
    }
}

/// Runs seeds from the first one on until there were so many purchases, on so many threads. `tell`
/// hears how far it is. Which seeds are run may differ by a few where threads race; what each does
/// does not.
///
/// # Errors
/// The first violation; the other seeds are not run.
pub fn simulate(
    simulator: &Simulator,
    first_seed: u64,
    purchases: u64,
    threads: usize,
    tell: &(dyn Fn(&Total) + Sync),
) -> Result<Total, Violation> {
    let next = AtomicU64::new(first_seed);
    let stop = AtomicBool::new(false);
    let total = Mutex::new((Total::default(), None));
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) {
                    let ran = simulator.run(next.fetch_add(1, Ordering::Relaxed));
                    let mut total = total.lock().unwrap_or_else(PoisonError::into_inner);
                    match ran {
                        Ok(run) => total.0.add(run),
                        Err(violation) => {
                            total.1.get_or_insert(violation);
                        }
                    }
                    tell(&total.0);
                    if total.0.sum.purchases >= purchases || total.1.is_some() {
                        stop.store(true, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let (total, violation) = total.into_inner().unwrap_or_else(PoisonError::into_inner);
    violation.map_or(Ok(total), Err)
}
