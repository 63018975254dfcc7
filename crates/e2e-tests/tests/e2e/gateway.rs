//! A gateway that does not answer, or charges without answering: unknown is neither yes nor no.

use e2e_tests::{Sale, System, eventually};
use saga_events::{ReasonCode, Service};
use serde_json::json;

/// A purchase during this outage waits, and after it ends with exactly one charge.
async fn check_heals(outage: &str, charged_meanwhile: i64) {
    let system = System::start().await;
    let sale = Sale::of(system.user(100).await, system.item(40, 10).await);
    system.set_gateway(json!({"outage": outage})).await;

    let order = system.order(sale).await;
    system
        .until_state(Service::Payment, order, "Authorizing")
        .await;
    let charges = "SELECT count(*) AS number FROM charges";
    let book = async || match system.gateway_book().number(charges) {
        charges if charges == charged_meanwhile => Ok(()),
        charges => Err(format!("{charges} charges")),
    };
    eventually("the gateway was asked", e2e_tests::PATIENCE, book).await;
    assert_eq!(
        system.look_at(order).await.status,
        "PENDING",
        "unknown is not declined"
    );

    // Not even a restart in the middle makes a second charge.
    system.kill(Service::Payment);
    system.restart(Service::Payment).await;
    assert!(system.ended(order).await.is_completed());
    let books = system.settled().await;
    assert_eq!(books.charges.into_iter().collect::<Vec<_>>(), [(order, 40)]);
}

#[tokio::test]
async fn a_refused_connection_is_not_a_decline() {
    check_heals("refuse", 0).await;
}

#[tokio::test]
async fn a_call_without_an_answer_is_asked_again() {
    check_heals("timeout", 0).await;
}

#[tokio::test]
async fn a_charge_without_an_answer_is_found_again_by_its_key() {
    check_heals("timeoutAfterCharge", 1).await;
}

#[tokio::test]
async fn an_outage_that_ends_by_itself_heals_every_purchase() {
    let system = System::start().await;
    let (user, item) = (system.user(10_000).await, system.item(10, 100).await);
    for outage in ["refuse", "timeoutAfterCharge", "timeout"] {
        system.set_gateway(json!({"outage": outage})).await;
        for _ in 0..5 {
            let order = system.order(Sale::of(user, item)).await;
            system
                .until_state(Service::Payment, order, "Authorizing")
                .await;
        }
    }
    system.set_gateway(json!({"outage": "none"})).await;
    let books = system.settled().await;
    assert_eq!((books.completed().count(), books.charges.len()), (15, 15));
}

#[tokio::test]
async fn a_rate_between_0_and_1_approves_some_and_every_book_agrees() {
    let system = System::start().await;
    let (user, item) = (system.user(10_000).await, system.item(10, 100).await);
    system.set_capacity(user, 100).await;
    let gateway = system.at(Service::Payment);
    let shown = gateway.get("/gateway").await.expect(200).body;
    let expected = json!({
        "kind": "simulated", "approvalRate": 1.0, "latencyMinMs": 0, "latencyMaxMs": 0,
        "outage": "none", "seed": 1
    });
    assert_eq!(shown, expected);
    system
        .set_gateway(json!({"approvalRate": 0.5, "latencyMaxMs": 20}))
        .await;

    let orders = e2e_tests::together((0..40).map(|_| system.buy(Sale::of(user, item)))).await;

    let approved = orders.iter().filter(|order| order.is_completed()).count();
    assert!((5..=35).contains(&approved), "{approved} of 40");
    for order in orders.iter().filter(|order| !order.is_completed()) {
        assert_eq!(order.reason_code, Some(ReasonCode::PaymentDeclined));
    }
    system.settled().await;
}
