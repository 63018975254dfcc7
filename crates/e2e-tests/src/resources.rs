//! What the processes take of the machine.

use std::collections::BTreeMap;
use std::fmt;
use std::process::Command;

use saga_events::{LINE, Service, bus};

use crate::System;

const MB: u64 = 1 << 20;

/// What each process takes at one moment, or took at most.
#[derive(Debug, Clone, Default)]
pub struct Resources {
    /// Resident memory of each service, in bytes.
    pub services: BTreeMap<Service, u64>,
    /// What Redis says that it uses, in bytes.
    pub redis: u64,
    /// The longest write-ahead log, in bytes.
    pub log: u64,
}

impl Resources {
    /// At this moment. A process that does not run takes nothing.
    pub async fn now(system: &System) -> Self {
        let services = Service::ALL.into_iter().filter_map(|service| {
            let bytes = resident(system.pid(service)?)?;
            Some((service, bytes))
        });
        let log = |service| {
            let log = system.folder().join(format!("{service}.db-wal"));
            std::fs::metadata(log).map_or(0, |file| file.len())
        };
        Self {
            services: services.collect(),
            redis: system.redis().used_memory().await.unwrap_or(0),
            log: Service::ALL.into_iter().map(log).max().unwrap_or(0),
        }
    }

    /// Keeps the higher numbers of both.
    pub fn raise(&mut self, other: &Self) {
        for (service, bytes) in &other.services {
            let most = self.services.entry(*service).or_default();
            *most = (*most).max(*bytes);
        }
        self.redis = self.redis.max(other.redis);
        self.log = self.log.max(other.log);
    }

    /// What is over these bounds, in sentences.
    pub fn over(&self, bounds: &Bounds) -> Vec<String> {
        let services = self
            .services
            .iter()
            .map(|(service, bytes)| (service.to_string(), *bytes, bounds.service_mb));
        let others = [
            ("redis".to_owned(), self.redis, bounds.redis_mb),
            ("a write-ahead log".to_owned(), self.log, bounds.log_mb),
        ];
        let over = services
            .chain(others)
            .filter(|(_, bytes, most)| *bytes > most * MB);
        over.map(|(name, bytes, most)| format!("{name} took {} MB, more than {most}", bytes / MB))
            .collect()
    }
}

impl fmt::Display for Resources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (service, bytes) in &self.services {
            let name = service.as_str().trim_end_matches("-svc");
            write!(f, "{name} {} ", bytes / MB)?;
        }
        write!(f, "redis {} log {} MB", self.redis / MB, self.log / MB)
    }
}

/// What a process may take, in megabytes.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    /// Resident memory of each service.
    pub service_mb: u64,
    /// Redis.
    pub redis_mb: u64,
    /// Each write-ahead log.
    pub log_mb: u64,
}

impl Bounds {
    /// What the services promise.
    pub const PROMISED: Self = Self {
        service_mb: 64,
        redis_mb: 96,
        log_mb: 64,
    };
}

/// Resident memory of a process in bytes, from where Linux tells it, else from `ps`.
fn resident(pid: u32) -> Option<u64> {
    let kilobytes = match std::fs::read_to_string(format!("/proc/{pid}/status")) {
        Ok(status) => status
            .lines()
            .find_map(|line| line.strip_prefix("VmRSS:"))
            .map(|rest| rest.trim().trim_end_matches(" kB").to_owned())?,
        Err(_) => {
            let asked = Command::new("ps")
                .args(["-o", "rss=", "-p", &pid.to_string()])
                .output();
            String::from_utf8(asked.ok()?.stdout).ok()?
        }
    };
    Some(kilobytes.trim().parse::<u64>().ok()? * 1024)
}

impl System {
    /// How long the streams are: those that somebody reads, and the others, together.
    pub async fn stream_lengths(&self) -> (u64, u64) {
        let (mut read, mut unread) = (0, 0);
        for spec in LINE {
            let key = bus::stream(0, spec.event_type);
            let length: u64 = self.redis().ask(&format!("XLEN {key}")).await;
            *if spec.consumers.is_empty() {
                &mut unread
            } else {
                &mut read
            } += length;
        }
        (read, unread)
    }
}
