use saga_events::{OrderId, Timestamp};

use super::*;

fn order() -> OrderId {
    OrderId::from_uuid(uuid::Uuid::from_u128(7))
}

fn row(state: &str) -> SagaRow {
    SagaRow {
        order_id: order(),
        state: state.to_owned(),
        amount: 10,
        quantity: Some(2),
        updated_at: Timestamp::from_micros(0),
    }
}

/// The rows of a purchase at these services, read in this order.
fn seen(rows: &[(Service, Option<SagaRow>)]) -> Vec<(Service, Option<&SagaRow>)> {
    rows.iter().map(|(who, row)| (*who, row.as_ref())).collect()
}

fn sight(service: Service, state: &str) -> (Service, Option<SagaRow>) {
    (service, (state != UNTOUCHED).then(|| row(state)))
}

fn all_states(service: Service) -> Vec<&'static str> {
    let mut states = vec![UNTOUCHED];
    states.extend(spelled(service));
    states
}

#[test]
fn every_law_holds_for_what_it_allows_and_is_broken_by_all_else() {
    for law in LAWS {
        for first in law.when.states {
            for side in law.then {
                for second in all_states(side.service) {
                    let rows = [sight(law.when.service, first), sight(side.service, second)];
                    let finding = judge(law, &seen(&rows));
                    assert!(finding.applies, "{}", law.id);
                    let allowed = side.states.contains(&second);
                    let case = format!("{}: {first}, then {} {second}", law.id, side.service);
                    assert_eq!(finding.broken.is_empty(), allowed, "{case}");
                    for check in finding.broken {
                        assert_eq!((check.id.as_str(), check.orders), (law.id, vec![order()]));
                        assert_eq!(
                            (&*check.left, &*check.right),
                            (
                                &[Named::text(law.when.service.as_str(), *first)][..],
                                &[Named::text(side.service.as_str(), second)][..]
                            ),
                        );
                    }
                }
            }
        }
    }
}

#[test]
fn every_law_can_be_broken() {
    for law in LAWS {
        for side in law.then {
            let can_differ = all_states(side.service)
                .iter()
                .any(|state| !side.states.contains(state));
            assert!(can_differ, "{} about {}", law.id, side.service);
        }
    }
}

#[test]
fn a_law_says_nothing_about_what_was_read_before() {
    // The hold was read first: by the time the order was read it had been captured and completed.
    let rows = [sight(User, "Reserved"), sight(Order, "COMPLETED")];
    for law in LAWS {
        assert!(judge(law, &seen(&rows)).broken.is_empty(), "{}", law.id);
    }
    // The other way round it is a violation.
    let rows = [sight(Order, "COMPLETED"), sight(User, "Reserved")];
    let broken = LAWS.iter().flat_map(|law| judge(law, &seen(&rows)).broken);
    assert_eq!(broken.count(), 1);
}

#[test]
fn one_contradiction_of_a_service_that_was_read_twice_is_one_violation() {
    let rows = [
        sight(Order, "COMPLETED"),
        sight(Item, "Released"),
        sight(Item, "Released"),
    ];
    let completed = LAWS.iter().find(|law| law.id == "order-completed").unwrap();
    assert_eq!(judge(completed, &seen(&rows)).broken.len(), 1);
}

#[test]
fn a_final_state_that_changes_is_found() {
    for (service, first, second) in [
        (Order, "COMPLETED", "CANCELLED"),
        (Order, "CANCELLED", UNTOUCHED),
        (User, "Confirmed", "Reserved"),
        (Inventory, "Released", "Reserved"),
        (Item, "Refused", "Confirmed"),
        (Payment, "Processed", "Failed"),
        (Payment, "Failed", "Authorizing"),
        (Notify, "Completed", "Cancelled"),
    ] {
        let rows = [sight(service, first), sight(service, second)];
        let broken = LAWS.iter().flat_map(|law| judge(law, &seen(&rows)).broken);
        assert!(broken.count() > 0, "{service}: {first}, then {second}");
    }
}

#[test]
fn a_row_that_order_svc_does_not_have_is_found_at_every_service() {
    for service in [User, Inventory, Item, Payment, Notify] {
        for state in spelled(service) {
            let rows = [sight(service, state), sight(Order, UNTOUCHED)];
            let broken = LAWS.iter().flat_map(|law| judge(law, &seen(&rows)).broken);
            let ids: Vec<String> = broken.map(|check| check.id).collect();
            assert!(
                ids.iter().any(|id| id == "order-known"),
                "{service} {state}: {ids:?}"
            );
        }
    }
}

#[test]
fn a_state_that_no_table_has_is_found() {
    let rows = [sight(User, "reserved")];
    let finding = spelling(&seen(&rows));
    assert_eq!(finding.broken[0].id, SPELLING);
    assert!(
        spelling(&seen(&[sight(User, "Reserved")]))
            .broken
            .is_empty()
    );
}

#[test]
fn amounts_that_differ_from_the_orders_are_found_wherever_they_count() {
    let with = |state: &str, amount, quantity| SagaRow {
        amount,
        quantity,
        ..row(state)
    };
    let found = |service, other: SagaRow| {
        let rows = [(Order, Some(row("PENDING"))), (service, Some(other))];
        amounts(&seen(&rows)).broken.len()
    };
    for (service, state) in [
        (User, "Reserved"),
        (User, "Confirmed"),
        (Payment, "Authorizing"),
        (Payment, "Processed"),
        (Notify, "Completed"),
        (Notify, "Cancelled"),
    ] {
        assert_eq!(
            found(service, with(state, 10, Some(2))),
            0,
            "{service} {state}"
        );
        assert_eq!(
            found(service, with(state, 11, Some(2))),
            1,
            "{service} {state}"
        );
        assert_eq!(
            found(service, with(state, 10, Some(3))),
            1,
            "{service} {state}"
        );
    }
    for state in ["Reserved", "Confirmed"] {
        // Pieces and slots are no money.
        assert_eq!(found(Item, with(state, 2, Some(2))), 0);
        assert_eq!(found(Item, with(state, 3, Some(2))), 1);
        assert_eq!(found(Inventory, with(state, 1, Some(2))), 0);
        assert_eq!(found(Inventory, with(state, 1, Some(1))), 1);
    }
    // A tombstone knows nothing, and what was refused holds nothing.
    assert_eq!(found(User, with("Refused", 0, Some(2))), 0);
    assert_eq!(found(User, with("Released", 0, None)), 0);
    assert_eq!(found(Payment, with("Failed", 0, None)), 0);
}
