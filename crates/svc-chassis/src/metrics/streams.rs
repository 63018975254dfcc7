//! What the trimmer finds in the streams that a service publishes.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use saga_events::bus::Trimmed;
use saga_events::{EventType, Service};

use super::{Counter, Measures, Page};

/// The figures of the streams that a service publishes.
#[derive(Debug)]
pub(crate) struct Streams(Vec<Stream>);

#[derive(Debug)]
struct Stream {
    event_type: EventType,
    entries: AtomicU64,
    lost: Counter,
}

impl Streams {
    pub fn new(service: Service) -> Self {
        let stream = |event_type| Stream {
            event_type,
            entries: AtomicU64::new(0),
            lost: Counter::default(),
        };
        Self(service.publishes().map(stream).collect())
    }

    /// The streams of this type were trimmed.
    pub fn trimmed(&self, event_type: EventType, trimmed: Trimmed) {
        let mut streams = self.0.iter();
        if let Some(stream) = streams.find(|stream| stream.event_type == event_type) {
            stream.entries.store(trimmed.length, Ordering::Relaxed);
            stream.lost.add(trimmed.lost);
        }
    }
}

impl Measures for Streams {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let streams = || {
            self.0
                .iter()
                .map(|stream| ([("type", stream.event_type.as_str())], stream))
        };
        let entries = streams().map(|(labels, stream)| {
            (
                labels,
                u32::try_from(stream.entries.load(Ordering::Relaxed))
                    .unwrap_or(u32::MAX)
                    .into(),
            )
        });
        let help = "Entries of a stream that this service publishes, when it was trimmed last";
        page.gauges("saga_stream_entries", help, entries)?;
        let lost = streams().map(|(labels, stream)| (labels, stream.lost.get()));
        let help = "Entries that the hard cap of a stream cut and some consumer may not have read; \
                    the repeat heals it";
        page.counters("saga_stream_lost_entries_total", help, lost)
    }
}
