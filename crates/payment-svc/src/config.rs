//! payment-svc's own section of the configuration; `defaults.toml` explains each key.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;
use svc_chassis::Validate;

use crate::gateway::simulated::{Behaviour, Kind, LatencyMs, Outage, Rate, Seed};

/// The section `[gateway]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    approval_rate: Rate,
    latency_min_ms: LatencyMs,
    latency_max_ms: LatencyMs,
    outage: Outage,
    seed: Seed,
    book: String,
    timeout_ms: u64,
    /// Calls that may be open at a time.
    pub max_calls: usize,
}

impl Config {
    /// How the simulated gateway behaves at the start.
    pub fn behaviour(&self) -> Behaviour {
        Behaviour {
            kind: Kind::Simulated,
            approval_rate: self.approval_rate,
            latency_min_ms: self.latency_min_ms,
            latency_max_ms: self.latency_max_ms,
            outage: self.outage,
            seed: self.seed,
        }
    }

    /// The gateway's own file: unless given, beside the database's.
    pub fn book(&self, database: &Path) -> PathBuf {
        if self.book.is_empty() {
            database.with_file_name("gateway.db")
        } else {
            (&self.book).into()
        }
    }

    /// After so long a call has ended without an answer.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms)
    }
}

impl Validate for Config {
    fn validate(&self) -> Result<(), String> {
        if let Err(why) = self.behaviour().validate() {
            return Err(format!("gateway.latency_max_ms: {why}"));
        }
        for (key, value, max) in [
            ("timeout_ms", self.timeout_ms, 60_000),
            ("max_calls", self.max_calls as u64, 65_536),
        ] {
            if !(1..=max).contains(&value) {
                return Err(format!(
                    "gateway.{key}: must be from 1 to {max}, not {value}"
                ));
            }
        }
        Ok(())
    }
}
