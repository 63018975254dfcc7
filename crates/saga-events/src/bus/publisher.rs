//! Publishing: a batch's events and the acknowledgements of its inputs in one transaction.

use redis::{Cmd, Pipeline};

use super::consumer::Entry;
use super::keys::{self, FIELD};
use super::{Bus, BusError};
use crate::Event;

/// Why a batch was not, or perhaps not, published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// Redis said no (out of memory, say): nothing was published, nothing acknowledged.
    #[error("redis refused: {0}")]
    Refused(String),
    /// The connection broke: it may have happened. Publishing again is harmless.
    #[error("redis unreachable: {0}")]
    Unknown(String),
}

impl From<redis::RedisError> for PublishError {
    fn from(error: redis::RedisError) -> Self {
        let unreachable =
            error.is_io_error() || error.is_timeout() || error.is_connection_dropped();
        if unreachable {
            Self::Unknown(error.to_string())
        } else {
            Self::Refused(error.to_string())
        }
    }
}

impl Bus {
    /// Appends the events to their streams, publishes each on its channel, and acknowledges the
    /// inputs that made them. One `MULTI`/`EXEC`: readers wake once, not in the middle.
    ///
    /// # Errors
    /// [`PublishError`] says whether it may have happened.
    pub async fn publish(&self, events: &[Event], acks: &[Entry]) -> Result<(), PublishError> {
        if events.is_empty() && acks.is_empty() {
            return Ok(());
        }
        let mut pipeline = Pipeline::with_capacity(2 * events.len() + 1);
        pipeline.atomic();
        for event in events {
            let json = event
                .encode()
                .map_err(|e| PublishError::Refused(e.to_string()))?;
            let partition = keys::partition_of(event.order_id(), self.config.partitions);
            let stream = keys::stream(partition, event.event_type());
            let mut append = command("XADD", 5, json.len());
            append.arg(stream).arg("*").arg(FIELD).arg(&json);
            let mut publish = command("PUBLISH", 3, json.len());
            publish.arg(keys::channel(event.event_type())).arg(&json);
            pipeline.add_command(append).add_command(publish);
        }
        self.push_acks(&mut pipeline, acks);
        pipeline.exec_async(&mut self.connection.clone()).await?;
        Ok(())
    }

    /// Acknowledges inputs whose effects are committed, without publishing anything: `XACK` is
    /// allowed when Redis is out of memory and refuses `XADD`.
    ///
    /// # Errors
    /// Redis is not reached; the entries will be delivered again, harmlessly.
    pub async fn acknowledge(&self, acks: &[Entry]) -> Result<(), BusError> {
        if acks.is_empty() {
            return Ok(());
        }
        let mut pipeline = redis::pipe();
        self.push_acks(&mut pipeline, acks);
        pipeline.exec_async(&mut self.connection.clone()).await?;
        Ok(())
    }

    fn push_acks(&self, pipeline: &mut Pipeline, acks: &[Entry]) {
        let mut sorted: Vec<&Entry> = acks.iter().collect();
        sorted.sort_unstable_by_key(|entry| entry.stream);
        for of_stream in sorted.chunk_by(|a, b| a.stream == b.stream) {
            let Some(stream) = self.subscriptions.get(of_stream[0].stream) else {
                continue;
            };
            let command = pipeline.cmd("XACK").arg(stream).arg(self.service.as_str());
            for entry in of_stream {
                command.arg(entry.id.as_ref());
            }
        }
    }
}

/// A command with room for its arguments, `longest` of which is all but their names.
fn command(name: &str, arguments: usize, longest: usize) -> Cmd {
    let mut command = Cmd::with_capacity(arguments, longest + 64);
    command.arg(name);
    command
}
