//! One line: time, level, service, what happened, fields.

use std::cell::Cell;
use std::fmt::{self, Write as _};

use saga_events::{Service, Timestamp};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::escape::{InJson, Seen, quote_from};
use crate::config::LogFormat;

/// How a line is written.
pub(super) struct Line {
    pub service: Service,
    pub format: LogFormat,
    /// For people at a terminal.
    pub colour: bool,
}

thread_local! {
    /// The texts of the thread's last line, for their room: a line is one of the hot path's costs.
    static ROOM: Cell<(String, String)> = const { Cell::new((String::new(), String::new())) };
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
        self.write(&mut out, *event.metadata().level(), |fields| {
            event.record(fields);
        })
    }
}

impl Line {
    fn write(
        &self,
        out: &mut impl fmt::Write,
        level: Level,
        record: impl FnOnce(&mut Fields),
    ) -> fmt::Result {
        // A value that logs while it is written finds no room, and makes its own.
        let (named, message) = ROOM.take();
        let mut fields = Fields {
            format: self.format,
            at: None,
            named,
            message,
        };
        record(&mut fields);
        let time = fields
            .at
            .map_or_else(Timestamp::now, Timestamp::from_micros);
        let written = match self.format {
            LogFormat::Human => self.human(out, time, level, &fields),
            LogFormat::Json => self.json(out, time, level, &fields),
        };
        let Fields {
            mut named,
            mut message,
            ..
        } = fields;
        named.clear();
        message.clear();
        ROOM.set((named, message));
        written
    }

    /// What happened comes before the fields: it is what an eye looks for, and short. The fields of a
    /// purchase begin with its id, which is always as long, so that they are aligned, too.
    fn human(
        &self,
        out: &mut impl fmt::Write,
        time: Timestamp,
        level: Level,
        fields: &Fields,
    ) -> fmt::Result {
        let Fields { named, message, .. } = fields;
        let service = self.service.as_str();
        if !self.colour {
            return writeln!(out, "{time} {level:>5} {service:<13} {message:<15}{named}");
        }
        let (tone, bold) = match level {
            Level::ERROR => ("31", "1;31"),
            Level::WARN => ("33", "1;33"),
            Level::INFO => ("32", "1"),
            Level::DEBUG | Level::TRACE => ("2", "2"),
        };
        writeln!(
            out,
            "\x1b[2m{time}\x1b[0m \x1b[{tone}m{level:>5}\x1b[0m \x1b[36m{service:<13}\x1b[0m \
             \x1b[{bold}m{message:<15}\x1b[0m{named}"
        )
    }

    fn json(
        &self,
        out: &mut impl fmt::Write,
        time: Timestamp,
        level: Level,
        fields: &Fields,
    ) -> fmt::Result {
        let Fields { named, message, .. } = fields;
        let level = match level {
            Level::ERROR => "error",
            Level::WARN => "warn",
            Level::INFO => "info",
            Level::DEBUG => "debug",
            Level::TRACE => "trace",
        };
        let service = self.service.as_str();
        writeln!(
            out,
            r#"{{"time":"{time}","level":"{level}","service":"{service}"{named},"message":"{message}"}}"#
        )
    }
}

/// What an event carries, written as it is visited.
struct Fields {
    format: LogFormat,
    /// `at_us`: when it happened, where that is not when the line is written. What an event did is
    /// told with the time of its transaction, so that the lines of all services sort causally.
    at: Option<i64>,
    /// ` name=value` each, or `,"name":value`.
    named: String,
    /// As it is printed; in JSON without its quotes.
    message: String,
}

impl Fields {
    /// Writing to a string does not fail.
    fn add(&mut self, field: &Field, value: fmt::Arguments<'_>, quoted: bool) {
        // `r#type` is how Rust has to spell it.
        let name = match field.name().split_once('#') {
            Some((before, after)) => (before.trim_end_matches('r'), after),
            None => (field.name(), ""),
        };
        let is_message = name.0 == "message";
        let _ = match (self.format, is_message) {
            (LogFormat::Human, true) => Seen(&mut self.message).write_fmt(value),
            (LogFormat::Json, true) => InJson(&mut self.message).write_fmt(value),
            (LogFormat::Human, false) => self.human(name, value),
            (LogFormat::Json, false) => self.json(name, value, quoted),
        };
    }

    fn human(&mut self, name: (&str, &str), value: fmt::Arguments<'_>) -> fmt::Result {
        // For machines; people read it in the message.
        if name.0 == "outcome" {
            return Ok(());
        }
        let out = &mut self.named;
        let before = out.len();
        for part in [" ", name.0, name.1, "="] {
            out.push_str(part);
        }
        let start = out.len();
        let written = out.write_fmt(value);
        if out.len() == start {
            // Nothing to say is nothing to read.
            out.truncate(before);
        } else {
            quote_from(out, start);
        }
        written
    }

    fn json(&mut self, name: (&str, &str), value: fmt::Arguments<'_>, quoted: bool) -> fmt::Result {
        let out = &mut self.named;
        for part in [",\"", name.0, name.1, "\":"] {
            out.push_str(part);
        }
        if !quoted {
            return out.write_fmt(value);
        }
        out.push('"');
        let written = InJson(out).write_fmt(value);
        out.push('"');
        written
    }
}

impl Visit for Fields {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.add(field, format_args!("{value}"), true);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        if field.name() == "at_us" {
            self.at = Some(value);
        } else {
            self.add(field, format_args!("{value}"), false);
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.add(field, format_args!("{value}"), false);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.add(field, format_args!("{value}"), false);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        // JSON has no name for what is no number.
        self.add(field, format_args!("{value}"), !value.is_finite());
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.add(field, format_args!("{value:?}"), true);
    }
}

#[cfg(test)]
mod tests;
