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

    /// Two questions, and one where there is nothing to cut: this is asked several times a second.
    async fn trim_stream(&self, stream: &str, groups: &[Service]) -> Result<Trimmed, RedisError> {
        let connection = &mut self.connection.clone();
        if groups.is_empty() {
            let cap = self.config.max_unconsumed_entries.to_string();
            let (_, length) = trim_and_count(connection, stream, "MAXLEN", &cap).await?;
            return Ok(Trimmed { length, lost: 0 });
        }
        let Some((length, keep_from)) = look(connection, stream, groups).await? else {
            return Ok(Trimmed::default());
        };
        let Some((ms, sequence)) = keep_from else {
            return self.cap(connection, stream, length).await;
        };
        let lowest = format!("{ms}-{sequence}");
        let (_, length) = trim_and_count(connection, stream, "MINID", &lowest).await?;
        self.cap(connection, stream, length).await
    }

    /// The last resort: a dead consumer must not fill Redis.
    async fn cap(
        &self,
        connection: &mut Connection,
        stream: &str,
        length: u64,
    ) -> Result<Trimmed, RedisError> {
        let cap = self.config.max_stream_entries;
        if length <= cap as u64 {
            return Ok(Trimmed { length, lost: 0 });
        }
        let cap = cap.to_string();
        let (lost, length) = trim_and_count(connection, stream, "MAXLEN", &cap).await?;
        Ok(Trimmed { length, lost })
    }
}

/// Cuts a stream; how many entries were cut, and how many are left.
async fn trim_and_count(
    connection: &mut Connection,
    stream: &str,
    by: &str,
    limit: &str,
) -> Result<(u64, u64), RedisError> {
    let mut both = redis::pipe();
    both.cmd("XTRIM").arg(stream).arg(by).arg("=").arg(limit);
    both.cmd("XLEN").arg(stream);
    both.query_async(connection).await
}

async fn length(connection: &mut Connection, stream: &str) -> Result<u64, RedisError> {
    redis::cmd("XLEN").arg(stream).query_async(connection).await
}

/// How many entries a stream has, and the lowest id that must stay, all below being acknowledged by
/// each of these groups; none where all must stay. `None`: there is nothing in it.
///
/// `XINFO GROUPS` first, then `XPENDING`: an entry delivered in between is then above the group's
/// position as we know it, and stays.
async fn look(
    connection: &mut Connection,
    stream: &str,
    groups: &[Service],
) -> Result<Option<(u64, Option<StreamId>)>, RedisError> {
    let mut all = redis::pipe();
    // A group that is missing is an error of its own question only.
    all.ignore_errors();
    all.cmd("XLEN").arg(stream);
    all.cmd("XINFO").arg("GROUPS").arg(stream);
    for group in groups {
        all.cmd("XPENDING").arg(stream).arg(group.as_str());
    }
    let replies: Vec<Result<Value, RedisError>> = all.query_async(connection).await?;
    let mut replies = replies.into_iter();
    let mut next = || replies.next().unwrap_or(Ok(Value::Nil));
    let length = match next()? {
        Value::Int(length) => u64::try_from(length).unwrap_or(0),
        _ => 0,
    };
    if length == 0 {
        return Ok(None);
    }
    let positions = next()?;
    let mut keep_from: Option<StreamId> = None;
    for group in groups {
        // A group that does not exist has read nothing: nothing may go.
        let Some(Position { delivered, .. }) = position_of(&positions, *group) else {
            return Ok(Some((length, None)));
        };
        let (_, lowest_pending) = pending_in(&next()?);
        let after = (delivered.0, delivered.1.saturating_add(1));
        let from = lowest_pending.map_or(after, |pending| pending.min(after));
        keep_from = Some(keep_from.map_or(from, |lowest| lowest.min(from)));
    }
    Ok(Some((length, keep_from)))
}

/// How many entries the group has not read or not acknowledged, and the time in the oldest one's id,
/// in milliseconds since 1970 by Redis' clock. Redis cannot always count what was not read, after a
/// stream was cut: then it counts as one.
pub(super) async fn waiting(
    connection: &mut Connection,
    stream: &str,
    group: Service,
) -> Result<(u64, Option<u64>), RedisError> {
    let Some(Position { delivered, unread }) = position(connection, stream, group).await? else {
        let oldest = first_after(connection, stream, (0, 0)).await?;
        return Ok((length(connection, stream).await?, oldest.map(|(ms, _)| ms)));
    };
    let (pending, lowest) = pending(connection, stream, group).await?;
    let first = first_after(connection, stream, delivered).await?;
    let unread = first.map_or(0, |_| unread.unwrap_or(1).max(1));
    let oldest = lowest.or(first).map(|(ms, _)| ms);
    Ok((pending + unread, oldest))
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
    match reply {
        Ok(groups) => Ok(position_of(&groups, group)),
        Err(error) if error.to_string().contains("no such key") => Ok(None),
        Err(error) => Err(error),
    }
}

/// As `XINFO GROUPS` answers.
fn position_of(groups: &Value, group: Service) -> Option<Position> {
    let Value::Array(groups) = groups else {
        return None;
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
            return delivered.map(|delivered| Position { delivered, unread });
        }
    }
    None
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
    Ok(pending_in(&reply))
}

/// As `XPENDING` answers.
fn pending_in(reply: &Value) -> (u64, Option<StreamId>) {
    let Value::Array(parts) = reply else {
        return (0, None);
    };
    let count = match parts.first() {
        Some(Value::Int(count)) => u64::try_from(*count).unwrap_or(0),
        _ => 0,
    };
    (count, parts.get(1).and_then(text).and_then(parse_id))
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
