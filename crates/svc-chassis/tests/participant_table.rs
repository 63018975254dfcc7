//! Every cell of the participants' state table: given a row, when a message comes, then.
#![allow(clippy::unwrap_used, clippy::panic)]

use saga_events::{
    Amount, EventType, Failure, ItemId, Message, OrderId, Payload, Purchase, Quantity, Reason,
    ReasonCode, Service, Settled, Timestamp, UserId,
};
use svc_chassis::participant::{Hold, Participant, State, Step, Wire, step};
use uuid::Uuid;

/// A box of things; the number of them is the book.
struct Boxes;

impl Participant for Boxes {
    type Book = i64;
    type Change = (&'static str, i64);
    const WIRE: Wire = Wire {
        me: Service::Item,
        reserve_on: EventType::InventoryReserved,
        reserved: &[EventType::ItemReserved],
        refused: |_| EventType::ItemReservationFailed,
        confirm_on: EventType::PaymentProcessed,
        confirmed: EventType::ItemDeducted,
        compensate_on: &[EventType::PaymentFailed],
        released: EventType::ItemRestored,
    };

    fn reserve(book: Option<&i64>, purchase: &Purchase) -> Result<(i64, Self::Change), ReasonCode> {
        match book {
            Some(stock) if *stock >= purchase.quantity.get() => Ok((2, ("take", 2))),
            _ => Err(ReasonCode::OutOfStock),
        }
    }

    fn confirm(_: Option<&i64>, hold: &Hold) -> Self::Change {
        ("keep", hold.held)
    }

    fn compensate(hold: &Hold) -> Self::Change {
        ("give back", hold.held)
    }
}

const DECLINED: Reason = Reason {
    reason_code: ReasonCode::PaymentDeclined,
    failed_step: Service::Payment,
};
const NO_STOCK: Reason = Reason {
    reason_code: ReasonCode::OutOfStock,
    failed_step: Service::Item,
};

fn purchase() -> Purchase {
    let id = |n| Uuid::from_u128(n);
    Purchase {
        order_id: OrderId::from_uuid(id(1)),
        user_id: UserId::from_uuid(id(2)),
        item_id: ItemId::from_uuid(id(3)),
        quantity: Quantity::new(2).unwrap(),
        unit_price: Amount::new(10).unwrap(),
        total_amount: Amount::new(20).unwrap(),
        deadline: Timestamp::from_micros(9),
    }
}

fn message(event_type: EventType, attempt: u32) -> Message {
    let (purchase, order_id) = (purchase(), purchase().order_id);
    let payload = match event_type {
        EventType::InventoryReserved | EventType::ItemReserved => Payload::Purchase(purchase),
        EventType::PaymentProcessed | EventType::ItemDeducted => {
            Payload::Settled(Settled { order_id })
        }
        EventType::ItemReservationFailed => Payload::Failure(Failure {
            order_id,
            reason: NO_STOCK,
        }),
        _ => Payload::Failure(Failure {
            order_id,
            reason: DECLINED,
        }),
    };
    Message {
        event_type,
        attempt,
        payload,
    }
}

/// A row in this state that has answered these attempts there and back.
fn row(state: State, there: u32, back: u32) -> Hold {
    let reason = match state {
        State::Refused => Some(NO_STOCK),
        State::Released => Some(DECLINED),
        State::Reserved | State::Confirmed => None,
    };
    Hold {
        order_id: purchase().order_id,
        state,
        purchase: Some(purchase()),
        held: if state == State::Refused { 0 } else { 2 },
        reason,
        answered_there: there,
        answered_back: back,
    }
}

fn tombstone(there: u32, back: u32) -> Hold {
    Hold {
        purchase: None,
        held: 0,
        ..row(State::Released, there, back)
    }
}

/// What a step is to do; `None`: the cell is impossible.
type Then = Option<(
    Option<Hold>,
    Option<(&'static str, i64)>,
    Vec<(EventType, u32)>,
)>;

#[track_caller]
fn check(given: Option<Hold>, stock: i64, when: (EventType, u32), then: Then) {
    let result = step::<Boxes>(given.as_ref(), &message(when.0, when.1), Some(&stock));
    let expected = then.map(|(hold, change, says)| {
        let says = says
            .into_iter()
            .map(|(event_type, attempt)| message(event_type, attempt))
            .collect();
        Step { hold, change, says }
    });
    assert_eq!(result.ok(), expected, "given {given:?}, when {when:?}");
}

const RESERVE: EventType = EventType::InventoryReserved;
const CONFIRM: EventType = EventType::PaymentProcessed;
const COMPENSATE: EventType = EventType::PaymentFailed;
const RESERVED: EventType = EventType::ItemReserved;
const REFUSED: EventType = EventType::ItemReservationFailed;
const CONFIRMED: EventType = EventType::ItemDeducted;
const RELEASED: EventType = EventType::ItemRestored;
const SILENCE: Then = Some((None, None, vec![]));

fn becomes(hold: Hold, change: Option<(&'static str, i64)>, says: EventType, attempt: u32) -> Then {
    Some((Some(hold), change, vec![(says, attempt)]))
}

#[test]
fn without_a_row() {
    let reserved = row(State::Reserved, 3, 0);
    check(
        None,
        2,
        (RESERVE, 3),
        becomes(reserved, Some(("take", 2)), RESERVED, 3),
    );
    check(
        None,
        1,
        (RESERVE, 3),
        becomes(row(State::Refused, 3, 0), None, REFUSED, 3),
    );
    check(None, 2, (CONFIRM, 0), None);
    check(
        None,
        2,
        (COMPENSATE, 3),
        becomes(tombstone(0, 3), None, RELEASED, 3),
    );
}

#[test]
fn reserved() {
    let given = || Some(row(State::Reserved, 1, 0));
    check(given(), 0, (RESERVE, 1), SILENCE);
    check(
        given(),
        0,
        (RESERVE, 2),
        becomes(row(State::Reserved, 2, 0), None, RESERVED, 2),
    );
    let keep = Some(("keep", 2));
    check(
        given(),
        0,
        (CONFIRM, 0),
        becomes(row(State::Confirmed, 1, 0), keep, CONFIRMED, 0),
    );
    check(
        given(),
        0,
        (CONFIRM, 4),
        becomes(row(State::Confirmed, 1, 4), keep, CONFIRMED, 4),
    );
    let back = Some(("give back", 2));
    check(
        given(),
        0,
        (COMPENSATE, 4),
        becomes(row(State::Released, 1, 4), back, RELEASED, 4),
    );
}

#[test]
fn refused() {
    let given = || Some(row(State::Refused, 1, 1));
    check(given(), 9, (RESERVE, 1), SILENCE);
    check(
        given(),
        9,
        (RESERVE, 2),
        becomes(row(State::Refused, 2, 1), None, REFUSED, 2),
    );
    check(given(), 9, (CONFIRM, 2), None);
    check(given(), 9, (COMPENSATE, 1), SILENCE);
    check(
        given(),
        9,
        (COMPENSATE, 2),
        becomes(row(State::Refused, 1, 2), None, REFUSED, 2),
    );
}

#[test]
fn released() {
    for (given, next_there, next_back) in [
        (
            row(State::Released, 1, 1),
            row(State::Released, 2, 1),
            row(State::Released, 1, 2),
        ),
        (tombstone(1, 1), tombstone(2, 1), tombstone(1, 2)),
    ] {
        check(Some(given.clone()), 9, (RESERVE, 1), SILENCE);
        check(
            Some(given.clone()),
            9,
            (RESERVE, 2),
            becomes(next_there, None, RELEASED, 2),
        );
        check(Some(given.clone()), 9, (CONFIRM, 2), None);
        check(Some(given.clone()), 9, (COMPENSATE, 1), SILENCE);
        check(
            Some(given),
            9,
            (COMPENSATE, 2),
            becomes(next_back, None, RELEASED, 2),
        );
    }
}

#[test]
fn confirmed() {
    let given = || Some(row(State::Confirmed, 1, 1));
    check(given(), 9, (RESERVE, 1), SILENCE);
    check(
        given(),
        9,
        (RESERVE, 2),
        becomes(row(State::Confirmed, 2, 1), None, CONFIRMED, 2),
    );
    check(given(), 9, (CONFIRM, 1), SILENCE);
    check(
        given(),
        9,
        (CONFIRM, 2),
        becomes(row(State::Confirmed, 1, 2), None, CONFIRMED, 2),
    );
    check(given(), 9, (COMPENSATE, 2), None);
}

#[test]
fn an_event_that_it_does_not_consume_is_impossible() {
    check(None, 9, (EventType::PaymentRollback, 0), None);
}
