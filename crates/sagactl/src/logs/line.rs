//! A line that a service has logged, as `svc-chassis` writes it.

use saga_events::{EventType, Service, Timestamp};
use serde::Deserialize;

/// Where the columns of a line for people begin: time, level, service, what happened.
const LEVEL: usize = 28;
const SERVICE: usize = 34;
const MESSAGE: usize = 48;

/// What the order of a purchase's lines is made from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// As it was logged.
    pub text: String,
    /// When; `None`: the line does not say.
    pub time: Option<Timestamp>,
    /// Whose it is.
    pub service: Option<Service>,
    /// The event that it is about.
    pub event_type: Option<EventType>,
    /// That event's attempt.
    pub attempt: u32,
    /// What was said.
    pub says: Vec<EventType>,
}

/// A line for machines; whatever else it has does not matter here.
#[derive(Default, Deserialize)]
struct Json {
    time: Option<String>,
    service: Option<String>,
    #[serde(rename = "event.type")]
    event_type: Option<String>,
    attempt: Option<u32>,
    says: Option<String>,
}

impl Line {
    /// Reads a line; one that nobody of ours wrote is just its text.
    pub fn read(text: String) -> Self {
        let read = if is_human(&text) {
            of_fields(&text)
        } else {
            serde_json::from_str(&text).unwrap_or_default()
        };
        let says = read.says.unwrap_or_default();
        Self {
            time: read.time.and_then(|time| timestamp(&time)),
            service: read.service.and_then(|name| name.parse().ok()),
            event_type: read.event_type.and_then(|name| name.parse().ok()),
            attempt: read.attempt.unwrap_or(0),
            says: says
                .split('+')
                .filter_map(|name| name.parse().ok())
                .collect(),
            text,
        }
    }
}

fn timestamp(text: &str) -> Option<Timestamp> {
    serde_json::from_value(text.into()).ok()
}

/// Whether a line has the columns that people read.
pub fn is_human(text: &str) -> bool {
    let begins_with_a_time = text.get(..LEVEL).is_some_and(|time| time.ends_with("Z "));
    begins_with_a_time && text.is_char_boundary(SERVICE) && text.is_char_boundary(MESSAGE)
}

fn of_fields(text: &str) -> Json {
    let columns = columns(text);
    let mut json = Json {
        time: Some(columns.time.trim().to_owned()),
        service: Some(columns.service.trim().to_owned()),
        ..Json::default()
    };
    for (name, value) in fields(columns.fields) {
        match name {
            "event.type" => json.event_type = Some(value.to_owned()),
            "attempt" => json.attempt = value.parse().ok(),
            "says" => json.says = Some(value.to_owned()),
            _ => {}
        }
    }
    json
}

/// How serious a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// Somebody has to look.
    Error,
    /// It goes on, but not as it should.
    Warn,
    /// What happens.
    Info,
    /// For who wants to know it all.
    Other,
}

/// A line for people, cut where its columns begin; put together they are the line.
#[derive(Debug, Clone, Copy)]
pub struct Columns<'a> {
    /// `2026-11-23T23:00:00.000000Z `
    pub time: &'a str,
    /// ` INFO `
    pub level_text: &'a str,
    /// The same, read.
    pub level: Level,
    /// `item-svc      `
    pub service: &'a str,
    /// What happened.
    pub message: &'a str,
    /// ` order.id=… event.type=…`
    pub fields: &'a str,
}

/// Cuts a line for which [`is_human`] holds.
pub fn columns(text: &str) -> Columns<'_> {
    let cut = |from: usize, to: usize| text.get(from.min(text.len())..to.min(text.len()));
    let level_text = cut(LEVEL, SERVICE).unwrap_or_default();
    let rest = cut(MESSAGE, text.len()).unwrap_or_default();
    let fields_at = first_field(rest).unwrap_or(rest.len());
    Columns {
        time: cut(0, LEVEL).unwrap_or_default(),
        level_text,
        level: match level_text.trim() {
            "ERROR" => Level::Error,
            "WARN" => Level::Warn,
            "INFO" => Level::Info,
            _ => Level::Other,
        },
        service: cut(SERVICE, MESSAGE).unwrap_or_default(),
        message: rest.get(..fields_at).unwrap_or_default(),
        fields: rest.get(fields_at..).unwrap_or_default(),
    }
}

/// Where ` name=` is for the first time. What is said in words has none.
fn first_field(text: &str) -> Option<usize> {
    let is_name = |word: &str| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        let is_of_a_name = |b: u8| b.is_ascii_lowercase() || b == b'.' || b == b'_';
        !name.is_empty() && name.bytes().all(is_of_a_name)
    };
    let mut spaces = text.match_indices(' ').map(|(at, _)| at);
    spaces.find(|at| text.get(at + 1..).is_some_and(is_name))
}

/// Names and values; what is in quotes is one value, whatever it looks like, and stays as it is.
fn fields(mut text: &str) -> impl Iterator<Item = (&str, &str)> {
    std::iter::from_fn(move || {
        let (name, rest) = text.trim_start().split_once('=')?;
        let end = if rest.starts_with('"') {
            after_quotes(rest)
        } else {
            rest.find(' ').unwrap_or(rest.len())
        };
        let (value, rest) = rest.split_at_checked(end)?;
        text = rest;
        Some((name, value))
    })
}

/// Where a value that begins with a quote ends.
fn after_quotes(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const HUMAN: &str = "2026-11-23T23:00:00.000007Z  INFO item-svc      Reserved        \
        order.id=01a20c1e-0000-7000-8000-000000000001 event.type=inventory.reserved \
        says=item.reserved attempt=2";
    const JSON: &str = r#"{"time":"2026-11-23T23:00:00.000007Z","level":"info","service":"item-svc","order.id":"01a20c1e-0000-7000-8000-000000000001","event.type":"inventory.reserved","says":"item.reserved","attempt":2,"message":"Reserved"}"#;

    #[test]
    fn both_formats_are_read_alike() {
        let [human, json] = [HUMAN, JSON].map(|text| Line::read(text.to_owned()));
        assert_eq!(human.text, HUMAN);
        assert_eq!(human.service, Some(Service::Item));
        assert_eq!(human.event_type, Some(EventType::InventoryReserved));
        assert_eq!(
            (human.attempt, human.says.as_slice()),
            (2, &[EventType::ItemReserved][..])
        );
        assert!(human.time.is_some());
        let text = human.text.clone();
        assert_eq!(human, Line { text, ..json });
    }

    #[test]
    fn what_somebody_wrote_into_a_value_is_no_field() {
        let text = "2026-11-23T23:00:00.000007Z  WARN item-svc      a step failed \
            error=\"says=order.completed \\\" event.type=order.created\" attempt=3";
        let line = Line::read(text.to_owned());
        assert_eq!((line.event_type, line.attempt), (None, 3));
        assert!(line.says.is_empty());
    }

    #[test]
    fn columns_put_together_are_the_line() {
        for text in [
            HUMAN,
            "2026-11-23T23:00:00.000007Z  INFO notify-svc    Your order 1 (3 × item 2 for 30000)",
            "2026-11-23T23:00:00.000007Z  INFO order-svc     ",
        ] {
            assert!(is_human(text), "{text}");
            let Columns {
                time,
                level_text,
                service,
                message,
                fields,
                ..
            } = columns(text);
            assert_eq!([time, level_text, service, message, fields].concat(), text);
        }
        assert_eq!(columns(HUMAN).message.trim(), "Reserved");
        assert!(columns(HUMAN).fields.starts_with(" order.id="));
    }

    #[test]
    fn a_line_of_another_program_is_its_text() {
        for text in [
            "",
            "1:M 23 Nov 2026 # Ready",
            "마법검 방패 마법검 방패 마법검 방패 마법검 방패 마법검",
            "{\"half\":",
        ] {
            let line = Line::read(text.to_owned());
            assert_eq!(line.text, text);
            assert_eq!(
                (line.time, line.service, line.event_type),
                (None, None, None)
            );
        }
    }
}
