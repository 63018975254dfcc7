//! The seven processes of a system as equals: what can be done to one can be done to each.

use std::fmt;
use std::path::PathBuf;
use std::process::ExitStatus;
use std::str::FromStr;

use saga_events::Service;

use crate::{Result, Signal, System};

/// One process of a system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Part {
    /// One of the six.
    Service(Service),
    /// Their Redis.
    Redis,
}

impl Part {
    /// All seven, in the order of the line.
    pub const ALL: [Self; 7] = [
        Self::Service(Service::Order),
        Self::Service(Service::User),
        Self::Service(Service::Inventory),
        Self::Service(Service::Item),
        Self::Service(Service::Payment),
        Self::Service(Service::Notify),
        Self::Redis,
    ];

    /// Its name: `item-svc`, `redis`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Service(service) => service.as_str(),
            Self::Redis => "redis",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|part| part.as_str() == text);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str).join(", ");
            format!("must be one of {names}, not {text:?}")
        })
    }
}

impl System {
    /// Starts a process; it is not ready yet. One that runs is killed before.
    ///
    /// # Errors
    /// Its program is not there, or does not start.
    pub fn launch_part(&self, part: Part) -> Result<()> {
        match part {
            Part::Service(service) => self.launch(service),
            Part::Redis => self.redis().launch(),
        }
    }

    /// `kill -9` of a process. Nothing, where it does not run.
    pub fn kill_part(&self, part: Part) {
        match part {
            Part::Service(service) => self.kill(service),
            Part::Redis => self.redis().kill(),
        }
    }

    /// Sends a signal to a process.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal_part(&self, part: Part, signal: Signal) -> Result<()> {
        match part {
            Part::Service(service) => self.send(service, signal),
            Part::Redis => self.redis().send(signal),
        }
    }

    /// How a process ended that was started and not killed; `None`: it runs.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn part_ended(&self, part: Part) -> Result<Option<ExitStatus>> {
        match part {
            Part::Service(service) => self.ended_by_itself(service),
            Part::Redis => self.redis().ended_by_itself(),
        }
    }

    /// Whether it says that it is ready; asked once.
    pub async fn part_is_ready(&self, part: Part) -> bool {
        match part {
            Part::Service(service) => self.is_ready(service).await.is_ok(),
            Part::Redis => self.redis().answers().await.is_ok(),
        }
    }

    /// Its process, if it was started and not killed.
    pub fn part_pid(&self, part: Part) -> Option<u32> {
        match part {
            Part::Service(service) => self.pid(service),
            Part::Redis => self.redis().pid(),
        }
    }

    /// Where it listens, or will.
    pub fn part_port(&self, part: Part) -> u16 {
        match part {
            Part::Service(service) => self.port(service),
            Part::Redis => self.redis().port(),
        }
    }

    /// What it prints.
    pub fn part_log(&self, part: Part) -> PathBuf {
        match part {
            Part::Service(service) => self.log(service),
            Part::Redis => self.redis().log(),
        }
    }
}
