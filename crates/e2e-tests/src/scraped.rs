//! What a service answers to a scrape, read back.

use std::collections::{BTreeMap, BTreeSet};

use saga_events::Service;

use crate::System;

/// A page of metrics.
#[derive(Debug, Clone, Default)]
pub struct Scraped {
    /// By the name of the family, as its series are called: `saga_steps_total`.
    pub families: BTreeMap<String, Family>,
    series: Vec<Series>,
}

/// What a page says about all series of a name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Family {
    /// `counter`, `gauge`, `histogram` or `info`.
    pub kind: String,
    /// What it is for.
    pub help: String,
    /// The names of its labels, without the service and without a histogram's `le`.
    pub labels: BTreeSet<String>,
}

#[derive(Debug, Clone)]
struct Series {
    name: String,
    labels: BTreeMap<String, String>,
    value: f64,
}

impl Scraped {
    /// Reads a page; one that is not as it must be ends the test.
    pub fn read(page: &str) -> Self {
        let mut read = Self::default();
        assert!(page.ends_with("# EOF\n"), "the page is whole");
        let mut family = String::new();
        for line in page.lines().filter(|line| *line != "# EOF") {
            if let Some(about) = line.strip_prefix("# ") {
                let [what, name, text] = about.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                    panic!("{line}");
                };
                family = read.about(&family, what, name, text);
                continue;
            }
            let series = series(line);
            let parts = ["_bucket", "_sum", "_count"];
            let base = parts
                .into_iter()
                .find_map(|part| series.name.strip_suffix(part));
            assert!(
                series.name == family || base == Some(&family),
                "{line} is of {family}"
            );
            let of = read.families.get_mut(&family).unwrap();
            let own = |label: &&String| !["service", "le"].contains(&label.as_str());
            of.labels.extend(series.labels.keys().filter(own).cloned());
            read.series.push(series);
        }
        read
    }

    /// Notes a line of comment; answers whose series follow it.
    fn about(&mut self, family: &str, what: &str, name: &str, text: &str) -> String {
        match what {
            "HELP" => {
                let help = text.to_owned();
                let new = Family {
                    help,
                    ..Family::default()
                };
                assert!(
                    self.families.insert(name.to_owned(), new).is_none(),
                    "{name} twice"
                );
                name.to_owned()
            }
            "TYPE" => {
                assert_eq!(name, family, "the help comes first");
                let mut of = self.families.remove(family).unwrap();
                text.clone_into(&mut of.kind);
                // OpenMetrics leaves the ending to the series.
                let ending = match text {
                    "counter" => "_total",
                    "info" => "_info",
                    _ => "",
                };
                let name = format!("{name}{ending}");
                self.families.insert(name.clone(), of);
                name
            }
            _ => panic!("{what} {name} {text}"),
        }
    }

    /// How many series there are.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// The sum of the series of this name that have these labels; `None`: there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let has = |series: &&Series, (label, value): &(&str, &str)| {
            series.labels.get(*label).is_some_and(|own| own == value)
        };
        let of = self.series.iter().filter(|series| series.name == name);
        let mut of = of
            .filter(|series| labels.iter().all(|label| has(series, label)))
            .peekable();
        of.peek()?;
        Some(of.map(|series| series.value).sum())
    }

    /// The values that a label of this name has.
    pub fn values_of(&self, name: &str, label: &str) -> BTreeSet<&str> {
        let of = self.series.iter().filter(|series| series.name == name);
        of.filter_map(|series| Some(series.labels.get(label)?.as_str()))
            .collect()
    }
}

/// `name{label="value",…} 1.5`
fn series(line: &str) -> Series {
    let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
    let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
    let labels = labels.strip_suffix('}').unwrap_or_else(|| panic!("{line}"));
    // None of our values contains a comma or a quote.
    let label = |text: &str| {
        let (label, value) = text.split_once("=\"")?;
        Some((label.to_owned(), value.strip_suffix('"')?.to_owned()))
    };
    let labels = labels.split(',').filter(|text| !text.is_empty());
    let labels = labels.map(|text| label(text).unwrap_or_else(|| panic!("{line}")));
    Series {
        name: name.to_owned(),
        labels: labels.collect(),
        value: value.parse().unwrap_or_else(|_| panic!("{line}")),
    }
}

impl System {
    /// What a service answers to a scrape.
    pub async fn scrape(&self, service: Service) -> Scraped {
        Scraped::read(&self.at(service).text("/metrics").await)
    }
}
