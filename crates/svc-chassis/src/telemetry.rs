//! Logs: one line an event on standard output, for people or for machines, with the same field
//! names in all services.

mod escape;
mod line;
mod output;

use std::io::{self, IsTerminal};
use std::time::Duration;

use saga_events::Service;
use tracing_subscriber::filter::EnvFilter;

use crate::config::{Log, LogFormat};
use line::Line;
use output::Output;

/// Lines wait this long at most for the write that takes them all.
const FLUSH_EVERY: Duration = Duration::from_millis(20);

/// Starts logging. Call once.
///
/// # Errors
/// The filter cannot be read, or logging was started before.
pub fn start(service: Service, log: &Log) -> anyhow::Result<LogGuard> {
    let output = Output::default();
    let line = Line {
        service,
        format: log.format,
        colour: log.format == LogFormat::Human && is_colour_wanted(),
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(&log.filter)?)
        .event_format(line)
        .with_writer(output.clone())
        .finish();
    tracing::subscriber::set_global_default(subscriber)?;
    let ticking = output.clone();
    std::thread::Builder::new()
        .name("log".into())
        .spawn(move || {
            loop {
                std::thread::sleep(FLUSH_EVERY);
                ticking.write_out();
            }
        })?;
    Ok(LogGuard(output))
}

/// Colour is for eyes: a file or a pipe gets none, nor who asks for none (no-color.org).
fn is_colour_wanted() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    io::stdout().is_terminal() && !is_set("NO_COLOR") && !is_dumb
}

/// Writes out the last lines when it is dropped.
pub struct LogGuard(Output);

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.0.write_out();
    }
}
