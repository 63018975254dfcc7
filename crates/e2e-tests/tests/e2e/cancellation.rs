//! A cancel by the buyer, and a deadline, while the purchase stands still at each stage of its way:
//! exactly one outcome, and all books agree.

use e2e_tests::{Builder, Sale, Stage, System};
use saga_events::{ReasonCode, Service};
use serde_json::json;

/// What the pivot makes of it: before it has paid it cancels, afterwards it has paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Cancelled,
    Completed,
}

async fn check_cancel(stage: Stage, end: End) {
    let system = prepared(System::with()).start().await;
    let sale = sale(&system).await;
    let order = stage.halt(&system, sale).await;

    let answer = system.cancel(order).await.expect(202);
    assert_eq!(answer.field::<String>("status"), "CANCELLING");
    system.cancel(order).await.expect(202);
    stage.resume(&system).await;

    check_end(&system, sale, end, ReasonCode::CancelledByUser).await;
    let again = if end == End::Cancelled { 200 } else { 409 };
    system.cancel(order).await.expect(again);
}

async fn check_deadline(stage: Stage, end: End) {
    let deadline = "SAGA__ORDER__DEADLINE_MS";
    let system = prepared(System::with())
        .set(Service::Order, deadline, 2_500)
        .start()
        .await;
    let sale = sale(&system).await;
    let order = stage.halt(&system, sale).await;

    system.until_status(order, "CANCELLING").await;
    stage.resume(&system).await;

    check_end(&system, sale, end, ReasonCode::DeadlineExceeded).await;
}

/// item-svc may be frozen when the order is made: its price must be known already.
fn prepared(builder: Builder) -> Builder {
    builder.set(Service::Order, "SAGA__ORDER__PRICE_TTL_MS", 600_000)
}

async fn sale(system: &System) -> Sale {
    let item = system.item(700, 10).await;
    let poor = Sale::of(system.user(0).await, item);
    assert!(
        !system.buy(poor).await.is_completed(),
        "it only makes the price known"
    );
    Sale {
        user: system.user(2_000).await,
        item,
        quantity: 2,
    }
}

async fn check_end(system: &System, sale: Sale, end: End, reason: ReasonCode) {
    let books = system.settled().await;
    let mut orders = books
        .orders
        .values()
        .filter(|order| order.user_id == sale.user);
    let order = orders.next().unwrap();
    assert!(orders.next().is_none());
    match end {
        End::Cancelled => {
            let cancelled = ("CANCELLED", Some(reason), Some(Service::Payment));
            assert_eq!(order.outcome(), cancelled);
            assert_eq!(books.accounts[&sale.user].balance, 2_000);
            assert_eq!(books.items[&sale.item].stock, 10);
            assert!(books.charges.is_empty());
        }
        End::Completed => {
            assert_eq!(order.outcome(), ("COMPLETED", None, None));
            assert_eq!(books.accounts[&sale.user].balance, 600);
            assert_eq!(books.items[&sale.item].sold, 2);
            assert_eq!(books.charges[&order.id], 1_400);
        }
    }
}

#[tokio::test]
async fn cancelled_before_the_buyer_was_checked() {
    check_cancel(Stage::Before(Service::User), End::Cancelled).await;
}

#[tokio::test]
async fn cancelled_before_room_was_held() {
    check_cancel(Stage::Before(Service::Inventory), End::Cancelled).await;
}

#[tokio::test]
async fn cancelled_before_stock_was_held() {
    check_cancel(Stage::Before(Service::Item), End::Cancelled).await;
}

#[tokio::test]
async fn cancelled_before_the_gateway_was_asked() {
    check_cancel(Stage::Before(Service::Payment), End::Cancelled).await;
}

#[tokio::test]
async fn cancelled_while_the_gateway_is_silent_it_decides() {
    check_cancel(Stage::Authorizing, End::Completed).await;
}

#[tokio::test]
async fn cancelled_after_payment_before_stock_is_sold() {
    check_cancel(Stage::BackBefore(Service::Item), End::Completed).await;
}

#[tokio::test]
async fn cancelled_after_payment_before_the_slot_is_taken() {
    check_cancel(Stage::BackBefore(Service::Inventory), End::Completed).await;
}

#[tokio::test]
async fn cancelled_after_payment_before_money_is_captured() {
    check_cancel(Stage::BackBefore(Service::User), End::Completed).await;
}

#[tokio::test]
async fn the_deadline_passes_before_the_buyer_was_checked() {
    check_deadline(Stage::Before(Service::User), End::Cancelled).await;
}

#[tokio::test]
async fn the_deadline_passes_before_room_was_held() {
    check_deadline(Stage::Before(Service::Inventory), End::Cancelled).await;
}

#[tokio::test]
async fn the_deadline_passes_before_stock_was_held() {
    check_deadline(Stage::Before(Service::Item), End::Cancelled).await;
}

#[tokio::test]
async fn the_deadline_passes_before_the_gateway_was_asked() {
    check_deadline(Stage::Before(Service::Payment), End::Cancelled).await;
}

#[tokio::test]
async fn the_deadline_passes_while_the_gateway_is_silent_it_decides() {
    check_deadline(Stage::Authorizing, End::Completed).await;
}

#[tokio::test]
async fn the_deadline_passes_after_payment_before_stock_is_sold() {
    check_deadline(Stage::BackBefore(Service::Item), End::Completed).await;
}

#[tokio::test]
async fn the_deadline_passes_after_payment_before_the_slot_is_taken() {
    check_deadline(Stage::BackBefore(Service::Inventory), End::Completed).await;
}

#[tokio::test]
async fn the_deadline_passes_after_payment_before_money_is_captured() {
    check_deadline(Stage::BackBefore(Service::User), End::Completed).await;
}

#[tokio::test]
async fn a_gateway_that_declines_after_the_cancel_is_the_reason() {
    let system = prepared(System::with()).start().await;
    let sale = sale(&system).await;
    let order = Stage::Authorizing.halt(&system, sale).await;
    system.cancel(order).await.expect(202);
    system
        .set_gateway(json!({"approvalRate": 0, "outage": "none"}))
        .await;

    let order = system.ended(order).await;
    let declined = (
        "CANCELLED",
        Some(ReasonCode::PaymentDeclined),
        Some(Service::Payment),
    );
    assert_eq!(order.outcome(), declined);
    system.settled().await;
}

#[tokio::test]
async fn an_order_that_has_ended_is_not_cancelled_any_more() {
    let system = System::start().await;
    let (user, item) = (system.user(1_000).await, system.item(600, 5).await);
    let completed = system.buy(Sale::of(user, item)).await;
    let cancelled = system.buy(Sale::of(user, item)).await;
    assert_eq!(cancelled.reason_code, Some(ReasonCode::InsufficientBalance));

    system.cancel(completed.id).await.expect(409);
    let answer = system.cancel(cancelled.id).await.expect(200);
    assert_eq!(
        answer.field::<String>("reasonCode"),
        "INSUFFICIENT_BALANCE",
        "it keeps its reason"
    );
    system.cancel(saga_events::OrderId::new()).await.expect(404);
    let books = system.settled().await;
    assert_eq!(books.orders[&completed.id], completed);
    assert_eq!(books.orders[&cancelled.id], cancelled);
}

#[tokio::test]
async fn cancels_at_any_moment_of_running_purchases_have_one_outcome() {
    let system = System::start().await;
    let (user, item) = (system.user(100_000).await, system.item(10, 1_000).await);
    system.set_capacity(user, 100).await;
    let race = async |index: u64| {
        let order = system.order(Sale::of(user, item)).await;
        // Later and later: some cancels come before the payment, some after it.
        tokio::time::sleep(std::time::Duration::from_micros(300 * index)).await;
        let answer = system.cancel(order).await;
        assert!([200, 202, 409].contains(&answer.status), "{}", answer.body);
        system.ended(order).await
    };
    let orders = e2e_tests::together((0..60).map(race)).await;

    let books = system.settled().await;
    for order in orders {
        assert_eq!(
            books.orders[&order.id], order,
            "a final order does not change"
        );
        assert!(order.is_completed() || order.reason_code == Some(ReasonCode::CancelledByUser));
    }
}
