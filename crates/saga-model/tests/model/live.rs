//! The laws that an audit holds a running system to, which reads one service now and another one
//! later: they hold in every future of a purchase, and say all that can be said.

use std::collections::BTreeSet;

use saga_audit::laws::{Judged, LAWS, Law, Side};
use saga_events::Service;
use saga_model::table::Shipped;
use saga_model::{Future, futures};

fn futures_with(repeats: u32) -> Vec<Future> {
    futures(&Shipped, repeats).unwrap_or_else(|flaw| panic!("{flaw}"))
}

/// What may be found of that service, now or later, where this one stands so.
fn found(futures: &[Future], when: &Side, then: Service) -> BTreeSet<&'static str> {
    let of_now = futures
        .iter()
        .filter(|future| when.states.contains(&future.now[&when.service]));
    of_now
        .flat_map(|future| future.later[&then].clone())
        .collect()
}

fn live() -> impl Iterator<Item = &'static Law> {
    LAWS.iter().filter(|law| law.judged == Judged::Live)
}

#[test]
fn every_live_law_holds_in_every_future_of_a_purchase() {
    let futures = futures_with(2);
    for law in live() {
        for side in law.then {
            let found = found(&futures, &law.when, side.service);
            assert!(!found.is_empty(), "{}: it never comes to that", law.id);
            let wrong: Vec<_> = found
                .iter()
                .filter(|state| !side.states.contains(state))
                .collect();
            assert!(
                wrong.is_empty(),
                "{}: {} may be {wrong:?}",
                law.id,
                side.service
            );
        }
    }
}

#[test]
fn no_live_law_allows_what_no_future_has() {
    let futures = futures_with(1);
    let mut lax = Vec::new();
    for law in live().filter(|law| law.id != "order-known") {
        for side in law.then {
            let found = found(&futures, &law.when, side.service);
            let never = side.states.iter().filter(|state| !found.contains(*state));
            lax.extend(never.map(|state| format!("{}: {} {state}", law.id, side.service)));
        }
    }
    assert!(lax.is_empty(), "never so:\n{}", lax.join("\n"));
}

#[test]
fn what_a_live_audit_must_not_alarm_is_found_to_be_no_law() {
    let futures = futures_with(1);
    let holds = |service, states: &'static [&'static str]| Side { service, states };
    let item = holds(Service::Item, &["Reserved"]);
    let user = found(&futures, &item, Service::User);
    assert_eq!(user, ["Confirmed", "Released", "Reserved"].into());
    let failed = holds(Service::Payment, &["Failed"]);
    assert!(found(&futures, &failed, Service::Item).contains("Reserved"));
}
