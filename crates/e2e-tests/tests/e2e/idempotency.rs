//! The same request twice makes one thing.

use e2e_tests::{Answer, Client, Sale, System, eventually, together};
use reqwest::Method;
use saga_events::{OrderId, Service};
use serde_json::{Value, json};

async fn post(client: &Client, path: &str, key: &str, body: &Value) -> Answer {
    let request = client
        .request(Method::POST, path)
        .header("Idempotency-Key", key);
    client.send(request.json(body)).await
}

#[tokio::test]
async fn the_same_key_50_fold_in_parallel_is_one_order() {
    let system = System::start().await;
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    let ask = async |_| {
        let client = system.at(Service::Order);
        let order = async || match post(client, "/orders", "once", &sale.body()).await {
            // The first one is not committed yet.
            answer if answer.status == 409 => Err("in progress"),
            answer => Ok(answer.expect(201)),
        };
        eventually("an answer", e2e_tests::PATIENCE, order).await
    };

    let answers = together((0..50).map(ask)).await;

    let ids: Vec<OrderId> = answers.iter().map(|answer| answer.field("id")).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    let replayed = answers
        .iter()
        .filter(|answer| answer.header("idempotent-replayed") == "true");
    assert_eq!(replayed.count(), 49);
    let books = system.settled().await;
    assert_eq!(books.orders.len(), 1);
    assert_eq!(books.accounts[&sale.user].balance, 90);
}

#[tokio::test]
async fn a_replay_answers_the_order_as_it_is_now_and_honours_prefer() {
    let system = System::start().await;
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    let client = system.at(Service::Order);
    let first = post(client, "/orders", "k", &sale.body()).await.expect(201);
    assert_eq!(
        (
            first.field::<String>("status").as_str(),
            first.header("idempotent-replayed")
        ),
        ("PENDING", "")
    );

    let request = client
        .request(Method::POST, "/orders")
        .header("Idempotency-Key", "k");
    let request = request.header("Prefer", "wait=30").json(&sale.body());
    let replay = client.send(request).await.expect(201);

    assert_eq!(replay.header("idempotent-replayed"), "true");
    assert_eq!(replay.body["id"], first.body["id"]);
    assert_eq!(replay.field::<String>("status"), "COMPLETED");
    system.settled().await;
}

#[tokio::test]
async fn the_same_key_with_another_body_is_refused_with_another_spelling_it_is_not() {
    let system = System::start().await;
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    let client = system.at(Service::Order);
    let first = post(client, "/orders", "k", &sale.body()).await.expect(201);

    post(
        client,
        "/orders",
        "k",
        &Sale {
            quantity: 2,
            ..sale
        }
        .body(),
    )
    .await
    .expect(422);

    // The same fields in another order and with other spaces mean the same.
    let Sale { user, item, .. } = sale;
    let spelt = format!("{{ \"quantity\":1,  \"itemId\":\"{item}\", \"userId\":\"{user}\" }}");
    let request = client
        .request(Method::POST, "/orders")
        .header("Idempotency-Key", "k");
    let request = request
        .header("Content-Type", "application/json")
        .body(spelt);
    assert_eq!(
        client.send(request).await.expect(201).body["id"],
        first.body["id"]
    );
    assert_eq!(system.settled().await.orders.len(), 1);
}

#[tokio::test]
async fn a_key_belongs_to_its_user() {
    let system = System::start().await;
    let item = system.item(10, 10).await;
    let (one, two) = (system.user(100).await, system.user(100).await);
    let client = system.at(Service::Order);

    let of_one = post(client, "/orders", "k", &Sale::of(one, item).body())
        .await
        .expect(201);
    let of_two = post(client, "/orders", "k", &Sale::of(two, item).body())
        .await
        .expect(201);

    assert_ne!(
        of_one.body["id"], of_two.body["id"],
        "nobody is shown another one's order"
    );
    assert_eq!(system.settled().await.orders.len(), 2);
}

#[tokio::test]
async fn a_key_is_looked_up_before_the_price_and_survives_a_restart() {
    let system = System::start().await;
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    let client = system.at(Service::Order);
    let first = post(client, "/orders", "k", &sale.body()).await.expect(201);
    system.settled().await;

    // Neither the memory of the process nor item-svc is there any more.
    system.kill(Service::Order);
    system.kill(Service::Item);
    system.restart(Service::Order).await;
    let replay = post(client, "/orders", "k", &sale.body()).await.expect(201);
    assert_eq!(replay.body["id"], first.body["id"]);

    system.restart(Service::Item).await;
    assert_eq!(system.settled().await.orders.len(), 1);
}

#[tokio::test]
async fn a_refused_request_is_not_remembered() {
    let system = System::start().await;
    let user = system.user(100).await;
    let client = system.at(Service::Order);
    let unknown = Sale::of(user, saga_events::ItemId::new());
    post(client, "/orders", "k", &unknown.body())
        .await
        .expect(404);

    let sale = Sale::of(user, system.item(10, 10).await);
    post(client, "/orders", "k", &sale.body()).await.expect(201);
    assert_eq!(system.settled().await.orders.len(), 1);
}

#[tokio::test]
async fn users_items_deposits_and_restocks_take_keys_too() {
    let system = System::start().await;
    let (user, item) = (system.user(100).await, system.item(10, 10).await);
    let (users, items) = (system.at(Service::User), system.at(Service::Item));
    let deposits = format!("/users/{user}/deposits");
    let restock = format!("/items/{item}/restock");
    let cases = [
        (
            users,
            "/users",
            json!({"username": "twice"}),
            json!({"username": "other"}),
            201,
        ),
        (
            users,
            &deposits,
            json!({"amount": 5}),
            json!({"amount": 6}),
            201,
        ),
        (
            items,
            "/items",
            json!({"name": "t", "price": 1, "stock": 1}),
            json!({"name": "o", "price": 1, "stock": 1}),
            201,
        ),
        (
            items,
            &restock,
            json!({"quantity": 3}),
            json!({"quantity": 4}),
            200,
        ),
    ];
    for (client, path, body, other, status) in cases {
        let first = post(client, path, "k", &body).await.expect(status);
        let again = post(client, path, "k", &body).await.expect(status);
        assert_eq!(again.body["id"], first.body["id"], "{path}");
        assert_eq!(again.header("idempotent-replayed"), "true", "{path}");
        assert_eq!(first.header("idempotent-replayed"), "", "{path}");
        post(client, path, "k", &other).await.expect(422);
        match path {
            "/users" => system.note_deposit(first.field("id"), 0),
            "/items" => system.note_supply(first.field("id"), 1),
            _ => {}
        }
    }
    system.note_deposit(user, 5);
    system.note_supply(item, 3);
    system.settled().await;
}
