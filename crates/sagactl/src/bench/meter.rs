//! What the processes take: CPU time, memory, commits, Redis commands. Read before and after, the
//! difference is what the purchases in between cost.

mod metrics;
mod proc;
mod redis;

pub use self::redis::Redis;

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::Result;
use saga_events::Service;
use serde::{Deserialize, Serialize};

use crate::client::Client;

/// How the driver is called among the processes.
pub const DRIVER: &str = "driver";
/// How Redis is called among the processes.
pub const REDIS: &str = "redis";

const MIB: f64 = 1024.0 * 1024.0;

/// Reads a system's processes.
pub struct Meter<'a> {
    /// Those of this machine whose number is known.
    pub pids: Vec<(String, u32)>,
    /// Where the services tell about themselves.
    pub services: Option<&'a Client>,
    /// Where Redis tells about itself, if that is known.
    pub redis: Option<Redis>,
}

/// What a writer has done since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Written {
    /// Transactions that were committed: a sync of the disk each.
    pub commits: u64,
    /// Inputs and requests in them.
    pub jobs: u64,
    /// Times that the write-ahead log was moved to the database file: two syncs each.
    pub checkpoints: u64,
}

/// What the processes had taken at one moment.
#[derive(Debug, Clone, Default)]
pub struct Reading {
    /// When, by this machine's clock.
    pub at: Option<Instant>,
    /// What all processors of this machine had worked, for whomever, in seconds.
    pub machine: Option<f64>,
    /// CPU time, in seconds.
    pub cpu: BTreeMap<String, f64>,
    /// What was written.
    pub written: BTreeMap<String, Written>,
    /// How often each Redis command was called.
    pub calls: BTreeMap<String, u64>,
}

/// The most memory that was seen, in bytes.
#[derive(Debug, Clone, Default)]
pub struct Peaks(BTreeMap<String, u64>);

/// What a purchase cost, on average. What could not be had is left out.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// CPU-milliseconds a purchase, by process.
    pub cpu_ms: BTreeMap<String, f64>,
    /// The sum of them, without the driver's.
    pub cpu_ms_total: f64,
    /// Processors that were busy with something else than what is measured, on average: where that
    /// is much, it is measured, too. `None` where not all processes are known to be here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub others: Option<f64>,
    /// The most memory that each process had, in MiB.
    pub memory_mib: BTreeMap<String, f64>,
    /// Syncs of the disk a purchase, by service: commits, and two for each time that the
    /// write-ahead log was moved.
    pub fsyncs: BTreeMap<String, f64>,
    /// Inputs and requests a commit, by service.
    pub batch: BTreeMap<String, f64>,
    /// Redis commands a purchase.
    pub redis_calls: BTreeMap<String, f64>,
}

impl Meter<'_> {
    /// What the processes have taken up to now.
    ///
    /// # Errors
    /// A process or a service that answered before does not answer.
    pub async fn read(&self) -> Result<Reading> {
        let mut reading = Reading {
            at: Some(Instant::now()),
            machine: proc::machine_seconds(),
            ..Reading::default()
        };
        for service in Service::ALL {
            let Some(text) = self.metrics_of(service).await? else {
                continue;
            };
            let name = service.to_string();
            if let Some(written) = metrics::written(&text) {
                reading.written.insert(name.clone(), written);
            }
            if let Some(seconds) = metrics::cpu_seconds(&text) {
                reading.cpu.insert(name, seconds);
            }
        }
        for (name, pid) in &self.pids {
            reading.cpu.insert(name.clone(), proc::cpu_seconds(*pid)?);
        }
        reading
            .cpu
            .insert(DRIVER.to_owned(), proc::cpu_seconds(std::process::id())?);
        if let Some(redis) = &self.redis {
            let info = redis.info().await?;
            reading
                .cpu
                .extend(info.cpu_seconds().map(|s| (REDIS.to_owned(), s)));
            reading.calls = info.calls();
        }
        Ok(reading)
    }

    /// Looks how much memory each has now.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub async fn look(&self, peaks: &mut Peaks) -> Result<()> {
        for (name, pid) in &self.pids {
            peaks.note(name, proc::memory_bytes(*pid)?);
        }
        peaks.note(DRIVER, proc::memory_bytes(std::process::id())?);
        if let Some(redis) = &self.redis {
            let info = redis.info().await?;
            info.memory_bytes()
                .into_iter()
                .for_each(|bytes| peaks.note(REDIS, bytes));
        }
        for service in Service::ALL {
            let name = service.as_str();
            if self.pids.iter().any(|(known, _)| known == name) {
                continue;
            }
            if let Some(text) = self.metrics_of(service).await? {
                let bytes = metrics::memory_bytes(&text);
                bytes.into_iter().for_each(|bytes| peaks.note(name, bytes));
            }
        }
        Ok(())
    }

    async fn metrics_of(&self, service: Service) -> Result<Option<String>> {
        match self.services {
            Some(services) => services.text(service, "/metrics").await,
            None => Ok(None),
        }
    }
}

impl Peaks {
    fn note(&mut self, name: &str, bytes: u64) {
        let most = self.0.entry(name.to_owned()).or_default();
        *most = bytes.max(*most);
    }
}

impl Cost {
    /// What these purchases cost between two readings.
    #[allow(clippy::cast_precision_loss)] // counts far below 2^53
    pub fn of(purchases: u64, before: &Reading, after: &Reading, peaks: &Peaks) -> Self {
        let purchases = purchases.max(1) as f64;
        let cpu = after.cpu.iter().map(|(name, seconds)| {
            let since = seconds - before.cpu.get(name).unwrap_or(&0.0);
            (name.clone(), since * 1000.0 / purchases)
        });
        let cpu_ms: BTreeMap<String, f64> = cpu.collect();
        let system = cpu_ms.iter().filter(|(name, _)| *name != DRIVER);
        let mut cost = Self {
            cpu_ms_total: system.map(|(_, ms)| ms).sum(),
            memory_mib: peaks
                .0
                .iter()
                .map(|(name, bytes)| (name.clone(), *bytes as f64 / MIB))
                .collect(),
            ..Self::default()
        };
        cost.cpu_ms = cpu_ms;
        cost.others = Self::others(before, after);
        for (name, written) in &after.written {
            let written = written.since(before.written.get(name).copied().unwrap_or_default());
            let syncs = written.commits + 2 * written.checkpoints;
            cost.fsyncs.insert(name.clone(), syncs as f64 / purchases);
            if written.commits > 0 {
                let batch = written.jobs as f64 / written.commits as f64;
                cost.batch.insert(name.clone(), batch);
            }
        }
        for (command, calls) in &after.calls {
            let calls = calls.saturating_sub(before.calls.get(command).copied().unwrap_or(0));
            if calls > 0 {
                cost.redis_calls
                    .insert(command.clone(), calls as f64 / purchases);
            }
        }
        cost
    }

    /// Of what all processors did between two readings, what these processes did not do.
    fn others(before: &Reading, after: &Reading) -> Option<f64> {
        let own: f64 = after.cpu.values().sum::<f64>() - before.cpu.values().sum::<f64>();
        let time = after
            .at?
            .saturating_duration_since(before.at?)
            .as_secs_f64();
        Some(((after.machine? - before.machine? - own) / time.max(1e-9)).max(0.0))
    }

    /// Syncs of the disk a purchase, of all services; `None` where they are not told.
    pub fn fsyncs_total(&self) -> Option<f64> {
        (!self.fsyncs.is_empty()).then(|| self.fsyncs.values().sum())
    }
}

impl Written {
    const fn since(self, before: Self) -> Self {
        Self {
            commits: self.commits.saturating_sub(before.commits),
            jobs: self.jobs.saturating_sub(before.jobs),
            checkpoints: self.checkpoints.saturating_sub(before.checkpoints),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(cpu: f64, commits: u64, checkpoints: u64, calls: u64) -> Reading {
        let written = Written {
            commits,
            jobs: 10 * commits,
            checkpoints,
        };
        Reading {
            at: None,
            machine: None,
            cpu: [("user-svc", cpu), (DRIVER, 9.0 * cpu)]
                .map(|(name, s)| (name.to_owned(), s))
                .into(),
            written: [("user-svc".to_owned(), written)].into(),
            calls: [("xadd".to_owned(), calls), ("info".to_owned(), 7)].into(),
        }
    }

    #[test]
    fn what_others_did_is_what_is_left() {
        let begun = Instant::now();
        let reading = |seconds: u64, machine: f64, own: f64| Reading {
            at: Some(begun + std::time::Duration::from_secs(seconds)),
            machine: Some(machine),
            ..reading(own, 0, 0, 0)
        };
        // Ten times its own: a service's second, and the driver's nine.
        let others = Cost::others(&reading(0, 100.0, 0.0), &reading(10, 125.0, 2.0));
        assert!(
            others.is_some_and(|others| (others - 0.5).abs() < 1e-9),
            "{others:?}"
        );
    }

    #[test]
    fn a_purchase_costs_the_difference_of_two_readings() {
        let mut peaks = Peaks::default();
        for bytes in [1, 3 << 20, 2 << 20] {
            peaks.note("user-svc", bytes);
        }
        let cost = Cost::of(
            1000,
            &reading(1.0, 100, 1, 11),
            &reading(1.5, 300, 6, 11_011),
            &peaks,
        );
        assert!((cost.cpu_ms["user-svc"] - 0.5).abs() < 1e-9);
        assert!((cost.cpu_ms_total - 0.5).abs() < 1e-9, "without the driver");
        assert!((cost.fsyncs_total().unwrap_or(0.0) - 0.21).abs() < 1e-9);
        assert!((cost.batch["user-svc"] - 10.0).abs() < 1e-9);
        assert!((cost.redis_calls["xadd"] - 11.0).abs() < 1e-9);
        assert!(
            !cost.redis_calls.contains_key("info"),
            "not called in between"
        );
        assert!((cost.memory_mib["user-svc"] - 3.0).abs() < 1e-9);
    }
}
