//! The cells of the shipped tables, and which of them are reached.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use order_svc::saga::Status;
use saga_events::{EventType, Service};
use svc_chassis::Impossible;

use crate::table::{Done, Shipped, Table};
use crate::world::{Heard, Input, Luck, Row};

/// What a step does, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Does {
    /// It changes the state, or makes the first row.
    Changes,
    /// It says the last words again.
    Repeats,
    /// It only notes that it has heard this.
    Notes,
    /// Nothing.
    Nothing,
}

/// A cell of one of the six tables. A repeat and a plain duplicate are cells of their own, and so
/// are the two ways on which a first reserve can lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cell {
    /// Whose table.
    pub service: Service,
    /// The state before.
    pub from: &'static str,
    /// The input.
    pub column: &'static str,
    /// What it does.
    pub does: Does,
    /// The state after.
    pub to: &'static str,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            service,
            from,
            column,
            does,
            to,
        } = self;
        match does {
            Does::Changes => write!(f, "{service} | {from} | {column} → {to}"),
            Does::Repeats => write!(f, "{service} | {from} | {column}, repeats"),
            Does::Notes => write!(f, "{service} | {from} | {column}, notes"),
            Does::Nothing => write!(f, "{service} | {from} | {column}, silent"),
        }
    }
}

impl Cell {
    /// The cell of a step; none for what is no input of the shipped tables.
    pub fn of(
        service: Service,
        row: Option<&Row>,
        input: &Input,
        luck: Luck,
        done: &Done,
    ) -> Option<Self> {
        if luck == Luck::Crash {
            return None;
        }
        let column = match input {
            Input::Message(message) => message.event_type.as_str(),
            Input::Cancel(_) => "cancel",
            Input::NoNews => "no news",
            Input::Gateway(Heard::Answer(answer)) => answer.as_str(),
            Input::Gateway(Heard::TimeOut { .. }) | Input::HoldIsOld => return None,
        };
        let said = !done.says.is_empty();
        Some(Self::between(service, column, row, done.row.as_ref(), said))
    }

    /// The cell that leads from a row to a row, saying something or not.
    pub fn between(
        service: Service,
        column: &'static str,
        before: Option<&Row>,
        after: Option<&Row>,
        said: bool,
    ) -> Self {
        let (from, to) = (name(before), name(after));
        let does = if to != from {
            Does::Changes
        } else if said {
            Does::Repeats
        } else if after != before {
            Does::Notes
        } else {
            Does::Nothing
        };
        Self {
            service,
            from,
            column,
            does,
            to,
        }
    }
}

/// The state's name; a closed order is a state of its own.
pub fn name(row: Option<&Row>) -> &'static str {
    match row {
        None => "–",
        Some(Row::Order(order)) if order.told => match order.status {
            Status::Completed => "COMPLETED, told",
            Status::Pending | Status::Cancelling | Status::Cancelled => "CANCELLED, told",
        },
        Some(row) => row.state(),
    }
}

/// One step, as it was first seen in its cell.
#[derive(Clone)]
pub struct Seen {
    /// The row before.
    pub row: Option<Row>,
    /// What it was given.
    pub input: Input,
    /// What came of it.
    pub done: Done,
}

/// The shipped tables, writing down every cell that they are asked for.
#[derive(Default)]
pub struct Recorder {
    /// Every cell that was asked for.
    pub seen: RefCell<BTreeMap<Cell, Seen>>,
    /// How often an order was cancelled for which reason.
    pub reasons: RefCell<BTreeMap<&'static str, usize>>,
}

/// Whose table, the state, the input.
pub type Place = (Service, &'static str, &'static str);

impl Recorder {
    /// Of all states and inputs that were asked for, the places that were not reached: those that are
    /// impossible, and those that the rest of the line keeps a purchase away from.
    pub fn unreached(&self) -> (BTreeSet<Place>, BTreeSet<Place>) {
        let seen = self.seen.borrow();
        let reached: BTreeSet<Place> = seen
            .keys()
            .map(|cell| (cell.service, cell.from, cell.column))
            .collect();
        let mut rows: BTreeMap<(Service, &str), Option<&Row>> = BTreeMap::new();
        let mut inputs: BTreeMap<(Service, &str), &Input> = BTreeMap::new();
        for (cell, seen) in seen.iter() {
            let Seen { row, input, done } = seen;
            rows.entry((cell.service, cell.to))
                .or_insert(done.row.as_ref());
            rows.entry((cell.service, cell.from))
                .or_insert(row.as_ref());
            inputs.entry((cell.service, cell.column)).or_insert(input);
        }
        let places = rows.iter().flat_map(|((service, state), row)| {
            let of_service = inputs.iter().filter(move |((who, _), _)| who == service);
            of_service.map(move |((_, column), input)| ((*service, *state, *column), *row, *input))
        });
        let unreached = places.filter(|(place, ..)| !reached.contains(place));
        let (mut impossible, mut kept_away) = (BTreeSet::new(), BTreeSet::new());
        for (place, row, input) in unreached {
            match Shipped.step(place.0, row, input, Luck::Plenty) {
                Err(_) => impossible.insert(place),
                Ok(_) => kept_away.insert(place),
            };
        }
        (impossible, kept_away)
    }
}

impl Table for Recorder {
    fn step(
        &self,
        service: Service,
        row: Option<&Row>,
        input: &Input,
        luck: Luck,
    ) -> Result<Done, Impossible> {
        let done = Shipped.step(service, row, input, luck)?;
        if let Some(cell) = Cell::of(service, row, input, luck, &done) {
            let (row, input, done) = (row.cloned(), *input, done.clone());
            self.seen
                .borrow_mut()
                .entry(cell)
                .or_insert(Seen { row, input, done });
        }
        for said in &done.says {
            if let (EventType::OrderCancelled, Some(reason)) =
                (said.event_type, said.payload.reason())
            {
                *self
                    .reasons
                    .borrow_mut()
                    .entry(reason.reason_code.as_str())
                    .or_default() += 1;
            }
        }
        Ok(done)
    }
}
