//! The test of the test: every cell of every shipped table is broken in every way that fits it, and
//! the check has to notice.

use std::fmt;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use notify_svc::saga::Kind;
use order_svc::saga::Status;
use payment_svc::saga::State as PaymentState;
use saga_events::{
    Cancelled, EventType, Failure, LINE, Message, Payload, PayloadKind, Reason, ReasonCode,
    Service, Settled,
};
use saga_model::prove;
use saga_model::record::{Cell, Does, Recorder, Seen};
use saga_model::table::{Done, Shipped, Table};
use saga_model::world::{Input, Ledger, Luck, Row, purchase};
use svc_chassis::Impossible;
use svc_chassis::participant::State;

/// Mutants that no check can notice, since they do the same.
const EQUIVALENT: [(&str, &str); 2] = [
    (
        "payment-svc | Authorizing | item.reserved, notes: ignored",
        "While the gateway is asked all three participants are Reserved, so its answer changes every \
         state on its way back, whatever attempt it carries.",
    ),
    (
        "payment-svc | Authorizing | order.cancel.requested, notes: ignored",
        "The same.",
    ),
];

/// One way to break a cell.
#[derive(Debug, Clone, Copy)]
enum How {
    /// The input is not looked at.
    Ignored,
    /// The cell is taken for an impossible one.
    Impossible,
    /// It leads to another state, the one of this name and number.
    Leads(&'static str, usize),
    /// The row is not stored, or deleted.
    NoRow,
    /// Nothing is said.
    Silent,
    /// Of several events this one is not said.
    Without(EventType),
    /// Another event is said, or one where there was none.
    Says(EventType),
    /// What is said carries a higher or a lower attempt.
    Attempt(i32),
    /// The answer is given, and not remembered.
    Forgets,
    /// The book is not changed.
    NoEffect,
    /// The book is changed twice.
    TwoEffects,
    /// The gateway is asked, or not asked.
    Asks,
    /// Another reason is given.
    Reason,
}

/// The shipped tables with one cell broken.
struct Mutant {
    cell: Cell,
    how: How,
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cell, how } = self;
        match how {
            How::Ignored => write!(f, "{cell}: ignored"),
            How::Leads(state, _) => write!(f, "{cell}: leads to {state}"),
            How::Without(event_type) => write!(f, "{cell}: without {event_type}"),
            How::Says(event_type) => write!(f, "{cell}: says {event_type}"),
            how => write!(f, "{cell}: {how:?}"),
        }
    }
}

impl Table for Mutant {
    fn step(
        &self,
        service: Service,
        row: Option<&Row>,
        input: &Input,
        luck: Luck,
    ) -> Result<Done, Impossible> {
        let mut done = Shipped.step(service, row, input, luck)?;
        if Cell::of(service, row, input, luck, &done) != Some(self.cell) {
            return Ok(done);
        }
        match self.how {
            How::Ignored => done = Done::nothing(row),
            How::Impossible => return Err(Impossible::new(self.cell.from, self.cell.column)),
            How::Leads(_, to) => done.row = done.row.map(|row| in_state(row, to)),
            How::NoRow => done.row = None,
            How::Silent => done.says = vec![],
            How::Without(event_type) => done.says.retain(|said| said.event_type != event_type),
            How::Says(event_type) => done.says = vec![word(event_type, row, input, &done)],
            How::Attempt(by) => {
                for said in &mut done.says {
                    said.attempt = said.attempt.saturating_add_signed(by);
                }
            }
            How::Forgets => done.row = row.cloned(),
            How::NoEffect => done.effect = Ledger::default(),
            How::TwoEffects => {
                let effect = done.effect;
                done.effect += effect;
            }
            How::Asks => done.asks = !done.asks,
            How::Reason => with_other_reason(&mut done),
        }
        Ok(done)
    }
}

/// The shipped tables with one subscription missing.
struct Deaf(Service, EventType);

impl Table for Deaf {
    fn step(
        &self,
        service: Service,
        row: Option<&Row>,
        input: &Input,
        luck: Luck,
    ) -> Result<Done, Impossible> {
        Shipped.step(service, row, input, luck)
    }

    fn hears(&self, service: Service, event_type: EventType) -> bool {
        (service, event_type) != (self.0, self.1) && Shipped.hears(service, event_type)
    }
}

#[test]
fn every_mutant_of_every_cell_is_noticed_or_does_the_same() {
    let recorder = Recorder::default();
    prove(&recorder, 1).unwrap();
    let seen = recorder.seen.into_inner();
    let mutants: Vec<Mutant> = seen
        .iter()
        .flat_map(|(cell, seen)| mutants_of(*cell, seen))
        .collect();
    assert_eq!((seen.len(), mutants.len()), (119, 1_486));

    let (next, alive) = (AtomicUsize::new(0), Mutex::new(vec![]));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(mutant) = mutants.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // Most are found without a repeat, in a twentieth of the time.
                    if prove(mutant, 0).is_ok() && prove(mutant, 1).is_ok() {
                        alive.lock().unwrap().push(mutant.to_string());
                    }
                }
            });
        }
    });
    let mut alive = alive.into_inner().unwrap();
    alive.sort();
    assert_eq!(alive, EQUIVALENT.map(|(mutant, _)| mutant));
}

#[test]
fn every_missing_subscription_is_noticed() {
    for spec in LINE {
        for service in spec.consumers {
            let deaf = Deaf(*service, spec.event_type);
            assert!(
                prove(&deaf, 1).is_err(),
                "{service} does not hear {}",
                spec.event_type
            );
        }
    }
}

fn mutants_of(cell: Cell, Seen { done, .. }: &Seen) -> Vec<Mutant> {
    let mut ways = vec![How::Impossible, How::Asks];
    let states = states_of(cell.service).iter().zip(0..);
    ways.extend(
        states
            .filter(|(to, _)| **to != cell.to)
            .map(|(to, at)| How::Leads(to, at)),
    );
    if cell.does != Does::Nothing {
        ways.push(How::Ignored);
    }
    if done.row.is_some() {
        ways.push(How::NoRow);
    }
    if cell.does == Does::Repeats {
        ways.push(How::Forgets);
    }
    if !done.says.is_empty() {
        ways.extend([How::Silent, How::Attempt(-1), How::Attempt(1)]);
    }
    let says: Vec<EventType> = done.says.iter().map(|said| said.event_type).collect();
    if says.len() > 1 {
        ways.extend(says.iter().copied().map(How::Without));
    }
    let others = cell
        .service
        .publishes()
        .filter(|event_type| says != [*event_type]);
    ways.extend(others.map(How::Says));
    if done.effect != Ledger::default() {
        ways.extend([How::NoEffect, How::TwoEffects]);
    }
    let failure = done
        .says
        .iter()
        .any(|said| matches!(said.payload, Payload::Failure(_)));
    if failure && cell.does == Does::Changes {
        ways.push(How::Reason);
    }
    ways.into_iter().map(|how| Mutant { cell, how }).collect()
}

const fn states_of(service: Service) -> &'static [&'static str] {
    match service {
        Service::Order => &[
            "PENDING",
            "CANCELLING",
            "COMPLETED",
            "CANCELLED",
            "COMPLETED, told",
            "CANCELLED, told",
        ],
        Service::User | Service::Inventory | Service::Item => {
            &["Reserved", "Refused", "Released", "Confirmed"]
        }
        Service::Payment => &["Authorizing", "Processed", "Failed"],
        Service::Notify => &["Completed", "Cancelled"],
    }
}

/// The row in the state that has this number in [`states_of`].
fn in_state(row: Row, at: usize) -> Row {
    match row {
        Row::Order(mut order) => {
            order.told = at >= Status::ALL.len();
            order.status = if order.told {
                Status::ALL[at - 2]
            } else {
                Status::ALL[at]
            };
            order.reason = order.reason.or(Some(DEADLINE));
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

const DEADLINE: Reason = Reason {
    reason_code: ReasonCode::DeadlineExceeded,
    failed_step: Service::Payment,
};

/// An event that fits the row and the input as well as it can.
fn word(event_type: EventType, row: Option<&Row>, input: &Input, done: &Done) -> Message {
    let attempt = match (done.says.first(), input, row) {
        (Some(said), ..) => said.attempt,
        (None, Input::Message(message), _) => message.attempt,
        (None, _, Some(Row::Order(order))) => order.attempt,
        (None, ..) => 0,
    };
    let reason = match &done.row {
        Some(Row::Order(order)) => order.reason,
        Some(Row::Hold(hold)) => hold.reason,
        Some(Row::Payment(payment)) => payment.reason,
        Some(Row::Notification(_)) | None => None,
    };
    let (reason, order_id) = (reason.unwrap_or(DEADLINE), purchase().order_id);
    let payload = match event_type.spec().payload {
        PayloadKind::Purchase => Payload::Purchase(purchase()),
        PayloadKind::Settled => Payload::Settled(Settled { order_id }),
        PayloadKind::Failure => Payload::Failure(Failure { order_id, reason }),
        PayloadKind::Cancelled => Payload::Cancelled(Cancelled {
            purchase: purchase(),
            reason,
        }),
    };
    Message {
        event_type,
        attempt,
        payload,
    }
}

fn with_other_reason(done: &mut Done) {
    let other = Reason {
        reason_code: ReasonCode::CancelledByUser,
        failed_step: Service::Notify,
    };
    match &mut done.row {
        Some(Row::Order(order)) => order.reason = Some(other),
        Some(Row::Hold(hold)) => hold.reason = Some(other),
        Some(Row::Payment(payment)) => payment.reason = Some(other),
        Some(Row::Notification(_)) | None => {}
    }
    for said in &mut done.says {
        if let Payload::Failure(failure) = &mut said.payload {
            failure.reason = other;
        }
    }
}
