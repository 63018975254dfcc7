//! Each event as it travels, in `golden/`: documentation, and the promise that what was published
//! once decodes for ever. `UPDATE=1` writes the files anew.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::PathBuf;

use saga_events::{
    Amount, Cancelled, Event, EventId, EventType, Failure, ItemId, Message, OrderId, Payload,
    PayloadKind, Phase, Purchase, Quantity, Reason, ReasonCode, Service, Settled, Timestamp,
    UserId,
};
use uuid::Uuid;

fn path_of(event_type: EventType) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden");
    folder.join(format!("{event_type}.json"))
}

#[test]
fn every_event_has_a_golden_file_that_decodes_and_encodes_to_the_same_bytes() {
    for event_type in EventType::ALL {
        let path = path_of(*event_type);
        if std::env::var_os("UPDATE").is_some() {
            let json = String::from_utf8(example(*event_type).encode().unwrap()).unwrap();
            std::fs::write(&path, indented(&json)).unwrap();
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        let golden = compact(&golden);

        let event = Event::decode(golden.as_bytes()).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        assert_eq!(event, example(*event_type), "{path:?} means the same");
        assert_eq!(
            String::from_utf8(event.encode().unwrap()).unwrap(),
            golden,
            "{path:?}"
        );
    }
}

#[test]
fn there_is_no_golden_file_without_an_event() {
    for file in path_of(EventType::OrderCreated)
        .parent()
        .unwrap()
        .read_dir()
        .unwrap()
    {
        let path = file.unwrap().path();
        assert!(
            EventType::ALL
                .iter()
                .any(|event_type| path_of(*event_type) == path),
            "{path:?}"
        );
    }
}

/// The same purchase throughout; the whole way of a message is one story.
fn example(event_type: EventType) -> Event {
    let id = |text: &str| text.parse::<Uuid>().unwrap();
    let order_id = OrderId::from_uuid(id("01937a4e-7c00-7000-8000-000000000001"));
    let purchase = Purchase {
        order_id,
        user_id: UserId::from_uuid(id("01937a4e-7c00-7000-8000-0000000000aa")),
        item_id: ItemId::from_uuid(id("01937a4e-7c00-7000-8000-0000000000bb")),
        quantity: Quantity::new(3).unwrap(),
        unit_price: Amount::new(10_000).unwrap(),
        total_amount: Amount::new(30_000).unwrap(),
        deadline: Timestamp::from_micros(1_767_225_660_000_000),
    };
    let reason = reason_in(event_type);
    let payload = match event_type.spec().payload {
        PayloadKind::Purchase => Payload::Purchase(purchase),
        PayloadKind::Settled => Payload::Settled(Settled { order_id }),
        PayloadKind::Failure => Payload::Failure(Failure { order_id, reason }),
        PayloadKind::Cancelled => Payload::Cancelled(Cancelled { purchase, reason }),
    };
    let cause = cause_of(event_type).map(|cause| EventId::of(order_id, cause));
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        .parse()
        .unwrap();
    let place = EventType::ALL
        .iter()
        .position(|other| *other == event_type)
        .unwrap();
    let time =
        Timestamp::from_micros(1_767_225_600_000_000 + i64::try_from(place).unwrap() * 1_250);
    Event::new(
        Message {
            event_type,
            attempt: 0,
            payload,
        },
        cause,
        Some(trace),
        time,
    )
}

fn reason_in(event_type: EventType) -> Reason {
    let (reason_code, failed_step) = match (event_type, event_type.spec().phase) {
        (EventType::UserValidationFailed, _) => (ReasonCode::UserInactive, Service::User),
        (EventType::PaymentReservationFailed, _) => {
            (ReasonCode::InsufficientBalance, Service::User)
        }
        (EventType::InventoryReservationFailed, _) => {
            (ReasonCode::InventoryFull, Service::Inventory)
        }
        (EventType::ItemReservationFailed, _) => (ReasonCode::OutOfStock, Service::Item),
        (_, Phase::Request) => (ReasonCode::DeadlineExceeded, Service::Payment),
        _ => (ReasonCode::PaymentDeclined, Service::Payment),
    };
    Reason {
        reason_code,
        failed_step,
    }
}

/// The event that causes this one where all goes well, or where the payment is declined.
fn cause_of(event_type: EventType) -> Option<EventType> {
    use EventType::*;
    Some(match event_type {
        OrderCreated | OrderCancelRequested => return None,
        UserValidated | UserValidationFailed | PaymentReserved | PaymentReservationFailed => {
            OrderCreated
        }
        InventoryReserved | InventoryReservationFailed => PaymentReserved,
        ItemReserved | ItemReservationFailed => InventoryReserved,
        PaymentProcessed | PaymentFailed => ItemReserved,
        ItemDeducted => PaymentProcessed,
        ItemRestored => PaymentFailed,
        InventoryConfirmed => ItemDeducted,
        InventoryRollback => ItemRestored,
        PaymentConfirmed => InventoryConfirmed,
        PaymentRollback => InventoryRollback,
        OrderCompleted => PaymentConfirmed,
        OrderCancelled => PaymentRollback,
        NotificationSent => OrderCompleted,
    })
}

/// The file is for people, the stream is not: the same JSON without space between its parts.
fn compact(json: &str) -> String {
    let mut in_text = false;
    let keep = |c: &char| {
        in_text ^= *c == '"';
        in_text || !c.is_whitespace()
    };
    json.chars().filter(keep).collect()
}

/// The same JSON with a line a field, the fields in their order.
fn indented(json: &str) -> String {
    let (mut text, mut depth, mut in_text) = (String::new(), 0, false);
    for c in json.chars() {
        in_text ^= c == '"';
        match c {
            '{' if !in_text => depth += 1,
            '}' if !in_text => depth -= 1,
            _ => {}
        }
        let line = format!("\n{}", "  ".repeat(depth));
        match c {
            '{' | ',' if !in_text => text.extend([c.to_string(), line]),
            '}' if !in_text => text.extend([line, c.to_string()]),
            ':' if !in_text => text.push_str(": "),
            c => text.push(c),
        }
    }
    text + "\n"
}
