//! The bus: Redis Streams carry the events, Pub/Sub carries a live copy for whoever watches.
//!
//! # Redis Streams in brief
//! A stream is a log of entries. `XADD` appends one. A *consumer group* has a position in a stream;
//! `XREADGROUP` hands each entry to one consumer of the group and keeps it in that consumer's
//! *pending entries list* until `XACK`. A consumer that comes back reads its own pending entries
//! first; entries of a consumer that never comes back are taken over with `XAUTOCLAIM`.
//!
//! # How it is used here
//! One stream an event type and partition, one field `event` (the envelope), one group a consuming
//! service. Redis is a disposable conveyor: the services' databases are the truth, so a group that
//! is gone is made again at `0`, and what a flush lost is made good by order-svc's repeat.
//!
//! All `redis` types stay inside this module.

mod connection;
mod consumer;
mod keys;
mod lock;
mod publisher;
mod tap;
mod trim;

pub use consumer::{Consumer, Delivery, Entry, Raw};
pub use keys::{carried_by, channel, partition_of, stream, subscriptions};
pub use lock::{Lock, LockHold};
pub use publisher::PublishError;
pub use tap::Tap;
pub use trim::Trimmed;

use std::time::Duration;

use crate::Service;
use connection::Connection;

/// How the bus is reached. Durations in milliseconds, lengths in entries.
#[derive(Debug, Clone, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BusConfig {
    /// `redis://127.0.0.1:6379`
    pub url: String,
    /// Partitions of the order ids; the same number in all services.
    pub partitions: u16,
    /// Entries read at once from a stream.
    pub read_count: usize,
    /// How long a read waits for news.
    pub block_ms: u64,
    /// A consumer idle this long is taken for dead and its pending entries are claimed.
    pub claim_idle_ms: u64,
    /// Hard cap of a stream: what a dead consumer may pile up.
    pub max_stream_entries: usize,
    /// Cap of a stream that nobody consumes.
    pub max_unconsumed_entries: usize,
    /// How often the published streams are trimmed.
    pub trim_ms: u64,
}

/// What a consumer group has not read or not acknowledged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pending {
    /// Entries that were read, and those that were not: one for each stream where Redis cannot count
    /// them.
    pub entries: u64,
    /// How old the oldest of them is, by Redis' clock; `None`: there is none.
    pub oldest: Option<Duration>,
}

/// Redis did not do what it was asked to. Nothing is lost: the databases are the truth.
#[derive(Debug, Clone, thiserror::Error)]
#[error("redis: {0}")]
pub struct BusError(String);

impl From<redis::RedisError> for BusError {
    fn from(error: redis::RedisError) -> Self {
        Self(error.to_string())
    }
}

/// A service's connection for everything that does not block. Cheap to clone.
#[derive(Clone)]
pub struct Bus {
    connection: Connection,
    config: BusConfig,
    service: Service,
    /// Every stream this service reads, named once: an [`Entry`] points into it.
    subscriptions: std::sync::Arc<[String]>,
}

impl Bus {
    /// Prepares the connection; it is made at the first use and again after every loss, so that a
    /// service starts while Redis is away.
    ///
    /// # Errors
    /// The URL is not one of Redis.
    pub fn open(config: &BusConfig, service: Service) -> Result<Self, BusError> {
        let connection = Connection::prepare(client(&config.url)?)?;
        Ok(Self {
            connection,
            config: config.clone(),
            service,
            subscriptions: keys::subscriptions(service, config.partitions).into(),
        })
    }

    /// Asks Redis for a sign of life.
    ///
    /// # Errors
    /// Redis is not reached.
    pub async fn ping(&self) -> Result<(), BusError> {
        let mut connection = self.connection.clone();
        Ok(redis::cmd("PING").query_async(&mut connection).await?)
    }

    /// How many entries of one stream its consumer has not read or not acknowledged: a repeat waits
    /// while there are any. A stream or group that does not exist has no backlog. Redis may be unable
    /// to count those that were not read, and then they are one.
    ///
    /// # Errors
    /// Redis is not reached.
    pub async fn backlog(&self, stream: &str, consumer: Service) -> Result<u64, BusError> {
        Ok(
            trim::waiting(&mut self.connection.clone(), stream, consumer)
                .await?
                .0,
        )
    }

    /// What this service has not acknowledged of all the streams that it reads.
    ///
    /// # Errors
    /// Redis is not reached.
    pub async fn pending(&self) -> Result<Pending, BusError> {
        let connection = &mut self.connection.clone();
        let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(connection).await?;
        let now = seconds * 1000 + micros / 1000;
        let mut sum = Pending::default();
        for stream in self.subscriptions.iter() {
            let (entries, since) = trim::waiting(connection, stream, self.service).await?;
            let age = since.map(|since| Duration::from_millis(now.saturating_sub(since)));
            sum.entries += entries;
            sum.oldest = sum.oldest.max(age);
        }
        Ok(sum)
    }

    /// The configuration it was opened with.
    pub fn config(&self) -> &BusConfig {
        &self.config
    }
}

/// A client with `TCP_NODELAY`, which the crate leaves off before its version 2.
fn client(url: &str) -> Result<redis::Client, redis::RedisError> {
    use redis::IntoConnectionInfo;
    let info = url.into_connection_info()?;
    let settings = redis::io::tcp::TcpSettings::default().set_nodelay(true);
    redis::Client::open(info.set_tcp_settings(settings))
}
