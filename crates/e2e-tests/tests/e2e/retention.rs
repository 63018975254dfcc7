//! What is over is pruned, and nobody misses it.

use e2e_tests::{PATIENCE, Sale, System, eventually};
use reqwest::Method;
use saga_events::{EventType, Service};

const JOURNAL: &str = "SELECT count(*) AS number FROM outbox";
const KEYS: &str = "SELECT count(*) AS number FROM idempotency_keys";
const POSITION: &str = "SELECT published AS number FROM relay_position";

/// Seconds instead of days. A purchase that takes longer than its deadline is cancelled, and over
/// all the same.
async fn forgetful() -> System {
    System::with()
        .repeating_quickly()
        .set(Service::Order, "SAGA__ORDER__DEADLINE_MS", 1_000)
        .set_for_all("SAGA__RETENTION__JOURNAL_S", 2)
        .set_for_all("SAGA__RETENTION__IDEMPOTENCY_KEYS_S", 2)
        .start()
        .await
}

async fn until(system: &System, service: Service, sql: &str, count: i64) {
    let ask = async || match system.file(service).number(sql) {
        rows if rows == count => Ok(()),
        rows => Err(rows),
    };
    let what = format!("{service}: {sql} is {count}");
    eventually(&what, PATIENCE, ask).await;
}

#[tokio::test]
async fn journals_and_keys_are_pruned_states_stay_and_purchases_go_on_over_restarts() {
    let system = forgetful().await;
    let (user, item) = (system.user(1_000).await, system.item(10, 100).await);
    let poor = system.user(1).await;
    let client = system.at(Service::Order);
    let sale = Sale::of(user, item);
    let post = async || {
        let request = client.request(Method::POST, "/orders").json(&sale.body());
        let request = request.header("Idempotency-Key", "k");
        client.try_send(request).await.unwrap().expect(201)
    };
    let bought = post().await.field("id");
    let refused = system.order(Sale::of(poor, item)).await;
    for order in [bought, refused] {
        system.ended(order).await;
    }
    let books = system.settled().await;
    let created = system.messages(bought, 1).await;
    let mut positions = Vec::new();
    for service in Service::ALL {
        until(&system, service, JOURNAL, 0).await;
        until(&system, service, KEYS, 0).await;
        positions.push(system.file(service).number(POSITION));
    }
    assert!(system.journal(bought).await.is_empty());

    // The rows that say where everybody stands are there, and answer whoever asks again.
    assert_eq!(system.settled().await.states, books.states);
    let created = created
        .into_iter()
        .find(|said| said.event_type == EventType::OrderCreated);
    let settled = system.state(Service::User, bought).await;
    let says = match settled.as_deref() {
        Some("Confirmed") => "says=payment.confirmed attempt=1",
        _ => "says=payment.rollback attempt=1",
    };
    system.forge(created.unwrap()).await;
    system.until_logged(Service::User, says).await;

    // Numbers go on where they were: a relay that knows more than the journal would skip rows.
    for service in Service::ALL {
        system.kill(service);
    }
    for service in Service::ALL {
        system.restart(service).await;
    }
    system.ended(post().await.field("id")).await;
    assert_eq!(
        system.settled().await.orders.len(),
        3,
        "the key was forgotten, so there is a new order"
    );
    for (service, position) in Service::ALL.into_iter().zip(positions) {
        let ask = async || match system.file(service).number(POSITION) {
            now if now > position => Ok(()),
            now => Err(now),
        };
        let what = format!("{service} publishes behind row {position}");
        eventually(&what, PATIENCE, ask).await;
    }
}

#[tokio::test]
async fn an_order_that_is_open_keeps_its_journal_and_the_orders_behind_it_do_not() {
    let system = forgetful().await;
    let (user, item) = (system.user(1_000).await, system.item(10, 100).await);
    system
        .set_gateway(serde_json::json!({"outage": "timeout"}))
        .await;
    let open = system.order(Sale::of(user, item)).await;
    system
        .until_state(Service::Payment, open, "Authorizing")
        .await;
    let poor = system.user(1).await;
    let over = system.buy(Sale::of(poor, item)).await.id;

    let gone = async || match system.journal(over).await.len() {
        0 => Ok(()),
        rows => Err(rows),
    };
    eventually("the order that is over is pruned", PATIENCE, gone).await;
    for service in [Service::User, Service::Inventory, Service::Item] {
        assert!(!system.said(service, open).await.is_empty(), "{service}");
    }
    system
        .set_gateway(serde_json::json!({"outage": "none"}))
        .await;
    assert!(system.ended(open).await.is_completed());
    system.settled().await;
}
