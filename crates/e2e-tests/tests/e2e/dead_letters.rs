//! Poison on a stream becomes a dead letter, and blocks nobody.

use e2e_tests::{DeadLetter, PATIENCE, Sale, System, eventually};
use saga_events::bus::stream;
use saga_events::{
    Event, EventType, Failure, Message, OrderId, Payload, Reason, ReasonCode, Service, Settled,
    Timestamp,
};

/// Waits for the only dead letter of a service.
async fn the_dead_letter(system: &System, service: Service) -> DeadLetter {
    let what = format!("a dead letter of {service}");
    let ask = async || match system.file(service).dead_letters().as_slice() {
        [letter] => Ok(letter.clone()),
        letters => Err(format!("{} dead letters", letters.len())),
    };
    eventually(&what, PATIENCE, ask).await
}

async fn plant(system: &System, event_type: EventType, field: &str, text: &str) {
    let key = stream(0, event_type);
    system
        .redis()
        .ask_words::<String>(&["XADD", &key, "*", field, text])
        .await;
}

/// Plants an entry that is no event, and holds the line to go on.
async fn check_undecodable(event_type: EventType, field: &str, text: &str, why: &str) {
    let system = System::start().await;
    let consumer = event_type.spec().consumers[0];
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    plant(&system, event_type, field, text).await;

    let letter = the_dead_letter(&system, consumer).await;
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
    assert!(system.log(consumer).contains("dead letter"));
}

fn settled(event_type: EventType, order_id: OrderId) -> Message {
    Message {
        event_type,
        attempt: 0,
        payload: Payload::Settled(Settled { order_id }),
    }
}

fn failure(event_type: EventType, order_id: OrderId) -> Message {
    let reason = Reason {
        reason_code: ReasonCode::PaymentDeclined,
        failed_step: Service::Payment,
    };
    Message {
        event_type,
        attempt: 9,
        payload: Payload::Failure(Failure { order_id, reason }),
    }
}

fn text_of(message: Message) -> String {
    let event = Event::new(message, None, None, Timestamp::now());
    String::from_utf8(event.encode().unwrap()).unwrap()
}

/// Plants an event that is well-formed but cannot come true.
async fn check_impossible(system: &System, message: Message) {
    let consumer = message.event_type.spec().consumers[0];
    plant(system, message.event_type, "event", &text_of(message)).await;
    let letter = the_dead_letter(system, consumer).await;
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
    let text = text_of(settled(EventType::ItemDeducted, OrderId::new()));
    let text = text.replace("item.deducted", "item.exploded");
    check_undecodable(EventType::ItemDeducted, "event", &text, "item.exploded").await;
}

#[tokio::test]
async fn an_event_of_a_newer_version_is_undecodable() {
    let text = text_of(settled(EventType::PaymentProcessed, OrderId::new()));
    let text = text.replace("payment.processed:1", "payment.processed:2");
    check_undecodable(EventType::PaymentProcessed, "event", &text, "dataschema").await;
}

#[tokio::test]
async fn an_event_from_a_service_that_does_not_own_it_is_undecodable() {
    let text = text_of(settled(EventType::PaymentConfirmed, OrderId::new()));
    let text = text.replace("user-svc", "notify-svc");
    check_undecodable(EventType::PaymentConfirmed, "event", &text, "notify-svc").await;
}

#[tokio::test]
async fn an_event_whose_id_was_not_made_from_order_and_type_is_undecodable() {
    let order = OrderId::new();
    let text = text_of(settled(EventType::PaymentConfirmed, order));
    let other = saga_events::EventId::of(order, EventType::PaymentRollback).to_string();
    let own = saga_events::EventId::of(order, EventType::PaymentConfirmed).to_string();
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
    check_impossible(&system, settled(EventType::PaymentProcessed, order)).await;
    check_impossible(&system, settled(EventType::ItemDeducted, order)).await;
    check_impossible(&system, settled(EventType::InventoryConfirmed, order)).await;
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
        settled(EventType::PaymentConfirmed, OrderId::new()),
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
        check_impossible(&system, failure(event_type, order.id)).await;
    }
    check_impossible(&system, failure(EventType::PaymentRollback, order.id)).await;

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
    check_impossible(&system, settled(EventType::NotificationSent, order)).await;
    system.thaw(Service::User);
    assert!(system.ended(order).await.is_completed());
    system.settled_despite_dead_letters().await;
}
