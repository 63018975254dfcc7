//! Many who want the same at the same time. No lock is involved: rows and constraints decide.

use e2e_tests::{Sale, System, together};
use saga_events::ReasonCode;

#[tokio::test]
async fn of_100_concurrent_orders_of_one_user_with_money_for_50_exactly_50_complete() {
    let system = System::start().await;
    let (user, item) = (system.user(50 * 30).await, system.item(30, 1_000).await);
    system.set_capacity(user, 100).await;

    let orders = together((0..100).map(|_| system.buy(Sale::of(user, item)))).await;

    assert_eq!(
        orders.iter().filter(|order| order.is_completed()).count(),
        50
    );
    let refused = orders.iter().filter(|order| !order.is_completed());
    for order in refused {
        assert_eq!(order.reason_code, Some(ReasonCode::InsufficientBalance));
    }
    let books = system.settled().await;
    assert_eq!(books.accounts[&user].balance, 0);
    assert_eq!(books.inventories[&user].items[0].quantity, 50);
}

#[tokio::test]
async fn of_100_buyers_of_the_last_unit_exactly_1_gets_it() {
    let system = System::start().await;
    let item = system.item(30, 1).await;
    let users = together((0..100).map(|_| system.user(30))).await;

    let orders = together(users.iter().map(|user| system.buy(Sale::of(*user, item)))).await;

    let winners: Vec<_> = orders.iter().filter(|order| order.is_completed()).collect();
    assert_eq!(winners.len(), 1);
    for order in orders.iter().filter(|order| !order.is_completed()) {
        assert_eq!(order.reason_code, Some(ReasonCode::OutOfStock));
    }
    let books = system.settled().await;
    assert_eq!((books.items[&item].stock, books.items[&item].sold), (0, 1));
    let paid: Vec<_> = users
        .iter()
        .filter(|user| books.accounts[user].balance == 0)
        .collect();
    assert_eq!(paid, [&winners[0].user_id]);
}

#[tokio::test]
async fn of_30_concurrent_orders_of_different_items_with_room_for_7_exactly_7_complete() {
    let system = System::start().await;
    let user = system.user(1_000).await;
    system.set_capacity(user, 7).await;
    let items = together((0..30).map(|_| system.item(1, 9))).await;

    let orders = together(items.iter().map(|item| system.buy(Sale::of(user, *item)))).await;

    assert_eq!(
        orders.iter().filter(|order| order.is_completed()).count(),
        7
    );
    for order in orders.iter().filter(|order| !order.is_completed()) {
        assert_eq!(order.reason_code, Some(ReasonCode::InventoryFull));
    }
    let inventory = &system.settled().await.inventories[&user];
    assert_eq!((inventory.used, inventory.capacity), (7, 7));
}

#[tokio::test]
async fn deposits_and_restocks_during_purchases_are_not_lost() {
    let system = System::start().await;
    let (user, item) = (system.user(100).await, system.item(10, 10).await);
    let buyer = async || {
        for _ in 0..10 {
            system.buy(Sale::of(user, item)).await;
        }
    };
    let payer = async || {
        for _ in 0..10 {
            let client = system.at(saga_events::Service::User);
            let path = format!("/users/{user}/deposits");
            client
                .post(&path, &serde_json::json!({"amount": 10}))
                .await
                .expect(201);
            system.note_deposit(user, 10);
            let client = system.at(saga_events::Service::Item);
            let path = format!("/items/{item}/restock");
            client
                .post(&path, &serde_json::json!({"quantity": 1}))
                .await
                .expect(200);
            system.note_supply(item, 1);
        }
    };
    tokio::join!(buyer(), buyer(), payer());
    system.settled().await;
}
