//! Events, locks, instances: lost, late, doubled.

use std::time::Duration;

use e2e_tests::{Builder, Order, PATIENCE, Sale, System, eventually, together};
use saga_events::Service;
use saga_events::bus::{Bus, BusConfig};
use serde_json::json;

use super::shop;

/// So long that no repeat heals what a test is about.
const NEVER_MS: u64 = 600_000;

fn never_repeating() -> Builder {
    System::with()
        .set(Service::Order, "SAGA__ORDER__FIRST_REPEAT_MS", NEVER_MS)
        .set(Service::Order, "SAGA__ORDER__MAX_REPEAT_MS", NEVER_MS)
}

#[tokio::test]
async fn seed_07_a_lock_that_somebody_else_holds_stops_no_purchase() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    let locks: Vec<String> = system.redis().ask("KEYS saga:lock:*").await;
    for lock in &locks {
        system
            .redis()
            .ask_words::<()>(&["SET", lock, "somebody else"])
            .await;
    }
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    system.set_gateway(json!({"approvalRate": 0})).await;
    assert!(!system.buy(Sale::of(user, item)).await.is_completed());
    for lock in &locks {
        let holder: String = system.redis().ask_words(&["GET", lock]).await;
        assert_eq!(holder, "somebody else", "nobody takes a lock that is held");
    }
    system.settled().await;
}

#[tokio::test]
async fn seed_10_a_consumer_that_was_down_gets_the_event_when_it_comes_back() {
    let system = never_repeating().start().await;
    let (user, item) = shop(&system).await;
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    for service in [
        Service::User,
        Service::Inventory,
        Service::Payment,
        Service::Notify,
    ] {
        system.kill(service);
        let order = system.order(Sale::of(user, item)).await;
        system.restart(service).await;
        assert!(
            system.ended(order).await.is_completed(),
            "{service} was down"
        );
    }
    system.settled().await;
}

#[tokio::test]
async fn seed_11_a_crash_between_saving_and_publishing_strands_nothing() {
    let system = never_repeating().start().await;
    let (user, item) = shop(&system).await;
    // Without Redis every service saves what it cannot publish, and then it dies.
    system.redis().kill();
    let order = system.order(Sale::of(user, item)).await;
    system.kill(Service::Order);
    system.redis().start().await;
    system.restart(Service::Order).await;
    assert!(system.ended(order).await.is_completed());
    system.settled().await;
}

#[tokio::test]
async fn seed_12_events_published_before_a_consumer_starts_are_not_lost() {
    let system = never_repeating().stopped();
    system.redis().start().await;
    let late = [Service::Inventory, Service::Notify];
    for service in Service::ALL
        .into_iter()
        .filter(|service| !late.contains(service))
    {
        system.restart(service).await;
    }
    let (user, item) = shop(&system).await;
    let order = system.order(Sale::of(user, item)).await;
    system.until_state(Service::User, order, "Reserved").await;
    for service in late {
        system.restart(service).await;
    }
    assert!(system.ended(order).await.is_completed());
    system.settled().await;
}

#[tokio::test]
async fn seed_13_a_duplicate_charges_nobody_twice() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let completed = system.buy(Sale::of(user, item)).await;
    system.set_gateway(json!({"approvalRate": 0})).await;
    let cancelled = system.buy(Sale::of(user, item)).await;
    system.set_gateway(json!({"approvalRate": 1})).await;
    let before = system.settled().await;
    for order in [completed.id, cancelled.id] {
        // As it was, twice, and once as a repeat that everybody has to answer.
        for attempt in [0, 0, 5] {
            for message in system.messages(order, attempt).await {
                system.forge(message).await;
            }
        }
    }
    // A later purchase travels behind the duplicates on the same streams.
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    let after = system.settled().await;
    assert_eq!(after.charges.len(), before.charges.len() + 1);
    assert_eq!(
        after.accounts[&user].balance,
        before.accounts[&user].balance - 100
    );
    assert_eq!(after.notifications.len(), 3);
}

#[tokio::test]
async fn seed_14_two_instances_of_a_service_execute_no_step_twice() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let seconds: Vec<_> = Service::ALL
        .into_iter()
        .map(|service| system.launch_second(service))
        .collect();
    for (_, client) in &seconds {
        let live = async || {
            let request = client.request(reqwest::Method::GET, "/health/live");
            client
                .try_send(request)
                .await
                .map_err(|error| error.to_string())
        };
        eventually("it lives", PATIENCE, live).await.expect(200);
    }
    let orders = together((0..20).map(|_| system.buy(Sale::of(user, item)))).await;
    assert!(orders.iter().all(Order::is_completed));
    let books = system.settled().await;
    assert_eq!((books.charges.len(), books.notifications.len()), (20, 20));
    assert_eq!(
        system.journal(orders[0].id).await.len(),
        11,
        "every step once"
    );
}

#[tokio::test]
async fn seed_15_only_its_owner_releases_a_lock() {
    let system = System::start().await;
    let config = BusConfig {
        url: system.redis().url(),
        partitions: 1,
        read_count: 10,
        block_ms: 100,
        claim_idle_ms: 1_000,
        max_stream_entries: 1_000,
        max_unconsumed_entries: 1_000,
        trim_ms: 1_000,
    };
    let bus = Bus::open(&config, Service::Order).unwrap();
    // Work that takes longer than the lock lasts: another one has it when the work is done.
    let short = bus.lock("work", Duration::from_millis(1));
    let slow = short.try_take().await.unwrap().expect("it is free");
    let long = bus.lock("work", Duration::from_secs(60));
    let next = long
        .take_within(Duration::from_secs(10))
        .await
        .unwrap()
        .expect("it has ended");
    assert!(
        !short.renew(&slow).await.unwrap(),
        "the slow one learns that it is late"
    );
    assert!(
        !short.release(slow).await.unwrap(),
        "and does not release another one's lock"
    );
    assert!(long.try_take().await.unwrap().is_none());
    assert!(long.release(next).await.unwrap());
}

#[tokio::test]
async fn seed_16_two_simultaneous_orders_of_one_user_both_complete() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    for _ in 0..10 {
        let sale = Sale::of(user, item);
        let (one, two) = tokio::join!(system.buy(sale), system.buy(sale));
        assert!(one.is_completed() && two.is_completed());
    }
    system.settled().await;
}
