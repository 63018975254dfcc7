//! A report as a person reads it.

use anyhow::Result;
use saga_events::Service;

use super::{Long, Report, Run};
use crate::bench::meter::{Cost, DRIVER, REDIS};
use crate::screen::{Screen, Tone};
use crate::table::Table;

/// What cannot be had.
const NONE: &str = "–";

/// The tables, and what is wrong.
///
/// # Errors
/// Nobody reads any more.
pub fn tell(screen: &mut Screen, report: &Report) -> Result<()> {
    head(screen, report)?;
    screen.line("")?;
    screen.table(&rates(report))?;
    screen.line("")?;
    screen.line(screen.paint(Some(Tone::Strong), "CPU-milliseconds a purchase"))?;
    screen.table(&by_process(
        report,
        |cost, name| cost.cpu_ms.get(name).copied(),
        3,
    ))?;
    screen.line("")?;
    screen.line(screen.paint(Some(Tone::Strong), "Memory at most, MiB"))?;
    screen.table(&by_process(
        report,
        |cost, name| cost.memory_mib.get(name).copied(),
        1,
    ))?;
    screen.line("")?;
    screen.line(screen.paint(Some(Tone::Strong), "Inputs and requests a commit"))?;
    screen.table(&by_process(
        report,
        |cost, name| cost.batch.get(name).copied(),
        1,
    ))?;
    if let Some(long) = &report.long {
        screen.line("")?;
        tell_long(screen, long)?;
    }
    screen.line("")?;
    for lacking in &report.lacking {
        screen.line(screen.paint(Some(Tone::Faint), lacking))?;
    }
    for run in report.runs() {
        for (what, times) in &run.unexpected {
            let line = format!("{}: {times} × {what}", run.name);
            screen.line(screen.paint(Some(Tone::Bad), line))?;
        }
    }
    for fault in &report.audit.faults {
        screen.line(screen.paint(Some(Tone::Bad), format!("audit: {fault}")))?;
    }
    let purchases = report.audit.purchases;
    let (tone, verdict) = if report.audit.clean {
        (Tone::Good, "clean")
    } else {
        (Tone::Bad, "not clean")
    };
    let line = format!("audit of {purchases} purchases: {verdict}");
    screen.line(screen.paint(Some(tone), line))?;
    Ok(())
}

fn head(screen: &mut Screen, report: &Report) -> Result<()> {
    let machine = &report.machine;
    let settings = &report.settings;
    let processor = machine
        .processor
        .as_deref()
        .unwrap_or("an unknown processor");
    let disk = machine
        .file_system
        .as_deref()
        .unwrap_or("an unknown file system");
    let redis = machine.redis.as_deref().unwrap_or("unknown");
    let scheduling = match machine.scheduling.as_deref() {
        None | Some("normal") => String::new(),
        Some(chosen) => format!(", {chosen} scheduling"),
    };
    screen.line(format!(
        "sagactl {} · {} cores, {processor}{scheduling}, {disk} · SQLite {} · Redis {redis}",
        report.version, machine.cores, machine.sqlite
    ))?;
    let system = if settings.own_system {
        "a system of its own"
    } else {
        "a running system"
    };
    screen.line(format!(
        "{system}, {} users × {} items, 10 % declines, {} s each after {} s of warming up",
        settings.users, settings.items, settings.seconds, settings.warm_up
    ))?;
    Ok(())
}

fn rates(report: &Report) -> Table {
    let headline = [
        "LOAD",
        "COMPLETED/S",
        "ENDED/S",
        "P50 MS",
        "P99 MS",
        "MAX MS",
        "CPU MS",
        "FSYNCS",
        "XADDS",
        "TO FLOOR",
    ];
    let mut table = Table::new(&headline);
    for run in report.runs() {
        let ratio = report.ratios.iter().find(|ratio| {
            run.load.in_flight() == Some(ratio.in_flight)
                && report
                    .system
                    .iter()
                    .any(|of_system| of_system.name == run.name)
        });
        let ratio = ratio.map(|ratio| format!("{:.0} %", ratio.throughput * 100.0));
        row(&mut table, run.name.clone(), run, ratio);
    }
    for run in &report.floor {
        row(&mut table, format!("floor {}", run.load.words()), run, None);
    }
    table
}

fn row(table: &mut Table, name: String, run: &Run, ratio: Option<String>) {
    let latency = |pick: fn(&super::Spread) -> f64| {
        let spread = run.latency_ms.as_ref();
        spread.map_or(NONE.to_owned(), |spread| number(pick(spread)))
    };
    let or_none = |value: Option<f64>| value.map_or(NONE.to_owned(), number);
    table.row([
        name,
        number(run.completed_per_second),
        number(run.ended_per_second),
        latency(|spread| spread.p50),
        latency(|spread| spread.p99),
        latency(|spread| spread.max),
        number(run.cost.cpu_ms_total),
        or_none(run.cost.fsyncs_total()),
        or_none(run.cost.redis_calls.get("xadd").copied()),
        ratio.unwrap_or_default(),
    ]);
}

/// A line a load, a column a process.
fn by_process(report: &Report, of: impl Fn(&Cost, &str) -> Option<f64>, digits: usize) -> Table {
    let services = Service::ALL.iter().map(|service| service.as_str());
    let names: Vec<&str> = services.chain([REDIS, DRIVER]).collect();
    let runs = report.runs().map(|run| (run.name.clone(), run));
    let floors = report.floor.iter();
    let floors = floors.map(|run| (format!("floor {}", run.load.words()), run));
    let runs: Vec<_> = runs.chain(floors).collect();
    let is_known = |name: &&str| runs.iter().any(|(_, run)| of(&run.cost, name).is_some());
    let names: Vec<&str> = names.into_iter().filter(is_known).collect();
    let upper: Vec<String> = names.iter().map(|name| name.to_uppercase()).collect();
    let headline: Vec<&str> = ["LOAD"]
        .into_iter()
        .chain(upper.iter().map(String::as_str))
        .collect();
    let mut table = Table::new(&headline);
    for (name, run) in &runs {
        let value = |process: &&str| match of(&run.cost, process) {
            Some(value) => format!("{value:.digits$}"),
            None => NONE.to_owned(),
        };
        table.row([name.clone()].into_iter().chain(names.iter().map(value)));
    }
    table
}

fn tell_long(screen: &mut Screen, long: &Long) -> Result<()> {
    let ended = long.run.completed + long.run.declined;
    let line = format!("{ended} purchases, {}", long.run.load.words());
    screen.line(screen.paint(Some(Tone::Strong), line))?;
    let mut table = Table::new(&["TENTH", "ENDED/S"]);
    for (number_of, rate) in long.tenths.iter().enumerate() {
        table.row([(number_of + 1).to_string(), number(*rate)]);
    }
    screen.table(&table)?;
    screen.line(format!(
        "the last tenth is {:.0} % of the first",
        long.last_to_first * 100.0
    ))?;
    if let (Some(rate), Some(ratio)) = (long.new_per_second, long.last_to_new) {
        screen.line(format!(
            "it is {:.0} % of the {} a second of a new system right after it",
            ratio * 100.0,
            number(rate)
        ))?;
    }
    Ok(())
}

/// Three digits are more than a bench knows.
pub fn number(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_three_digits() {
        assert_eq!(number(5_432.1), "5432");
        assert_eq!(number(54.32), "54.3");
        assert_eq!(number(0.1234), "0.12");
    }
}
