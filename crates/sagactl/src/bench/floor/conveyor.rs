//! The Redis commands of a service, in the shape in which the bus sends them: one `XREADGROUP` over
//! all streams; one `MULTI` with an `XADD` and a `PUBLISH` an output and the `XACK`s behind them.

use std::time::Duration;

use anyhow::{Context, Result};
use redis::{Cmd, Value};
use saga_events::{EventType, OrderId, Service, bus};

use super::texts::Texts;

/// Entries read at once from a stream, as the services' default is.
const READ_COUNT: usize = 512;
/// How long a read waits for news. Milliseconds.
const BLOCK_MS: u64 = 100;
/// The orders of the floor travel in one partition, as by default.
const PARTITION: u16 = 0;

/// A service's connection to Redis.
pub struct Conveyor {
    connection: redis::Connection,
    group: &'static str,
    streams: Vec<(EventType, String)>,
    wait: Cmd,
    look: Cmd,
}

/// An entry that was read.
pub struct Input {
    /// Its place among the streams.
    stream: usize,
    /// Its id in the stream.
    id: Vec<u8>,
    /// Which event.
    pub event_type: EventType,
    /// The purchase that it is about.
    pub order: OrderId,
}

impl Conveyor {
    /// Connects, and joins the group of this service.
    ///
    /// # Errors
    /// Redis is not reached.
    pub fn open(url: &str, service: Service) -> Result<Self> {
        let connection = redis::Client::open(url)?.get_connection();
        let mut connection = connection.with_context(|| format!("redis at {url}"))?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        let group = service.as_str();
        let streams = bus::subscriptions(service, 1);
        for stream in &streams {
            let mut create = redis::cmd("XGROUP");
            create
                .arg("CREATE")
                .arg(stream)
                .arg(group)
                .arg("0")
                .arg("MKSTREAM");
            create.exec(&mut connection)?;
        }
        let read = |block: Option<u64>| {
            let mut read = redis::cmd("XREADGROUP");
            read.arg("GROUP")
                .arg(group)
                .arg("floor")
                .arg("COUNT")
                .arg(READ_COUNT);
            if let Some(block) = block {
                read.arg("BLOCK").arg(block);
            }
            read.arg("STREAMS")
                .arg(&streams)
                .arg(vec![">"; streams.len()]);
            read
        };
        let (wait, look) = (read(Some(BLOCK_MS)), read(None));
        let typed = streams.into_iter().map(|stream| {
            let event_type = bus::carried_by(&stream);
            event_type.map(|event_type| (event_type, stream))
        });
        let streams: Option<_> = typed.collect();
        Ok(Self {
            connection,
            group,
            streams: streams.context("a stream of no event")?,
            wait,
            look,
        })
    }

    /// What came in; waits a moment where nothing did, unless there is something else to do.
    ///
    /// # Errors
    /// Redis is not reached.
    pub fn read(&mut self, texts: &Texts, busy: bool) -> Result<Vec<Input>> {
        let read = if busy { &self.look } else { &self.wait };
        let reply: Value = read.query(&mut self.connection)?;
        let mut inputs = Vec::new();
        for of_stream in array(reply) {
            let mut pair = array(of_stream).into_iter();
            let (Some(Value::BulkString(name)), Some(entries)) = (pair.next(), pair.next()) else {
                continue;
            };
            let mut streams = self.streams.iter();
            let Some(stream) = streams.position(|(_, stream)| stream.as_bytes() == name) else {
                continue;
            };
            for entry in array(entries) {
                inputs.extend(self.input(texts, stream, entry));
            }
        }
        Ok(inputs)
    }

    fn input(&self, texts: &Texts, stream: usize, entry: Value) -> Option<Input> {
        let mut parts = array(entry).into_iter();
        let Value::BulkString(id) = parts.next()? else {
            return None;
        };
        let Value::BulkString(envelope) = array(parts.next()?).pop()? else {
            return None;
        };
        let (event_type, _) = self.streams[stream];
        let order = texts.order_of(event_type, &envelope)?;
        Some(Input {
            stream,
            id,
            event_type,
            order,
        })
    }

    /// Publishes what was said and acknowledges what was heard, in one transaction.
    ///
    /// # Errors
    /// Redis is not reached, or refuses.
    pub fn publish(
        &mut self,
        texts: &mut Texts,
        said: &[(EventType, OrderId)],
        mut heard: Vec<Input>,
    ) -> Result<()> {
        if said.is_empty() && heard.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        pipeline.atomic();
        for (event_type, order) in said {
            let text = &texts.of(*event_type, *order).envelope;
            let stream = bus::stream(PARTITION, *event_type);
            pipeline
                .cmd("XADD")
                .arg(stream)
                .arg("*")
                .arg("event")
                .arg(text)
                .ignore();
            let channel = bus::channel(*event_type);
            pipeline.cmd("PUBLISH").arg(channel).arg(text).ignore();
        }
        heard.sort_unstable_by_key(|input| input.stream);
        for of_stream in heard.chunk_by(|a, b| a.stream == b.stream) {
            let (_, stream) = &self.streams[of_stream[0].stream];
            let acknowledge = pipeline.cmd("XACK").arg(stream).arg(self.group);
            for input in of_stream {
                acknowledge.arg(&input.id);
            }
            acknowledge.ignore();
        }
        Ok(pipeline.exec(&mut self.connection)?)
    }
}

fn array(value: Value) -> Vec<Value> {
    match value {
        Value::Array(values) => values,
        _ => Vec::new(),
    }
}
