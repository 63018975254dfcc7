//! The test of the test: every cell of every table is broken in every way that fits it, and the
//! check has to notice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use notify_svc::saga::Kind;
use order_svc::saga::Status;
use payment_svc::saga::State as PaymentState;
use saga_events::{
    Cancelled, EventType, Failure, Message, Payload, PayloadKind, Reason, ReasonCode, Service,
    Settled,
};
use saga_model::prove;
use saga_model::table::{Done, Shipped, Table};
use saga_model::world::{Heard, Input, Ledger, Luck, Row, purchase};
use svc_chassis::Impossible;
use svc_chassis::participant::State;

/// What a cell does, seen from outside: a repeat and a plain duplicate are cells of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Does {
    /// A new state (or the first one).
    Changes,
    /// The same state, and something is said.
    Repeats,
    /// The same state, nothing said, something noted.
    Notes,
    /// Nothing.
    Nothing,
}

/// A cell of one of the six tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
struct Cell {
    service: Service,
    state: &'static str,
    column: &'static str,
    does: Does,
    /// Where it leads to: a first `reserve` has two ways.
    to: &'static str,
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, state, column, does, to } = self;
        write!(f, "{service} {state} {column} {does:?} {to}")
    }
}

impl Cell {
    /// The cell of a step, if it is a cell of the tables.
    fn of(service: Service, row: Option<&Row>, input: &Input, luck: Luck, done: &Done) -> Option<Self> {
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
        let state = name(row);
        let to = name(done.row.as_ref());
        let does = if to != state {
            Does::Changes
        } else if !done.says.is_empty() {
            Does::Repeats
        } else if done.row.as_ref() != row {
            Does::Notes
        } else {
            Does::Nothing
        };
        Some(Self { service, state, column, does, to })
    }
}

fn name(row: Option<&Row>) -> &'static str {
    match row {
        None => "–",
        Some(Row::Order(order)) if order.told => match order.status {
            Status::Completed => "COMPLETED, told",
            _ => "CANCELLED, told",
        },
        Some(row) => row.state(),
    }
}

/// One way to break a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Ignored,
    Alarm,
    Another(usize),
    NoRow,
    Silent,
    Without(usize),
    Says(EventType),
    Attempt(i64),
    Forgets,
    NoEffect,
    TwoEffects,
    Asks,
    OtherReason,
}

#[derive(Clone)]
struct Mutant {
    cell: Cell,
    how: How,
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cell, how } = self;
        match how {
            How::Another(at) => write!(f, "{cell}: {}", STATES(cell.service)[*at]),
            how => write!(f, "{cell}: {how:?}"),
        }
    }
}

#[allow(non_snake_case)]
fn STATES(service: Service) -> &'static [&'static str] {
    match service {
        Service::Order => {
            &["PENDING", "CANCELLING", "COMPLETED", "CANCELLED", "COMPLETED, told", "CANCELLED, told"]
        }
        Service::User | Service::Inventory | Service::Item => {
            &["Reserved", "Refused", "Released", "Confirmed"]
        }
        Service::Payment => &["Authorizing", "Processed", "Failed"],
        Service::Notify => &["Completed", "Cancelled"],
    }
}

fn with_state(row: Row, at: usize) -> Row {
    match row {
        Row::Order(mut order) => {
            order.told = at > 3;
            order.status = Status::ALL[if at > 3 { at - 2 } else { at }];
            let reason = Reason {
                reason_code: ReasonCode::DeadlineExceeded,
                failed_step: Service::Payment,
            };
            order.reason = order.reason.or(Some(reason));
            Row::Order(order)
        }
        Row::Hold(mut hold) => {
            hold.state = State::ALL[at];
            Row::Hold(hold)
        }
        Row::Payment(mut payment) => {
            payment.state = PaymentState::ALL[at];
            Row::Payment(payment)
        }
        Row::Notification(mut notification) => {
            notification.kind = Kind::ALL[at];
            Row::Notification(notification)
        }
    }
}

const OTHER: Reason =
    Reason { reason_code: ReasonCode::CancelledByUser, failed_step: Service::Notify };

impl Table for Mutant {
    fn step(&self, service: Service, row: Option<&Row>, input: &Input, luck: Luck) -> Result<Done, Impossible> {
        let mut done = Shipped.step(service, row, input, luck)?;
        if Cell::of(service, row, input, luck, &done) != Some(self.cell) {
            return Ok(done);
        }
        match self.how {
            How::Ignored => done = Done::nothing(row),
            How::Alarm => return Err(Impossible::new("mutant", "mutant")),
            How::Another(at) => {
                done.row = done.row.map(|row| with_state(row, at));
            }
            How::NoRow => done.row = None,
            How::Silent => done.says = vec![],
            How::Without(at) => {
                done.says.remove(at);
            }
            How::Says(event_type) => done.says = vec![message(event_type, row, input, &done)],
            How::Attempt(by) => {
                for said in &mut done.says {
                    said.attempt = u32::try_from(i64::from(said.attempt) + by).unwrap_or(0);
                }
            }
            How::Forgets => done.row = row.cloned(),
            How::NoEffect => done.effect = Ledger::default(),
            How::TwoEffects => {
                let effect = done.effect;
                done.effect += effect;
            }
            How::Asks => done.asks = !done.asks,
            How::OtherReason => {
                match &mut done.row {
                    Some(Row::Order(order)) => order.reason = order.reason.map(|_| OTHER),
                    Some(Row::Hold(hold)) => hold.reason = hold.reason.map(|_| OTHER),
                    Some(Row::Payment(payment)) => payment.reason = payment.reason.map(|_| OTHER),
                    Some(Row::Notification(_)) | None => {}
                }
                for said in &mut done.says {
                    if let Payload::Failure(failure) = &mut said.payload {
                        failure.reason = OTHER;
                    }
                }
            }
        }
        Ok(done)
    }
}

fn message(event_type: EventType, row: Option<&Row>, input: &Input, done: &Done) -> Message {
    let order_id = purchase().order_id;
    let attempt = match (done.says.first(), input, row) {
        (Some(said), ..) => said.attempt,
        (None, Input::Message(message), _) => message.attempt,
        (None, _, Some(Row::Order(order))) => order.attempt,
        _ => 0,
    };
    let reason = match &done.row {
        Some(Row::Order(order)) => order.reason,
        Some(Row::Hold(hold)) => hold.reason,
        Some(Row::Payment(payment)) => payment.reason,
        _ => None,
    };
    let reason = reason.unwrap_or(Reason {
        reason_code: ReasonCode::DeadlineExceeded,
        failed_step: Service::Payment,
    });
    let payload = match event_type.spec().payload {
        PayloadKind::Purchase => Payload::Purchase(purchase()),
        PayloadKind::Settled => Payload::Settled(Settled { order_id }),
        PayloadKind::Failure => Payload::Failure(Failure { order_id, reason }),
        PayloadKind::Cancelled => Payload::Cancelled(Cancelled { purchase: purchase(), reason }),
    };
    Message { event_type, attempt, payload }
}

/// The shipped tables; notes every cell that is reached.
struct Recorder(RefCell<BTreeSet<Cell>>, RefCell<Vec<(Cell, Done)>>);

impl Table for Recorder {
    fn step(&self, service: Service, row: Option<&Row>, input: &Input, luck: Luck) -> Result<Done, Impossible> {
        let done = Shipped.step(service, row, input, luck)?;
        if let Some(cell) = Cell::of(service, row, input, luck, &done) {
            if self.0.borrow_mut().insert(cell) {
                self.1.borrow_mut().push((cell, done.clone()));
            }
        }
        Ok(done)
    }
}

fn mutants_of(cell: Cell, done: &Done) -> Vec<Mutant> {
    let mut hows = vec![How::Alarm, How::Asks];
    if cell.does != Does::Nothing {
        hows.push(How::Ignored);
    }
    for (at, state) in STATES(cell.service).iter().enumerate() {
        if *state != cell.to {
            hows.push(How::Another(at));
        }
    }
    if cell.to != "–" {
        hows.push(How::NoRow);
    }
    if !done.says.is_empty() {
        hows.push(How::Silent);
        hows.push(How::Attempt(-1));
        hows.push(How::Attempt(1));
        if cell.does == Does::Repeats {
            hows.push(How::Forgets);
        }
    }
    if done.says.len() > 1 {
        hows.extend((0..done.says.len()).map(How::Without));
    }
    for event_type in cell.service.publishes() {
        if done.says.len() != 1 || done.says[0].event_type != event_type {
            hows.push(How::Says(event_type));
        }
    }
    if done.effect != Ledger::default() {
        hows.push(How::NoEffect);
        hows.push(How::TwoEffects);
    }
    let failure = done.says.iter().any(|said| matches!(said.payload, Payload::Failure(_)));
    if failure && cell.does == Does::Changes {
        hows.push(How::OtherReason);
    }
    hows.into_iter().map(|how| Mutant { cell, how }).collect()
}

#[test]
fn every_mutant_of_every_cell_is_noticed() {
    let recorder = Recorder(RefCell::default(), RefCell::default());
    prove(&recorder, 1).unwrap();
    let mutants: Vec<Mutant> =
        recorder.1.borrow().iter().flat_map(|(cell, done)| mutants_of(*cell, done)).collect();
    println!("{} cells, {} mutants", recorder.0.borrow().len(), mutants.len());
    for c in recorder.0.borrow().iter() { println!("cell {c}"); }
    let next = AtomicUsize::new(0);
    let alive = Mutex::new(vec![]);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if prove(mutant, 0).is_ok() && prove(mutant, 1).is_ok() {
                        alive.lock().unwrap().push(mutant.to_string());
                    }
                }
            });
        }
    });
    let mut alive = alive.into_inner().unwrap();
    alive.sort();
    for a in &alive { println!("ALIVE {a}"); }
    println!("{}", alive.len());
}
