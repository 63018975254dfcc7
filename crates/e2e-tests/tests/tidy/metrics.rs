//! The alarms and the dashboard are about metrics that there are. That the READMEs list what the
//! services tell is tried on the running system.

use std::collections::BTreeSet;

use saga_events::Service;

use crate::{assert_none, read};

/// The names in the tables of the READMEs.
fn known() -> BTreeSet<String> {
    let crates = Service::ALL.map(Service::as_str);
    let names = crates.into_iter().chain(["svc-chassis"]).flat_map(|name| {
        let readme = read(format!("crates/{name}/README.md"));
        let section = readme
            .split("\n## Metrics\n")
            .nth(1)
            .unwrap_or_default()
            .to_owned();
        let section = section.split("\n## ").next().unwrap_or_default().to_owned();
        let rows: Vec<_> = section
            .lines()
            .filter_map(|line| line.strip_prefix("| `"))
            .map(str::to_owned)
            .collect();
        rows.into_iter()
            .filter_map(|row| Some(row.split_once('`')?.0.to_owned()))
    });
    names.collect()
}

/// The names of metrics in a text.
fn named(text: &str) -> BTreeSet<&str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_part(c));
    words
        .filter(|word| word.starts_with("saga_") || word.starts_with("process_"))
        .collect()
}

#[test]
fn alarms_and_dashboard_use_the_names_that_there_are() {
    let known = known();
    assert!(known.len() > 40, "{} metrics", known.len());
    let is_known = |name: &str| {
        let parts = ["_bucket", "_sum", "_count"];
        let base = parts.into_iter().find_map(|part| name.strip_suffix(part));
        known.contains(name) || base.is_some_and(|base| known.contains(base))
    };
    let mut unknown = Vec::new();
    for path in [
        "alerts.yml",
        "alerts.test.yml",
        "grafana/dashboards/saga.json",
    ] {
        let text = read(format!("deploy/{path}"));
        let names = named(&text);
        assert!(names.len() > 10, "{path} names {names:?}");
        let names = names.into_iter().filter(|name| !is_known(name));
        unknown.extend(names.map(|name| format!("{path}: {name}")));
    }
    assert_none("metrics that no README lists", unknown);
}

#[test]
fn every_alarm_says_what_is_wrong_and_what_to_do_and_is_tried() {
    let (alerts, tests) = (read("deploy/alerts.yml"), read("deploy/alerts.test.yml"));
    let rules: Vec<_> = alerts.split("      - alert: ").skip(1).collect();
    assert!(rules.len() >= 20, "{} alarms", rules.len());
    let mut found = Vec::new();
    for rule in rules {
        let name = rule.lines().next().unwrap();
        for part in ["expr: ", "severity: ", "summary: \"", "action: \""] {
            if !rule.contains(part) {
                found.push(format!("{name} has no {part}"));
            }
        }
        let raised = format!("ALERTS{{alertname=\"{name}\",alertstate=\"firing\"");
        if !tests.contains(&raised) {
            found.push(format!("{name} is not raised in alerts.test.yml"));
        }
    }
    assert_none("alarms", found);
}
