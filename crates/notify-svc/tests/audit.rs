//! What notify-svc says about itself: a file that steps made keeps every law, and what is planted in
//! it is found.
#![allow(clippy::unwrap_used)]

use notify_svc::NotifySvc;
use notify_svc::store;
use saga_events::{Event, EventType, Timestamp};
use svc_chassis::Service;
use svc_chassis::testing::Bench;
use svc_chassis::testing::audits::{Plant, audited, everything_planted_is_found};
use svc_chassis::testing::cells::{message, purchase};
use tempfile::TempDir;

/// Two buyers were told that they bought, one that it was cancelled.
fn inbox() -> (TempDir, Bench) {
    let folder = TempDir::new().unwrap();
    let mut bench = Bench::open(folder.path(), &NotifySvc::migrations()).unwrap();
    for (order, event_type) in [
        (1, EventType::OrderCompleted),
        (2, EventType::OrderCompleted),
        (3, EventType::OrderCancelled),
    ] {
        let event = message(purchase(order), event_type, 0);
        let event = Event::new(event, None, None, Timestamp::now());
        bench.write(|tx| store::apply(tx, &event, "inbox")).unwrap();
    }
    (folder, bench)
}

/// The schema refuses a second letter of an order; so it is taken away first.
const TOLD_TWICE: &str = "CREATE TABLE copy AS SELECT * FROM notifications;
    INSERT INTO copy SELECT * FROM notifications WHERE kind = 'Cancelled';
    DROP TABLE notifications; ALTER TABLE copy RENAME TO notifications";

const PLANTS: &[Plant] = &[
    ("notifications-once", TOLD_TWICE),
    ("notifications-said", "DELETE FROM outbox"),
    (
        "notifications-said",
        "DELETE FROM notifications WHERE kind = 'Cancelled'",
    ),
];

#[test]
fn what_is_planted_in_the_notifications_is_found_and_named() {
    everything_planted_is_found::<NotifySvc, _>(inbox, PLANTS);
}

#[test]
fn the_totals_are_how_many_were_told() {
    let (_folder, mut bench) = inbox();
    let report = audited::<NotifySvc>(&mut bench);
    let totals = ["completed", "cancelled"].map(|name| report.total(name).unwrap());
    assert_eq!((totals, report.open), ([2, 1], 0));
}
