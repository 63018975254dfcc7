//! The shipped tables, writing down every cell that they are asked for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;

use order_svc::saga::Status;
use saga_events::{EventType, Service};
use saga_model::table::{Done, Shipped, Table};
use saga_model::world::{Heard, Input, Luck, Row};
use svc_chassis::Impossible;

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
    pub service: Service,
    pub from: &'static str,
    pub column: &'static str,
    pub does: Does,
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
        let (from, to) = (name(row), name(done.row.as_ref()));
        let does = if to != from {
            Does::Changes
        } else if !done.says.is_empty() {
            Does::Repeats
        } else if done.row.as_ref() != row {
            Does::Notes
        } else {
            Does::Nothing
        };
        Some(Self {
            service,
            from,
            column,
            does,
            to,
        })
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
    pub row: Option<Row>,
    pub input: Input,
    pub done: Done,
}

/// The shipped tables, and what was seen of them.
#[derive(Default)]
pub struct Recorder {
    pub seen: RefCell<BTreeMap<Cell, Seen>>,
    pub reasons: RefCell<BTreeMap<&'static str, usize>>,
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
