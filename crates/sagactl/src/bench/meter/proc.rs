//! A process of this machine, as Linux tells about it.

use anyhow::{Context, Result};

/// Linux counts CPU time for programs in these, whatever its own clock ticks in.
const TICKS_PER_SECOND: f64 = 100.0;

/// User and system time of all its threads, in seconds.
///
/// # Errors
/// There is no such process, or this is not Linux.
pub fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = read(pid, "stat")?;
    cpu_of(&stat).with_context(|| format!("/proc/{pid}/stat reads {stat:?}"))
}

/// What it has in memory now, in bytes.
///
/// # Errors
/// As [`cpu_seconds`].
pub fn memory_bytes(pid: u32) -> Result<u64> {
    memory_of(&read(pid, "status")?).with_context(|| format!("process {pid} has ended"))
}

/// How long this machine's processors worked since it started, for whomever, in seconds; `None`: it
/// does not tell. What a hypervisor gave to other machines counts as work.
pub fn machine_seconds() -> Option<f64> {
    busy_of(&std::fs::read_to_string("/proc/stat").ok()?)
}

fn read(pid: u32, what: &str) -> Result<String> {
    let path = format!("/proc/{pid}/{what}");
    std::fs::read_to_string(&path).with_context(|| format!("{path} cannot be read"))
}

#[allow(clippy::cast_precision_loss)] // ticks far below 2^53
fn cpu_of(stat: &str) -> Option<f64> {
    // The name, in brackets, may contain anything; behind it the state is field 3.
    let (_, behind) = stat.rsplit_once(')')?;
    let mut fields = behind.split_whitespace();
    let user: u64 = fields.nth(11)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / TICKS_PER_SECOND)
}

#[allow(clippy::cast_precision_loss)] // ticks far below 2^53
fn busy_of(stat: &str) -> Option<f64> {
    let all = stat.lines().next()?.strip_prefix("cpu ")?;
    let ticks: Option<Vec<u64>> = all
        .split_whitespace()
        .map(|ticks| ticks.parse().ok())
        .collect();
    // user, nice, system, idle, waiting for the disk, two kinds of interrupts, stolen; then guests,
    // which are in user already.
    let [user, nice, system, _, _, irq, softirq, stolen, ..] = ticks?[..] else {
        return None;
    };
    Some((user + nice + system + irq + softirq + stolen) as f64 / TICKS_PER_SECOND)
}

fn memory_of(status: &str) -> Option<u64> {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpu_time_is_behind_the_name_whatever_the_name_is() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 150 99 98 20 0 3 0";
        assert_eq!(cpu_of(stat), Some(4.0));
        assert_eq!(cpu_of("7 (a"), None);
    }

    #[test]
    fn a_machine_that_waits_does_not_work() {
        let stat = "cpu  100 10 50 9999 8888 20 15 5 7 7\ncpu0 1 1 1 1 1 1 1 1 1 1\n";
        assert_eq!(busy_of(stat), Some(2.0));
        assert_eq!(busy_of("intr 5\n"), None);
    }

    #[test]
    fn memory_is_what_is_resident() {
        assert_eq!(
            memory_of("Name:\tx\nVmHWM:\t 9 kB\nVmRSS:\t    12 kB\n"),
            Some(12_288)
        );
        assert_eq!(memory_of("Name:\tzombie\n"), None);
    }
}
