//! The shipped tables: no harm, every law, every purchase ends.

use std::collections::{BTreeMap, BTreeSet};

use crate::record::Recorder;
use saga_events::{ReasonCode, Service};
use saga_model::table::{Shipped, Table};
use saga_model::world::{Input, Luck, Row};
use saga_model::{Proof, prove, prove_among_strays};

/// The protocol's bound: one repeat on an empty bus ends the order in at most so many deliveries.
const BOUND: usize = 14;

fn proof(repeats: u32) -> Proof {
    prove(&Shipped, repeats).unwrap_or_else(|flaw| panic!("{flaw}"))
}

#[test]
fn a_purchase_without_repeats_is_safe_and_ends() {
    let expected = Proof {
        configurations: 602,
        transitions: 941,
        databases: 500,
        cells: 381,
        deliveries: 11,
        deliveries_after_a_loss: BOUND,
        deliveries_after_a_loss_and_a_cancel: 16,
    };
    assert_eq!(proof(0), expected);
}

#[test]
fn a_purchase_with_one_repeat_is_safe_and_ends() {
    let expected = Proof {
        configurations: 17_517,
        transitions: 34_154,
        databases: 5_698,
        cells: 1_588,
        deliveries: 11,
        deliveries_after_a_loss: BOUND,
        deliveries_after_a_loss_and_a_cancel: 16,
    };
    assert_eq!(proof(1), expected);
}

#[test]
fn a_purchase_with_two_repeats_is_safe_and_ends() {
    let expected = Proof {
        configurations: 279_659,
        transitions: 635_998,
        databases: 32_850,
        cells: 4_020,
        deliveries: 11,
        deliveries_after_a_loss: BOUND,
        deliveries_after_a_loss_and_a_cancel: 16,
    };
    assert_eq!(proof(2), expected);
}

#[test]
#[ignore = "half a minute and a gigabyte"]
fn a_purchase_with_three_repeats_is_safe_and_ends() {
    let proof = proof(3);
    assert_eq!(
        (proof.configurations, proof.databases),
        (3_533_362, 136_438)
    );
    assert_eq!(proof.deliveries_after_a_loss, BOUND);
}

#[test]
fn a_repeat_ends_the_order_while_old_messages_still_come() {
    let most = prove_among_strays(&Shipped, 0).unwrap_or_else(|flaw| panic!("{flaw}"));
    assert_eq!(most, 18);
}

#[test]
#[ignore = "half a minute and a gigabyte"]
fn a_second_repeat_ends_the_order_while_old_messages_still_come() {
    let most = prove_among_strays(&Shipped, 1).unwrap_or_else(|flaw| panic!("{flaw}"));
    assert_eq!(most, 26);
}

#[test]
fn the_readme_has_the_counts() {
    let thousands = |number: usize| match (number / 1_000, number % 1_000) {
        (0, ones) => ones.to_string(),
        (thousands, ones) => format!("{thousands},{ones:03}"),
    };
    for repeats in 0..=2 {
        let Proof {
            configurations,
            transitions,
            databases,
            cells,
            ..
        } = proof(repeats);
        let counts = [configurations, transitions, databases, cells]
            .map(thousands)
            .join(" | ");
        let row = format!("| {repeats} | {counts} |");
        assert!(include_str!("../../README.md").contains(&row), "{row}");
    }
}

#[test]
fn every_reason_ends_some_order() {
    let recorder = Recorder::default();
    prove(&recorder, 1).unwrap();
    let reached: BTreeSet<_> = recorder.reasons.into_inner().into_keys().collect();
    let all: BTreeSet<_> = ReasonCode::ALL.iter().map(|code| code.as_str()).collect();
    assert_eq!(reached, all);
}

/// Every cell that the tables call possible, and only those, is reached; but for four, from which the
/// rest of the line keeps the purchase away.
#[test]
fn every_possible_cell_is_reached_but_four() {
    let recorder = Recorder::default();
    prove(&recorder, 1).unwrap();
    let seen = recorder.seen.into_inner();
    let reached: BTreeSet<_> = seen
        .keys()
        .map(|cell| (cell.service, cell.from, cell.column))
        .collect();

    let mut rows: BTreeMap<(Service, &str), Option<Row>> = BTreeMap::new();
    let mut inputs: BTreeMap<(Service, &str), Input> = BTreeMap::new();
    for (cell, seen) in seen {
        rows.entry((cell.service, cell.to)).or_insert(seen.done.row);
        rows.entry((cell.service, cell.from)).or_insert(seen.row);
        inputs
            .entry((cell.service, cell.column))
            .or_insert(seen.input);
    }
    let (mut impossible, mut kept_away) = (0, vec![]);
    for ((service, state), row) in &rows {
        for ((_, column), input) in inputs.iter().filter(|((who, _), _)| who == service) {
            if !reached.contains(&(*service, *state, *column)) {
                match Shipped.step(*service, row.as_ref(), input, Luck::Plenty) {
                    Err(_) => impossible += 1,
                    Ok(_) => kept_away.push((*service, *state, *column)),
                }
            }
        }
    }
    assert_eq!((reached.len(), impossible), (85, 30));
    // Who has no hold, or refused one, has a right neighbour that was never asked, so cannot refuse.
    assert_eq!(
        kept_away,
        [
            (Service::User, "Refused", "inventory.reservation.failed"),
            (Service::User, "–", "inventory.reservation.failed"),
            (Service::Inventory, "Refused", "item.reservation.failed"),
            (Service::Inventory, "–", "item.reservation.failed"),
        ]
    );
}
