//! Holds, compensation, final states.

use e2e_tests::{Sale, Stage, System, failure, settled};
use saga_events::{EventType, ReasonCode, Service};
use serde_json::json;

use super::shop;

#[tokio::test]
async fn seed_03_compensation_gives_back_an_amount_and_not_an_old_balance() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let scarce = system.item(100, 1).await;
    system.freeze(Service::Inventory);
    let lost = system
        .order(Sale {
            user,
            item: scarce,
            quantity: 2,
        })
        .await;
    system.until_state(Service::User, lost, "Reserved").await;
    // Between its hold and its compensation the balance moves twice.
    let won = system
        .order(Sale {
            user,
            item,
            quantity: 3,
        })
        .await;
    system.until_state(Service::User, won, "Reserved").await;
    let deposits = format!("/users/{user}/deposits");
    system
        .at(Service::User)
        .post(&deposits, &json!({"amount": 50}))
        .await
        .expect(201);
    system.note_deposit(user, 50);
    system.thaw(Service::Inventory);

    assert_eq!(
        system.ended(lost).await.reason_code,
        Some(ReasonCode::OutOfStock)
    );
    assert!(system.ended(won).await.is_completed());
    assert_eq!(
        system.settled().await.accounts[&user].balance,
        10_000 + 50 - 300
    );
}

#[tokio::test]
async fn seed_04_a_stray_failure_does_not_make_paid_goods_free() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let order = system.buy(Sale::of(user, item)).await;
    let before = system.settled().await;
    let strays = [
        EventType::PaymentFailed,
        EventType::ItemRestored,
        EventType::InventoryRollback,
    ];
    for (event_type, attempt) in strays
        .into_iter()
        .flat_map(|event| [(event, 0), (event, 7)])
    {
        system.forge(failure(event_type, order.id, attempt)).await;
    }
    // A later purchase travels behind them on the same streams.
    let later = system.buy(Sale::of(user, item)).await;
    assert!(later.is_completed());
    let after = system.settled_despite_dead_letters().await;
    assert_eq!(
        after.accounts[&user].balance,
        before.accounts[&user].balance - 100
    );
    for service in [Service::Item, Service::Inventory, Service::User] {
        assert_eq!(
            system.state(service, order.id).await.as_deref(),
            Some("Confirmed")
        );
        system.until_dead_letters(service, 2).await;
    }
}

#[tokio::test]
async fn seed_05_stock_is_given_back_when_the_payment_fails() {
    let system = System::with()
        .set(Service::Payment, "SAGA__GATEWAY__APPROVAL_RATE", 0)
        .start()
        .await;
    let (user, item) = shop(&system).await;
    let order = system
        .buy(Sale {
            user,
            item,
            quantity: 9,
        })
        .await;
    assert_eq!(order.reason_code, Some(ReasonCode::PaymentDeclined));
    // At once: CANCELLED means that everything is given back.
    let stock = system.stock(item).await;
    assert_eq!((stock.stock, stock.held, stock.sold), (100, 0, 0));
    system.settled().await;
}

#[tokio::test]
async fn seed_06_holds_survive_a_flush_of_redis_and_can_be_compensated() {
    let builder = System::with().repeating_quickly();
    let system = builder
        .set(Service::Payment, "SAGA__GATEWAY__APPROVAL_RATE", 0)
        .start()
        .await;
    let (user, item) = shop(&system).await;
    let order = Stage::Before(Service::Payment)
        .halt(&system, Sale::of(user, item))
        .await;
    system.redis().ask::<()>("FLUSHALL").await;
    assert_eq!(system.account(user).await.held, 100);
    Stage::Before(Service::Payment).resume(&system).await;

    assert_eq!(
        system.ended(order).await.reason_code,
        Some(ReasonCode::PaymentDeclined)
    );
    assert_eq!(system.settled().await.accounts[&user].balance, 10_000);
}

#[tokio::test]
async fn seed_08_a_final_order_has_already_settled_everywhere() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    for turn in 0..20 {
        system.set_gateway(json!({"approvalRate": turn % 2})).await;
        let order = system.buy(Sale::of(user, item)).await;
        // No waiting: whoever sees the final status sees nothing half-done.
        let expected = if order.is_completed() {
            "Confirmed"
        } else {
            "Released"
        };
        for service in [Service::User, Service::Inventory, Service::Item] {
            let state = system.state(service, order.id).await;
            assert_eq!(
                state.as_deref(),
                Some(expected),
                "{service} after {}",
                order.status
            );
        }
        assert_eq!(system.account(user).await.held, 0);
    }
    system.settled().await;
}

#[tokio::test]
async fn seed_09_a_final_status_never_changes() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let completed = system.buy(Sale::of(user, item)).await;
    system.set_gateway(json!({"approvalRate": 0})).await;
    let cancelled = system.buy(Sale::of(user, item)).await;
    system.settled().await;
    system
        .forge(settled(EventType::PaymentConfirmed, cancelled.id, 3))
        .await;
    for event_type in [
        EventType::PaymentRollback,
        EventType::PaymentReservationFailed,
        EventType::UserValidationFailed,
    ] {
        system.forge(failure(event_type, completed.id, 3)).await;
    }
    system.until_dead_letters(Service::Order, 4).await;
    let books = system.settled_despite_dead_letters().await;
    assert_eq!(books.orders[&completed.id], completed);
    assert_eq!(books.orders[&cancelled.id], cancelled);
}

#[tokio::test]
async fn seed_17_held_room_counts_and_an_owned_item_needs_none() {
    let system = System::start().await;
    let (user, item) = shop(&system).await;
    let other = system.item(100, 100).await;
    system.set_capacity(user, 1).await;
    // The room is held, not yet used, when the second purchase asks for it.
    let holding = Stage::Before(Service::Payment)
        .halt(&system, Sale::of(user, item))
        .await;
    assert_eq!(system.inventory(user).await.held, 1);
    let refused = system.buy(Sale::of(user, other)).await;
    assert_eq!(refused.reason_code, Some(ReasonCode::InventoryFull));
    Stage::Before(Service::Payment).resume(&system).await;
    assert!(system.ended(holding).await.is_completed());
    // The only slot is taken, by this very item.
    assert!(system.buy(Sale::of(user, item)).await.is_completed());
    let inventory = &system.settled().await.inventories[&user];
    assert_eq!((inventory.used, inventory.items[0].quantity), (1, 2));
}
