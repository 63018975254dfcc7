#![allow(clippy::unwrap_used)]

use std::sync::{Arc, Mutex};

use serde_json::Value;
use tracing::subscriber::with_default;

use super::*;

/// What a caller may call a user or an item, or put into a header.
const HOSTILE: [&str; 8] = [
    "Kim\r\n2026-01-01T00:00:00Z ERROR order-svc FORGED",
    "\u{1b}[31mred\u{1b}[0m \u{7}\u{8}",
    "\u{9b}31m C1 \u{85} next line",
    "\u{202e}backwards\u{200b}unseen\u{feff}",
    "\u{2028}two\u{2029}lines",
    "quotes \" and \\ backslash \\\"",
    "a=b order.id=00000000-0000-0000-0000-000000000000",
    "마법검 \0 {\"json\":1}",
];

/// What this line writes while `log` runs.
fn written(format: LogFormat, colour: bool, log: impl FnOnce()) -> String {
    let out = Arc::new(Mutex::new(Vec::new()));
    let service = Service::Item;
    let line = Line {
        service,
        format,
        colour,
    };
    struct To(Arc<Mutex<Vec<u8>>>);
    impl std::io::Write for To {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let to = out.clone();
    let subscriber = tracing_subscriber::fmt()
        .event_format(line)
        .with_writer(move || To(to.clone()))
        .finish();
    with_default(subscriber, log);
    let bytes = out.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

fn human(log: impl FnOnce()) -> String {
    written(LogFormat::Human, false, log)
}

fn json(log: impl FnOnce()) -> Value {
    serde_json::from_str(&written(LogFormat::Json, false, log)).unwrap()
}

#[test]
fn a_line_for_people_is_aligned_and_says_first_what_happened() {
    let step = |state: &str, order: u32| {
        human(|| {
            tracing::info!(at_us = 0_i64, order.id = %format_args!("{order:036}"), event.r#type = "item.reserved", outcome = "changed", says = "", "{state}");
        })
    };
    let id = "000000000000000000000000000000000007";
    let begins = "1970-01-01T00:00:00.000000Z  INFO item-svc     ";
    assert_eq!(
        step("Reserved", 7),
        format!("{begins} Reserved        order.id={id} event.type=item.reserved\n")
    );
    let column = |line: &str| line.find("order.id=").unwrap();
    assert_eq!(
        column(&step("Reserved", 1)),
        column(&step("nothing changed", 2))
    );
}

#[test]
fn a_line_for_machines_has_the_same_names() {
    let line = json(|| {
        tracing::warn!(
            at_us = 0_i64,
            event.r#type = "item.reserved",
            attempt = 3_u64,
            lost = true,
            rate = f64::NAN,
            outcome = "changed",
            "Reserved"
        );
    });
    let expected = serde_json::json!({
        "time": "1970-01-01T00:00:00.000000Z", "level": "warn", "service": "item-svc",
        "event.type": "item.reserved", "attempt": 3, "lost": true, "rate": "NaN",
        "outcome": "changed", "message": "Reserved",
    });
    assert_eq!(line, expected);
}

#[test]
fn no_text_breaks_a_line_or_reaches_a_terminal_as_a_command() {
    for text in HOSTILE {
        for line in [
            human(|| tracing::info!(error = %text, name = text, after = 7_u64, "{text}")),
            written(LogFormat::Json, false, || {
                tracing::info!(error = ?text, name = text, after = 7_u64, "{text}");
            }),
        ] {
            let line = line.strip_suffix('\n').unwrap();
            assert!(!line.chars().any(|c| c.is_control()), "{line:?}");
            for unseen in ['\u{202e}', '\u{200b}', '\u{feff}', '\u{2028}', '\u{2029}'] {
                assert!(!line.contains(unseen), "{line:?}");
            }
            assert!(line.contains("after"), "{line}");
        }
    }
}

#[test]
fn machines_read_back_what_was_logged() {
    for text in HOSTILE {
        let line = json(|| tracing::info!(name = text, "{text}"));
        assert_eq!(line["name"], text);
        assert_eq!(line["message"], text);
    }
}

#[test]
fn a_value_with_spaces_is_quoted_and_forges_no_field() {
    let line = human(|| {
        tracing::info!(
            error = "a=b says=\"x\"",
            path = "/a\\b",
            name = "마법검",
            "told"
        );
    });
    let fields = line.trim_end().split("told           ").nth(1).unwrap();
    assert_eq!(
        fields,
        r#" error="a=b says=\"x\"" path="/a\\b" name=마법검"#
    );
}

#[test]
fn only_a_line_for_a_terminal_is_coloured() {
    let log = || tracing::error!(name = "x", "broken");
    let plain = written(LogFormat::Human, false, log);
    let coloured = written(LogFormat::Human, true, log);
    assert!(!plain.contains('\u{1b}') && coloured.contains("\u{1b}[1;31mbroken"));
    let mut bare = coloured.clone();
    for code in ["0", "2", "31", "36", "1;31"] {
        bare = bare.replace(&format!("\u{1b}[{code}m"), "");
    }
    // But for its time.
    assert_eq!(bare[27..], plain[27..]);
}
