//! Putting onto the streams what no service has said, and looking at what becomes of it.

use saga_events::bus::stream;
use saga_events::{
    Event, EventType, Failure, Message, OrderId, Payload, Reason, ReasonCode, Service, Settled,
    Timestamp,
};

use crate::database::DeadLetter;
use crate::{PATIENCE, System, eventually};

/// A message of the way back of a paid purchase, or the closing one.
pub fn settled(event_type: EventType, order_id: OrderId, attempt: u32) -> Message {
    let payload = Payload::Settled(Settled { order_id });
    Message {
        event_type,
        attempt,
        payload,
    }
}

/// A message of the way back of a declined purchase.
pub fn failure(event_type: EventType, order_id: OrderId, attempt: u32) -> Message {
    let reason = Reason {
        reason_code: ReasonCode::PaymentDeclined,
        failed_step: Service::Payment,
    };
    let payload = Payload::Failure(Failure { order_id, reason });
    Message {
        event_type,
        attempt,
        payload,
    }
}

/// A message in its envelope, as text.
pub fn envelope(message: Message) -> String {
    let event = Event::new(message, None, None, Timestamp::now());
    String::from_utf8(event.encode().unwrap()).unwrap()
}

impl System {
    /// Appends an entry of one field to the stream of this event type.
    pub async fn plant(&self, event_type: EventType, field: &str, value: impl AsRef<[u8]>) {
        let key = stream(0, event_type);
        let words = ["XADD", &key, "*", field].map(str::as_bytes);
        let words = [&words[..], &[value.as_ref()]].concat();
        self.redis().ask_words::<String>(&words).await;
    }

    /// Publishes a message as if its owner had said it.
    pub async fn forge(&self, message: Message) {
        self.plant(message.event_type, "event", envelope(message))
            .await;
    }

    /// Everything that was said about an order, as messages with this attempt.
    pub async fn messages(&self, order: OrderId, attempt: u32) -> Vec<Message> {
        let message = |said: crate::Said| {
            let event_type = said.event_type;
            let payload =
                Payload::decode(event_type.spec().payload, &said.data.to_string()).unwrap();
            Message {
                event_type,
                attempt,
                payload,
            }
        };
        self.journal(order).await.into_iter().map(message).collect()
    }

    /// Waits until every order is closed: its buyer was told, and order-svc knows.
    pub async fn until_closed(&self) {
        let sql = "SELECT count(*) AS number FROM orders WHERE told = 0";
        let ask = async || match self.file(Service::Order).number(sql) {
            0 => Ok(()),
            open => Err(format!("{open} are not")),
        };
        eventually("every order is closed", PATIENCE, ask).await;
    }

    /// Waits until everything that is on the streams is read and acknowledged.
    pub async fn until_read(&self) {
        for event_type in EventType::ALL.iter().copied() {
            for consumer in event_type.spec().consumers {
                let key = stream(0, event_type);
                let ask = async || match self.unread(&key, *consumer).await {
                    0 => Ok(()),
                    unread => Err(format!("{unread} are not")),
                };
                eventually(&format!("{consumer} has read {key}"), PATIENCE, ask).await;
            }
        }
    }

    /// Entries of a stream that its consumer has not read or not acknowledged.
    async fn unread(&self, key: &str, consumer: Service) -> i64 {
        let groups: Vec<std::collections::BTreeMap<String, redis::Value>> =
            self.redis().ask(&format!("XINFO GROUPS {key}")).await;
        let number = |value: &redis::Value| redis::from_redis_value_ref::<i64>(value).unwrap_or(0);
        let text = |value: &redis::Value| redis::from_redis_value_ref::<String>(value).ok();
        let mut own = groups
            .iter()
            .filter(|group| text(&group["name"]).as_deref() == Some(consumer.as_str()));
        own.next()
            .map_or(0, |group| number(&group["pending"]) + number(&group["lag"]))
    }

    /// Waits until a service has so many dead letters.
    pub async fn until_dead_letters(&self, service: Service, count: usize) -> Vec<DeadLetter> {
        let ask = async || match self.file(service).dead_letters() {
            letters if letters.len() == count => Ok(letters),
            letters => Err(format!("{}: {letters:#?}", letters.len())),
        };
        eventually(
            &format!("{service} has {count} dead letters"),
            PATIENCE,
            ask,
        )
        .await
    }
}
