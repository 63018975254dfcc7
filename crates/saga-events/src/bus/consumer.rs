//! Reading: one blocking `XREADGROUP` over all streams of a service, on a connection of its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, RedisError, Value};

use super::{Bus, BusConfig, BusError, client};
use crate::{Event, Service, Undecodable};

/// Which entry of which stream: what an acknowledgement names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Entry {
    pub(super) stream: usize,
    pub(super) id: Box<str>,
}

impl Entry {
    /// Of the stream that has this place among a service's [`subscriptions`](super::subscriptions).
    pub fn new(stream: usize, id: impl Into<Box<str>>) -> Self {
        let id = id.into();
        Self { stream, id }
    }

    /// Its stream's place among the service's subscriptions.
    pub const fn stream(&self) -> usize {
        self.stream
    }

    /// The entry's id in its stream, for logs and dead letters.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// One entry, decoded.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// What to acknowledge once its effect is committed.
    pub entry: Entry,
    /// The event, or why it is none.
    pub event: Result<Event, Undecodable>,
    /// The entry as it came, for the dead letter.
    pub raw: Raw,
}

/// What an entry held, byte for byte: the evidence where it cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Raw {
    /// The value of its one field, `event`.
    Event(Vec<u8>),
    /// Other fields than that one: names and values in turn.
    Fields(Vec<Vec<u8>>),
    /// Nothing: the entry was trimmed before it was read.
    Gone,
}

/// A member of a service's consumer group. Not shared: a blocking read stalls its connection.
pub struct Consumer {
    config: BusConfig,
    service: Service,
    instance: String,
    streams: Arc<[String]>,
    connection: Option<MultiplexedConnection>,
    /// Where in each stream's own pending entries the replay after a connect stands; `None` when
    /// it is done and new entries are read.
    replay: Option<Vec<Box<str>>>,
    next_claim: Instant,
}

impl Bus {
    /// Joins the group of this service. `instance` names this consumer in the group; it must be
    /// stable over restarts, so that it finds its own pending entries again.
    pub fn consumer(&self, instance: &str) -> Consumer {
        Consumer {
            config: self.config.clone(),
            service: self.service,
            instance: instance.to_owned(),
            streams: self.subscriptions.clone(),
            connection: None,
            replay: None,
            next_claim: Instant::now(),
        }
    }

    /// The stream an entry was read from.
    pub fn stream_of(&self, entry: &Entry) -> &str {
        self.subscriptions
            .get(entry.stream)
            .map_or("?", String::as_str)
    }
}

impl Consumer {
    /// Waits for entries: after a (re)connect first its own pending ones, then new ones, now and
    /// then those of a dead consumer. Empty when nothing came in time. Dropping the future loses
    /// nothing: what was delivered to it stays pending and is read again.
    ///
    /// # Errors
    /// Redis is not reached. The next call connects anew; the caller waits in between.
    pub async fn next(&mut self) -> Result<Vec<Delivery>, BusError> {
        let read = self.read().await;
        match read {
            Err(error) if groups_are_gone(&error) => {
                // A flush while a read blocks answers UNBLOCKED, not NOGROUP: both mean the same.
                self.make_groups()
                    .await
                    .inspect_err(|_| self.connection = None)?;
                Ok(Vec::new())
            }
            Err(error) => {
                // After a time-out the server may still deliver to the abandoned read: only a new
                // connection that replays the pending entries is certain to see them.
                self.connection = None;
                Err(error.into())
            }
            Ok(deliveries) => Ok(deliveries),
        }
    }

    async fn read(&mut self) -> Result<Vec<Delivery>, RedisError> {
        if self.connection.is_none() {
            self.connect().await?;
        }
        if self.replay.is_none() && Instant::now() >= self.next_claim {
            let idle = Duration::from_millis(self.config.claim_idle_ms);
            self.next_claim = Instant::now() + idle / 2;
            let claimed = self.claim().await?;
            if !claimed.is_empty() {
                return Ok(claimed);
            }
        }
        let mut command = redis::cmd("XREADGROUP");
        command
            .arg("GROUP")
            .arg(self.service.as_str())
            .arg(&self.instance);
        command.arg("COUNT").arg(self.config.read_count);
        if self.replay.is_none() {
            command.arg("BLOCK").arg(self.config.block_ms);
        }
        command.arg("STREAMS").arg(&self.streams[..]);
        for stream in 0..self.streams.len() {
            command.arg(
                self.replay
                    .as_ref()
                    .map_or(">", |cursors| cursors[stream].as_ref()),
            );
        }
        let reply = self.ask(&command).await?;
        let deliveries = self.deliveries_of(reply);
        if let Some(cursors) = &mut self.replay {
            for Delivery { entry, .. } in &deliveries {
                cursors[entry.stream] = entry.id.clone();
            }
            if deliveries.is_empty() {
                self.replay = None;
            }
        }
        Ok(deliveries)
    }

    async fn connect(&mut self) -> Result<(), RedisError> {
        // The read blocks for block_ms; an answer that takes 5 s longer will not come.
        let patience = Duration::from_millis(self.config.block_ms) + Duration::from_secs(5);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(2)))
            .set_response_timeout(Some(patience));
        let client = client(&self.config.url)?;
        self.connection = Some(
            client
                .get_multiplexed_async_connection_with_config(&config)
                .await?,
        );
        self.make_groups().await?;
        self.replay = Some(vec!["0".into(); self.streams.len()]);
        Ok(())
    }

    /// Makes the groups that are not there, always at `0`: a group made at `$` would skip what was
    /// published since the flush.
    async fn make_groups(&mut self) -> Result<(), RedisError> {
        for stream in self.streams.clone().iter() {
            let mut command = redis::cmd("XGROUP");
            command
                .arg("CREATE")
                .arg(stream)
                .arg(self.service.as_str())
                .arg("0")
                .arg("MKSTREAM");
            match self.ask(&command).await {
                Err(error) if error.code() == Some("BUSYGROUP") => {}
                other => drop(other?),
            }
        }
        Ok(())
    }

    async fn claim(&mut self) -> Result<Vec<Delivery>, RedisError> {
        let mut claimed = Vec::new();
        for (stream, name) in self.streams.clone().iter().enumerate() {
            let mut command = redis::cmd("XAUTOCLAIM");
            command
                .arg(name)
                .arg(self.service.as_str())
                .arg(&self.instance);
            command
                .arg(self.config.claim_idle_ms)
                .arg("0-0")
                .arg("COUNT")
                .arg(self.config.read_count);
            if let Value::Array(parts) = self.ask(&command).await?
                && let Some(entries) = parts.into_iter().nth(1)
            {
                push_entries(stream, entries, &mut claimed);
            }
        }
        Ok(claimed)
    }

    async fn ask(&mut self, command: &redis::Cmd) -> Result<Value, RedisError> {
        match &mut self.connection {
            Some(connection) => command.query_async(connection).await,
            None => Err((redis::ErrorKind::Io, "not connected").into()),
        }
    }

    /// Walks the reply by hand: the crate's `StreamReadReply` clones it and builds a map an entry.
    fn deliveries_of(&self, reply: Value) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        let Value::Array(streams) = reply else {
            return deliveries;
        };
        for of_stream in streams {
            let Value::Array(pair) = of_stream else {
                continue;
            };
            let mut pair = pair.into_iter();
            let (Some(Value::BulkString(name)), Some(entries)) = (pair.next(), pair.next()) else {
                continue;
            };
            let known = self
                .streams
                .iter()
                .position(|stream| stream.as_bytes() == name.as_slice());
            if let Some(stream) = known {
                push_entries(stream, entries, &mut deliveries);
            }
        }
        deliveries
    }
}

fn push_entries(stream: usize, entries: Value, deliveries: &mut Vec<Delivery>) {
    let Value::Array(entries) = entries else {
        return;
    };
    for entry in entries {
        let Value::Array(parts) = entry else { continue };
        let mut parts = parts.into_iter();
        let Some(Value::BulkString(id)) = parts.next() else {
            continue;
        };
        let id = String::from_utf8_lossy(&id).into_owned().into_boxed_str();
        deliveries.push(delivery(Entry { stream, id }, parts.next()));
    }
}

fn delivery(entry: Entry, fields: Option<Value>) -> Delivery {
    let undecodable = |why: &str| Err(Undecodable { why: why.into() });
    let Some(Value::Array(mut fields)) = fields else {
        // Trimmed while pending: the id is all that is left of it.
        return Delivery {
            entry,
            event: undecodable("the entry was trimmed before it was read"),
            raw: Raw::Gone,
        };
    };
    let (event, raw) = match fields.as_mut_slice() {
        [Value::BulkString(name), Value::BulkString(json)]
            if name == super::keys::FIELD.as_bytes() =>
        {
            (Event::decode(json), Raw::Event(std::mem::take(json)))
        }
        _ => (
            undecodable("an entry has one field, `event`"),
            Raw::Fields(fields.into_iter().map(bytes).collect()),
        ),
    };
    Delivery { entry, event, raw }
}

/// Names and values are strings of bytes; whatever else Redis may say is kept as it is shown.
fn bytes(value: Value) -> Vec<u8> {
    match value {
        Value::BulkString(bytes) => bytes,
        other => format!("{other:?}").into_bytes(),
    }
}

fn groups_are_gone(error: &RedisError) -> bool {
    matches!(error.code(), Some("NOGROUP" | "UNBLOCKED"))
}
