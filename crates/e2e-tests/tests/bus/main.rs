//! The bus client and its locks against a private Redis.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod locks;
mod publishing;
mod reading;
mod trimming;

use e2e_tests::{PATIENCE, RedisServer, eventually};
use saga_events::bus::{Bus, BusConfig, Consumer, Delivery};
use saga_events::{
    Amount, Event, EventType, ItemId, Message, OrderId, Payload, PayloadKind, Purchase, Quantity,
    Service, Settled, Timestamp, UserId,
};
use tempfile::TempDir;

/// A Redis and the configuration to reach it by.
struct Bench {
    redis: RedisServer,
    config: BusConfig,
    folder: TempDir,
}

impl Bench {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let redis = RedisServer::in_folder(folder.path());
        redis.start().await;
        let config = BusConfig {
            url: redis.url(),
            partitions: 1,
            read_count: 100,
            block_ms: 100,
            claim_idle_ms: 60_000,
            max_stream_entries: 1_000,
            max_unconsumed_entries: 1_000,
            trim_ms: 1_000,
        };
        Self {
            redis,
            config,
            folder,
        }
    }

    fn bus(&self, service: Service) -> Bus {
        Bus::open(&self.config, service).unwrap()
    }

    /// Publishes so many new events of this type, as its owner does.
    async fn publish(&self, event_type: EventType, count: usize) -> Vec<Event> {
        let events: Vec<Event> = (0..count).map(|_| event(event_type)).collect();
        self.bus(event_type.spec().publisher)
            .publish(&events, &[])
            .await
            .unwrap();
        events
    }

    async fn length(&self, event_type: EventType) -> u64 {
        self.redis
            .ask(&format!("XLEN saga:{{0}}:{event_type}"))
            .await
    }
}

/// A new event of this type, of a purchase of its own.
fn event(event_type: EventType) -> Event {
    let order_id = OrderId::new();
    let payload = match event_type.spec().payload {
        PayloadKind::Settled => Payload::Settled(Settled { order_id }),
        _ => Payload::Purchase(Purchase {
            order_id,
            user_id: UserId::new(),
            item_id: ItemId::new(),
            quantity: Quantity::new(3).unwrap(),
            unit_price: Amount::new(100).unwrap(),
            total_amount: Amount::new(300).unwrap(),
            deadline: Timestamp::now(),
        }),
    };
    Event::new(
        Message {
            event_type,
            attempt: 0,
            payload,
        },
        None,
        None,
        Timestamp::now(),
    )
}

/// Reads until something comes. Errors are what a reader lives with: it reads on.
async fn read(consumer: &mut Consumer) -> Vec<Delivery> {
    let ask = async || match consumer.next().await {
        Ok(deliveries) if deliveries.is_empty() => Err("nothing came".to_owned()),
        Ok(deliveries) => Ok(deliveries),
        Err(error) => Err(error.to_string()),
    };
    eventually("something is read", PATIENCE, ask).await
}

fn events_of(deliveries: &[Delivery]) -> Vec<Event> {
    deliveries
        .iter()
        .map(|delivery| delivery.event.clone().unwrap())
        .collect()
}
