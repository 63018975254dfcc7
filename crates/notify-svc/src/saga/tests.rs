//! Every cell of the table: given a row, when a message comes, then this.
#![allow(clippy::unwrap_used, clippy::panic)]

use saga_events::{
    Amount, Cancelled, Failure, ItemId, Purchase, Quantity, Reason, ReasonCode, Service, Timestamp,
    UserId,
};
use uuid::Uuid;

use super::*;

const ORDER: OrderId = OrderId::from_uuid(Uuid::from_u128(1));
const REASON: Reason = Reason {
    reason_code: ReasonCode::OutOfStock,
    failed_step: Service::Item,
};

fn purchase() -> Purchase {
    Purchase {
        order_id: ORDER,
        user_id: UserId::from_uuid(Uuid::from_u128(2)),
        item_id: ItemId::from_uuid(Uuid::from_u128(3)),
        quantity: Quantity::new(3).unwrap(),
        unit_price: Amount::new(100).unwrap(),
        total_amount: Amount::new(300).unwrap(),
        deadline: Timestamp::from_micros(1),
    }
}

fn end(kind: Kind, attempt: u32) -> Message {
    let purchase = purchase();
    let (event_type, payload) = match kind {
        Kind::Completed => (EventType::OrderCompleted, Payload::Purchase(purchase)),
        Kind::Cancelled => {
            let cancelled = Cancelled {
                purchase,
                reason: REASON,
            };
            (EventType::OrderCancelled, Payload::Cancelled(cancelled))
        }
    };
    Message {
        event_type,
        attempt,
        payload,
    }
}

fn row(kind: Kind, answered: u32) -> Notification {
    Notification {
        order_id: ORDER,
        kind,
        answered,
    }
}

/// What a cell does: the next row, with `notification.sent` under its attempt.
enum Then {
    Tells(Notification),
    Nothing,
    Impossible,
}

fn check(given: Option<Notification>, when: Message, then: Then) {
    match (step(given.as_ref(), &when), then) {
        (Ok(step), Then::Tells(next)) => {
            let payload = Payload::Settled(Settled { order_id: ORDER });
            let attempt = when.attempt;
            let sent = Message {
                event_type: EventType::NotificationSent,
                attempt,
                payload,
            };
            assert_eq!(
                step,
                Step {
                    notification: Some(next),
                    says: vec![sent]
                }
            );
        }
        (Ok(step), Then::Nothing) => assert_eq!(step, Step::default()),
        (Err(_), Then::Impossible) => {}
        (Ok(step), Then::Impossible) => {
            panic!("{given:?} {when:?}: should be impossible: {step:?}")
        }
        (Err(error), _) => panic!("{given:?} {when:?}: {error}"),
    }
}

#[test]
fn without_a_row_the_end_of_a_purchase_is_told() {
    for kind in Kind::ALL {
        for attempt in [0, 3] {
            check(None, end(kind, attempt), Then::Tells(row(kind, attempt)));
        }
    }
}

#[test]
fn a_duplicate_is_silent() {
    for kind in Kind::ALL {
        check(Some(row(kind, 0)), end(kind, 0), Then::Nothing);
        check(Some(row(kind, 3)), end(kind, 3), Then::Nothing);
        check(Some(row(kind, 3)), end(kind, 1), Then::Nothing);
    }
}

#[test]
fn a_higher_attempt_is_told_again_to_order_svc() {
    for kind in Kind::ALL {
        check(Some(row(kind, 0)), end(kind, 1), Then::Tells(row(kind, 1)));
        check(Some(row(kind, 3)), end(kind, 7), Then::Tells(row(kind, 7)));
    }
}

#[test]
fn the_opposite_end_is_impossible_whatever_its_attempt() {
    for attempt in [0, 1, 9] {
        check(
            Some(row(Kind::Completed, 1)),
            end(Kind::Cancelled, attempt),
            Then::Impossible,
        );
        check(
            Some(row(Kind::Cancelled, 1)),
            end(Kind::Completed, attempt),
            Then::Impossible,
        );
    }
}

#[test]
fn events_of_others_are_impossible_in_every_state() {
    let failure = Payload::Failure(Failure {
        order_id: ORDER,
        reason: REASON,
    });
    let settled = Payload::Settled(Settled { order_id: ORDER });
    let ends = Kind::ALL.map(|kind| end(kind, 9).payload);
    for event_type in EventType::ALL {
        if Service::Notify
            .consumes()
            .any(|consumed| consumed == *event_type)
        {
            continue;
        }
        for payload in ends.into_iter().chain([failure, settled]) {
            let message = Message {
                event_type: *event_type,
                attempt: 9,
                payload,
            };
            check(None, message, Then::Impossible);
            check(Some(row(Kind::Completed, 0)), message, Then::Impossible);
            check(Some(row(Kind::Cancelled, 0)), message, Then::Impossible);
        }
    }
}
