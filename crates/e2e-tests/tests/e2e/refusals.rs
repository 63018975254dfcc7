//! A refusal at each of the points where there can be one: it leaves no hold, stock, slot or charge
//! behind, and says why.

use e2e_tests::{Builder, Order, Sale, System};
use saga_events::{ItemId, ReasonCode, Service, UserId};
use serde_json::json;

/// A user with money for two, an item with stock for two.
async fn shop(builder: Builder) -> (System, UserId, ItemId) {
    let system = builder.start().await;
    let (user, item) = (system.user(2_000).await, system.item(1_000, 2).await);
    (system, user, item)
}

/// Buys, and holds the outcome to this reason and the books to what they were before.
async fn check(system: &System, sale: Sale, reason: ReasonCode, failed_step: Service) -> Order {
    let stock = system.stock(sale.item).await;
    let inventory = system.inventory(sale.user).await;
    let account = system
        .at(Service::User)
        .get(&format!("/users/{}", sale.user))
        .await
        .body;
    let before = system.settled().await;

    let order = system.buy(sale).await;

    assert_eq!(
        order.outcome(),
        ("CANCELLED", Some(reason), Some(failed_step))
    );
    assert_eq!(order.reason.as_deref(), Some(reason.sentence()));
    assert_eq!(system.stock(sale.item).await, stock);
    assert_eq!(system.inventory(sale.user).await, inventory);
    let account_now = system
        .at(Service::User)
        .get(&format!("/users/{}", sale.user))
        .await
        .body;
    // The request id of a 404 is another one each time.
    assert_eq!(account_now["balance"], account["balance"]);
    assert_eq!(account_now["held"], account["held"]);
    let books = system.settled().await;
    assert_eq!(books.charges, before.charges);
    let told = books
        .notifications
        .iter()
        .find(|told| told.order_id == order.id)
        .unwrap();
    assert!(
        told.text.contains(reason.as_str()) || told.text.contains(reason.sentence()),
        "{told:?}"
    );
    order
}

#[tokio::test]
async fn an_unknown_buyer_is_refused_by_user_svc() {
    let (system, _, item) = shop(System::with()).await;
    let sale = Sale::of(UserId::new(), item);
    check(&system, sale, ReasonCode::UserNotFound, Service::User).await;
}

#[tokio::test]
async fn an_inactive_buyer_is_refused_until_activated_again() {
    let (system, user, item) = shop(System::with()).await;
    let users = system.at(Service::User);
    users
        .post_empty(&format!("/users/{user}/deactivate"))
        .await
        .expect(200);
    check(
        &system,
        Sale::of(user, item),
        ReasonCode::UserInactive,
        Service::User,
    )
    .await;
    users
        .post_empty(&format!("/users/{user}/activate"))
        .await
        .expect(200);
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    system.settled().await;
}

#[tokio::test]
async fn too_small_a_balance_is_refused_by_user_svc() {
    let (system, user, item) = shop(System::with()).await;
    let sale = Sale {
        user,
        item,
        quantity: 3,
    };
    check(
        &system,
        sale,
        ReasonCode::InsufficientBalance,
        Service::User,
    )
    .await;
}

#[tokio::test]
async fn a_full_inventory_is_refused_by_inventory_svc() {
    let (system, user, item) = shop(System::with()).await;
    system.set_capacity(user, 0).await;
    check(
        &system,
        Sale::of(user, item),
        ReasonCode::InventoryFull,
        Service::Inventory,
    )
    .await;
}

#[tokio::test]
async fn too_little_stock_is_refused_by_item_svc() {
    let (system, user, item) = shop(System::with()).await;
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    let other = system.user(9_000).await;
    let sale = Sale {
        user: other,
        item,
        quantity: 2,
    };
    check(&system, sale, ReasonCode::OutOfStock, Service::Item).await;
}

#[tokio::test]
async fn a_withdrawn_item_is_refused_by_item_svc() {
    let (system, user, item) = shop(System::with()).await;
    system
        .at(Service::Item)
        .post_empty(&format!("/items/{item}/withdraw"))
        .await
        .expect(200);
    check(
        &system,
        Sale::of(user, item),
        ReasonCode::ItemWithdrawn,
        Service::Item,
    )
    .await;
}

#[tokio::test]
async fn a_price_that_has_changed_is_refused_by_item_svc_and_asked_for_again() {
    // order-svc takes a price for current for a long time, so it quotes an old one.
    let builder = System::with().set(Service::Order, "SAGA__ORDER__PRICE_TTL_MS", 600_000);
    let (system, user, item) = shop(builder).await;
    assert_eq!(system.buy(Sale::of(user, item)).await.unit_price, 1_000);
    let new_price = json!({"price": 999});
    system
        .at(Service::Item)
        .patch(&format!("/items/{item}"), &new_price)
        .await
        .expect(200);

    let order = check(
        &system,
        Sale::of(user, item),
        ReasonCode::PriceChanged,
        Service::Item,
    )
    .await;
    assert_eq!(
        order.unit_price, 1_000,
        "an order keeps the price it was quoted"
    );

    let order = system.buy(Sale::of(user, item)).await;
    assert_eq!((order.is_completed(), order.unit_price), (true, 999));
    system.settled().await;
}

#[tokio::test]
async fn a_declined_payment_is_compensated_all_the_way_back() {
    let builder = System::with().set(Service::Payment, "SAGA__GATEWAY__APPROVAL_RATE", "0");
    let (system, user, item) = shop(builder).await;
    let sale = Sale {
        user,
        item,
        quantity: 2,
    };
    let order = check(&system, sale, ReasonCode::PaymentDeclined, Service::Payment).await;
    for service in [Service::User, Service::Inventory, Service::Item] {
        assert_eq!(
            system.state(service, order.id).await.as_deref(),
            Some("Released")
        );
    }
    assert_eq!(
        system.state(Service::Payment, order.id).await.as_deref(),
        Some("Failed")
    );
}

#[tokio::test]
async fn an_unknown_item_is_404_at_once() {
    let (system, user, _) = shop(System::with()).await;
    let body = Sale::of(user, ItemId::new()).body();
    system
        .at(Service::Order)
        .post("/orders", &body)
        .await
        .expect(404);
    assert!(system.settled().await.orders.is_empty());
}
