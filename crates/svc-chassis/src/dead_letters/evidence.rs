//! What arrived, as it is kept: readable, and not a byte of it lost.

use saga_events::bus::Raw;
use saga_events::{Event, Undecodable};

saga_events::spelled! {
    /// How the text of a dead letter is to be read.
    pub enum Form: "form" {
        /// It is the event as it came.
        Text = "text",
        /// It is the event with each byte that is no UTF-8 as `\xNN`, and each backslash doubled.
        Escaped = "escaped",
        /// It is the names and values of an entry that has other fields than one `event`, in turn:
        /// a JSON array of strings that are escaped as above.
        Fields = "fields",
        /// There is nothing: the entry was trimmed before it was read.
        Gone = "gone",
    }
}

/// What arrived, in the form that keeps all of it.
pub(super) fn written(raw: &Raw) -> (Form, String) {
    match raw {
        Raw::Event(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => (Form::Text, text.to_owned()),
            Err(_) => (Form::Escaped, escaped(bytes)),
        },
        Raw::Fields(fields) => {
            let fields: Vec<String> = fields.iter().map(|field| escaped(field)).collect();
            (Form::Fields, serde_json::json!(fields).to_string())
        }
        Raw::Gone => (Form::Gone, String::new()),
    }
}

/// The event that is kept, as this build understands it: a newer one may understand more.
///
/// # Errors
/// It is still no event of the contract.
pub(super) fn decoded(form: Form, text: &str) -> Result<Event, Undecodable> {
    let undecodable = |why: &str| Err(Undecodable { why: why.into() });
    match form {
        Form::Text => Event::decode(text.as_bytes()),
        Form::Escaped => undecodable("it is not UTF-8"),
        Form::Fields => undecodable("an entry has one field, `event`"),
        Form::Gone => undecodable("the entry was trimmed before it was read"),
    }
}

fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        text.push_str(&chunk.valid().replace('\\', "\\\\"));
        for byte in chunk.invalid() {
            text.push_str(&format!("\\x{byte:02x}"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// The way back that a person would go.
    fn unescaped(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find('\\') {
            bytes.extend_from_slice(&rest.as_bytes()[..at]);
            rest = match rest.as_bytes()[at + 1] {
                b'x' => {
                    bytes.push(u8::from_str_radix(&rest[at + 2..at + 4], 16).unwrap());
                    &rest[at + 4..]
                }
                _ => {
                    bytes.push(b'\\');
                    &rest[at + 2..]
                }
            };
        }
        bytes.extend_from_slice(rest.as_bytes());
        bytes
    }

    #[test]
    fn text_is_kept_as_it_came_whatever_it_says() {
        for text in ["{\"half\":", "방패 \\x41 \u{1b}[31m", ""] {
            let kept = written(&Raw::Event(text.as_bytes().to_vec()));
            assert_eq!(kept, (Form::Text, text.to_owned()));
        }
    }

    #[test]
    fn of_bytes_that_are_no_text_every_one_can_be_got_back() {
        let all: Vec<u8> = (0..=255).collect();
        for bytes in [b"a\xffb\\x41".as_slice(), b"\xea\xb0", &all] {
            let (form, text) = written(&Raw::Event(bytes.to_vec()));
            assert_eq!((form, unescaped(&text)), (Form::Escaped, bytes.to_vec()));
        }
    }

    #[test]
    fn other_fields_are_kept_name_by_name() {
        let fields = vec![b"message".to_vec(), b"hello \xff".to_vec()];
        let (form, text) = written(&Raw::Fields(fields));
        assert_eq!(
            (form, text.as_str()),
            (Form::Fields, r#"["message","hello \\xff"]"#)
        );
        assert!(decoded(form, &text).is_err());
    }
}
