//! Logs: one line an event on standard output, for people or for machines, with the same field
//! names in all services.

use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use saga_events::{Service, Timestamp};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::EnvFilter;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::registry::LookupSpan;

use crate::config::{Log, LogFormat};

/// Lines wait this long at most for the write that takes them all.
const FLUSH_EVERY: Duration = Duration::from_millis(20);
/// … or until so many bytes wait.
const FLUSH_BYTES: usize = 32 * 1024;

/// Starts logging. Call once.
///
/// # Errors
/// The filter cannot be read, or logging was started before.
pub fn start(service: Service, log: &Log) -> anyhow::Result<LogGuard> {
    let output = Output::default();
    let line = Line {
        service,
        format: log.format,
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

/// Writes out the last lines when it is dropped.
pub struct LogGuard(Output);

impl Drop for LogGuard {
    fn drop(&mut self) {
        self.0.write_out();
    }
}

/// Standard output, many lines a write: at thousands of events a second a write a line is what
/// costs.
#[derive(Clone, Default)]
struct Output(Arc<Mutex<Vec<u8>>>);

impl Output {
    fn write_out(&self) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !waiting.is_empty() {
            // A closed pipe is nobody's error: there is nowhere left to say so.
            let _ = io::stdout().lock().write_all(&waiting);
            waiting.clear();
        }
    }
}

impl<'a> MakeWriter<'a> for Output {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for Output {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend_from_slice(bytes);
        let full = waiting.len() >= FLUSH_BYTES;
        drop(waiting);
        if full {
            self.write_out();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out();
        Ok(())
    }
}

/// One line: time, level, service, fields, message.
struct Line {
    service: Service,
    format: LogFormat,
}

impl<S, N> FormatEvent<S, N> for Line
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut out: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let time = fields
            .at
            .map_or_else(Timestamp::now, Timestamp::from_micros);
        let level = *event.metadata().level();
        match self.format {
            LogFormat::Human => self.human(&mut out, time, level, &fields),
            LogFormat::Json => self.json(&mut out, time, level, fields),
        }
    }
}

impl Line {
    fn human(
        &self,
        out: &mut Writer<'_>,
        time: Timestamp,
        level: Level,
        fields: &Fields,
    ) -> fmt::Result {
        write!(out, "{time} {level:>5} {:<13}", self.service)?;
        for (name, value) in &fields.named {
            let text = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
            // Nothing to say is nothing to read.
            if !text.is_empty() {
                write!(out, " {name}=")?;
                escape(out, &text)?;
            }
        }
        out.write_str("  ")?;
        escape(out, &fields.message)?;
        out.write_char('\n')
    }

    fn json(
        &self,
        out: &mut Writer<'_>,
        time: Timestamp,
        level: Level,
        fields: Fields,
    ) -> fmt::Result {
        let mut line = serde_json::Map::new();
        line.insert("time".into(), time.to_string().into());
        line.insert("level".into(), level.as_str().to_lowercase().into());
        line.insert("service".into(), self.service.as_str().into());
        line.extend(
            fields
                .named
                .into_iter()
                .map(|(name, value)| (name.to_owned(), value)),
        );
        line.insert("message".into(), fields.message.into());
        writeln!(out, "{}", serde_json::Value::Object(line))
    }
}

/// One event is one line, whatever a caller put into a header.
fn escape(out: &mut Writer<'_>, text: &str) -> fmt::Result {
    text.chars().try_for_each(|c| {
        if c.is_control() {
            write!(out, "{}", c.escape_default())
        } else {
            out.write_char(c)
        }
    })
}

#[derive(Default)]
struct Fields {
    message: String,
    /// `at_us`: when it happened, where that is not when the line is written. What an event did is
    /// told with the time of its transaction, so that the lines of all services sort causally.
    at: Option<i64>,
    named: Vec<(&'static str, serde_json::Value)>,
}

impl Fields {
    fn add(&mut self, field: &Field, value: serde_json::Value) {
        if field.name() == "message" {
            self.message = value
                .as_str()
                .map_or_else(|| value.to_string(), str::to_owned);
        } else {
            self.named
                .push((field.name().trim_start_matches("r#"), value));
        }
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == "at_us" {
            self.at = Some(value);
        } else {
            self.add(field, value.into());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, value.into());
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.add(field, value.into());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format!("{value:?}").into());
    }
}
