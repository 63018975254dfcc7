//! Processes that die, a Redis that forgets: every purchase ends, and all books agree.

use e2e_tests::{Builder, Sale, System, together};
use saga_events::bus::stream;
use saga_events::{LINE, OrderId, Service};
use serde_json::json;

const PURCHASES: usize = 200;
/// Callers at the same time.
const LANES: usize = 8;

/// Runs 200 purchases, some of which are declined, and does something bad meanwhile.
async fn check(system: &System, bad: impl AsyncFnOnce(&System)) {
    let (user, item) = (system.user(1_000_000).await, system.item(10, 10_000).await);
    let lane = async |lane: usize| {
        let mut orders: Vec<OrderId> = Vec::new();
        for turn in 0..PURCHASES / LANES {
            let key = format!("{lane}-{turn}");
            orders.push(
                system
                    .order_whatever_happens(Sale::of(user, item), &key)
                    .await,
            );
            // One after the other: so they run while the bad things happen.
            system.ended(orders[turn]).await;
        }
    };
    let lanes = together((0..LANES).map(lane));
    tokio::join!(lanes, bad(system));
    let books = system.settled().await;
    assert_eq!(
        books.orders.len(),
        PURCHASES,
        "a key makes one order, whatever happens"
    );
}

fn with_some_declined() -> Builder {
    System::with()
        .repeating_quickly()
        .set(Service::Payment, "SAGA__GATEWAY__APPROVAL_RATE", "0.8")
}

/// Waits until so many orders were made: the purchases are under way.
async fn until_orders(system: &System, count: i64) {
    let sql = "SELECT count(*) AS number FROM orders";
    let made = async || match system.file(Service::Order).number(sql) {
        made if made >= count => Ok(()),
        made => Err(format!("{made} orders")),
    };
    e2e_tests::eventually("the purchases are under way", e2e_tests::PATIENCE, made).await;
}

#[tokio::test]
async fn every_service_is_killed_in_turn_while_200_purchases_run() {
    let system = with_some_declined().start().await;
    check(&system, async |system| {
        for (service, made) in Service::ALL.into_iter().zip([20, 45, 70, 95, 120, 145]) {
            until_orders(system, made).await;
            system.kill(service);
            system.restart(service).await;
        }
    })
    .await;
}

#[tokio::test]
async fn redis_is_flushed_again_and_again_while_200_purchases_run() {
    let system = with_some_declined().start().await;
    check(&system, async |system| {
        for made in [20, 60, 100, 140] {
            until_orders(system, made).await;
            system.redis().ask::<()>("FLUSHALL").await;
        }
    })
    .await;
}

#[tokio::test]
async fn redis_is_killed_and_started_again_while_200_purchases_run() {
    let system = with_some_declined().start().await;
    check(&system, async |system| {
        for made in [30, 90, 150] {
            until_orders(system, made).await;
            system.redis().kill();
            system.redis().start().await;
        }
    })
    .await;
}

#[tokio::test]
async fn everything_is_killed_at_once_and_redis_comes_back_empty() {
    let system = with_some_declined().start().await;
    let (user, item) = (system.user(1_000_000).await, system.item(10, 10_000).await);
    system.set_capacity(user, 100).await;
    together((0..100).map(|_| system.order(Sale::of(user, item)))).await;
    Service::ALL
        .into_iter()
        .for_each(|service| system.kill(service));
    system.redis().ask::<()>("FLUSHALL").await;
    system.redis().kill();

    system.redis().start().await;
    for service in Service::ALL {
        system.restart(service).await;
    }
    assert_eq!(system.settled().await.orders.len(), 100);
}

#[tokio::test]
async fn a_notify_svc_that_is_away_holds_no_purchase_up() {
    let system = System::start().await;
    system.kill(Service::Notify);
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    for _ in 0..5 {
        assert!(system.buy(sale).await.is_completed());
    }
    system.restart(Service::Notify).await;
    assert_eq!(system.settled().await.notifications.len(), 5);
}

#[tokio::test]
async fn without_redis_orders_are_taken_and_end_when_it_comes() {
    let system = System::with().start_without_redis();
    for service in Service::ALL {
        let client = system.at(service);
        let live = async || {
            let request = client.request(reqwest::Method::GET, "/health/live");
            client
                .try_send(request)
                .await
                .map_err(|error| error.to_string())
        };
        e2e_tests::eventually("it lives", e2e_tests::PATIENCE, live)
            .await
            .expect(200);
        let ready = client.get("/health/ready").await.expect(503);
        assert_eq!(ready.body["code"], "NOT_READY");
        let failing: Vec<_> = ready.body["errors"].as_array().unwrap().iter().collect();
        assert_eq!(failing.len(), 1, "{service}: {}", ready.body);
        assert_eq!(
            failing[0]["field"], "redis",
            "{service} names what is missing"
        );
    }
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    let order = system.order(sale).await;
    assert_eq!(system.look_at(order).await.status, "PENDING");

    system.redis().start().await;

    assert!(system.ended(order).await.is_completed());
    for service in Service::ALL {
        system.wait_ready(service).await;
    }
    system.settled().await;
}

#[tokio::test]
async fn a_redis_out_of_memory_delays_purchases_and_loses_none() {
    let system = System::with().repeating_quickly().start().await;
    let (user, item) = (system.user(10_000).await, system.item(10, 1_000).await);
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    system.redis().ask::<()>("CONFIG SET maxmemory 1").await;

    let orders = together((0..20).map(|_| system.order(Sale::of(user, item)))).await;
    assert!(
        !system.look_at(orders[0]).await.is_final(),
        "nothing can be published"
    );
    system.redis().ask::<()>("CONFIG SET maxmemory 0").await;

    for order in orders {
        assert!(system.ended(order).await.is_completed());
    }
    system.settled().await;
}

#[tokio::test]
async fn too_many_open_orders_are_refused_until_some_have_ended() {
    let system = System::with()
        .set(Service::Order, "SAGA__ORDER__MAX_OPEN", 5)
        .start()
        .await;
    let sale = Sale::of(system.user(10_000).await, system.item(10, 1_000).await);
    system.buy(sale).await;
    system.freeze(Service::User);
    for _ in 0..5 {
        system.order(sale).await;
    }
    let refused = system
        .at(Service::Order)
        .post("/orders", &sale.body())
        .await
        .expect(503);
    assert!(!refused.header("retry-after").is_empty());
    assert!(refused.body["code"].is_string(), "{}", refused.body);

    system.thaw(Service::User);
    assert_eq!(system.settled().await.orders.len(), 6);
    assert!(system.buy(sale).await.is_completed());
    system.settled().await;
}

#[tokio::test]
async fn a_slow_gateway_slows_nobody_else_down() {
    let system = System::start().await;
    let (user, item) = (system.user(10_000).await, system.item(10, 1_000).await);
    system.set_gateway(json!({"outage": "timeout"})).await;
    let stuck = system.order(Sale::of(user, item)).await;
    system
        .until_state(Service::Payment, stuck, "Authorizing")
        .await;

    let poor = system.user(1).await;
    assert!(!system.buy(Sale::of(poor, item)).await.is_completed());

    system.set_gateway(json!({"outage": "none"})).await;
    assert!(system.ended(stuck).await.is_completed());
    system.settled().await;
}

#[tokio::test]
async fn an_outbox_that_cannot_drain_refuses_new_orders_until_it_does() {
    let system = System::with()
        .set(Service::Order, "SAGA__ORDER__MAX_OUTBOX", 5)
        .start()
        .await;
    let sale = Sale::of(system.user(10_000).await, system.item(10, 1_000).await);
    system.buy(sale).await;
    system.settled().await;
    system.redis().kill();
    let client = system.at(Service::Order);
    let mut refused = None;
    for _ in 0..20 {
        let answer = client.post("/orders", &sale.body()).await;
        if answer.status != 201 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused
        .expect("the queue does not grow without bound")
        .expect(503);
    assert!(!refused.header("retry-after").is_empty());

    system.redis().start().await;
    system.settled().await;
    assert!(system.buy(sale).await.is_completed());
    system.settled().await;
}

#[tokio::test]
async fn events_cut_unread_from_a_full_stream_are_healed_by_the_repeat() {
    let builder = System::with().repeating_quickly();
    let system = builder
        .set_for_all("SAGA__BUS__MAX_STREAM_ENTRIES", 3)
        .start()
        .await;
    let (user, item) = (system.user(10_000).await, system.item(10, 1_000).await);
    system.set_capacity(user, 100).await;
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    system.kill(Service::Inventory);
    let orders = together((0..30).map(|_| system.order(Sale::of(user, item)))).await;
    let cut = async || {
        let length: u64 = system.redis().ask("XLEN saga:{0}:payment.reserved").await;
        if length <= 3 {
            Ok(())
        } else {
            Err(format!("{length} entries"))
        }
    };
    system
        .until_state(Service::User, orders[29], "Reserved")
        .await;
    e2e_tests::eventually("the stream is cut", e2e_tests::PATIENCE, cut).await;
    system
        .until_logged(Service::User, "unread events were cut")
        .await;

    system.restart(Service::Inventory).await;
    for order in orders {
        assert!(system.ended(order).await.is_completed());
    }
    system.settled().await;
}

#[tokio::test]
async fn groups_that_are_rewound_or_destroyed_repeat_nothing() {
    let system = System::with().repeating_quickly().start().await;
    let (user, item) = (system.user(10_000).await, system.item(10, 1_000).await);
    let purchases = async {
        for _ in 0..40 {
            system.buy(Sale::of(user, item)).await;
        }
    };
    let rewinding = async {
        for (made, command) in [
            (5, "SETID"),
            (15, "DESTROY"),
            (25, "SETID"),
            (35, "DESTROY"),
        ] {
            until_orders(&system, made).await;
            for spec in LINE {
                for group in spec.consumers {
                    let key = stream(0, spec.event_type);
                    let from = if command == "SETID" { " 0" } else { "" };
                    let words = format!("XGROUP {command} {key} {group}{from}");
                    system.redis().ask::<()>(&words).await;
                }
            }
        }
    };
    tokio::join!(purchases, rewinding);
    assert_eq!(system.settled().await.completed().count(), 40);
}
