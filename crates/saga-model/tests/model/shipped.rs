//! The shipped tables: no harm, every law, every purchase ends.

use std::collections::BTreeSet;

use saga_events::{ReasonCode, Service};
use saga_model::record::Recorder;
use saga_model::table::Shipped;
use saga_model::{Proof, prove, prove_among_strays};

/// The protocol's bound: one repeat on an empty bus ends the order in at most so many deliveries.
const BOUND: usize = 14;

fn proof(repeats: u32) -> Proof {
    prove(&Shipped, repeats).unwrap_or_else(|flaw| panic!("{flaw}"))
}

/// configurations, transitions, databases, cells; by the number of repeats before the loss.
const COUNTS: [(usize, usize, usize, usize); 4] = [
    (602, 941, 500, 381),
    (17_517, 34_154, 5_698, 1_588),
    (279_659, 635_998, 32_850, 4_020),
    (3_533_362, 9_022_240, 136_438, 8_117),
];

/// The deliveries that one repeat takes while old messages still come, by the same number.
const AMONG_STRAYS: [usize; 2] = [18, 26];

/// CI looks at two repeats, which takes seconds. `REPEATS=3` takes half a minute and a gigabyte.
fn most_repeats() -> usize {
    let given = std::env::var("REPEATS").ok();
    given.map_or(2, |number| number.parse().unwrap())
}

#[test]
fn a_purchase_is_safe_and_ends_however_often_order_svc_repeats() {
    for (repeats, counts) in COUNTS.into_iter().enumerate().take(most_repeats() + 1) {
        let (configurations, transitions, databases, cells) = counts;
        let expected = Proof {
            configurations,
            transitions,
            databases,
            cells,
            deliveries: 11,
            deliveries_after_a_loss: BOUND,
            deliveries_after_a_loss_and_a_cancel: 16,
        };
        assert_eq!(proof(u32::try_from(repeats).unwrap()), expected);
    }
}

#[test]
fn a_repeat_ends_the_order_while_old_messages_still_come() {
    let scopes = most_repeats() - 1;
    for (repeats, expected) in AMONG_STRAYS.into_iter().enumerate().take(scopes) {
        let most = prove_among_strays(&Shipped, u32::try_from(repeats).unwrap());
        assert_eq!(most.unwrap_or_else(|flaw| panic!("{flaw}")), expected);
    }
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
    let seen = recorder.seen.borrow();
    let reached: BTreeSet<_> = seen
        .keys()
        .map(|cell| (cell.service, cell.from, cell.column))
        .collect();

    let (impossible, kept_away) = recorder.unreached();
    assert_eq!((reached.len(), impossible.len()), (85, 30));
    // Who has no hold, or refused one, has a right neighbour that was never asked, so cannot refuse.
    assert_eq!(
        kept_away,
        BTreeSet::from([
            (Service::User, "Refused", "inventory.reservation.failed"),
            (Service::User, "–", "inventory.reservation.failed"),
            (Service::Inventory, "Refused", "item.reservation.failed"),
            (Service::Inventory, "–", "item.reservation.failed"),
        ])
    );
}
