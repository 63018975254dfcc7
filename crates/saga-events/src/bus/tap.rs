//! The live tap: a copy of every event as it is published, for whoever watches. It misses what is
//! published while nobody listens or Redis is away; the journals have everything.

use std::pin::Pin;
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use redis::Msg;

use super::{Bus, BusError, client, keys};
use crate::{Event, EventType};

/// A tap that hears nothing for so long may hang on a connection that nobody answers on.
const SILENCE: Duration = Duration::from_secs(30);
/// Redis answers a subscription at once.
const CONNECT: Duration = Duration::from_secs(2);

/// Everything that is published from now on.
pub struct Tap {
    messages: Pin<Box<dyn Stream<Item = Msg> + Send>>,
}

impl Bus {
    /// Opens a tap, on a connection of its own.
    ///
    /// # Errors
    /// Redis is not reached.
    pub async fn tap(&self) -> Result<Tap, BusError> {
        let subscribe = async {
            let mut tap = client(&self.config.url)?.get_async_pubsub().await?;
            let channels: Vec<&str> = EventType::ALL.iter().copied().map(keys::channel).collect();
            tap.subscribe(channels).await?;
            Ok::<_, BusError>(Tap {
                messages: Box::pin(tap.into_on_message()),
            })
        };
        let opened = tokio::time::timeout(CONNECT, subscribe).await;
        opened.unwrap_or_else(|_| Err(BusError("no answer".to_owned())))
    }
}

impl Tap {
    /// The next event; what is none is skipped: consumers make it a dead letter. `None`: the tap is
    /// closed, or was silent for so long that it may be; open another.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            let message = tokio::time::timeout(SILENCE, self.messages.next())
                .await
                .ok()??;
            if let Ok(event) = Event::decode(message.get_payload_bytes()) {
                return Some(event);
            }
        }
    }
}
