//! What callers ask of the services that own users, room, items, payments and notifications.

use e2e_tests::{Account, Answer, Hold, Inventory, Item, Notification, Payment, Sale, System};
use reqwest::Method;
use saga_events::{ItemId, OrderId, Service, UserId};
use serde_json::{Value, json};

#[tokio::test]
async fn a_user_is_made_once_under_an_id_and_stays_as_it_is() {
    let system = System::start().await;
    let users = system.at(Service::User);
    let id = UserId::new();
    let path = format!("/users/{id}");

    let made: Account = users
        .put(&path, &json!({"username": "하나", "balance": 7}))
        .await
        .expect(201)
        .json();
    assert_eq!(
        (made.id, made.username.as_str(), made.active),
        (id, "하나", true)
    );
    assert_eq!((made.balance, made.held), (7, 0));
    let again = users
        .put(&path, &json!({"username": "other", "balance": 99}))
        .await
        .expect(200);
    assert_eq!(again.json::<Account>(), made);
    assert_eq!(users.get(&path).await.expect(200).json::<Account>(), made);

    let posted = users
        .post("/users", &json!({"username": "하나"}))
        .await
        .expect(201);
    let second: Account = posted.json();
    assert_eq!(second.balance, 0, "names need not be unique, nor rich");
    assert_eq!(posted.header("location"), format!("/users/{}", second.id));

    let deposits = format!("/users/{id}/deposits");
    let deposit = users
        .post(&deposits, &json!({"amount": 5}))
        .await
        .expect(201)
        .body;
    assert_eq!(
        (&deposit["userId"], &deposit["amount"]),
        (&json!(id), &json!(5))
    );
    assert_eq!(
        (&deposit["balance"], deposit["id"].is_string()),
        (&json!(12), true)
    );
    let balance = users
        .get(&format!("/users/{id}/balance"))
        .await
        .expect(200)
        .body;
    assert_eq!(balance, json!({"userId": id, "balance": 12, "held": 0}));
    system.note_deposit(id, 12);
    system.note_deposit(second.id, 0);
    system.settled().await;
}

#[tokio::test]
async fn a_user_who_is_deactivated_may_be_deactivated_again() {
    let system = System::start().await;
    let user = system.user(0).await;
    for (call, active) in [
        ("deactivate", false),
        ("deactivate", false),
        ("activate", true),
    ] {
        let answer = system
            .at(Service::User)
            .post_empty(&format!("/users/{user}/{call}"))
            .await;
        assert_eq!(answer.expect(200).json::<Account>().active, active);
    }
}

#[tokio::test]
async fn holds_payments_and_notifications_tell_of_each_purchase() {
    let system = System::start().await;
    let (user, item) = (system.user(100).await, system.item(30, 10).await);
    let mut orders = Vec::new();
    for rate in [1, 0, 1] {
        system.set_gateway(json!({"approvalRate": rate})).await;
        orders.push(system.buy(Sale::of(user, item)).await.id);
    }
    system.settled().await;

    let holds: Vec<Hold> = system
        .at(Service::User)
        .all(&format!("/users/{user}/holds"), "holds")
        .await;
    let told: Vec<_> = holds
        .iter()
        .map(|hold| (hold.order_id, hold.amount, hold.state.as_str()))
        .collect();
    let expected = [
        (orders[0], 30, "Confirmed"),
        (orders[1], 30, "Released"),
        (orders[2], 30, "Confirmed"),
    ];
    assert_eq!(told, expected);

    let payments = system.at(Service::Payment);
    let failed: Vec<Payment> = payments.all("/payments?state=Failed", "payments").await;
    assert_eq!(
        failed
            .iter()
            .map(|payment| payment.order_id)
            .collect::<Vec<_>>(),
        [orders[1]]
    );
    let one: Payment = payments
        .get(&format!("/payments/{}", orders[0]))
        .await
        .expect(200)
        .json();
    assert_eq!((one.amount, one.state.as_str()), (30, "Processed"));
    let page = payments.get("/payments?limit=2").await.expect(200);
    assert_eq!(page.field::<Vec<Payment>>("payments").len(), 2);
    assert!(page.body["nextCursor"].is_string());

    let notify = system.at(Service::Notify);
    let letters: Vec<Notification> = notify
        .all(&format!("/notifications?userId={user}"), "notifications")
        .await;
    assert_eq!(letters.len(), 3);
    assert!(
        letters
            .iter()
            .all(|letter| letter.text.contains(&letter.order_id.to_string()))
    );
    let nobody = format!("/notifications?userId={}", UserId::new());
    assert!(
        notify
            .all::<Notification>(&nobody, "notifications")
            .await
            .is_empty()
    );
}

#[tokio::test]
async fn every_inventory_has_20_slots_until_set_otherwise_and_never_fewer_than_it_needs() {
    let system = System::start().await;
    let user = system.user(100).await;
    let unknown = system.inventory(UserId::new()).await;
    assert_eq!((unknown.capacity, unknown.used, unknown.held), (20, 0, 0));
    for _ in 0..3 {
        let item = system.item(1, 1).await;
        system.buy(Sale::of(user, item)).await;
    }
    let inventories = system.at(Service::Inventory);
    let path = format!("/inventories/{user}");
    inventories
        .put(&path, &json!({"capacity": 2}))
        .await
        .expect(409);
    let set = inventories
        .put(&path, &json!({"capacity": 3}))
        .await
        .expect(200);
    let inventory: Inventory = set.json();
    assert_eq!(
        (inventory.capacity, inventory.used, inventory.items.len()),
        (3, 3, 3)
    );
    inventories
        .put(&path, &json!({"capacity": 10_000}))
        .await
        .expect(200);
    system.settled().await;
}

#[tokio::test]
async fn an_item_is_made_changed_restocked_and_withdrawn() {
    let system = System::start().await;
    let items = system.at(Service::Item);
    let id = ItemId::new();
    let path = format!("/items/{id}");
    let body = json!({"name": "shield", "description": "round", "price": 5, "stock": 2});

    let made: Item = items.put(&path, &body).await.expect(201).json();
    assert_eq!(
        (made.stock, made.held, made.sold, made.withdrawn),
        (2, 0, 0, false)
    );
    let other = json!({"name": "other", "price": 6, "stock": 99});
    assert_eq!(
        items.put(&path, &other).await.expect(200).json::<Item>(),
        made
    );

    let changed: Item = items
        .patch(&path, &json!({"name": "buckler"}))
        .await
        .expect(200)
        .json();
    assert_eq!(
        (changed.name.as_str(), changed.price, changed.stock),
        ("buckler", 5, 2)
    );
    assert_eq!(
        changed.description, made.description,
        "what is not named stays"
    );
    let restock = format!("{path}/restock");
    let stocked: Item = items
        .post(&restock, &json!({"quantity": 3}))
        .await
        .expect(200)
        .json();
    assert_eq!(stocked.stock, 5);
    for _ in 0..2 {
        let gone: Item = items
            .post_empty(&format!("{path}/withdraw"))
            .await
            .expect(200)
            .json();
        assert!(gone.withdrawn);
    }
    let listed: Vec<Item> = items.get("/items").await.expect(200).field("items");
    assert_eq!(listed.iter().find(|item| item.id == id).unwrap().stock, 5);
    let asked = format!("/items?ids={},{id}", ItemId::new());
    let listed: Vec<Item> = items.get(&asked).await.expect(200).field("items");
    assert_eq!(listed.iter().map(|item| item.id).collect::<Vec<_>>(), [id]);
    system.note_supply(id, 5);
    system.settled().await;
}

#[tokio::test]
async fn sagas_are_paged_in_order_of_id_and_filtered_by_state() {
    let system = System::start().await;
    let (user, item) = (system.user(50).await, system.item(10, 100).await);
    let mut orders = Vec::new();
    for _ in 0..7 {
        orders.push(system.buy(Sale::of(user, item)).await.id);
    }
    system.settled().await;
    let ids = |page: &Answer| {
        let rows: Vec<Value> = page.field("sagas");
        rows.iter()
            .map(|row| row["orderId"].as_str().unwrap().parse().unwrap())
            .collect::<Vec<OrderId>>()
    };
    for service in Service::ALL {
        let client = system.at(service);
        let reached = ids(&client.get("/sagas").await.expect(200));
        let expected = if service >= Service::Inventory && service <= Service::Payment {
            5
        } else {
            7
        };
        assert_eq!(reached, orders[..expected], "{service}");
        let first = client.get("/sagas?limit=3").await.expect(200);
        assert_eq!(ids(&first), orders[..3], "{service}");
        let next = client
            .get(&format!("/sagas?limit=3&after={}", orders[2]))
            .await
            .expect(200);
        assert_eq!(ids(&next), orders[3..expected.min(6)], "{service}");
        let row = &first.field::<Vec<Value>>("sagas")[0];
        let state = row["state"].as_str().unwrap();
        assert!(
            row["amount"].is_i64() && row["updatedAt"].is_string(),
            "{row}"
        );
        let like = client
            .get(&format!("/sagas?state={state}"))
            .await
            .expect(200);
        assert_eq!(ids(&like), orders[..5], "{service} {state}");
    }
}

#[tokio::test]
async fn a_body_of_64_kib_is_read_and_names_of_100_characters_are_taken() {
    let system = System::start().await;
    let users = system.at(Service::User);
    let body = json!({"username": "é".repeat(100)}).to_string();
    let padded = format!("{body}{}", " ".repeat(64 * 1024 - body.len()));
    let request = users.request(Method::POST, "/users").body(padded);
    let request = request.header("Content-Type", "application/json; charset=utf-8");
    let user: Account = users.send(request).await.expect(201).json();
    assert_eq!(user.username.chars().count(), 100);

    // The service's own page may call it, and a caller without a browser too.
    let own = users.base().to_owned();
    let request = users
        .request(Method::POST, "/users")
        .json(&json!({"username": "x"}));
    users.send(request.header("Origin", own)).await.expect(201);
}
