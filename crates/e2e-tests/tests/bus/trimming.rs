//! Trimming: up to what every group of the contract has acknowledged, and not further.

use saga_events::bus::Trimmed;
use saga_events::{EventType, Service};

use crate::{Bench, read};

const CREATED: EventType = EventType::OrderCreated;
const STREAM: &str = "saga:{0}:order.created";

async fn trim(bench: &Bench, event_type: EventType) -> Trimmed {
    bench
        .bus(event_type.spec().publisher)
        .trim(event_type)
        .await
        .unwrap()
}

fn trimmed(length: u64, lost: u64) -> Trimmed {
    Trimmed { length, lost }
}

#[tokio::test]
async fn what_the_group_has_acknowledged_goes_and_all_else_stays() {
    let bench = Bench::start().await;
    let bus = bench.bus(Service::User);
    bench.publish(CREATED, 10).await;
    let entries: Vec<_> = read(&mut bus.consumer("one"))
        .await
        .into_iter()
        .map(|d| d.entry)
        .collect();
    assert_eq!(
        trim(&bench, CREATED).await,
        trimmed(10, 0),
        "nothing is acknowledged"
    );

    bus.acknowledge(&entries[..6]).await.unwrap();
    assert_eq!(trim(&bench, CREATED).await, trimmed(4, 0));
    // A hole: the seventh is still pending.
    bus.acknowledge(&entries[7..]).await.unwrap();
    assert_eq!(trim(&bench, CREATED).await, trimmed(4, 0));
    bench.publish(CREATED, 2).await;
    bus.acknowledge(&entries[6..7]).await.unwrap();
    assert_eq!(
        trim(&bench, CREATED).await,
        trimmed(2, 0),
        "unread entries stay"
    );
}

#[tokio::test]
async fn a_group_that_is_missing_has_read_nothing() {
    let bench = Bench::start().await;
    bench.publish(CREATED, 5).await;
    assert_eq!(trim(&bench, CREATED).await, trimmed(5, 0));
    let bus = bench.bus(Service::User);
    let entries: Vec<_> = read(&mut bus.consumer("one"))
        .await
        .into_iter()
        .map(|d| d.entry)
        .collect();
    bus.acknowledge(&entries).await.unwrap();
    bench
        .redis
        .ask::<()>(&format!("XGROUP DESTROY {STREAM} user-svc"))
        .await;
    assert_eq!(trim(&bench, CREATED).await, trimmed(5, 0));
}

#[tokio::test]
async fn a_group_that_is_not_of_the_contract_holds_nothing_up() {
    let bench = Bench::start().await;
    bench.publish(CREATED, 5).await;
    bench
        .redis
        .ask::<()>(&format!("XGROUP CREATE {STREAM} curious 0"))
        .await;
    let bus = bench.bus(Service::User);
    let entries: Vec<_> = read(&mut bus.consumer("one"))
        .await
        .into_iter()
        .map(|d| d.entry)
        .collect();
    bus.acknowledge(&entries).await.unwrap();
    assert_eq!(trim(&bench, CREATED).await, trimmed(0, 0));
}

#[tokio::test]
async fn a_stream_that_nobody_reads_is_capped_and_nothing_of_it_is_lost() {
    let mut bench = Bench::start().await;
    bench.config.max_unconsumed_entries = 5;
    bench.publish(EventType::UserValidated, 9).await;
    assert_eq!(trim(&bench, EventType::UserValidated).await, trimmed(5, 0));
}

#[tokio::test]
async fn the_hard_cap_counts_what_it_cuts_unread() {
    let mut bench = Bench::start().await;
    bench.config.max_stream_entries = 5;
    bench.publish(CREATED, 9).await;
    assert_eq!(trim(&bench, CREATED).await, trimmed(5, 4));
    assert_eq!(bench.length(CREATED).await, 5);
    assert_eq!(trim(&bench, CREATED).await, trimmed(5, 0), "counted once");
}

#[tokio::test]
async fn trimming_what_was_never_published_does_nothing() {
    let bench = Bench::start().await;
    for event_type in EventType::ALL {
        assert_eq!(
            trim(&bench, *event_type).await,
            trimmed(0, 0),
            "{event_type}"
        );
    }
}

#[tokio::test]
async fn the_backlog_is_what_the_group_has_not_acknowledged() {
    let bench = Bench::start().await;
    let bus = bench.bus(Service::User);
    let backlog = async || {
        bench
            .bus(Service::Order)
            .backlog(STREAM, Service::User)
            .await
            .unwrap()
    };
    assert_eq!(backlog().await, 0, "no stream");
    bench.publish(CREATED, 3).await;
    assert_eq!(backlog().await, 3, "no group");
    let entries: Vec<_> = read(&mut bus.consumer("one"))
        .await
        .into_iter()
        .map(|d| d.entry)
        .collect();
    assert_eq!(backlog().await, 3, "read, not acknowledged");
    bus.acknowledge(&entries).await.unwrap();
    assert_eq!(backlog().await, 0);
    bench.publish(CREATED, 1).await;
    assert!(backlog().await > 0, "not read");
}
