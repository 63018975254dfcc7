//! The W3C trace context that a purchase carries from the HTTP request through every event, and the
//! ids of the spans on its way.

use std::fmt;
use std::io;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{EventId, Service};

/// `00-<32 hex>-<16 hex>-<2 hex>`
const LENGTH: usize = 55;
/// Where the span's id is in it.
const SPAN: Range<usize> = 36..52;

/// A `traceparent` header of version 00: `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zero.
/// Source: W3C Trace Context. Every event carries one, so it is its text and nothing on the heap.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct TraceParent([u8; LENGTH]);

impl TraceParent {
    /// A new trace, for a request that came without one.
    pub fn new() -> Self {
        Self::of(uuid::Uuid::now_v7().as_u128(), random(), true)
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
        self.as_str().get(SPAN).unwrap_or_default()
    }

    /// A child of this span that nobody but its maker has to know.
    #[must_use]
    pub fn child(&self) -> Self {
        self.with_span(random())
    }

    /// The span of the step that one service takes on an event that carries this. It follows from the
    /// event: what the service says meanwhile or later can name it as its parent, and nobody has to
    /// remember it across a restart or an answer that takes long.
    #[must_use]
    pub fn step(&self, event: EventId, service: Service) -> Self {
        self.derived(event, u64::from(service.port()))
    }

    /// The span in which something is said that no event has caused, with this attempt: so the steps
    /// that follow a repeat are others than those of the first time.
    #[must_use]
    pub fn saying(&self, event: EventId, attempt: u32) -> Self {
        // No port is that high.
        self.derived(event, u64::from(attempt) << 16)
    }

    fn derived(&self, event: EventId, salt: u64) -> Self {
        let parent = u64::from_str_radix(self.span_id(), 16).unwrap_or_default();
        let event = event.uuid().as_u64_pair().1;
        self.with_span(mixed(mixed(mixed(parent) ^ event) ^ salt))
    }

    /// The same trace with another span. On the way of every event, so only the digits change.
    fn with_span(&self, id: u64) -> Self {
        let mut text = self.0;
        // All zero is no id.
        let mut rest = id.max(1);
        for digit in text[SPAN].iter_mut().rev() {
            *digit = b"0123456789abcdef"[usize::from(rest as u8 & 15)];
            rest >>= 4;
        }
        Self(text)
    }

    /// The same with nobody who keeps it.
    #[must_use]
    pub fn unsampled(self) -> Self {
        let mut text = self.0;
        text[LENGTH - 2..].copy_from_slice(b"00");
        Self(text)
    }

    /// A number that belongs to the trace, evenly spread over all of them: what decides whether one
    /// trace of so many is kept.
    pub fn lot(&self) -> u64 {
        let id = u128::from_str_radix(self.trace_id(), 16).unwrap_or_default();
        // Where ids begin with the time they are far from evenly spread.
        mixed(id as u64 ^ (id >> 64) as u64)
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

fn random() -> u64 {
    uuid::Uuid::now_v7().as_u64_pair().1
}

/// Each bit of the answer depends on each bit of the number: the finalizer of `SplitMix64`.
const fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
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

    #[test]
    fn the_span_of_a_step_follows_from_event_and_service() {
        use crate::{EventType, OrderId};
        let request = TraceParent::of(0xabc, 7, true);
        let order = OrderId::from_uuid(uuid::Uuid::from_u128(1));
        let created = EventId::of(order, EventType::OrderCreated);
        let (user, item) = (
            request.step(created, Service::User),
            request.step(created, Service::Item),
        );
        assert_eq!(user, request.step(created, Service::User));
        assert!(user.as_str().parse::<TraceParent>().is_ok());
        assert_eq!(user.trace_id(), request.trace_id());
        assert!(user.is_sampled());
        assert!(
            !request
                .clone()
                .unsampled()
                .step(created, Service::User)
                .is_sampled()
        );

        let again = request.saying(created, 1);
        let other = EventId::of(order, EventType::UserValidated);
        let spans = [
            request.clone(),
            user.clone(),
            item,
            again.clone(),
            request.saying(created, 2),
            again.step(created, Service::User),
            request.step(other, Service::User),
            user.step(created, Service::User),
            request.child(),
            request.child(),
        ];
        let ids: std::collections::BTreeSet<_> = spans.iter().map(TraceParent::span_id).collect();
        assert_eq!(ids.len(), spans.len(), "{spans:?}");
    }

    #[test]
    fn lots_are_spread_evenly_though_ids_begin_with_the_time() {
        let below = (0..1_000).filter(|_| TraceParent::new().lot() < u64::MAX / 4);
        let below = below.count();
        assert!((150..350).contains(&below), "{below} of 1000");
    }
}
