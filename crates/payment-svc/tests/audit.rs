//! What payment-svc says about itself: a file that steps made keeps every law, and what is planted in
//! it is found. How it agrees with the gateway is tried in `gateway/statement.rs`.
#![allow(clippy::unwrap_used)]

use payment_svc::PaymentSvc;
use payment_svc::gateway::Authorization;
use payment_svc::saga::Answer;
use payment_svc::store;
use saga_events::{Event, EventType, OrderId, Timestamp};
use svc_chassis::Service;
use svc_chassis::testing::Bench;
use svc_chassis::testing::audits::{Plant, audited, everything_planted_is_found};
use svc_chassis::testing::cells::{message, purchase};
use tempfile::TempDir;

/// A payment whose answer is not known, one that was approved, one declined, and one cancelled before
/// the gateway was asked.
fn till() -> (TempDir, Bench) {
    let folder = TempDir::new().unwrap();
    let mut bench = Bench::open(folder.path(), &PaymentSvc::migrations()).unwrap();
    let mut hear = |order: usize, event_type| {
        let event = message(purchase(order), event_type, 0);
        let event = Event::new(event, None, None, Timestamp::now());
        bench.write(|tx| store::apply(tx, &event)).unwrap();
    };
    for order in [1, 2, 3] {
        hear(order, EventType::ItemReserved);
    }
    hear(4, EventType::OrderCancelRequested);
    let mut settle = |order_id: OrderId, answer| {
        let reference = format!("{answer:?}");
        let told = Authorization { answer, reference };
        bench
            .write(|tx| store::settle(tx, order_id, &told))
            .unwrap();
    };
    settle(purchase(2).order_id, Answer::Approved);
    settle(purchase(3).order_id, Answer::Declined);
    (folder, bench)
}

const PLANTS: &[Plant] = &[
    (
        "payments-whole",
        "UPDATE payments SET gateway_reference = NULL WHERE state = 'Processed'",
    ),
    (
        "payments-whole",
        "UPDATE payments SET reason_code = NULL WHERE state = 'Failed'",
    ),
    (
        "payments-whole",
        "UPDATE payments SET reason_code = 'PAYMENT_DECLINED'
        WHERE state = 'Processed'",
    ),
    (
        "payments-whole",
        "UPDATE payments SET total_amount = NULL WHERE state = 'Authorizing'",
    ),
    (
        "payments-whole",
        "UPDATE payments SET total_amount = 1 WHERE state = 'Processed'",
    ),
    (
        "payments-said",
        "DELETE FROM outbox WHERE type = 'payment.processed'",
    ),
    (
        "payments-said",
        "UPDATE payments SET state = 'Processed', reason_code = NULL,
        failed_step = NULL WHERE state = 'Failed'",
    ),
    (
        "payments-said",
        "UPDATE payments SET state = 'Authorizing' WHERE state = 'Processed'",
    ),
    (
        "payments-said",
        "DELETE FROM payments WHERE state = 'Processed'",
    ),
];

#[test]
fn what_is_planted_in_the_payments_is_found_and_named() {
    everything_planted_is_found::<PaymentSvc, _>(till, PLANTS);
}

#[test]
fn the_totals_are_the_sums_of_the_payments() {
    let (_folder, mut bench) = till();
    let report = audited::<PaymentSvc>(&mut bench);
    let names = ["processed", "processedCount", "failedCount"];
    let totals = names.map(|name| report.total(name).unwrap());
    assert_eq!((totals, report.open), ([200, 1, 2], 1));
}
