//! Publishing: stream, live tap and acknowledgements in one transaction.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;

use e2e_tests::{PATIENCE, eventually};
use saga_events::bus::PublishError;
use saga_events::{Event, EventType, Service};

use crate::{Bench, event, read};

#[tokio::test]
async fn an_entry_has_one_field_the_envelope() {
    let bench = Bench::start().await;
    let events = bench.publish(EventType::OrderCreated, 1).await;
    let entries: Vec<(String, Vec<(String, String)>)> =
        bench.redis.ask("XRANGE saga:{0}:order.created - +").await;
    let [(_, fields)] = entries.as_slice() else {
        panic!("{entries:?}")
    };
    assert_eq!(fields[0].0, "event");
    assert_eq!(
        (fields.len(), Event::decode(fields[0].1.as_bytes()).unwrap()),
        (1, events[0].clone())
    );
}

#[tokio::test]
async fn the_live_tap_gets_a_copy_on_the_channel_of_the_events_name() {
    let bench = Bench::start().await;
    // By hand: a subscriber needs nothing but the address.
    let address = bench.redis.url().replace("redis://", "");
    let mut tap = BufReader::new(TcpStream::connect(address).unwrap());
    tap.get_mut().set_read_timeout(Some(PATIENCE)).unwrap();
    tap.get_mut()
        .write_all(b"SUBSCRIBE item.reserved\r\n")
        .unwrap();
    let mut lines = tap.lines().map(Result::unwrap);
    assert!(lines.any(|line| line == ":1"), "subscribed");

    let events = bench.publish(EventType::ItemReserved, 2).await;

    for event in events {
        let json = lines.find(|line| line.starts_with('{')).unwrap();
        assert_eq!(Event::decode(json.as_bytes()).unwrap(), event);
    }
}

#[tokio::test]
async fn outputs_and_acknowledgements_go_together() {
    let bench = Bench::start().await;
    let bus = bench.bus(Service::User);
    bench.publish(EventType::OrderCreated, 3).await;
    let deliveries = read(&mut bus.consumer("one")).await;
    let entries: Vec<_> = deliveries
        .into_iter()
        .map(|delivery| delivery.entry)
        .collect();
    let output = event(EventType::PaymentReserved);

    bus.publish(&[output], &entries[..2]).await.unwrap();

    let stream = "saga:{0}:order.created";
    assert_eq!(bus.backlog(stream, Service::User).await.unwrap(), 1);
    assert_eq!(bench.length(EventType::PaymentReserved).await, 1);
}

#[tokio::test]
async fn out_of_memory_refuses_outputs_and_still_takes_acknowledgements() {
    let bench = Bench::start().await;
    let bus = bench.bus(Service::User);
    bench.publish(EventType::OrderCreated, 2).await;
    let deliveries = read(&mut bus.consumer("one")).await;
    let entries: Vec<_> = deliveries
        .into_iter()
        .map(|delivery| delivery.entry)
        .collect();
    bench.redis.ask::<()>("CONFIG SET maxmemory 1").await;

    let refused = bus
        .publish(&[event(EventType::PaymentReserved)], &entries)
        .await;
    assert!(
        matches!(refused, Err(PublishError::Refused(_))),
        "{refused:?}"
    );
    let stream = "saga:{0}:order.created";
    assert_eq!(
        bus.backlog(stream, Service::User).await.unwrap(),
        2,
        "all or nothing"
    );
    bus.acknowledge(&entries).await.unwrap();
    assert_eq!(bus.backlog(stream, Service::User).await.unwrap(), 0);

    // What is acknowledged can be trimmed, so Redis can recover.
    bench
        .bus(Service::Order)
        .trim(EventType::OrderCreated)
        .await
        .unwrap();
    bench.redis.ask::<()>("CONFIG SET maxmemory 0").await;
    bus.publish(&[event(EventType::PaymentReserved)], &[])
        .await
        .unwrap();
}

#[tokio::test]
async fn a_redis_that_is_away_may_or_may_not_have_published() {
    let bench = Bench::start().await;
    let bus = bench.bus(Service::Order);
    bus.ping().await.unwrap();
    bench.redis.kill();
    let lost = bus.publish(&[event(EventType::OrderCreated)], &[]).await;
    assert!(matches!(lost, Err(PublishError::Unknown(_))), "{lost:?}");
    assert!(bus.ping().await.is_err());

    bench.redis.start().await;
    let again = async || bus.publish(&[event(EventType::OrderCreated)], &[]).await;
    eventually("it publishes again", PATIENCE, again).await;
}

#[tokio::test]
async fn nothing_to_say_is_not_said() {
    let bench = Bench::start().await;
    let bus = bench.bus(Service::Order);
    bench.redis.kill();
    bus.publish(&[], &[]).await.unwrap();
    bus.acknowledge(&[]).await.unwrap();
}
