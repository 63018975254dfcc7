//! Every cell of the initiator's table: given, when, then.

use saga_events::{Amount, EventType, ItemId, OrderId, Quantity, Settled, Timestamp, UserId};
use uuid::Uuid;

use super::*;

const STOCK: Reason = Reason {
    reason_code: ReasonCode::OutOfStock,
    failed_step: Service::Item,
};
const DEADLINE: Reason = Reason {
    reason_code: ReasonCode::DeadlineExceeded,
    failed_step: Service::Payment,
};

fn purchase() -> Purchase {
    let id = Uuid::from_u128;
    Purchase {
        order_id: OrderId::from_uuid(id(1)),
        user_id: UserId::from_uuid(id(2)),
        item_id: ItemId::from_uuid(id(3)),
        quantity: Quantity::MIN,
        unit_price: Amount::MIN,
        total_amount: Amount::MIN,
        deadline: Timestamp::from_micros(60_000_000),
    }
}

/// An order that has been repeated three times.
fn order(status: Status, reason: Option<Reason>) -> Order {
    Order {
        purchase: purchase(),
        status,
        reason,
        attempt: 3,
        told: false,
    }
}

fn pending() -> Order {
    order(Status::Pending, None)
}

fn cancelling() -> Order {
    order(Status::Cancelling, Some(DEADLINE))
}

fn completed() -> Order {
    order(Status::Completed, None)
}

fn cancelled() -> Order {
    order(Status::Cancelled, Some(STOCK))
}

fn told(order: Order) -> Order {
    Order {
        told: true,
        ..order
    }
}

fn repeated(order: Order) -> Order {
    Order {
        attempt: 4,
        ..order
    }
}

/// A message of a neighbour; its attempt is of no interest to the initiator.
fn message(event_type: EventType, payload: Payload) -> Message {
    Message {
        event_type,
        attempt: 7,
        payload,
    }
}

fn settled(event_type: EventType) -> Message {
    let order_id = purchase().order_id;
    message(event_type, Payload::Settled(Settled { order_id }))
}

fn failed(event_type: EventType) -> Message {
    let order_id = purchase().order_id;
    message(
        event_type,
        Payload::Failure(Failure {
            order_id,
            reason: STOCK,
        }),
    )
}

const FAILURES: [EventType; 3] = [
    EventType::PaymentRollback,
    EventType::PaymentReservationFailed,
    EventType::UserValidationFailed,
];

/// What an order says in this state, as the contract has it.
fn words(order: &Order) -> Message {
    let Order {
        purchase,
        reason,
        attempt,
        ..
    } = *order;
    let failure = |reason| Failure {
        order_id: purchase.order_id,
        reason,
    };
    let (event_type, payload) = match order.status {
        Status::Pending => (EventType::OrderCreated, Payload::Purchase(purchase)),
        Status::Cancelling => (
            EventType::OrderCancelRequested,
            Payload::Failure(failure(reason.unwrap())),
        ),
        Status::Completed => (EventType::OrderCompleted, Payload::Purchase(purchase)),
        Status::Cancelled => (
            EventType::OrderCancelled,
            Payload::Cancelled(Cancelled {
                purchase,
                reason: reason.unwrap(),
            }),
        ),
    };
    Message {
        event_type,
        attempt,
        payload,
    }
}

enum Then {
    /// The order becomes this and says so.
    Says(Order),
    /// The order becomes this, silently.
    Silent(Order),
    Nothing,
    Impossible,
}

fn check(given: &Order, when: Input<'_>, then: Then) {
    let expected = match then {
        Then::Says(order) => Ok(Step {
            says: Some(words(&order)),
            order: Some(order),
        }),
        Then::Silent(order) => Ok(Step {
            says: None,
            order: Some(order),
        }),
        Then::Nothing => Ok(Step {
            order: None,
            says: None,
        }),
        Then::Impossible => Err(Impossible::new(given.status.as_str(), name_of(when))),
    };
    assert_eq!(step(Some(given), when), expected, "{given:?} {when:?}");
}

#[test]
fn a_purchase_begins_pending_and_says_so() {
    let (order, says) = begin(purchase());
    assert_eq!(
        order,
        Order {
            attempt: 0,
            ..pending()
        }
    );
    assert_eq!(says, words(&order));
}

#[test]
fn a_confirmed_payment_completes_also_where_the_pivot_was_asked_to_cancel() {
    let when = settled(EventType::PaymentConfirmed);
    let when = Input::Message(&when);
    check(&pending(), when, Then::Says(completed()));
    check(&cancelling(), when, Then::Says(completed()));
    check(&completed(), when, Then::Nothing);
    check(&told(completed()), when, Then::Nothing);
    check(&cancelled(), when, Then::Impossible);
    check(&told(cancelled()), when, Then::Impossible);
}

#[test]
fn a_failure_cancels_with_the_reason_that_it_carries() {
    for event_type in FAILURES {
        let when = failed(event_type);
        let when = Input::Message(&when);
        check(&pending(), when, Then::Says(cancelled()));
        // Out of stock, although it was the deadline that asked.
        check(&cancelling(), when, Then::Says(cancelled()));
        check(&completed(), when, Then::Impossible);
        check(&told(completed()), when, Then::Impossible);
        check(&cancelled(), when, Then::Nothing);
        check(&told(cancelled()), when, Then::Nothing);
    }
}

#[test]
fn a_cancel_is_a_request_to_the_pivot_and_never_changes_what_is_final() {
    for reason_code in [ReasonCode::DeadlineExceeded, ReasonCode::CancelledByUser] {
        let when = Input::Cancel(reason_code);
        let reason = Reason {
            reason_code,
            failed_step: Service::Payment,
        };
        check(
            &pending(),
            when,
            Then::Says(order(Status::Cancelling, Some(reason))),
        );
        for given in [
            cancelling(),
            completed(),
            cancelled(),
            told(completed()),
            told(cancelled()),
        ] {
            check(&given, when, Then::Nothing);
        }
    }
}

#[test]
fn no_news_repeats_the_last_output_under_the_next_number_until_the_buyer_is_told() {
    for given in [pending(), cancelling(), completed(), cancelled()] {
        check(&given, Input::NoNews, Then::Says(repeated(given.clone())));
    }
    check(&told(completed()), Input::NoNews, Then::Nothing);
    check(&told(cancelled()), Input::NoNews, Then::Nothing);
}

#[test]
fn the_buyer_being_told_closes_a_final_order_and_no_other() {
    let when = settled(EventType::NotificationSent);
    let when = Input::Message(&when);
    check(&pending(), when, Then::Impossible);
    check(&cancelling(), when, Then::Impossible);
    check(&completed(), when, Then::Silent(told(completed())));
    check(&cancelled(), when, Then::Silent(told(cancelled())));
    check(&told(completed()), when, Then::Nothing);
    check(&told(cancelled()), when, Then::Nothing);
}

#[test]
fn one_counter_is_shared_by_all_four_events() {
    let mut order = begin(purchase()).0;
    let mut said = Vec::new();
    let paid = settled(EventType::PaymentConfirmed);
    for input in [
        Input::NoNews,
        Input::NoNews,
        Input::Cancel(ReasonCode::CancelledByUser),
        Input::NoNews,
        Input::Message(&paid),
        Input::NoNews,
    ] {
        let next = step(Some(&order), input).unwrap();
        let Message {
            event_type,
            attempt,
            ..
        } = next.says.unwrap();
        said.push((event_type, attempt));
        order = next.order.unwrap();
    }
    assert_eq!(
        said,
        [
            (EventType::OrderCreated, 1),
            (EventType::OrderCreated, 2),
            (EventType::OrderCancelRequested, 2),
            (EventType::OrderCancelRequested, 3),
            (EventType::OrderCompleted, 3),
            (EventType::OrderCompleted, 4),
        ]
    );
}

#[test]
fn an_order_that_does_not_exist_is_impossible() {
    let paid = settled(EventType::PaymentConfirmed);
    let rolled_back = failed(EventType::PaymentRollback);
    let sent = settled(EventType::NotificationSent);
    for when in [
        Input::Message(&paid),
        Input::Message(&rolled_back),
        Input::Message(&sent),
        Input::Cancel(ReasonCode::CancelledByUser),
        Input::NoNews,
    ] {
        assert_eq!(step(None, when), Err(Impossible::new("–", name_of(when))));
    }
}

#[test]
fn an_event_of_another_subscription_or_shape_is_impossible_everywhere() {
    let mut odd: Vec<Message> = EventType::ALL
        .iter()
        .filter(|event_type| !event_type.spec().consumers.contains(&Service::Order))
        .map(|event_type| settled(*event_type))
        .collect();
    odd.push(failed(EventType::PaymentConfirmed));
    odd.push(failed(EventType::NotificationSent));
    odd.extend(FAILURES.map(settled));
    for message in &odd {
        for given in [pending(), cancelling(), completed(), cancelled()] {
            check(&given, Input::Message(message), Then::Impossible);
        }
    }
}

#[test]
fn exactly_the_events_of_the_contract_are_understood() {
    let understood = |event_type: &EventType| {
        let shapes = [settled(*event_type), failed(*event_type)];
        shapes.iter().any(|message| news_of(message).is_some())
    };
    let ours: Vec<_> = EventType::ALL.iter().copied().filter(understood).collect();
    assert_eq!(ours, Service::Order.consumes().collect::<Vec<_>>());
    let said: std::collections::BTreeSet<_> = Status::ALL.map(Status::says).into();
    assert_eq!(said, Service::Order.publishes().collect());
}

#[test]
fn names_come_back() {
    for status in Status::ALL {
        assert_eq!(status.as_str().parse(), Ok(status));
    }
    assert!("pending".parse::<Status>().is_err());
}
