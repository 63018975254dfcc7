//! Consumer groups: nothing is skipped, nothing is dropped.

use std::time::Duration;

use e2e_tests::{PATIENCE, eventually};
use saga_events::bus::Raw;
use saga_events::{EventType, Service};

use crate::{Bench, events_of, read};

#[tokio::test]
async fn what_was_published_before_a_group_was_made_is_read() {
    let bench = Bench::start().await;
    let events = bench.publish(EventType::OrderCreated, 5).await;
    let mut consumer = bench.bus(Service::User).consumer("one");
    assert_eq!(events_of(&read(&mut consumer).await), events);
    assert!(consumer.next().await.unwrap().is_empty(), "once");
}

#[tokio::test]
async fn groups_are_made_again_at_0_after_a_flush() {
    let bench = Bench::start().await;
    let mut consumer = bench.bus(Service::User).consumer("one");
    assert!(consumer.next().await.unwrap().is_empty());
    bench.redis.ask::<()>("FLUSHALL").await;
    // Published before the reader knows of the flush: a group made at `$` would skip it.
    let events = bench.publish(EventType::OrderCreated, 3).await;
    assert_eq!(events_of(&read(&mut consumer).await), events);
}

#[tokio::test]
async fn a_flush_while_a_read_blocks_ends_the_read_and_nothing_else() {
    let mut bench = Bench::start().await;
    bench.config.block_ms = 30_000;
    let mut consumer = bench.bus(Service::Payment).consumer("one");
    bench.publish(EventType::ItemReserved, 1).await;
    read(&mut consumer).await;
    let flush = async {
        let blocked = async || {
            let clients: String = bench.redis.ask("CLIENT LIST").await;
            if clients.contains("cmd=xreadgroup") {
                Ok(())
            } else {
                Err("nobody reads")
            }
        };
        eventually("a read blocks", PATIENCE, blocked).await;
        bench.redis.ask::<()>("FLUSHALL").await;
        bench.publish(EventType::ItemReserved, 1).await
    };
    let (deliveries, events) = tokio::join!(read(&mut consumer), flush);
    assert_eq!(events_of(&deliveries), events);
}

#[tokio::test]
async fn own_pending_entries_come_first_after_a_restart() {
    let bench = Bench::start().await;
    let bus = bench.bus(Service::User);
    let first = bench.publish(EventType::OrderCreated, 2).await;
    let mut consumer = bus.consumer("one");
    let deliveries = read(&mut consumer).await;
    bus.acknowledge(&[deliveries[0].entry.clone()])
        .await
        .unwrap();
    drop(consumer);
    let second = bench.publish(EventType::OrderCreated, 1).await;

    let mut consumer = bus.consumer("one");
    assert_eq!(
        events_of(&read(&mut consumer).await),
        first[1..],
        "what was not acknowledged"
    );
    assert_eq!(events_of(&read(&mut consumer).await), second);
}

#[tokio::test]
async fn entries_of_a_dead_consumer_are_claimed_by_another() {
    let mut bench = Bench::start().await;
    bench.config.claim_idle_ms = 200;
    let bus = bench.bus(Service::User);
    let events = bench.publish(EventType::OrderCreated, 3).await;
    let mut dead = bus.consumer("dead");
    assert_eq!(read(&mut dead).await.len(), 3);
    drop(dead);

    let mut living = bus.consumer("living");
    let claimed = read(&mut living).await;
    assert_eq!(events_of(&claimed), events);
    let entries: Vec<_> = claimed.into_iter().map(|delivery| delivery.entry).collect();
    bus.acknowledge(&entries).await.unwrap();
    assert_eq!(
        bus.backlog("saga:{0}:order.created", Service::User)
            .await
            .unwrap(),
        0
    );
}

#[tokio::test]
async fn two_consumers_of_a_group_share_its_streams() {
    let mut bench = Bench::start().await;
    bench.config.read_count = 4;
    let bus = bench.bus(Service::User);
    let (mut one, mut two) = (bus.consumer("one"), bus.consumer("two"));
    let events = bench.publish(EventType::OrderCreated, 8).await;
    let mut shared = events_of(&read(&mut one).await);
    shared.extend(events_of(&read(&mut two).await));
    assert_eq!(shared, events, "each entry goes to one of them");
}

#[tokio::test]
async fn a_service_reads_all_its_streams_and_no_other() {
    let bench = Bench::start().await;
    for event_type in EventType::ALL {
        // The way back needs no purchase; what it carries does not matter here.
        let is_plain = matches!(
            event_type.spec().payload,
            saga_events::PayloadKind::Purchase | saga_events::PayloadKind::Settled
        );
        if is_plain {
            bench.publish(*event_type, 1).await;
        }
    }
    let mut consumer = bench.bus(Service::Order).consumer("one");
    let mut types: Vec<_> = events_of(&read(&mut consumer).await)
        .iter()
        .map(saga_events::Event::event_type)
        .collect();
    types.sort_unstable();
    assert_eq!(
        types,
        [EventType::PaymentConfirmed, EventType::NotificationSent]
    );
}

#[tokio::test]
async fn all_partitions_are_written_and_read() {
    let mut bench = Bench::start().await;
    bench.config.partitions = 4;
    let mut events = bench.publish(EventType::OrderCreated, 40).await;
    let streams: Vec<String> = bench.redis.ask("KEYS saga:*").await;
    assert_eq!(streams.len(), 4, "{streams:?}");
    let mut consumer = bench.bus(Service::User).consumer("one");
    let mut came = events_of(&read(&mut consumer).await);
    let key = |event: &saga_events::Event| event.id;
    came.sort_unstable_by_key(key);
    events.sort_unstable_by_key(key);
    assert_eq!(came, events);
}

#[tokio::test]
async fn an_entry_that_was_trimmed_while_pending_is_told_as_such() {
    let bench = Bench::start().await;
    let bus = bench.bus(Service::User);
    bench.publish(EventType::OrderCreated, 1).await;
    read(&mut bus.consumer("one")).await;
    bench
        .redis
        .ask::<()>("XTRIM saga:{0}:order.created MAXLEN 0")
        .await;

    let deliveries = read(&mut bus.consumer("one")).await;
    let why = deliveries[0].event.clone().unwrap_err().why;
    assert!(why.contains("trimmed"), "{why}");
    bus.acknowledge(&[deliveries[0].entry.clone()])
        .await
        .unwrap();
}

#[tokio::test]
async fn an_undecodable_entry_keeps_its_text_and_blocks_nobody() {
    let bench = Bench::start().await;
    bench
        .redis
        .ask::<()>("XADD saga:{0}:order.created * event {broken")
        .await;
    let events = bench.publish(EventType::OrderCreated, 1).await;
    let deliveries = read(&mut bench.bus(Service::User).consumer("one")).await;
    assert!(deliveries[0].event.is_err());
    assert_eq!(deliveries[0].raw, Raw::Event(b"{broken".to_vec()));
    assert_eq!(events_of(&deliveries[1..]), events);
}

#[tokio::test]
async fn a_reader_survives_the_death_of_redis() {
    let bench = Bench::start().await;
    let mut consumer = bench.bus(Service::User).consumer("one");
    assert!(consumer.next().await.unwrap().is_empty());
    bench.redis.kill();
    assert!(consumer.next().await.is_err());
    bench.redis.start().await;
    let events = bench.publish(EventType::OrderCreated, 1).await;
    assert_eq!(events_of(&read(&mut consumer).await), events);
}

#[tokio::test]
async fn a_reader_that_is_dropped_in_the_middle_of_a_read_loses_nothing() {
    let mut bench = Bench::start().await;
    bench.config.block_ms = 2_000;
    let bus = bench.bus(Service::User);
    let mut consumer = bus.consumer("one");
    let own_pending = consumer.next().await.unwrap();
    assert!(own_pending.is_empty(), "it reads new entries from now on");
    let interrupted = tokio::time::timeout(Duration::from_millis(300), consumer.next()).await;
    assert!(interrupted.is_err(), "it was reading");
    drop(consumer);
    // The server may hand this to the read that nobody waits for any more.
    let events = bench.publish(EventType::OrderCreated, 1).await;
    assert_eq!(events_of(&read(&mut bus.consumer("one")).await), events);
}
