//! Two reports, figure by figure.

use super::Report;
use super::figures::figures;
use super::tell::number;
use crate::table::Table;

/// Before, now, and the factor between them, for every figure that both have; and what makes them
/// hard to compare.
pub fn compare(before: &Report, now: &Report) -> (Table, Vec<String>) {
    let mut table = Table::new(&["", "FIGURE", "BEFORE", "NOW", "FACTOR"]);
    let known = figures(before);
    for figure in figures(now) {
        let same = known
            .iter()
            .find(|known| known.of == figure.of && known.what == figure.what);
        let Some(same) = same else { continue };
        let factor = if same.value > 0.0 {
            format!("×{:.2}", figure.value / same.value)
        } else {
            "–".to_owned()
        };
        table.row([
            figure.of,
            figure.what.to_owned(),
            number(same.value),
            number(figure.value),
            factor,
        ]);
    }
    (table, doubts(before, now))
}

fn doubts(before: &Report, now: &Report) -> Vec<String> {
    let mut doubts = Vec::new();
    let mut other = |what: &str, before: String, now: String| {
        if before != now {
            doubts.push(format!("{what}: {before} before, {now} now"));
        }
    };
    let (was, is) = (&before.machine, &now.machine);
    other("cores", was.cores.to_string(), is.cores.to_string());
    let perhaps = |text: &Option<String>| text.clone().unwrap_or_else(|| "unknown".to_owned());
    other("processor", perhaps(&was.processor), perhaps(&is.processor));
    other(
        "scheduling",
        perhaps(&was.scheduling),
        perhaps(&is.scheduling),
    );
    other(
        "file system",
        perhaps(&was.file_system),
        perhaps(&is.file_system),
    );
    other("SQLite", was.sqlite.clone(), is.sqlite.clone());
    other("Redis", perhaps(&was.redis), perhaps(&is.redis));
    let (was, is) = (&before.settings, &now.settings);
    let shop =
        |settings: &super::Settings| format!("{} users × {} items", settings.users, settings.items);
    other("the shop", shop(was), shop(is));
    let system = |own| {
        if own {
            "the bench's own"
        } else {
            "a running one"
        }
    };
    other(
        "the system",
        system(was.own_system).to_owned(),
        system(is.own_system).to_owned(),
    );
    doubts
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use saga_events::Timestamp;

    use super::super::{Audited, Machine, Run, Settings};
    use super::*;
    use crate::bench::meter::Cost;
    use crate::bench::plan::Load;

    fn report(cores: usize, loads: &[(usize, f64)]) -> Report {
        let run = |(in_flight, rate): &(usize, f64)| {
            let load = Load::Closed {
                in_flight: *in_flight,
            };
            Run {
                name: load.name(),
                load,
                seconds: 1.0,
                completed: 1,
                declined: 0,
                unexpected: BTreeMap::new(),
                completed_per_second: *rate,
                ended_per_second: *rate,
                latency_ms: None,
                driver_late_ms: None,
                cost: Cost::default(),
            }
        };
        Report {
            version: "0".into(),
            at: Timestamp::from_micros(0),
            machine: Machine {
                cores,
                processor: None,
                scheduling: None,
                file_system: None,
                sqlite: "3".into(),
                redis: None,
            },
            slow_share: 0.0,
            settings: Settings {
                own_system: true,
                users: 1,
                items: 1,
                seconds: 1,
                warm_up: 0,
            },
            system: loads.iter().map(run).collect(),
            floor: vec![],
            ratios: vec![],
            long: None,
            audit: Audited {
                clean: true,
                purchases: 1,
                faults: vec![],
            },
            lacking: vec![],
        }
    }

    #[test]
    fn figures_that_both_have_are_compared() {
        let before = report(2, &[(64, 1000.0), (512, 2000.0)]);
        let now = report(2, &[(512, 3000.0), (8, 1.0)]);
        let (table, doubts) = compare(&before, &now);
        let lines: Vec<String> = table.lines().collect();
        assert!(
            lines[1].starts_with("closed-512") && lines[1].ends_with("×1.50"),
            "{lines:?}"
        );
        assert!(
            lines[2].ends_with('–'),
            "nothing over nothing is no factor: {lines:?}"
        );
        assert_eq!((lines.len(), doubts.len()), (4, 0));
    }

    #[test]
    fn another_machine_is_told() {
        let (_, doubts) = compare(&report(2, &[]), &report(4, &[]));
        assert_eq!(doubts, ["cores: 2 before, 4 now"]);
    }
}
