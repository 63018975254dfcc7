//! Documents, contract and sources say the same. Needs no service and no Redis.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod broken;
mod contract;
mod documents;
mod faults;
mod metrics;
mod page;
mod sources;

use std::path::{Path, PathBuf};

/// The repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .unwrap()
        .to_owned()
}

/// What tools make, and no part of the project.
const NOT_OURS: [&str; 4] = [".git", ".run", "target", "node_modules"];

/// Every file of the repository below this folder, with its path from the repository's root.
fn files_below(folder: &str) -> Vec<PathBuf> {
    let mut folders = vec![root().join(folder)];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in folder.read_dir().unwrap().map(Result::unwrap) {
            let (name, path) = (entry.file_name(), entry.path());
            if NOT_OURS.iter().any(|not_ours| name == *not_ours) {
                continue;
            }
            if path.is_dir() {
                folders.push(path)
            } else {
                files.push(path)
            }
        }
    }
    files.sort_unstable();
    files
        .into_iter()
        .map(|path| path.strip_prefix(root()).unwrap().to_owned())
        .collect()
}

/// Every file with this ending.
fn files_ending(end: &str) -> Vec<PathBuf> {
    let has_end = |path: &PathBuf| path.to_str().is_some_and(|path| path.ends_with(end));
    files_below("").into_iter().filter(has_end).collect()
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

/// Fails with all that was found, not only the first.
fn assert_none(what: &str, found: Vec<String>) {
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
}
