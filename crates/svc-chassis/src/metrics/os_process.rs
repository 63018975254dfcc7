//! What the operating system says about this process, under the names that all Prometheus clients
//! use. Read from Linux' `/proc`; elsewhere there is nothing to tell.

use std::fmt;
use std::fs;

use super::{Measures, Page};

/// Linux tells times in hundredths of a second, whatever its own clock's rate.
const TICKS_PER_SECOND: f64 = 100.0;

/// This process, as the operating system sees it.
#[derive(Debug)]
pub(super) struct OsProcess;

#[derive(Debug, Default, Clone, Copy, PartialEq)]
struct Seen {
    cpu_seconds: Option<f64>,
    /// In seconds since 1970.
    start_time: Option<f64>,
    resident_bytes: Option<f64>,
    threads: Option<f64>,
    open_fds: Option<f64>,
    max_fds: Option<f64>,
}

impl Seen {
    fn now() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/{name}")).unwrap_or_default();
        let (stat, status, limits) = (read("self/stat"), read("self/status"), read("self/limits"));
        let boot = field(&read("stat"), "btime");
        let start = ticks(&stat, 22).map(|ticks| ticks / TICKS_PER_SECOND);
        #[expect(clippy::cast_precision_loss)]
        let open_fds = fs::read_dir("/proc/self/fd")
            .ok()
            .map(|fds| fds.count() as f64);
        Self {
            cpu_seconds: ticks(&stat, 14)
                .zip(ticks(&stat, 15))
                .map(|(user, system)| (user + system) / TICKS_PER_SECOND),
            start_time: boot.zip(start).map(|(boot, start)| boot + start),
            resident_bytes: field(&status, "VmRSS:").map(|kib| kib * 1024.0),
            threads: field(&status, "Threads:"),
            open_fds,
            max_fds: field(&limits, "Max open files"),
        }
    }
}

/// A field of `/proc/self/stat` by its number in proc(5). The second is the program's name, which
/// may contain anything; the third follows its last parenthesis.
fn ticks(stat: &str, number: usize) -> Option<f64> {
    let (_, from_third) = stat.rsplit_once(')')?;
    from_third.split_whitespace().nth(number - 3)?.parse().ok()
}

/// The first number after this name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<f64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

impl Measures for OsProcess {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let now = Seen::now();
        if let Some(seconds) = now.cpu_seconds {
            let help = "CPU time spent, user and system";
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
            page.seconds("process_cpu_seconds_total", help, (seconds * 1e6) as u64)?;
        }
        let help = "When the process started, in seconds since 1970";
        page.gauge("process_start_time_seconds", help, now.start_time)?;
        let help = "Memory that the process has in RAM";
        page.gauge("process_resident_memory_bytes", help, now.resident_bytes)?;
        page.gauge("process_threads", "Threads of the process", now.threads)?;
        page.gauge("process_open_fds", "Open file descriptors", now.open_fds)?;
        page.gauge(
            "process_max_fds",
            "File descriptors that it may open",
            now.max_fds,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_may_be_called_anything() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194560 100 0 0 0 250 50 0 0 20 0 9 0 1234 1 2 3";
        assert_eq!(ticks(stat, 14).zip(ticks(stat, 15)), Some((250.0, 50.0)));
        assert_eq!(ticks(stat, 22), Some(1234.0));
        assert_eq!(ticks("", 14), None);
        assert_eq!(field("Name:\tx\nVmRSS:\t  512 kB\n", "VmRSS:"), Some(512.0));
        assert_eq!(
            field(
                "Max open files  unlimited unlimited files",
                "Max open files"
            ),
            None
        );
    }
}
