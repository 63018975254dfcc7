//! Every cell of the table: given a row, when an input comes, then this.
#![allow(clippy::unwrap_used, clippy::panic)]

use saga_events::{Amount, ItemId, Quantity, Timestamp, UserId};
use uuid::Uuid;

use super::*;

const ORDER: OrderId = OrderId::from_uuid(Uuid::from_u128(1));
const DECLINED: Reason = Reason {
    reason_code: ReasonCode::PaymentDeclined,
    failed_step: Service::Payment,
};
const CANCELLED: Reason = Reason {
    reason_code: ReasonCode::CancelledByUser,
    failed_step: Service::Payment,
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

/// A row in this state that has heard these attempts of `item.reserved` and of a cancel.
fn row(state: State, heard: (u32, u32)) -> Payment {
    Payment {
        order_id: ORDER,
        state,
        purchase: Some(purchase()),
        reason: (state == State::Failed).then_some(DECLINED),
        answered_item: heard.0,
        answered_cancel: heard.1,
    }
}

fn tombstone(heard: (u32, u32)) -> Payment {
    let reason = Some(CANCELLED);
    Payment {
        purchase: None,
        reason,
        ..row(State::Failed, heard)
    }
}

fn item_reserved(attempt: u32) -> Message {
    let payload = Payload::Purchase(purchase());
    Message {
        event_type: EventType::ItemReserved,
        attempt,
        payload,
    }
}

fn cancel_requested(attempt: u32) -> Message {
    let payload = Payload::Failure(Failure {
        order_id: ORDER,
        reason: CANCELLED,
    });
    Message {
        event_type: EventType::OrderCancelRequested,
        attempt,
        payload,
    }
}

fn processed(attempt: u32) -> Message {
    let payload = Payload::Settled(Settled { order_id: ORDER });
    Message {
        event_type: EventType::PaymentProcessed,
        attempt,
        payload,
    }
}

fn failed(attempt: u32, reason: Reason) -> Message {
    let payload = Payload::Failure(Failure {
        order_id: ORDER,
        reason,
    });
    Message {
        event_type: EventType::PaymentFailed,
        attempt,
        payload,
    }
}

/// What a cell does: the next row, and what is said.
enum Then {
    Asks(Payment),
    Notes(Payment),
    Says(Payment, Message),
    Nothing,
    Impossible,
}

fn check(given: Option<Payment>, when: Input<'_>, then: Then) {
    let step = step(given.as_ref(), when);
    let of = |payment, says, ask_gateway| Step {
        payment,
        says,
        ask_gateway,
    };
    match (step, then) {
        (Ok(step), Then::Asks(next)) => assert_eq!(step, of(Some(next), vec![], true)),
        (Ok(step), Then::Notes(next)) => assert_eq!(step, of(Some(next), vec![], false)),
        (Ok(step), Then::Says(next, said)) => {
            assert_eq!(step, of(Some(next), vec![said], false));
        }
        (Ok(step), Then::Nothing) => assert_eq!(step, Step::default()),
        (Err(_), Then::Impossible) => {}
        (Ok(step), Then::Impossible) => {
            panic!("{given:?} {when:?}: should be impossible: {step:?}")
        }
        (Err(error), _) => panic!("{given:?} {when:?}: {error}"),
    }
}

const APPROVED: Input<'static> = Input::Gateway(Answer::Approved);
const REFUSED: Input<'static> = Input::Gateway(Answer::Declined);

#[test]
fn without_a_row_item_reserved_is_the_intent_and_the_gateway_is_asked() {
    let then = |attempt| Then::Asks(row(State::Authorizing, (attempt, 0)));
    check(None, Input::Message(&item_reserved(0)), then(0));
    check(None, Input::Message(&item_reserved(4)), then(4));
}

#[test]
fn without_a_row_a_cancel_is_a_tombstone_and_passed_on() {
    let then = |attempt| Then::Says(tombstone((0, attempt)), failed(attempt, CANCELLED));
    check(None, Input::Message(&cancel_requested(0)), then(0));
    check(None, Input::Message(&cancel_requested(2)), then(2));
}

#[test]
fn without_a_row_the_gateway_cannot_have_been_asked() {
    check(None, APPROVED, Then::Impossible);
    check(None, REFUSED, Then::Impossible);
}

#[test]
fn authorizing_notes_both_attempts_and_says_nothing() {
    let given = || Some(row(State::Authorizing, (1, 2)));
    check(given(), Input::Message(&item_reserved(1)), Then::Nothing);
    check(given(), Input::Message(&cancel_requested(2)), Then::Nothing);
    let noted = |heard| Then::Notes(row(State::Authorizing, heard));
    check(given(), Input::Message(&item_reserved(2)), noted((2, 2)));
    check(given(), Input::Message(&cancel_requested(5)), noted((1, 5)));
}

#[test]
fn the_gateways_answer_goes_out_with_the_higher_of_both_attempts() {
    for (heard, attempt) in [((0, 0), 0), ((3, 0), 3), ((1, 4), 4), ((4, 4), 4)] {
        let given = || Some(row(State::Authorizing, heard));
        let approved = Then::Says(row(State::Processed, heard), processed(attempt));
        check(given(), APPROVED, approved);
        let declined = Then::Says(row(State::Failed, heard), failed(attempt, DECLINED));
        check(given(), REFUSED, declined);
    }
}

#[test]
fn a_cancel_does_not_change_what_the_gateway_decides() {
    let asked = step(None, Input::Message(&item_reserved(0)))
        .unwrap()
        .payment;
    let cancelled = step(asked.as_ref(), Input::Message(&cancel_requested(1)))
        .unwrap()
        .payment;
    let then = Then::Says(row(State::Processed, (0, 1)), processed(1));
    check(cancelled, APPROVED, then);
}

#[test]
fn processed_repeats_payment_processed_both_ways() {
    let given = || Some(row(State::Processed, (1, 2)));
    check(given(), Input::Message(&item_reserved(1)), Then::Nothing);
    check(given(), Input::Message(&cancel_requested(2)), Then::Nothing);
    let then = |heard, attempt| Then::Says(row(State::Processed, heard), processed(attempt));
    check(given(), Input::Message(&item_reserved(2)), then((2, 2), 2));
    check(
        given(),
        Input::Message(&cancel_requested(3)),
        then((1, 3), 3),
    );
}

#[test]
fn failed_repeats_payment_failed_both_ways_with_its_own_reason() {
    let given = || Some(row(State::Failed, (1, 2)));
    check(given(), Input::Message(&item_reserved(1)), Then::Nothing);
    check(given(), Input::Message(&cancel_requested(2)), Then::Nothing);
    let then = |heard, attempt| Then::Says(row(State::Failed, heard), failed(attempt, DECLINED));
    check(given(), Input::Message(&item_reserved(2)), then((2, 2), 2));
    check(
        given(),
        Input::Message(&cancel_requested(3)),
        then((1, 3), 3),
    );
}

#[test]
fn a_tombstone_answers_the_late_item_reserved_with_payment_failed_and_never_asks() {
    let given = || Some(tombstone((0, 2)));
    check(given(), Input::Message(&item_reserved(0)), Then::Nothing);
    let then = Then::Says(tombstone((2, 2)), failed(2, CANCELLED));
    check(given(), Input::Message(&item_reserved(2)), then);
    let then = Then::Says(tombstone((0, 3)), failed(3, CANCELLED));
    check(given(), Input::Message(&cancel_requested(3)), then);
}

#[test]
fn the_same_answer_again_is_nothing_and_the_other_one_is_impossible() {
    check(Some(row(State::Processed, (0, 0))), APPROVED, Then::Nothing);
    check(
        Some(row(State::Processed, (0, 0))),
        REFUSED,
        Then::Impossible,
    );
    check(Some(row(State::Failed, (0, 0))), REFUSED, Then::Nothing);
    check(Some(row(State::Failed, (0, 0))), APPROVED, Then::Impossible);
    check(Some(tombstone((0, 0))), APPROVED, Then::Impossible);
}

#[test]
fn the_failed_step_of_a_cancel_is_this_service_whatever_the_request_says() {
    let reason = Reason {
        failed_step: Service::Order,
        ..CANCELLED
    };
    let payload = Payload::Failure(Failure {
        order_id: ORDER,
        reason,
    });
    let message = Message {
        payload,
        ..cancel_requested(0)
    };
    let then = Then::Says(tombstone((0, 0)), failed(0, CANCELLED));
    check(None, Input::Message(&message), then);
}

#[test]
fn events_of_others_are_impossible_in_every_state() {
    let states = [
        None,
        Some(State::Authorizing),
        Some(State::Processed),
        Some(State::Failed),
    ];
    for event_type in EventType::ALL {
        if Service::Payment
            .consumes()
            .any(|consumed| consumed == *event_type)
        {
            continue;
        }
        for state in states {
            for payload in [
                item_reserved(9).payload,
                cancel_requested(9).payload,
                processed(9).payload,
            ] {
                let message = Message {
                    event_type: *event_type,
                    attempt: 9,
                    payload,
                };
                let given = state.map(|state| row(state, (0, 0)));
                check(given, Input::Message(&message), Then::Impossible);
            }
        }
    }
}

#[test]
fn names_are_spelled_as_the_protocol_spells_them() {
    let names: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    assert_eq!(names, ["Authorizing", "Processed", "Failed"]);
    for state in State::ALL {
        assert_eq!(state.as_str().parse(), Ok(state));
    }
    assert!("authorizing".parse::<State>().is_err());
}
