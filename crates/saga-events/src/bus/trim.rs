//! Trimming: a stream is cut, by the service that publishes it, below the lowest entry that some
//! consumer group *of the contract* has not acknowledged.

use redis::{RedisError, Value};

use super::connection::Connection;
use super::{Bus, BusError, keys};
use crate::{EventType, Service};

/// What a trim did to one stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Trimmed {
    /// Entries left.
    pub length: u64,
    /// Entries cut by the hard cap that some consumer may not have read: lost events, which
    /// order-svc's repeat heals. An alarm.
    pub lost: u64,
}

/// How far one group has come in a stream.
struct Progress {
    /// The lowest id that must stay: everything below is acknowledged. `None`: all must stay.
    keep_from: Option<StreamId>,
}

type StreamId = (u64, u64);

impl Bus {
    /// Trims the streams of one event type that this service publishes.
    ///
    /// # Errors
    /// Redis is not reached; it is tried again at the next turn.
    pub async fn trim(&self, event_type: EventType) -> Result<Trimmed, BusError> {
        let mut sum = Trimmed::default();
        for partition in 0..self.config.partitions.max(1) {
            let stream = keys::stream(partition, event_type);
            let trimmed = self
                .trim_stream(&stream, event_type.spec().consumers)
                .await?;
            sum.length += trimmed.length;
            sum.lost += trimmed.lost;
        }
        Ok(sum)
    }

    async fn trim_stream(&self, stream: &str, groups: &[Service]) -> Result<Trimmed, RedisError> {
        let connection = &mut self.connection.clone();
        if groups.is_empty() {
            let cap = self.config.max_unconsumed_entries;
            trim_command(connection, stream, "MAXLEN", &cap.to_string()).await?;
            return Ok(Trimmed {
                length: length(connection, stream).await?,
                lost: 0,
            });
        }
        let mut lowest: Option<StreamId> = None;
        for group in groups {
            match progress(connection, stream, *group).await?.keep_from {
                Some(id) => lowest = Some(lowest.map_or(id, |low| low.min(id))),
                // A group that does not exist has read nothing: nothing may go.
                None => return self.cap(connection, stream).await,
            }
        }
        if let Some((ms, sequence)) = lowest {
            trim_command(connection, stream, "MINID", &format!("{ms}-{sequence}")).await?;
        }
        self.cap(connection, stream).await
    }

    /// The last resort: a dead consumer must not fill Redis.
    async fn cap(&self, connection: &mut Connection, stream: &str) -> Result<Trimmed, RedisError> {
        let length = length(connection, stream).await?;
        let cap = self.config.max_stream_entries;
        if length <= cap as u64 {
            return Ok(Trimmed { length, lost: 0 });
        }
        let lost = trim_command(connection, stream, "MAXLEN", &cap.to_string()).await?;
        Ok(Trimmed {
            length: length.saturating_sub(lost),
            lost,
        })
    }
}

async fn trim_command(
    connection: &mut Connection,
    stream: &str,
    by: &str,
    limit: &str,
) -> Result<u64, RedisError> {
    redis::cmd("XTRIM")
        .arg(stream)
        .arg(by)
        .arg("=")
        .arg(limit)
        .query_async(connection)
        .await
}

async fn length(connection: &mut Connection, stream: &str) -> Result<u64, RedisError> {
    redis::cmd("XLEN").arg(stream).query_async(connection).await
}

/// `XINFO GROUPS` first, then `XPENDING`: an entry delivered in between is then above the group's
/// position as we know it, and stays.
async fn progress(
    connection: &mut Connection,
    stream: &str,
    group: Service,
) -> Result<Progress, RedisError> {
    let Some(Position { delivered, .. }) = position(connection, stream, group).await? else {
        return Ok(Progress { keep_from: None });
    };
    let (_, lowest_pending) = pending(connection, stream, group).await?;
    let after = (delivered.0, delivered.1.saturating_add(1));
    Ok(Progress {
        keep_from: Some(lowest_pending.map_or(after, |pending| pending.min(after))),
    })
}

/// Entries of the stream that the group has not acknowledged.
pub(super) async fn backlog(
    connection: &mut Connection,
    stream: &str,
    group: Service,
) -> Result<u64, RedisError> {
    Ok(waiting(connection, stream, group).await?.0)
}

/// How many entries the group has read and not acknowledged, and one more where some are not even
/// read; and the time in the oldest one's id, in milliseconds since 1970 by Redis' clock.
pub(super) async fn waiting(
    connection: &mut Connection,
    stream: &str,
    group: Service,
) -> Result<(u64, Option<u64>), RedisError> {
    let Some(Position { delivered, .. }) = position(connection, stream, group).await? else {
        let oldest = first_after(connection, stream, (0, 0)).await?;
        return Ok((length(connection, stream).await?, oldest.map(|(ms, _)| ms)));
    };
    let (pending, lowest) = pending(connection, stream, group).await?;
    let unread = first_after(connection, stream, delivered).await?;
    let oldest = lowest.or(unread).map(|(ms, _)| ms);
    Ok((pending + u64::from(unread.is_some()), oldest))
}

/// The id of the first entry after this one.
async fn first_after(
    connection: &mut Connection,
    stream: &str,
    (ms, sequence): StreamId,
) -> Result<Option<StreamId>, RedisError> {
    let reply: Value = redis::cmd("XRANGE")
        .arg(stream)
        .arg(format!("({ms}-{sequence}"))
        .arg("+")
        .arg("COUNT")
        .arg(1)
        .query_async(connection)
        .await?;
    let Value::Array(entries) = reply else {
        return Ok(None);
    };
    let id = match entries.first() {
        Some(Value::Array(entry)) => entry.first().and_then(text).and_then(parse_id),
        _ => None,
    };
    Ok(id)
}

/// How many entries the group has read and not acknowledged, or not read. Redis cannot always count
/// the latter, after a stream was cut: then they count as one.
pub(super) async fn behind(
    connection: &mut Connection,
    stream: &str,
    group: Service,
) -> Result<u64, RedisError> {
    let unread = match position(connection, stream, group).await? {
        None => return length(connection, stream).await,
        Some(Position { unread, .. }) => unread,
    };
    match unread {
        Some(unread) => Ok(unread + pending(connection, stream, group).await?.0),
        None => backlog(connection, stream, group).await,
    }
}

/// How far a group has read.
struct Position {
    /// The last entry that was handed out.
    delivered: StreamId,
    /// Entries after it; `None`: Redis does not know.
    unread: Option<u64>,
}

/// The group's position, or `None` where stream or group do not exist.
async fn position(
    connection: &mut Connection,
    stream: &str,
    group: Service,
) -> Result<Option<Position>, RedisError> {
    let reply: Result<Value, RedisError> = redis::cmd("XINFO")
        .arg("GROUPS")
        .arg(stream)
        .query_async(connection)
        .await;
    let groups = match reply {
        Ok(Value::Array(groups)) => groups,
        Ok(_) => return Ok(None),
        Err(error) if error.to_string().contains("no such key") => return Ok(None),
        Err(error) => return Err(error),
    };
    for fields in groups {
        let Value::Array(fields) = fields else {
            continue;
        };
        let field = |name: &str| {
            let mut pairs = fields.chunks_exact(2);
            let pair = pairs.find(|pair| text(&pair[0]) == Some(name));
            pair.map(|pair| &pair[1])
        };
        if field("name").and_then(text) == Some(group.as_str()) {
            let delivered = field("last-delivered-id").and_then(text).and_then(parse_id);
            let unread = match field("lag") {
                Some(Value::Int(unread)) => u64::try_from(*unread).ok(),
                _ => None,
            };
            return Ok(delivered.map(|delivered| Position { delivered, unread }));
        }
    }
    Ok(None)
}

/// How many entries are pending in the group, and the lowest of them.
async fn pending(
    connection: &mut Connection,
    stream: &str,
    group: Service,
) -> Result<(u64, Option<StreamId>), RedisError> {
    let reply: Value = redis::cmd("XPENDING")
        .arg(stream)
        .arg(group.as_str())
        .query_async(connection)
        .await?;
    let Value::Array(parts) = reply else {
        return Ok((0, None));
    };
    let count = match parts.first() {
        Some(Value::Int(count)) => u64::try_from(*count).unwrap_or(0),
        _ => 0,
    };
    Ok((count, parts.get(1).and_then(text).and_then(parse_id)))
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        _ => None,
    }
}

fn parse_id(text: &str) -> Option<StreamId> {
    let (ms, sequence) = text.split_once('-')?;
    Some((ms.parse().ok()?, sequence.parse().ok()?))
}
