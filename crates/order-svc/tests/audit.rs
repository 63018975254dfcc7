//! What order-svc says about itself: a file that steps made keeps every law, and what is planted in
//! it is found.
#![allow(clippy::unwrap_used)]

use diesel::connection::SimpleConnection;
use order_svc::saga::{self, Order, Status};
use order_svc::store::{self, StoredOrder};
use order_svc::{MIGRATIONS, OrderSvc};
use saga_events::{
    Event, EventType, Failure, Message, Payload, Reason, ReasonCode, Service, Timestamp,
};
use svc_chassis::testing::Bench;
use svc_chassis::testing::audits::{Plant, audited, everything_planted_is_found};
use svc_chassis::testing::cells::purchase;
use tempfile::TempDir;

/// Writes an order in this state, and what it has said on its way.
fn write(bench: &mut Bench, number: usize, status: Status, told: bool) {
    let (purchase, now) = (purchase(number), Timestamp::now());
    let reason = Reason {
        reason_code: ReasonCode::DeadlineExceeded,
        failed_step: Service::Payment,
    };
    let failed = matches!(status, Status::Cancelling | Status::Cancelled);
    let (_, created) = saga::begin(purchase);
    let said = |event_type: EventType| Message {
        event_type,
        attempt: 0,
        payload: match event_type {
            EventType::OrderCancelRequested => Payload::Failure(Failure {
                order_id: purchase.order_id,
                reason,
            }),
            EventType::OrderCancelled => {
                Payload::Cancelled(saga_events::Cancelled { purchase, reason })
            }
            _ => created.payload,
        },
    };
    let mut says = vec![EventType::OrderCreated];
    if failed {
        says.push(EventType::OrderCancelRequested);
    }
    if status.is_final() {
        says.push(status.says());
    }
    let stored = StoredOrder {
        order: Order {
            purchase,
            status,
            reason: failed.then_some(reason),
            attempt: 0,
            told,
        },
        due_at: (!told).then_some(now),
        repeats: 0,
        last_seq: 0,
        traceparent: None,
        created_at: now,
        updated_at: now,
    };
    let cause = Event::new(said(EventType::OrderCreated), None, None, now);
    let job = |tx: &mut svc_chassis::Tx<'_>| {
        store::insert(tx.conn(), &stored)?;
        for event_type in &says {
            tx.say(said(*event_type), &cause)?;
        }
        Ok(())
    };
    bench.write(job).unwrap();
}

/// One order in every state, and one that is closed.
fn book() -> (TempDir, Bench) {
    let folder = TempDir::new().unwrap();
    let mut bench = Bench::open(folder.path(), &[MIGRATIONS]).unwrap();
    write(&mut bench, 1, Status::Pending, false);
    write(&mut bench, 2, Status::Cancelling, false);
    write(&mut bench, 3, Status::Completed, false);
    write(&mut bench, 4, Status::Cancelled, false);
    write(&mut bench, 5, Status::Completed, true);
    (folder, bench)
}

const PLANTS: &[Plant] = &[
    (
        "orders-whole",
        "UPDATE orders SET reason_code = NULL WHERE status = 'CANCELLED'",
    ),
    (
        "orders-whole",
        "UPDATE orders SET reason_code = 'OUT_OF_STOCK' WHERE status = 'COMPLETED'",
    ),
    (
        "orders-whole",
        "UPDATE orders SET told = 1 WHERE status = 'PENDING'",
    ),
    (
        "orders-whole",
        "UPDATE orders SET due_at = NULL WHERE status = 'PENDING'",
    ),
    (
        "orders-whole",
        "UPDATE orders SET total_amount = 1 WHERE status = 'COMPLETED'",
    ),
    (
        "orders-said",
        "DELETE FROM outbox WHERE type = 'order.completed'",
    ),
    (
        "orders-said",
        "DELETE FROM outbox WHERE type = 'order.created'",
    ),
    (
        "orders-said",
        "UPDATE orders SET status = 'COMPLETED', reason_code = NULL,
        failed_step = NULL WHERE status = 'CANCELLED'",
    ),
    (
        "orders-said",
        "UPDATE orders SET status = 'PENDING', due_at = 1, told = 0
        WHERE status = 'COMPLETED'",
    ),
    (
        "orders-said",
        "DELETE FROM orders WHERE status = 'COMPLETED'",
    ),
];

#[test]
fn what_is_planted_in_the_orders_is_found_and_named() {
    everything_planted_is_found::<OrderSvc, _>(book, PLANTS);
}

#[test]
fn the_totals_are_the_sums_of_the_orders() {
    let (_folder, mut bench) = book();
    let report = audited::<OrderSvc>(&mut bench);
    let names = ["pending", "cancelling", "completed", "cancelled"];
    assert_eq!(names.map(|name| report.total(name).unwrap()), [1, 1, 2, 1]);
    let names = ["completedAmount", "completedQuantity"];
    assert_eq!(names.map(|name| report.total(name).unwrap()), [400, 4]);
    // Four of the five are open, or their buyers are not told.
    assert_eq!(report.open, 4);
}

#[test]
fn an_open_order_long_past_its_deadline_is_overdue() {
    let (_folder, mut bench) = book();
    // These purchases have had their deadline in 1970.
    bench
        .conn()
        .batch_execute("UPDATE orders SET deadline = 2 WHERE status = 'PENDING'")
        .unwrap();
    let report = audited::<OrderSvc>(&mut bench);
    let longest_first = [2, 1].map(|number| purchase(number).order_id);
    assert_eq!(report.overdue, longest_first);
    assert!(report.oldest_overdue_ms.unwrap() > 0);
    let later = Timestamp::now().micros() - 1_000_000;
    let sql = format!("UPDATE orders SET deadline = {later}");
    bench.conn().batch_execute(&sql).unwrap();
    let report = audited::<OrderSvc>(&mut bench);
    assert!(report.overdue.is_empty(), "a second is no time");
    assert!(report.oldest_overdue_ms.unwrap() >= 1_000);
}
