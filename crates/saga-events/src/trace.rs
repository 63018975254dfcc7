//! The W3C trace context that a purchase carries from the HTTP request through every event.

use std::fmt;
use std::io;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// `00-<32 hex>-<16 hex>-<2 hex>`
const LENGTH: usize = 55;

/// A `traceparent` header of version 00: `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zero.
/// Source: W3C Trace Context. Every event carries one, so it is its text and nothing on the heap.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TraceParent([u8; LENGTH]);

impl TraceParent {
    /// A new trace, for a request that came without one.
    pub fn new() -> Self {
        let (trace, span) = (uuid::Uuid::now_v7(), uuid::Uuid::now_v7());
        Self::of(trace.as_u128(), span.as_u64_pair().1, true)
    }

    /// A span of a trace; neither id may be 0. `sampled`: somebody keeps it.
    pub fn of(trace_id: u128, span_id: u64, sampled: bool) -> Self {
        let mut text = [0; LENGTH];
        let mut rest = text.as_mut_slice();
        let sampled = u8::from(sampled);
        // It fits: the widths are the format's own.
        let _ = io::Write::write_fmt(
            &mut rest,
            format_args!("00-{trace_id:032x}-{span_id:016x}-{sampled:02x}"),
        );
        Self(text)
    }

    /// The header's text.
    pub fn as_str(&self) -> &str {
        // Always ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The trace id: 32 hexadecimal digits.
    pub fn trace_id(&self) -> &str {
        self.as_str().get(3..35).unwrap_or_default()
    }

    /// The id of the span that whatever carries this was caused by: 16 hexadecimal digits.
    pub fn span_id(&self) -> &str {
        self.as_str().get(36..52).unwrap_or_default()
    }

    /// Whether somebody keeps this trace.
    pub fn is_sampled(&self) -> bool {
        // The lowest bit of the flags.
        matches!(
            self.0[LENGTH - 1],
            b'1' | b'3' | b'5' | b'7' | b'9' | b'b' | b'd' | b'f'
        )
    }
}

impl Default for TraceParent {
    fn default() -> Self {
        Self::new()
    }
}

impl FromStr for TraceParent {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let hex = |part: &str, length: usize| {
            part.len() == length && part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        let zero = |part: &str| part.bytes().all(|b| b == b'0');
        let mut parts = text.split('-');
        match (
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
            parts.next(),
        ) {
            (Some("00"), Some(trace), Some(span), Some(flags), None)
                if hex(trace, 32)
                    && hex(span, 16)
                    && hex(flags, 2)
                    && !zero(trace)
                    && !zero(span) =>
            {
                let bytes = text.as_bytes().try_into();
                bytes.map(Self).map_err(|_| not_one(text))
            }
            _ => Err(not_one(text)),
        }
    }
}

fn not_one(text: &str) -> String {
    format!("not a traceparent: {text:?}")
}

impl Serialize for TraceParent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for TraceParent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl de::Visitor<'_> for Text {
            type Value = TraceParent;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a traceparent")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TraceParent, E> {
                text.parse().map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text)
    }
}

impl From<TraceParent> for String {
    fn from(trace: TraceParent) -> String {
        trace.as_str().to_owned()
    }
}

impl fmt::Debug for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceParent({})", self.as_str())
    }
}

impl fmt::Display for TraceParent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_well_formed_headers_are_taken() {
        let good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        assert_eq!(
            good.parse::<TraceParent>().unwrap().trace_id(),
            "4bf92f3577b34da6a3ce929d0e0e4736"
        );
        assert!(TraceParent::new().as_str().parse::<TraceParent>().is_ok());
        let json = format!("\"{good}\"");
        let trace: TraceParent = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&trace).unwrap(), json);
        assert_eq!(trace.span_id(), "00f067aa0ba902b7");
        for bad in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-x",
        ] {
            assert!(bad.parse::<TraceParent>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_span_of_a_trace_is_told_by_numbers() {
        let span = TraceParent::of(0xabc, 7, true);
        let text = "00-00000000000000000000000000000abc-0000000000000007-01";
        assert_eq!(span.as_str(), text);
        assert_eq!(Ok(&span), text.parse().as_ref());
        assert!(span.is_sampled() && !TraceParent::of(1, 1, false).is_sampled());
    }
}
