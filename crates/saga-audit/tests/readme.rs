//! The laws in the README are the laws in the code.
#![allow(clippy::unwrap_used)]

use saga_audit::laws::{Judged, LAWS, Law, Side};
use saga_audit::sums::{SUMS, Sum};

const README: &str = include_str!("../README.md");

fn side(side: &Side) -> String {
    let states: Vec<String> = side
        .states
        .iter()
        .map(|state| format!("`{state}`"))
        .collect();
    format!("{} {}", side.service, states.join(" "))
}

fn law(law: &Law) -> String {
    let then: Vec<String> = law.then.iter().map(side).collect();
    let judged = match law.judged {
        Judged::Live => "live",
        Judged::Quiet => "quiet",
    };
    format!(
        "| `{}` | {} | {} | {judged} |",
        law.id,
        side(&law.when),
        then.join("; ")
    )
}

fn sum(sum: &Sum) -> String {
    let total = |(service, name): (saga_events::Service, &str)| format!("{service} `{name}`");
    format!(
        "| `{}` | {} | {} | quiet |",
        sum.id,
        total(sum.left),
        total(sum.right)
    )
}

#[test]
fn every_law_is_a_row_of_the_readme() {
    let rows: Vec<String> = LAWS.iter().map(law).chain(SUMS.iter().map(sum)).collect();
    let missing: Vec<&String> = rows.iter().filter(|row| !README.contains(*row)).collect();
    let missing: Vec<&str> = missing.into_iter().map(String::as_str).collect();
    assert!(
        missing.is_empty(),
        "not in the README:\n{}",
        missing.join("\n")
    );
}

#[test]
fn the_readme_has_no_law_that_is_not_in_the_code() {
    let rows: Vec<String> = LAWS.iter().map(law).chain(SUMS.iter().map(sum)).collect();
    let ends = ["| live |", "| quiet |"];
    let of_tables = README
        .lines()
        .filter(|line| ends.iter().any(|end| line.ends_with(end)));
    let unknown: Vec<&str> = of_tables
        .filter(|line| !rows.iter().any(|row| row == line))
        .collect();
    assert!(
        unknown.is_empty(),
        "only in the README:\n{}",
        unknown.join("\n")
    );
}
