//! Two instances on one database file: one works, the other stands by and takes over.

use e2e_tests::{Client, PATIENCE, Process, Sale, Signal, System, eventually};
use reqwest::Method;
use saga_events::Service;

/// Waits until this path is answered with this status.
async fn until(client: &Client, path: &str, status: u16) {
    let ask = async || match client.try_send(client.request(Method::GET, path)).await {
        Ok(answer) if answer.status == status => Ok(()),
        Ok(answer) => Err(format!("{} {}", answer.status, answer.body)),
        Err(error) => Err(error.to_string()),
    };
    eventually(&format!("{path} answers {status}"), PATIENCE, ask).await;
}

async fn standing_by(system: &System, service: Service) -> (Process, Client) {
    let (process, client) = system.launch_second(service);
    until(&client, "/health/live", 200).await;
    let ready = client.get("/health/ready").await.expect(503);
    assert_eq!(ready.header("content-type"), "application/problem+json");
    (process, client)
}

#[tokio::test]
async fn a_second_instance_of_each_service_stands_by_and_takes_over() {
    let system = System::start().await;
    for service in Service::ALL {
        let (mut second, client) = standing_by(&system, service).await;

        assert_eq!(system.terminate(service).await.code(), Some(0));
        until(&client, "/health/ready", 200).await;

        second.send(Signal::Term);
        assert_eq!(second.wait(PATIENCE).await.code(), Some(0));
        system.restart(service).await;
    }
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    assert!(system.buy(sale).await.is_completed());
    system.settled().await;
}

#[tokio::test]
async fn a_standby_takes_over_purchases_of_an_instance_that_was_killed() {
    let system = System::with().repeating_quickly().start().await;
    let (user, item) = (system.user(1_000).await, system.item(10, 100).await);
    let (mut second, client) = standing_by(&system, Service::Payment).await;
    system
        .set_gateway(serde_json::json!({"outage": "timeout"}))
        .await;
    let order = system.order(Sale::of(user, item)).await;
    system
        .until_state(Service::Payment, order, "Authorizing")
        .await;

    system.kill(Service::Payment);
    until(&client, "/health/ready", 200).await;

    // What the first one was asking the gateway, the second one asks again with the same key.
    assert!(system.ended(order).await.is_completed());
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    second.kill();
    system.restart(Service::Payment).await;
    system.settled().await;
}

#[tokio::test]
async fn a_standby_ends_in_order_while_it_waits() {
    let system = System::start().await;
    let (mut second, _) = standing_by(&system, Service::Order).await;
    second.send(Signal::Term);
    assert_eq!(second.wait(PATIENCE).await.code(), Some(0));
    system
        .at(Service::Order)
        .get("/health/ready")
        .await
        .expect(200);
}
