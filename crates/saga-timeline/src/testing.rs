//! Purchases as the six journals tell them.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeMap;

use saga_events::{EventId, EventType, OrderId, Service, Timestamp};
use serde_json::json;
use uuid::Uuid;

use crate::conformance::state_after;
use crate::journal::{Entry, Journal};
use crate::sources::{Sources, Told};

pub(crate) fn order() -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(7))
}

pub(crate) fn at(millis: i64) -> Timestamp {
    Timestamp::from_micros(1_700_000_000_000_000 + millis * 1000)
}

/// `millis event<cause attempt` lines, in the order of each journal; `-` for no cause. The rows are
/// in the states that the journals lead to.
pub(crate) fn sources(lines: &[&str]) -> Sources {
    let mut told: BTreeMap<Service, Told> = Service::ALL
        .into_iter()
        .map(|service| (service, Told::Nothing))
        .collect();
    for line in lines {
        let words: Vec<&str> = line.split(' ').collect();
        let millis: i64 = words[0].parse().unwrap();
        let (event, cause) = words[1].split_once('<').unwrap();
        let event_type: EventType = event.parse().unwrap();
        let cause: Option<EventType> = cause.parse().ok();
        let entry = Entry {
            id: EventId::of(order(), event_type),
            event_type,
            attempt: words.get(2).map_or(0, |attempt| attempt.parse().unwrap()),
            causation_id: cause.map(|cause| EventId::of(order(), cause)),
            time: at(millis),
            data: json!({"reasonCode": "OUT_OF_STOCK", "failedStep": "item-svc"}),
        };
        let service = event_type.spec().publisher;
        let told = told.get_mut(&service).unwrap();
        let state = match event_type {
            EventType::NotificationSent => Some("Completed"),
            other => state_after(other),
        };
        match told {
            Told::Journal(journal) => {
                journal.events.push(entry);
                if let Some(state) = state
                    && state != journal.state
                {
                    journal.state = state.to_owned();
                    journal.updated_at = at(millis);
                }
            }
            Told::Nothing | Told::Missing => {
                *told = Told::Journal(Journal {
                    service,
                    order_id: order(),
                    state: state.unwrap_or("Reserved").to_owned(),
                    amount: 1,
                    updated_at: at(millis),
                    kept_since: at(-604_800_000),
                    events: vec![entry],
                });
            }
        }
    }
    Sources::of(order(), told, at(100))
}

/// Sets a row that says nothing of its own: a payment that is being asked for.
pub(crate) fn authorizing(sources: &mut Sources, millis: i64) {
    let journal = Journal {
        service: Service::Payment,
        order_id: order(),
        state: "Authorizing".to_owned(),
        amount: 1,
        updated_at: at(millis),
        kept_since: at(-604_800_000),
        events: vec![],
    };
    sources
        .told
        .insert(Service::Payment, Told::Journal(journal));
}

pub(crate) fn journal_mut(sources: &mut Sources, service: Service) -> &mut Journal {
    match sources.told.get_mut(&service) {
        Some(Told::Journal(journal)) => journal,
        _ => panic!("{service} has a journal"),
    }
}

pub(crate) const THERE: [&str; 5] = [
    "0 order.created<-",
    "1 user.validated<order.created",
    "1 payment.reserved<order.created",
    "2 inventory.reserved<payment.reserved",
    "3 item.reserved<inventory.reserved",
];

/// All is captured and told.
pub(crate) fn completed() -> Sources {
    let back = [
        "4 payment.processed<item.reserved",
        "5 item.deducted<payment.processed",
        "6 inventory.confirmed<item.deducted",
        "7 payment.confirmed<inventory.confirmed",
        "8 order.completed<payment.confirmed",
        "9 notification.sent<order.completed",
    ];
    let mut sources = sources(&[THERE.as_slice(), &back].concat());
    sources.closed = true;
    sources
}

/// item-svc has no stock.
pub(crate) fn refused() -> Sources {
    let mut sources = sources(&[
        THERE[0],
        THERE[1],
        THERE[2],
        THERE[3],
        "3 item.reservation.failed<inventory.reserved",
        "4 inventory.rollback<item.reservation.failed",
        "5 payment.rollback<inventory.rollback",
        "6 order.cancelled<payment.rollback",
        "7 notification.sent<order.cancelled",
    ]);
    sources.closed = true;
    sources
}
