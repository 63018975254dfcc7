//! What the READMEs say is what the code does.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use saga_events::{EventType, LINE, Service};

use crate::{assert_none, files_ending, read, root};

/// The cells of the rows of all tables in a text.
fn rows(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let lines = text.lines().filter(|line| line.starts_with('|'));
    lines.map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
}

/// The rows that begin with an event's name in backticks, by that event.
fn event_rows(text: &str) -> BTreeMap<EventType, Vec<&str>> {
    let event_of = |cell: &str| cell.strip_prefix('`')?.strip_suffix('`')?.parse().ok();
    rows(text)
        .filter_map(|row| Some((event_of(row[0])?, row)))
        .collect()
}

/// The text below a heading that contains this word, up to the next heading.
fn section<'a>(text: &'a str, word: &str) -> &'a str {
    let headings = text.match_indices("\n## ");
    let mut of_word =
        headings.filter(|(at, _)| text[*at + 4..].lines().next().unwrap().contains(word));
    let Some((start, _)) = of_word.next() else {
        return "";
    };
    let body = &text[start + 4..];
    &body[..body.find("\n## ").unwrap_or(body.len())]
}

fn names(services: &[Service]) -> String {
    let names: Vec<_> = services.iter().map(|service| service.as_str()).collect();
    if names.is_empty() {
        "–".to_owned()
    } else {
        names.join(", ")
    }
}

#[test]
fn the_saga_table_of_the_readme_is_the_contract() {
    let readme = read("README.md");
    let table = event_rows(&readme);
    for spec in LINE {
        let row = &table[&spec.event_type];
        assert_eq!(
            row[1],
            spec.publisher.as_str(),
            "{}: publisher",
            spec.event_type
        );
        assert_eq!(
            row[2],
            names(spec.consumers),
            "{}: consumers",
            spec.event_type
        );
        assert_eq!(row[3], spec.meaning, "{}: meaning", spec.event_type);
    }
    assert_eq!(table.len(), LINE.len());
}

#[test]
fn every_service_listens_and_publishes_as_its_readme_says() {
    for service in Service::ALL {
        let readme = read(format!("crates/{service}/README.md"));
        let listens = event_rows(section(&readme, "Listens"));
        let publishes = event_rows(section(&readme, "Publishes"));
        let consumed: BTreeSet<_> = service.consumes().collect();
        let published: BTreeSet<_> = service.publishes().collect();
        assert_eq!(
            listens.keys().copied().collect::<BTreeSet<_>>(),
            consumed,
            "{service} listens"
        );
        assert_eq!(
            publishes.keys().copied().collect::<BTreeSet<_>>(),
            published,
            "{service} publishes"
        );
        for (event_type, row) in listens {
            assert_eq!(
                row[1],
                event_type.spec().publisher.as_str(),
                "{service}: {event_type} from"
            );
        }
        for (event_type, row) in publishes {
            assert_eq!(
                row[1],
                names(event_type.spec().consumers),
                "{service}: {event_type} for"
            );
        }
    }
}

#[test]
fn every_link_in_a_document_leads_to_a_file() {
    let mut broken = Vec::new();
    for path in files_ending(".md") {
        let text = read(&path);
        let folder = root().join(path.parent().unwrap());
        for link in links(&text) {
            let target = link.split('#').next().unwrap();
            let is_elsewhere =
                target.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !is_elsewhere && !folder.join(target).exists() {
                broken.push(format!("{}: {link}", path.display()));
            }
        }
    }
    assert_none("broken links", broken);
}

/// The targets of `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("](")
        .filter_map(|(at, _)| text[at + 2..].split(')').next())
}

#[test]
fn every_crate_has_a_readme_that_is_its_documentation() {
    for folder in root()
        .join("crates")
        .read_dir()
        .unwrap()
        .map(Result::unwrap)
    {
        let path = folder.path();
        let name = folder.file_name().into_string().unwrap();
        let readme = std::fs::read_to_string(path.join("README.md")).unwrap_or_default();
        assert!(
            readme.starts_with(&format!("# {name}\n")),
            "{name} has a README of its name"
        );
        assert!(readme.len() > 200, "{name}'s README says something");
        let main_or_lib = ["src/lib.rs", "src/main.rs"].map(|file| path.join(file));
        let root_file = main_or_lib.iter().find(|file| file.exists()).unwrap();
        let source = std::fs::read_to_string(root_file).unwrap();
        let includes = "#![doc = include_str!(\"../README.md\")]";
        assert!(
            source.contains(includes),
            "{}: {includes}",
            root_file.display()
        );
    }
}

#[test]
fn every_file_that_a_service_lists_is_there_and_none_is_missing() {
    let mut missing = Vec::new();
    for service in Service::ALL {
        let readme = read(format!("crates/{service}/README.md"));
        for file in files_ending(".rs") {
            let Ok(in_crate) = file.strip_prefix(format!("crates/{service}")) else {
                continue;
            };
            let is_listed = |path: &Path| {
                readme.contains(&format!("`{}`", path.display()))
                    || readme.contains(&format!("({})", path.display()))
                    || readme.contains(&format!("{}/`", path.display()))
            };
            // A folder may be listed for the files in it.
            if !in_crate.ancestors().any(is_listed) {
                missing.push(format!("{service}: {}", in_crate.display()));
            }
        }
    }
    assert_none("files that their service's README does not list", missing);
}

#[test]
fn the_labs_readme_has_every_call_and_every_fault() {
    let readme = read("crates/sagactl/README.md");
    let lab = section(&readme, "`sagactl lab`");
    let named: BTreeSet<&str> = rows(lab).map(|row| row[0]).collect();
    let kinds = read("crates/sagactl/src/lab/kind.rs");
    let kinds = kinds.split("pub enum Kind {").nth(1).unwrap();
    let kinds = kinds.split('}').next().unwrap().lines().map(str::trim);
    let kinds = kinds.filter(|line| line.ends_with(','));
    let kinds: Vec<_> = kinds
        .map(|line| format!("`{}`", line.trim_end_matches(',').to_lowercase()))
        .collect();
    assert_eq!(kinds.len(), 8, "{kinds:?}");
    let calls = read("crates/sagactl/src/lab/calls.rs");
    let paths = calls.split("resource(\"").skip(1);
    let paths: Vec<_> = paths.map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(paths.len() > 8, "{paths:?}");
    let paths = paths.into_iter().filter(|path| {
        let is_told = |row: &&&str| {
            let call = row.split('`').nth(1).unwrap_or_default();
            let told = call.split(' ').nth(1).unwrap_or_default();
            told.split('?').next() == Some(path)
        };
        !named.iter().any(|row| is_told(&row))
    });
    let missing = kinds.iter().filter(|kind| !named.contains(kind.as_str()));
    let missing = missing.cloned().chain(paths.map(str::to_owned));
    assert_none("the lab's README lacks", missing.collect());
}
