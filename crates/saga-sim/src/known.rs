//! What is known of every order at every moment, and what must never be seen: the invariants that
//! hold between any two commits.

use std::collections::{BTreeMap, BTreeSet};

use payment_svc::saga::Answer;
use saga_events::{EventId, EventType, OrderId, Service};
use saga_model::record::{Cell, name};
use saga_model::world::Row;
use svc_chassis::Outcome;
use uuid::Uuid;

use crate::air::{Air, short};
use crate::bank::Bank;
use crate::process::Broken;
use crate::watched::Note;

/// The cause of every event that the simulator has made up.
pub const MADE_UP: EventId = EventId::from_uuid(Uuid::from_u128(0x5ead_0000_0000));

const PARTICIPANTS: [Service; 3] = [Service::User, Service::Inventory, Service::Item];

/// The states of an order's rows, and every cell that was reached.
#[derive(Debug, Default)]
pub struct Known {
    orders: BTreeMap<OrderId, [Option<Row>; 6]>,
    /// Cells reached by what the services said.
    pub cells: BTreeSet<Cell>,
    /// Cells that cannot be, reached by what the simulator made up: whose, state, input.
    pub impossible: BTreeSet<(Service, &'static str, &'static str)>,
    /// How many steps were committed.
    pub steps: u64,
    /// Repeats by order-svc and deliveries of each order, from where somebody wanted to know.
    driven: BTreeMap<OrderId, (u32, u32)>,
}

impl Known {
    /// Every order, with its rows in the order of [`Service::ALL`].
    pub const fn orders(&self) -> &BTreeMap<OrderId, [Option<Row>; 6]> {
        &self.orders
    }

    /// The state of a row, `–` where there is none.
    pub fn state(&self, order: OrderId, service: Service) -> &'static str {
        name(self.row(order, service))
    }

    /// A row.
    pub fn row(&self, order: OrderId, service: Service) -> Option<&Row> {
        self.orders.get(&order)?[service as usize].as_ref()
    }

    /// Which orders have not ended, or whose buyer was not told.
    pub fn open(&self) -> BTreeMap<OrderId, &'static str> {
        let states = self
            .orders
            .keys()
            .map(|order| (*order, self.state(*order, Service::Order)));
        states
            .filter(|(_, state)| !state.ends_with("told"))
            .collect()
    }

    /// From here on repeats and deliveries are counted.
    pub fn count_from_here(&mut self) {
        self.driven.clear();
    }

    /// How often order-svc has repeated itself, and how many deliveries there were since, by order.
    pub fn driven(&self) -> impl Iterator<Item = (OrderId, (u32, u32))> {
        self.driven.iter().map(|(order, counts)| (*order, *counts))
    }

    /// Learns what a step has committed.
    ///
    /// # Errors
    /// It must not be.
    pub fn learn(&mut self, air: &mut Air, bank: &Bank, note: Note) -> Result<(), Broken> {
        let Note {
            service,
            order,
            column,
            cause,
            before,
            after,
            outcome,
        } = note;
        self.steps += 1;
        let (repeats, deliveries) = self.driven.entry(order).or_default();
        match column {
            "no news" => (*repeats, *deliveries) = (*repeats + 1, 0),
            column if column.parse::<EventType>().is_ok() => *deliveries += 1,
            _ => {}
        }
        let (from, to) = (name(before.as_ref()), name(after.as_ref()));
        air.note(service as u64);
        air.note(order.uuid().as_u64_pair().1);
        air.note_bytes(column.as_bytes());
        air.note_bytes(to.as_bytes());
        air.tell(|| {
            let did = match &outcome {
                Outcome::Changed(_) => "",
                Outcome::Repeated => ", says it again",
                Outcome::Duplicate => ", silent",
                Outcome::Impossible(_) => ", impossible",
            };
            format!(
                "{service:<14}{column} of {}: {from} → {to}{did}",
                short(order)
            )
        });
        let known = self
            .orders
            .get(&order)
            .and_then(|rows| rows[service as usize].as_ref());
        if known != before.as_ref() {
            let was = name(known);
            return Err(format!(
                "{service}: the row of order {order} was {was} at its last commit, and is {from} now"
            ));
        }
        if let Outcome::Impossible(why) = &outcome {
            if cause != Some(MADE_UP) {
                return Err(format!("{service}, order {order}: {why}"));
            }
            if before != after {
                return Err(format!(
                    "{service}, order {order}: {why}, but the row changed"
                ));
            }
            self.impossible.insert((service, from, column));
            return Ok(());
        }
        let said = matches!(outcome, Outcome::Repeated);
        let cell = Cell::between(service, column, before.as_ref(), after.as_ref(), said);
        self.cells.insert(cell);
        if before.as_ref().is_some_and(is_final) && base(from) != base(to) {
            return Err(format!(
                "{service}: order {order} was {from}, which is final, and is {to}"
            ));
        }
        self.orders.entry(order).or_default()[service as usize] = after;
        if from == to {
            Ok(())
        } else {
            self.check(order, bank)
        }
    }

    /// What may not be seen in the six databases at any moment.
    fn check(&self, order: OrderId, bank: &Bank) -> Result<(), Broken> {
        let state = |service| base(self.state(order, service));
        let wrong = |service: Service| {
            let (whole, part) = (state(Service::Order), state(service));
            Err(format!("order {order} is {whole}, but {service} is {part}"))
        };
        let allowed: [&[&str]; 2] = match state(Service::Order) {
            "COMPLETED" => [&["Confirmed"], &["Processed"]],
            "CANCELLED" => [&["–", "Refused", "Released"], &["–", "Failed"]],
            _ => [
                &["–", "Reserved", "Refused", "Released", "Confirmed"],
                &["–", "Authorizing", "Processed", "Failed"],
            ],
        };
        for service in PARTICIPANTS {
            if !allowed[0].contains(&state(service)) {
                return wrong(service);
            }
        }
        if !allowed[1].contains(&state(Service::Payment)) {
            return wrong(Service::Payment);
        }
        let charged = bank
            .line(order)
            .is_some_and(|line| line.answer == Answer::Approved);
        for service in PARTICIPANTS {
            let holds = matches!(state(service), "Reserved" | "Confirmed");
            if charged && !holds {
                let state = state(service);
                return Err(format!(
                    "order {order} is charged, but {service} is {state}"
                ));
            }
            if state(service) == "Confirmed" && state(Service::Payment) != "Processed" {
                let payment = state(Service::Payment);
                return Err(format!(
                    "{service} has captured order {order}, but its payment is {payment}"
                ));
            }
        }
        match (state(Service::Payment), charged) {
            ("Processed", false) => Err(format!("order {order} is Processed, but not charged")),
            ("Failed", true) => Err(format!(
                "the payment of order {order} has Failed, but is charged"
            )),
            _ => Ok(()),
        }
    }
}

/// Whether a row never changes its state again.
fn is_final(row: &Row) -> bool {
    !matches!(
        row.state(),
        "PENDING" | "CANCELLING" | "Reserved" | "Authorizing"
    )
}

/// The state without whether the buyer was told.
fn base(state: &'static str) -> &'static str {
    state.split(',').next().unwrap_or(state)
}
