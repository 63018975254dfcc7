//! What is said to be tried is tried.

use std::collections::BTreeSet;
use std::path::Path;

use crate::{assert_none, files_ending, read};

/// The tests that a text names, as `folder/file::test`.
fn named(text: &str) -> impl Iterator<Item = (&str, &str, &str)> {
    text.split('`').skip(1).step_by(2).filter_map(|name| {
        let (file, test) = name.split_once("::")?;
        let (folder, stem) = file.split_once('/')?;
        Some((folder, stem, test))
    })
}

/// Whether a file is called so, or lies in a folder that is.
fn is_called(path: &Path, folder: &str, stem: &str) -> bool {
    let is = |part: Option<&std::ffi::OsStr>, name: &str| part.is_some_and(|part| part == name);
    let in_folder = path.iter().any(|part| part == folder);
    let named = is(path.file_stem(), stem) || is(path.parent().and_then(Path::file_name), stem);
    in_folder && named
}

#[test]
fn every_fault_has_the_tests_that_are_named() {
    let table = read("crates/e2e-tests/faults.md");
    let files = files_ending(".rs");
    let is_there = |(folder, stem, test): &(&str, &str, &str)| {
        let of_name = files.iter().filter(|path| is_called(path, folder, stem));
        let text = format!("fn {test}(");
        of_name.into_iter().any(|path| read(path).contains(&text))
    };
    let missing = named(&table).filter(|test| !is_there(test));
    let missing = missing.map(|(folder, stem, test)| format!("{folder}/{stem}::{test}"));
    assert_none("tests that are not there", missing.collect());
    assert!(named(&table).count() > 40, "the table is read");
}

#[test]
fn every_failpoint_is_tried() {
    let names = |text: &str, before: &str| -> BTreeSet<String> {
        let places = text.split(before).skip(1);
        let quoted = |after: &str| {
            after
                .trim_start()
                .strip_prefix('"')?
                .split('"')
                .next()
                .map(str::to_owned)
        };
        let names = places.filter_map(quoted);
        names.collect()
    };
    let mut there = BTreeSet::new();
    for path in files_ending(".rs") {
        let text = read(&path);
        let is_ours = path.iter().any(|part| part == "src");
        // Its own file explains it with an example.
        if is_ours && !path.ends_with("failpoint.rs") {
            there.extend(names(&text, "failpoint!("));
        }
    }
    let test = read("crates/e2e-tests/tests/e2e/failpoints.rs");
    let calls = ["check(", "check_provoked(", "check_creating(", "run("];
    let tried: BTreeSet<String> = calls.iter().flat_map(|call| names(&test, call)).collect();
    let untried = there.difference(&tried).cloned().collect();
    assert_none("failpoints that no test reaches", untried);
    assert!(there.len() >= 12, "there are {}", there.len());
}
