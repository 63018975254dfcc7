//! Thousands of schedules hold, and reach what can be reached: every cell that the model finds, and no
//! other.

use std::collections::BTreeSet;

use saga_events::Service;
use saga_model::prove;
use saga_model::record::{Cell, Place, Recorder};
use saga_sim::fault::Fault;
use saga_sim::{Simulator, simulate};

/// What CI asks for.
const PURCHASES: u64 = 20_000;

/// Cells that the model reaches and the services never ask for.
const NEVER_ASKED: [&str; 2] = [
    // The sweep does not look for closed orders.
    "order-svc | CANCELLED, told | no news, silent",
    "order-svc | COMPLETED, told | no news, silent",
];

/// Impossible now, and believed later: nobody may make this up.
const BELIEVED: [Place; 2] = [
    (Service::Order, "PENDING", "notification.sent"),
    (Service::Order, "CANCELLING", "notification.sent"),
];

#[test]
fn twenty_thousand_purchases_hold_and_reach_every_cell_that_the_model_reaches() {
    let simulator = Simulator::new(None).unwrap();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let total = simulate(&simulator, 1, PURCHASES, threads, &|_| ());
    let total = total.unwrap_or_else(|violation| panic!("{violation}"));
    println!("{total}");

    let recorder = Recorder::default();
    prove(&recorder, 1).unwrap();
    let (impossible, _) = recorder.unreached();
    let model: BTreeSet<Cell> = recorder.seen.into_inner().into_keys().collect();
    // How an order begins is no input of the model.
    let reached = total
        .sum
        .cells
        .into_iter()
        .filter(|cell| cell.column != "begin");
    let reached: BTreeSet<Cell> = reached.collect();
    assert_eq!(names(&model, &reached), NEVER_ASKED);
    assert_eq!(names(&reached, &model), Vec::<String>::new());

    let reached: BTreeSet<Place> = total.sum.impossible.into_iter().map(untold).collect();
    let impossible: BTreeSet<Place> = impossible.into_iter().map(untold).collect();
    let missed: BTreeSet<Place> = impossible.difference(&reached).copied().collect();
    assert_eq!(missed, BTreeSet::from(BELIEVED));
    for fault in Fault::ALL {
        assert!(total.sum.faults[fault] > 100, "{}", fault.as_str());
    }
    assert!(total.sum.completed > PURCHASES / 5);
}

/// Whether the buyer was told makes nothing possible.
fn untold((service, state, input): Place) -> Place {
    (service, state.split(',').next().unwrap(), input)
}

/// What only the first has.
fn names(first: &BTreeSet<Cell>, second: &BTreeSet<Cell>) -> Vec<String> {
    first.difference(second).map(Cell::to_string).collect()
}
