//! What was measured, as `--json` writes it and `--compare` reads it.

mod compare;
mod figures;
mod tell;

pub use compare::compare;
pub use tell::tell;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use saga_audit::Audit;
use saga_events::Timestamp;
use serde::{Deserialize, Serialize};

use super::meter::Cost;
use super::plan::Load;
use super::tally::Spread;

/// One bench.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// This tool's version.
    pub version: String,
    /// When it ended.
    pub at: Timestamp,
    /// Where it ran.
    pub machine: Machine,
    /// The share of the time, from 0 to 1, in which a processor of it ran at less than half its speed
    /// while nothing else was to do.
    #[serde(default)]
    pub slow_share: f64,
    /// How it was done.
    pub settings: Settings,
    /// What the system did under each load.
    pub system: Vec<Run>,
    /// What the floor did at each width.
    pub floor: Vec<Run>,
    /// The system against the floor.
    pub ratios: Vec<Ratio>,
    /// The long run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub long: Option<Long>,
    /// What the audit found at the end.
    pub audit: Audited,
    /// What could not be had, and why.
    pub lacking: Vec<String>,
}

/// Where it ran: figures of different machines do not compare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Machine {
    /// Processors that may be used.
    pub cores: usize,
    /// What the processor is called.
    pub processor: Option<String>,
    /// How the kernel shares processors out to what the bench starts: `normal` unless somebody chose.
    pub scheduling: Option<String>,
    /// The kind of file system that the files were on.
    pub file_system: Option<String>,
    /// The SQLite that is built in.
    pub sqlite: String,
    /// The Redis that was used.
    pub redis: Option<String>,
}

/// How it was done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Settings {
    /// Whether the bench started the system itself.
    pub own_system: bool,
    /// How many users bought.
    pub users: u64,
    /// How many items they bought.
    pub items: u64,
    /// For how long each load was counted, in seconds.
    pub seconds: u64,
    /// For how long each load ran before it was counted, in seconds.
    pub warm_up: u64,
}

/// What was measured under one load.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Run {
    /// `closed-512`, `open-20`.
    pub name: String,
    /// The load.
    pub load: Load,
    /// For how long it was counted, in seconds.
    pub seconds: f64,
    /// Purchases that completed.
    pub completed: u64,
    /// Purchases that the payment declined, as one in ten is to be.
    pub declined: u64,
    /// What must not happen, by what it was; also outside of the counted time.
    pub unexpected: BTreeMap<String, u64>,
    /// Completed purchases a second.
    pub completed_per_second: f64,
    /// Purchases that ended a second, completed or declined.
    pub ended_per_second: f64,
    /// From a purchase's beginning (its due time in an open loop) to its end. The floor has none:
    /// nobody waits for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency_ms: Option<Spread>,
    /// How late the driver itself began what was due, within the latency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub driver_late_ms: Option<Spread>,
    /// What a purchase cost, completed or declined.
    pub cost: Cost,
}

/// The system against the floor, at the same width, one after the other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ratio {
    /// Purchases under way.
    pub in_flight: usize,
    /// The system's completed purchases a second over the floor's.
    pub throughput: f64,
    /// The system's CPU time a purchase over the floor's.
    pub cpu: f64,
}

/// Whether the system becomes slower as purchases accumulate.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Long {
    /// All of it.
    pub run: Run,
    /// Purchases that ended a second, in each tenth of them.
    pub tenths: Vec<f64>,
    /// The last tenth over the first.
    pub last_to_first: f64,
    /// Purchases that ended a second in a new system right after it, a tenth as many; `None` where
    /// none could be started.
    pub new_per_second: Option<f64>,
    /// The last tenth over that. Where it is more than `last_to_first`, so much of what became slower
    /// is the machine.
    pub last_to_new: Option<f64>,
}

/// What the audit found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Audited {
    /// Every law was judged, and holds.
    pub clean: bool,
    /// Purchases that were looked at one by one.
    pub purchases: u64,
    /// What is wrong, a sentence each.
    pub faults: Vec<String>,
}

impl Ratio {
    /// One run of the system against one of the floor.
    pub fn of(in_flight: usize, system: &Run, floor: &Run) -> Self {
        let over = |of_system: f64, of_floor: f64| of_system / of_floor.max(f64::MIN_POSITIVE);
        Self {
            in_flight,
            throughput: over(system.completed_per_second, floor.completed_per_second),
            cpu: over(system.cost.cpu_ms_total, floor.cost.cpu_ms_total),
        }
    }
}

impl Long {
    /// A run, and the rates of its tenths.
    pub fn of(run: Run, tenths: Vec<f64>) -> Self {
        let last_to_first = match (tenths.first(), tenths.last()) {
            (Some(first), Some(last)) => last / first.max(f64::MIN_POSITIVE),
            _ => 0.0,
        };
        Self {
            run,
            tenths,
            last_to_first,
            new_per_second: None,
            last_to_new: None,
        }
    }

    /// Beside what a new system did right after it, whose faults count as well.
    pub fn beside(&mut self, new: Run) {
        let (last, rate) = (self.tenths.last(), new.ended_per_second);
        self.last_to_new = last.map(|last| last / rate.max(f64::MIN_POSITIVE));
        self.new_per_second = Some(rate);
        for (end, count) in new.unexpected {
            *self.run.unexpected.entry(end).or_default() += count;
        }
    }
}

impl From<&Audit> for Audited {
    fn from(audit: &Audit) -> Self {
        let violated = audit
            .violations()
            .map(|check| format!("{} is violated", check.id));
        let missing = audit
            .missing
            .iter()
            .map(|service| format!("{service} does not answer"));
        let overdue = audit
            .overdue
            .iter()
            .map(|order| format!("order {order} is overdue"));
        let letters = audit.dead_letters;
        let letters = (letters > 0).then(|| format!("{letters} events are dead letters"));
        let moves =
            (!audit.quiet).then(|| "something is under way, so sums are not judged".to_owned());
        let faults = violated
            .chain(missing)
            .chain(overdue)
            .chain(letters)
            .chain(moves);
        let faults: Vec<String> = faults.collect();
        Self {
            clean: audit.ok && faults.is_empty(),
            purchases: audit.purchases,
            faults,
        }
    }
}

impl Report {
    /// Reads one that `--json` wrote.
    ///
    /// # Errors
    /// The file cannot be read, or is no report.
    pub fn read(path: &Path) -> Result<Self> {
        let path_shown = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("{path_shown}"))?;
        serde_json::from_str(&text).with_context(|| format!("{path_shown} is no report of a bench"))
    }

    /// Everything that ran on the system.
    pub fn runs(&self) -> impl Iterator<Item = &Run> {
        self.system
            .iter()
            .chain(self.long.iter().map(|long| &long.run))
    }

    /// Whether all purchases ended as they must, and the audit is clean.
    pub fn is_good(&self) -> bool {
        self.audit.clean && self.runs().all(|run| run.unexpected.is_empty())
    }
}
