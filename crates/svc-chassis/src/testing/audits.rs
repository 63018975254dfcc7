//! Of every service's own audit: a file that its steps made keeps every law, and what is planted in
//! it is found and named.

#![allow(clippy::unwrap_used, clippy::panic)]

use diesel::connection::SimpleConnection;
use saga_audit::{Check, Report};
use saga_events::{Event, Purchase, Timestamp};

use super::Bench;
use super::cells::message;
use crate::audit::{Asked, report};
use crate::participant::{Books, Participant, apply};
use crate::service::Service;

/// What somebody did to a file that no step would do: the law that it breaks, and how.
pub type Plant = (&'static str, &'static str);

/// What a service says of its file.
pub fn audited<S: Service>(bench: &mut Bench) -> Report {
    report::<S>(bench.conn(), &Asked::at(Timestamp::now(), true), None).unwrap()
}

/// Plants each in a fresh file, which keeps all laws before; the law is then violated, and whom it
/// concerns is named.
pub fn everything_planted_is_found<S: Service, Kept>(
    fresh: impl Fn() -> (Kept, Bench),
    plants: &[Plant],
) {
    for (law, sql) in plants {
        let (_folder, mut bench) = fresh();
        let clean = audited::<S>(&mut bench);
        assert_eq!(violated(&clean), Vec::<&str>::new());
        // The schema's own checks would refuse most of it; that is another line of defence.
        let by_hand =
            format!("PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF; {sql};");
        bench.conn().batch_execute(&by_hand).unwrap();
        let found = audited::<S>(&mut bench);
        let of_law = |check: &&Check| check.is_violated() && check.id == *law;
        let check = found.checks.iter().find(of_law);
        let check = check.unwrap_or_else(|| panic!("{law}: {sql}: {:?}", violated(&found)));
        assert!(check.subject.is_some() || !check.orders.is_empty(), "{law}");
    }
}

/// The names of the laws that are violated.
pub fn violated(report: &Report) -> Vec<&str> {
    let violated = report.checks.iter().filter(|check| check.is_violated());
    violated.map(|check| check.id.as_str()).collect()
}

/// Holds one purchase, captures the next, gives back the third, and buries the fourth before it was
/// heard of.
pub fn seed<P: Books>(bench: &mut Bench, purchases: [Purchase; 4]) {
    let wire = <P as Participant>::WIRE;
    let undo = *wire.compensate_on.last().unwrap();
    let [held, kept, undone, buried] = purchases;
    for (purchase, event_type) in [
        (held, wire.reserve_on),
        (kept, wire.reserve_on),
        (kept, wire.confirm_on),
        (undone, wire.reserve_on),
        (undone, undo),
        (buried, undo),
        (buried, wire.reserve_on),
    ] {
        let event = Event::new(
            message(purchase, event_type, 0),
            None,
            None,
            Timestamp::now(),
        );
        bench.write(|tx| apply::<P>(tx, &event)).unwrap();
    }
}
