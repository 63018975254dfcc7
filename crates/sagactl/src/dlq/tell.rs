//! Dead letters as a person reads them, or as JSON.

use anyhow::Result;
use serde_json::Value;

use super::letter::{Letter, Name, Replayed, Shown};
use crate::screen::{Screen, Tone};
use crate::table::{Table, plain, short};

/// Of an error in a table; `show` has all of it.
const ERROR_WIDTH: usize = 70;

/// The list, one line each.
///
/// # Errors
/// Nobody reads any more.
pub fn list(screen: &mut Screen, letters: &[Letter], as_json: bool) -> Result<()> {
    if as_json {
        return screen.json(&letters);
    }
    if letters.is_empty() {
        screen.line("no dead letters")?;
        return Ok(());
    }
    let headline = [
        "LETTER", "SINCE", "STATE", "TYPE", "ORDER", "WHY", "TRIES", "ERROR",
    ];
    let mut table = Table::new(&headline);
    for letter in letters {
        table.row([
            name(letter),
            letter.created_at.to_string(),
            letter.state.clone(),
            letter
                .event_type
                .map_or("–", |kind| kind.as_str())
                .to_owned(),
            letter
                .order_id
                .map_or("–".to_owned(), |order| order.to_string()),
            letter.reason.clone(),
            letter.attempts.to_string(),
            short(&letter.error, ERROR_WIDTH),
        ]);
    }
    screen.table(&table)?;
    Ok(())
}

/// One, with all that is known of it.
///
/// # Errors
/// Nobody reads any more.
pub fn shown(screen: &mut Screen, shown: &Shown, as_json: bool) -> Result<()> {
    if as_json {
        return screen.json(shown);
    }
    let letter = &shown.letter;
    let headline = format!("dead letter {}: {}", name(letter), letter.state);
    screen.line(screen.paint(Some(Tone::Strong), headline))?;
    let kind = letter.event_type.map_or("unknown", |kind| kind.as_str());
    let order = letter
        .order_id
        .map_or("unknown".to_owned(), |order| order.to_string());
    let tries = match letter.attempts {
        1 => "1 try".to_owned(),
        tries => format!("{tries} tries"),
    };
    for (what, value) in [
        ("event", kind.to_owned()),
        ("order", order),
        ("since", letter.created_at.to_string()),
        (
            "from",
            format!("{}, entry {}", letter.stream, letter.entry_id),
        ),
        (
            "why",
            format!("{} ({tries}): {}", letter.reason, letter.error),
        ),
    ] {
        screen.line(format!("   {what:<6} {}", plain(&value)))?;
    }
    let arrived = match shown.form.as_str() {
        "text" => "what arrived",
        "escaped" => "what arrived; bytes that are no text are \\xNN, a backslash is doubled",
        "fields" => "what arrived: the names and values of the entry's fields in turn",
        _ => "nothing is left of what arrived",
    };
    screen.line(format!("   {arrived}"))?;
    for line in pretty(&shown.event).lines() {
        screen.line(format!("      {}", plain(line)))?;
    }
    for entry in &shown.trail {
        let by = entry.by.as_deref().unwrap_or("somebody");
        let (time, act, outcome, reason) = (entry.time, &entry.act, &entry.outcome, &entry.reason);
        screen.line(plain(&format!(
            "   {time}  {act} by {by}: {outcome} ({reason})"
        )))?;
    }
    Ok(())
}

/// What came of replays, one line each, and how many.
///
/// # Errors
/// Nobody reads any more.
pub fn replayed(screen: &mut Screen, all: &[Replayed], dry_run: bool, as_json: bool) -> Result<()> {
    if as_json {
        return screen.json(&all);
    }
    let mut table = Table::new(&["LETTER", "TYPE", "ORDER", "WHAT CAME OF IT"]);
    for one in all {
        let Replayed { service, id, .. } = *one;
        table.row([
            Name { service, id }.to_string(),
            one.event_type.map_or("–", |kind| kind.as_str()).to_owned(),
            one.order_id
                .map_or("–".to_owned(), |order| order.to_string()),
            outcome(one),
        ]);
    }
    if !all.is_empty() {
        screen.table(&table)?;
    }
    let applied = all.iter().filter(|one| one.is_applied()).count();
    let stay = all.len() - applied;
    screen.line(if dry_run {
        format!("{applied} would be applied, {stay} would stay dead letters; nothing was changed")
    } else {
        format!("{applied} applied, {stay} stay dead letters")
    })?;
    Ok(())
}

/// What was discarded.
///
/// # Errors
/// Nobody reads any more.
pub fn discarded(screen: &mut Screen, letters: &[Letter], as_json: bool) -> Result<()> {
    if as_json {
        return screen.json(&letters);
    }
    for letter in letters {
        screen.line(format!("{} discarded", name(letter)))?;
    }
    Ok(())
}

fn outcome(one: &Replayed) -> String {
    let error = short(one.error.as_deref().unwrap_or_default(), ERROR_WIDTH);
    match (one.outcome.as_str(), &one.to) {
        ("changed", Some(to)) => format!("changed to {to}"),
        ("repeated", _) => "said its last output again".to_owned(),
        ("nothingChanged", _) => "nothing changed".to_owned(),
        (failure, _) => format!("still {failure}: {error}"),
    }
}

fn name(letter: &Letter) -> String {
    let Letter { service, id, .. } = *letter;
    Name { service, id }.to_string()
}

/// JSON with its lines and indents; anything else as it is.
fn pretty(text: &str) -> String {
    let json = serde_json::from_str::<Value>(text);
    json.and_then(|value| serde_json::to_string_pretty(&value))
        .unwrap_or_else(|_| text.to_owned())
}
