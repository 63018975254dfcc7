//! One event is one line, whatever a caller put into a header or a name: what a terminal would
//! obey, or an eye would not see, is written by its number.

use std::fmt;

/// Appends a text as it is, but for what is not seen.
pub(super) struct Seen<'a>(pub &'a mut String);

impl fmt::Write for Seen<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if is_plain(text) {
            self.0.push_str(text);
            return Ok(());
        }
        for c in text.chars() {
            if is_unseen(c) {
                self.0.extend(c.escape_default());
            } else {
                self.0.push(c);
            }
        }
        Ok(())
    }
}

/// Appends the inside of a JSON string.
pub(super) struct InJson<'a>(pub &'a mut String);

impl fmt::Write for InJson<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        if is_plain(text) {
            self.0.push_str(text);
            return Ok(());
        }
        for c in text.chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                // All of them lie below U+10000: four digits.
                c if is_unseen(c) => {
                    fmt::Write::write_fmt(self.0, format_args!("\\u{:04x}", u32::from(c)))?
                }
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// Puts quotes around the value that begins here, if a reader could not tell where it ends.
pub(super) fn quote_from(out: &mut String, start: usize) {
    let is_bare = |b: u8| b.is_ascii_graphic() && !matches!(b, b'"' | b'=' | b'\\');
    if out.as_bytes()[start..].iter().all(|b| is_bare(*b)) {
        return;
    }
    let value = out.split_off(start);
    let needs = |c: char| c == ' ' || c == '"' || c == '=' || c == '\\' || is_unseen(c);
    if !value.chars().any(needs) {
        out.push_str(&value);
        return;
    }
    out.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if is_unseen(c) => out.extend(c.escape_default()),
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Nothing in it needs a second look; nearly all that is logged is such.
fn is_plain(text: &str) -> bool {
    let is_plain = |b: &u8| matches!(b, b' '..=b'~') && !matches!(b, b'"' | b'\\');
    text.as_bytes().iter().all(is_plain)
}

/// Control characters, and those that change the direction or the place of others.
fn is_unseen(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}
