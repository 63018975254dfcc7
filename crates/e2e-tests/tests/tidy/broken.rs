//! The test of the tests still fits: every deliberate break applies, and is in the README's table.

use std::process::Command;

use crate::{assert_none, files_below, read, root};

const FOLDER: &str = "crates/e2e-tests/broken";

#[test]
fn every_deliberate_break_applies_and_is_told_of() {
    let readme = read("crates/e2e-tests/README.md");
    let mut found = Vec::new();
    let patches = files_below(FOLDER);
    assert!(
        patches.len() >= 6,
        "{} ways to break the project",
        patches.len()
    );
    for path in patches {
        let (name, text) = (path.display(), read(&path));

        let applies = Command::new("git")
            .args(["apply", "--check"])
            .arg(root().join(&path))
            .current_dir(root())
            .output()
            .unwrap();
        if !applies.status.success() {
            found.push(format!(
                "{name}: {}",
                String::from_utf8_lossy(&applies.stderr).trim()
            ));
        }
        let head = text.split("\ndiff ").next().unwrap();
        for line in ["Broken: ", "Bar: "] {
            if !head.lines().any(|other| other.starts_with(line)) {
                found.push(format!("{name}: lacks a line {line:?}"));
            }
        }
        let stem = path.file_stem().unwrap().to_str().unwrap();
        if !readme.contains(&format!("| `{stem}` |")) {
            found.push(format!("{name}: not in the README's table"));
        }
    }
    assert_none("deliberate breaks that break nothing", found);
}
