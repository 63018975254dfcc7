//! An audit as a person reads it, or as JSON.

use std::collections::BTreeSet;

use anyhow::Result;
use saga_audit::{Audit, Check, CheckState, Named, Value};
use saga_events::Service;

use crate::screen::{Screen, Tone};
use crate::table::Table;

/// Orders of one violation that the table names; JSON has up to a hundred.
const ORDERS_SHOWN: usize = 3;

/// What was found: what is violated with both sides, then what else somebody should know.
///
/// # Errors
/// Nobody reads any more.
pub fn audit(screen: &mut Screen, audit: &Audit, as_json: bool) -> Result<()> {
    if as_json {
        screen.line(serde_json::to_string(audit)?)?;
        return Ok(());
    }
    let mut table = Table::new(&["VIOLATED", "ABOUT", "LEFT", "RIGHT", "DIFFERENCE", "ORDERS"]);
    let mut violations = 0;
    for check in audit.violations() {
        violations += 1;
        table.row([
            check.id.clone(),
            check.subject.clone().unwrap_or_else(|| "–".to_owned()),
            side(&check.left),
            side(&check.right),
            check
                .difference
                .map_or("–".to_owned(), |by| format!("{by:+}")),
            orders(check),
        ]);
    }
    if violations > 0 {
        screen.table(&table)?;
    }
    for service in &audit.missing {
        let line = format!("{service} does not answer; what needs it is not judged");
        screen.line(screen.paint(Some(Tone::Bad), line))?;
    }
    for order in &audit.overdue {
        let line = format!("order {order} is older than it may be");
        screen.line(screen.paint(Some(Tone::Back), line))?;
    }
    if audit.dead_letters > 0 {
        let letters = audit.dead_letters;
        screen.line(format!("{letters} dead letters: sagactl dlq list"))?;
    }
    let open = laws(audit, CheckState::InFlight);
    if !open.is_empty() {
        let open: Vec<&str> = open.into_iter().collect();
        screen.line(format!("not to be judged now: {}", open.join(", ")))?;
    }
    screen.line(summary(screen, audit, violations))?;
    Ok(())
}

/// What the files do not tell: these rows may have been published or not.
///
/// # Errors
/// Nobody reads any more.
pub fn waiting(screen: &mut Screen, waiting: &[(Service, i64)]) -> Result<()> {
    for (service, rows) in waiting {
        screen.line(format!(
            "{rows} rows of {service}'s outbox are not known to be published: its next start does it, some perhaps again"
        ))?;
    }
    Ok(())
}

fn summary(screen: &Screen, audit: &Audit, violations: usize) -> String {
    let state = if audit.quiet { "quiet" } else { "not quiet" };
    let purchases = audit.purchases;
    let hold = laws(audit, CheckState::Holds).len();
    let text = format!("{hold} laws hold; {purchases} purchases read one by one; {state}");
    if violations > 0 {
        let broken = laws(audit, CheckState::Violated).len();
        let times = if violations == 1 { "time" } else { "times" };
        screen.paint(
            Some(Tone::Bad),
            format!("VIOLATED: {broken} laws, {violations} {times}; {text}"),
        )
    } else if audit.missing.is_empty() && audit.overdue.is_empty() {
        screen.paint(Some(Tone::Good), format!("clean: {text}"))
    } else {
        screen.paint(Some(Tone::Back), format!("no violation: {text}"))
    }
}

/// The names of the laws of which this came, each once; a violated one does not hold as well.
fn laws(audit: &Audit, state: CheckState) -> BTreeSet<&str> {
    let checks = audit.checks.iter().filter(|check| check.state == state);
    checks.map(|check| check.id.as_str()).collect()
}

fn side(named: &[Named]) -> String {
    let one = |named: &Named| match &named.value {
        Value::Number(number) => format!("{} {number}", named.name),
        Value::Text(text) => format!("{} {text}", named.name),
    };
    named.iter().map(one).collect::<Vec<_>>().join(" + ")
}

fn orders(check: &Check) -> String {
    let shown = check.orders.iter().take(ORDERS_SHOWN);
    let mut names: Vec<String> = shown.map(ToString::to_string).collect();
    let more = check.orders.len().saturating_sub(ORDERS_SHOWN);
    if more > 0 {
        names.push(format!("and {more} more"));
    }
    names.join(" ")
}
