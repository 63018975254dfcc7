//! `sagactl logs`: the lines of the six services, coloured for a terminal as they come, or those of
//! one purchase in the order of cause and effect.

mod causal;
mod line;

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use saga_events::OrderId;

use crate::exit::Exit;
use crate::screen::{Screen, Tone};
use crate::table::plain;
use line::{Level, Line, is_human};

/// What `sagactl logs` can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// Only the lines of this purchase, all six services' in one causal order
    // Not `order`: that names where order-svc is.
    #[arg(long = "order", value_name = "ID")]
    of_order: Option<OrderId>,
    /// Log files, of people's lines or of JSON; none: standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Shows the lines.
///
/// # Errors
/// A file cannot be read, or no line names the purchase.
pub fn run(screen: &mut Screen, options: &Options) -> Result<Exit> {
    match options.of_order {
        Some(order) => one_order(screen, order, &options.files)?,
        None => as_they_come(screen, &options.files)?,
    }
    Ok(Exit::Clean)
}

fn one_order(screen: &mut Screen, order: OrderId, files: &[PathBuf]) -> Result<()> {
    let id = order.to_string();
    let mut lines = Vec::new();
    each_line(files, |text| {
        // An id is written in lower case everywhere; a line with it is about this purchase.
        if text.contains(&id) {
            lines.push(Line::read(text.to_owned()));
        }
        Ok(())
    })?;
    ensure!(!lines.is_empty(), "no log names order {id}");
    for line in causal::sorted(lines) {
        show(screen, &line.text)?;
    }
    Ok(())
}

fn as_they_come(screen: &mut Screen, files: &[PathBuf]) -> Result<()> {
    each_line(files, |text| show(screen, text))
}

/// What some versions of docker compose put before every line of a log, even into a pipe: the order to
/// a terminal to clear the line.
const CLEAR_LINE: &str = "\u{1b}[2K";

/// Calls this with every line. Bytes that are no text are shown as such: a log may end in the middle
/// of a character.
fn each_line(files: &[PathBuf], mut see: impl FnMut(&str) -> Result<()>) -> Result<()> {
    let from_stdin = files.is_empty() || files == [Path::new("-")];
    if from_stdin {
        ensure!(
            !io::stdin().is_terminal(),
            "name log files, or pipe logs in; scripts/logs does both"
        );
        return read(io::stdin().lock(), &mut see).context("standard input");
    }
    for path in files {
        let named = || path.display().to_string();
        let file = File::open(path).with_context(named)?;
        read(BufReader::new(file), &mut see).with_context(named)?;
    }
    Ok(())
}

fn read(mut from: impl BufRead, see: &mut impl FnMut(&str) -> Result<()>) -> Result<()> {
    let mut bytes = Vec::new();
    while from.read_until(b'\n', &mut bytes)? > 0 {
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim_end_matches(['\r', '\n']);
        see(text.strip_prefix(CLEAR_LINE).unwrap_or(text))?;
        bytes.clear();
    }
    Ok(())
}

/// A line as it is, but for colour: its level, its service and what happened.
fn show(screen: &mut Screen, text: &str) -> Result<()> {
    let text = plain(text);
    // Redis' lines are in the same stream, and JSON is for machines.
    if !is_human(&text) {
        screen.line(text)?;
        return Ok(());
    }
    let columns = line::columns(&text);
    let tone = match columns.level {
        Level::Error => Some(Tone::Bad),
        Level::Warn => Some(Tone::Back),
        Level::Info => Some(Tone::Good),
        Level::Other => Some(Tone::Faint),
    };
    let what = match columns.level {
        Level::Info => Some(Tone::Strong),
        _ => tone,
    };
    let painted = format!(
        "{}{}{}{}{}",
        screen.paint(Some(Tone::Faint), columns.time),
        screen.paint(tone, columns.level_text),
        columns.service,
        screen.paint(what, columns.message),
        columns.fields,
    );
    screen.line(painted)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_as_the_service_wrote_them() {
        let mut lines = Vec::new();
        let mut see = |text: &str| {
            lines.push(text.to_owned());
            Ok(())
        };
        let log = "one\r\n\u{1b}[2Ktwo\nthree \u{1b}[2K\nthe end";
        read(log.as_bytes(), &mut see).unwrap();
        assert_eq!(lines, ["one", "two", "three \u{1b}[2K", "the end"]);
    }
}
