//! Poison on a stream becomes a dead letter, and blocks nobody.

use e2e_tests::{Sale, System, envelope, failure, settled};
use saga_events::bus::stream;
use saga_events::{EventId, EventType, Message, OrderId, Service};

/// Plants an entry that is no event, and holds the line to go on.
async fn check_undecodable(event_type: EventType, field: &str, text: &str, why: &str) {
    let system = System::start().await;
    let consumer = event_type.spec().consumers[0];
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    system.plant(event_type, field, text).await;

    let letter = system.until_dead_letters(consumer, 1).await.remove(0);
    assert_eq!(letter.reason, "undecodable");
    assert!(
        letter.error.contains(why),
        "{} should say {why:?}",
        letter.error
    );
    assert_eq!(letter.stream, stream(0, event_type));
    assert!(
        letter.event.contains(text),
        "the entry is kept: {}",
        letter.event
    );

    assert!(system.buy(sale).await.is_completed(), "the line goes on");
    system.settled_despite_dead_letters().await;
    system.until_logged(consumer, "dead letter").await;
}

/// Plants an event that is well-formed but cannot come true.
async fn check_impossible(system: &System, message: Message) {
    let consumer = message.event_type.spec().consumers[0];
    system.forge(message).await;
    let letter = system.until_dead_letters(consumer, 1).await.remove(0);
    assert_eq!((letter.reason.as_str(), letter.attempts), ("impossible", 1));
    assert_eq!(
        letter.event_type.as_deref(),
        Some(message.event_type.as_str())
    );
}

#[tokio::test]
async fn an_entry_that_is_not_json_is_undecodable() {
    check_undecodable(EventType::OrderCreated, "event", "{\"half\":", "EOF").await;
}

#[tokio::test]
async fn an_entry_with_another_field_is_undecodable() {
    check_undecodable(EventType::PaymentReserved, "message", "hello", "one field").await;
}

#[tokio::test]
async fn an_event_of_an_unknown_type_is_undecodable() {
    let text = envelope(settled(EventType::ItemDeducted, OrderId::new(), 0));
    let text = text.replace("item.deducted", "item.exploded");
    check_undecodable(EventType::ItemDeducted, "event", &text, "item.exploded").await;
}

#[tokio::test]
async fn an_event_of_a_newer_version_is_undecodable() {
    let text = envelope(settled(EventType::PaymentProcessed, OrderId::new(), 0));
    let text = text.replace("payment.processed:1", "payment.processed:2");
    check_undecodable(EventType::PaymentProcessed, "event", &text, "dataschema").await;
}

#[tokio::test]
async fn an_event_from_a_service_that_does_not_own_it_is_undecodable() {
    let text = envelope(settled(EventType::PaymentConfirmed, OrderId::new(), 0));
    let text = text.replace("user-svc", "notify-svc");
    check_undecodable(EventType::PaymentConfirmed, "event", &text, "notify-svc").await;
}

#[tokio::test]
async fn an_event_whose_id_was_not_made_from_order_and_type_is_undecodable() {
    let order = OrderId::new();
    let text = envelope(settled(EventType::PaymentConfirmed, order, 0));
    let other = EventId::of(order, EventType::PaymentRollback).to_string();
    let own = EventId::of(order, EventType::PaymentConfirmed).to_string();
    let text = text.replace(&own, &other);
    check_undecodable(
        EventType::PaymentConfirmed,
        "event",
        &text,
        "does not belong",
    )
    .await;
}

#[tokio::test]
async fn a_confirmation_of_what_was_never_held_is_impossible() {
    let system = System::start().await;
    let order = OrderId::new();
    check_impossible(&system, settled(EventType::PaymentProcessed, order, 0)).await;
    check_impossible(&system, settled(EventType::ItemDeducted, order, 0)).await;
    check_impossible(&system, settled(EventType::InventoryConfirmed, order, 0)).await;
    system.settled_despite_dead_letters().await;
    assert_eq!(
        system.state(Service::Item, order).await,
        None,
        "nothing changed"
    );
}

#[tokio::test]
async fn news_of_an_order_that_order_svc_does_not_have_are_impossible() {
    let system = System::start().await;
    check_impossible(
        &system,
        settled(EventType::PaymentConfirmed, OrderId::new(), 0),
    )
    .await;
    system.settled_despite_dead_letters().await;
}

#[tokio::test]
async fn a_failure_after_success_is_impossible_at_every_step_of_the_line() {
    let system = System::start().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    let order = system.buy(sale).await;
    let before = system.settled().await;

    // payment-svc itself takes a cancel of a paid order for what it is: too late.
    for event_type in [
        EventType::PaymentFailed,
        EventType::ItemRestored,
        EventType::InventoryRollback,
    ] {
        check_impossible(&system, failure(event_type, order.id, 9)).await;
    }
    check_impossible(&system, failure(EventType::PaymentRollback, order.id, 9)).await;

    let after = system.settled_despite_dead_letters().await;
    assert_eq!(after.accounts, before.accounts);
    assert_eq!((after.items, after.orders), (before.items, before.orders));
}

#[tokio::test]
async fn a_notification_of_an_order_that_is_not_final_is_impossible() {
    let system = System::start().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    system.freeze(Service::User);
    let order = system.order(sale).await;
    check_impossible(&system, settled(EventType::NotificationSent, order, 0)).await;
    system.thaw(Service::User);
    assert!(system.ended(order).await.is_completed());
    system.settled_despite_dead_letters().await;
}
