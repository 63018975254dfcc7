//! What a purchase carries and what it costs.

use e2e_tests::{Sale, Stage, System, together};
use saga_events::{EventId, EventType, ItemId, MAX_MONEY, Phase, ReasonCode, Service};
use serde_json::json;

use super::shop;

#[tokio::test]
async fn seed_01_the_happy_path_carries_the_item_id() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let order = system.buy(Sale::of(user, item)).await;
    assert!(order.is_completed());
    for said in system.journal(order.id).await {
        if matches!(said.event_type.spec().phase, Phase::Begin | Phase::Reserve) {
            assert_eq!(said.data["itemId"], item.to_string(), "{}", said.event_type);
        }
    }
    assert_eq!(
        system.settled().await.inventories[&user].items[0].item_id,
        item
    );
}

#[tokio::test]
async fn seed_02_every_step_works_with_the_ordered_quantity() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let order = system
        .buy(Sale {
            user,
            item,
            quantity: 7,
        })
        .await;
    for said in system.journal(order.id).await {
        if matches!(said.event_type.spec().phase, Phase::Begin | Phase::Reserve) {
            assert_eq!(said.data["quantity"], 7, "{}", said.event_type);
        }
    }
    let books = system.settled().await;
    assert_eq!(books.accounts[&user].balance, 10_000 - 700);
    assert_eq!(books.items[&item].stock, 93);
    assert_eq!(books.inventories[&user].items[0].quantity, 7);
}

#[tokio::test]
async fn seed_18_a_negative_quantity_credits_nobody() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    for quantity in [-5, 0, -1, 1_001, i64::MIN] {
        let body = Sale {
            user,
            item,
            quantity,
        }
        .body();
        let answer = system.at(Service::Order).post("/orders", &body).await;
        assert!(
            [400, 422].contains(&answer.status),
            "{quantity}: {}",
            answer.body
        );
    }
    let books = system.settled().await;
    assert!(books.orders.is_empty());
    assert_eq!(books.accounts[&user].balance, 10_000);
}

#[tokio::test]
async fn seed_19_money_is_whole_to_the_last_unit() {
    let system = System::start().await;
    let (user, item) = (
        system.user(MAX_MONEY).await,
        system.item(MAX_MONEY - 1, 1).await,
    );
    let order = system.buy(Sale::of(user, item)).await;
    assert_eq!(
        (order.is_completed(), order.total_amount),
        (true, MAX_MONEY - 1)
    );
    assert_eq!(system.settled().await.accounts[&user].balance, 1);
    for price in [json!(0.1), json!(100.0), json!(1e3), json!("100")] {
        let body = json!({"name": "thing", "price": price, "stock": 1});
        let answer = system.at(Service::Item).post("/items", &body).await;
        assert!(
            [400, 422].contains(&answer.status),
            "{price}: {}",
            answer.body
        );
    }
}

#[tokio::test]
async fn seed_20_the_failed_step_is_data_and_travels_unchanged() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    // A name that would mislead whoever guesses from texts.
    let misleading = json!({"name": "payment balance inventory", "price": 100, "stock": 0});
    let sold_out = system
        .at(Service::Item)
        .post("/items", &misleading)
        .await
        .expect(201);
    let sold_out: ItemId = sold_out.field("id");
    system.note_supply(sold_out, 0);
    system.set_gateway(json!({"approvalRate": 0})).await;
    for (item, reason, failed_step) in [
        (sold_out, ReasonCode::OutOfStock, Service::Item),
        (item, ReasonCode::PaymentDeclined, Service::Payment),
    ] {
        let order = system.buy(Sale::of(user, item)).await;
        assert_eq!(
            order.outcome(),
            ("CANCELLED", Some(reason), Some(failed_step))
        );
        let journal = system.journal(order.id).await;
        let failures: Vec<_> = journal
            .iter()
            .filter(|said| said.data.get("failedStep").is_some())
            .collect();
        assert!(failures.len() >= 4, "the way back: {failures:#?}");
        for said in failures {
            assert_eq!(
                said.data["failedStep"],
                failed_step.as_str(),
                "{}",
                said.event_type
            );
            assert_eq!(
                said.data["reasonCode"],
                reason.as_str(),
                "{}",
                said.event_type
            );
        }
    }
    system.settled().await;
}

#[tokio::test]
async fn seed_21_an_approval_rate_of_0_can_be_configured() {
    for (rate, completes) in [("0", false), ("1", true)] {
        let rate_is = System::with().set(Service::Payment, "SAGA__GATEWAY__APPROVAL_RATE", rate);
        let system = rate_is.start().await;
        let (user, item) = shop(&system).await;
        let orders = together((0..10).map(|_| system.buy(Sale::of(user, item)))).await;
        assert!(
            orders.iter().all(|order| order.is_completed() == completes),
            "rate {rate}"
        );
        system.settled().await;
    }
}

#[tokio::test]
async fn seed_22_the_balance_is_the_money_and_the_gateway_records_its_payment() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let order = system
        .buy(Sale {
            user,
            item,
            quantity: 4,
        })
        .await;
    let books = system.settled().await;
    let hold = books.holds[&user]
        .iter()
        .find(|hold| hold.order_id == order.id)
        .unwrap();
    assert_eq!((hold.amount, hold.state.as_str()), (400, "Confirmed"));
    assert_eq!(
        (books.payments[&order.id].amount, books.charges[&order.id]),
        (400, 400)
    );

    // A gateway that would approve does not help who has no balance: it is not even asked.
    let poor = system.user(99).await;
    let order = system.buy(Sale::of(poor, item)).await;
    assert_eq!(order.reason_code, Some(ReasonCode::InsufficientBalance));
    assert_eq!(system.state(Service::Payment, order.id).await, None);
    system.settled().await;
}

#[tokio::test]
async fn seed_23_the_price_is_frozen_in_the_order_and_checked_by_item_svc() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let bought = system.buy(Sale::of(user, item)).await;
    let halted = Stage::Before(Service::Inventory)
        .halt(&system, Sale::of(user, item))
        .await;
    let path = format!("/items/{item}");
    system
        .at(Service::Item)
        .patch(&path, &json!({"price": 1}))
        .await
        .expect(200);
    Stage::Before(Service::Inventory).resume(&system).await;

    let refused = system.ended(halted).await;
    let changed = (
        "CANCELLED",
        Some(ReasonCode::PriceChanged),
        Some(Service::Item),
    );
    assert_eq!((refused.outcome(), refused.unit_price), (changed, 100));
    assert_eq!(
        system.look_at(bought.id).await.unit_price,
        100,
        "what is bought keeps its price"
    );
    let cheap = system.buy(Sale::of(user, item)).await;
    assert_eq!((cheap.is_completed(), cheap.total_amount), (true, 1));
    let created = EventId::of(cheap.id, EventType::OrderCreated);
    let said = system.said(Service::Order, cheap.id).await;
    assert!(
        said.iter()
            .any(|said| said.id == created && said.data["unitPrice"] == 1)
    );
    system.settled().await;
}
