//! A network between the services and Redis that fails: cut, half-open, slow; one service at a time.

use std::time::Duration;

use e2e_tests::{Network, PATIENCE, Sale, System, eventually, together};
use saga_events::{OrderId, Service};

/// A half-open connection is noticed after 7 s; the rest is for a loaded machine.
const NOTICED: Duration = Duration::from_secs(20);

async fn start() -> (System, Sale) {
    let system = System::with()
        .repeating_quickly()
        .with_a_network()
        .start()
        .await;
    let sale = Sale::of(system.user(100_000).await, system.item(10, 10_000).await);
    assert!(system.buy(sale).await.is_completed());
    (system, sale)
}

async fn order_some(system: &System, sale: Sale) -> Vec<OrderId> {
    together((0..10).map(|_| system.order(sale))).await
}

async fn all_complete(system: &System, orders: Vec<OrderId>) {
    for order in orders {
        assert!(system.ended(order).await.is_completed());
    }
}

/// Waits until a service says whether it reaches Redis.
async fn until_ready_is(system: &System, service: Service, status: u16) {
    let ask = async || match system.at(service).get("/health/ready").await {
        answer if answer.status == status => Ok(()),
        answer => Err(answer.body.to_string()),
    };
    eventually(&format!("{service} answers {status}"), PATIENCE, ask).await;
}

#[tokio::test]
async fn each_service_in_turn_is_cut_off_from_redis_and_every_purchase_ends() {
    let (system, sale) = start().await;
    for service in Service::ALL {
        system.set_network(service, Network::Cut);
        let orders = order_some(&system, sale).await;
        until_ready_is(&system, service, 503).await;
        // Its own API does not need Redis.
        system.at(service).get("/health/live").await.expect(200);
        system.at(service).get("/sagas?limit=1").await.expect(200);

        system.set_network(service, Network::Up);
        all_complete(&system, orders).await;
        until_ready_is(&system, service, 200).await;
    }
    system.settled().await;
}

#[tokio::test]
async fn a_half_open_connection_is_noticed_and_made_anew() {
    let (system, sale) = start().await;
    // All at once, since it takes as long for one as for all.
    for service in Service::ALL {
        system.set_network(service, Network::HalfOpen);
    }
    let orders = order_some(&system, sale).await;
    // From now on new connections work; the old ones are dead, and nobody tells.
    for service in Service::ALL {
        system.set_network(service, Network::Up);
    }
    let completed = async || {
        for order in &orders {
            let order = system.look_at(*order).await;
            if !order.is_completed() {
                return Err(format!("{} is {}", order.id, order.status));
            }
        }
        Ok(())
    };
    eventually("every service connected anew", NOTICED, completed).await;
    system.settled().await;
}

#[tokio::test]
async fn a_stalled_network_delays_purchases_and_loses_none() {
    let (system, sale) = start().await;
    for service in Service::ALL {
        system.set_network(service, Network::Stalled);
        let orders = order_some(&system, sale).await;
        until_ready_is(&system, service, 503).await;
        system.set_network(service, Network::Up);
        all_complete(&system, orders).await;
    }
    system.settled().await;
}

#[tokio::test]
async fn a_slow_service_slows_its_own_purchases_and_nobody_else() {
    let (system, sale) = start().await;
    system.set_network(Service::Payment, Network::Slow(Duration::from_millis(500)));
    let orders = order_some(&system, sale).await;
    // What is refused before payment-svc does not wait for it.
    let poor = Sale::of(system.user(1).await, sale.item);
    let refused = system.order(poor).await;
    assert!(!system.ended(refused).await.is_completed());
    let first = system.look_at(orders[0]).await;
    assert_eq!(first.status, "PENDING", "payment-svc is half a second away");
    all_complete(&system, orders).await;
    system.settled().await;
}

#[tokio::test]
async fn a_frozen_service_delays_purchases_and_nothing_happens_twice() {
    let (system, sale) = start().await;
    for service in [
        Service::User,
        Service::Inventory,
        Service::Item,
        Service::Payment,
    ] {
        system.freeze(service);
        let orders = order_some(&system, sale).await;
        assert_eq!(system.look_at(orders[0]).await.status, "PENDING");
        system.thaw(service);
        all_complete(&system, orders).await;
    }
    system.settled().await;
}
