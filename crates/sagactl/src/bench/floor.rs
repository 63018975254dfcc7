//! The floor: what a purchase costs at least. Six processes, a plain loop each, issue the same
//! Redis commands and write the same rows as the services, in batches that form in the same way,
//! with no logic, no HTTP, no log and nothing parsed. What the system takes beyond it is what its
//! safety and its APIs cost.

mod conveyor;
mod hold;
mod inventory;
mod item;
mod ledger;
mod notify;
mod order;
pub mod part;
mod payment;
mod texts;
mod user;

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result};
use saga_events::Service;
use serde::{Deserialize, Serialize};

use super::meter::Written;

/// What one costs, in the currency's minor unit.
const PRICE: i64 = 10_000;
/// Money and stock that do not run out.
const PLENTY: i64 = 1_000_000_000_000_000;
/// A trace like those that every purchase carries.
const TRACE: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
/// Why a purchase is declined.
const DECLINED: &str = "PAYMENT_DECLINED";

/// What a part has done since it started.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Counts {
    commits: u64,
    jobs: u64,
    checkpoints: u64,
    /// Purchases that ended as bought: order-svc's part tells.
    pub completed: u64,
    /// Purchases that ended as declined: order-svc's part tells.
    pub declined: u64,
}

/// The six parts. Dropping it ends them.
pub struct Floor {
    parts: Vec<Part>,
}

struct Part {
    service: Service,
    child: Child,
    ask: Option<ChildStdin>,
    told: BufReader<ChildStdout>,
}

impl Floor {
    /// Starts the parts, with files in this folder, and waits until all work.
    ///
    /// # Errors
    /// One does not start; it says why on standard error.
    pub fn start(
        redis: &str,
        folder: &Path,
        in_flight: usize,
        users: u64,
        items: u64,
    ) -> Result<Self> {
        std::fs::create_dir_all(folder)?;
        let mut floor = Self { parts: Vec::new() };
        // order-svc's part comes last: it begins at once, and the others have joined by then.
        for service in Service::ALL.into_iter().rev() {
            let mut command = Command::new(std::env::current_exe()?);
            command.arg("floor-part").arg(service.as_str());
            command
                .arg("--redis")
                .arg(redis)
                .arg("--folder")
                .arg(folder);
            command.args(["--in-flight", &in_flight.to_string()]);
            command.args(["--users", &users.to_string()]);
            command.args(["--items", &items.to_string()]);
            let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
            let mut child = piped
                .spawn()
                .context("a part of the floor does not start")?;
            let (ask, told) = (child.stdin.take(), child.stdout.take());
            let told = BufReader::new(told.context("a part without an output")?);
            let mut part = Part {
                service,
                child,
                ask,
                told,
            };
            part.counts()?;
            floor.parts.push(part);
        }
        floor.parts.reverse();
        Ok(floor)
    }

    /// The parts' processes, by the services whose work they do.
    pub fn pids(&self) -> Vec<(String, u32)> {
        let pid = |part: &Part| (part.service.to_string(), part.child.id());
        self.parts.iter().map(pid).collect()
    }

    /// What each part has done up to now.
    ///
    /// # Errors
    /// One has ended.
    pub fn written(&mut self) -> Result<Vec<(String, Written)>> {
        let of = |part: &mut Part| {
            let Counts {
                commits,
                jobs,
                checkpoints,
                ..
            } = part.counts()?;
            let written = Written {
                commits,
                jobs,
                checkpoints,
            };
            Ok((part.service.to_string(), written))
        };
        self.parts.iter_mut().map(of).collect()
    }

    /// How many purchases have ended up to now.
    ///
    /// # Errors
    /// order-svc's part has ended.
    pub fn ended(&mut self) -> Result<Counts> {
        let mut parts = self.parts.iter_mut();
        let order = parts.find(|part| part.service == Service::Order);
        order.context("nobody does order-svc's work")?.counts()
    }
}

impl Part {
    fn counts(&mut self) -> Result<Counts> {
        let service = self.service;
        let ended = || format!("the floor's part of {service} has ended");
        if let Some(ask) = &mut self.ask {
            ask.write_all(b"\n").with_context(ended)?;
        }
        let mut line = String::new();
        self.told.read_line(&mut line).with_context(ended)?;
        serde_json::from_str(&line).with_context(ended)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        // The end of its input ends it; it need not, since nothing of it is kept.
        drop(self.ask.take());
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
