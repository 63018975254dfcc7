//! The shipped tables with safeguards taken away: shortcuts that look harmless, and what comes of
//! them. A wrapper around the shipped functions; no service knows of it.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use order_svc::saga::Status;
use payment_svc::saga::{Answer, State as PaymentState};
use saga_events::{
    EventSpec, EventType, Failure, Message, Payload, PayloadKind, Reason, ReasonCode, Service,
};
use serde::Serialize;
use svc_chassis::Impossible;
use svc_chassis::participant::{Hold, State};

use crate::table::{Done, Shipped, Table};
use crate::world::{Heard, Input, Ledger, Luck, Row, purchase};

macro_rules! shortcuts {
    ($($variant:ident $name:literal $what:literal $harmless:expr;)*) => {
        /// A safeguard of the protocol that can be taken away.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        pub enum Shortcut {
            $(#[doc = $what] #[serde(rename = $name)] $variant,)*
        }

        impl Shortcut {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What is done instead, in one sentence.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$variant => $what,)* }
            }

            /// Why it does no harm by itself, where it does none.
            pub const fn harmless_because(self) -> Option<&'static str> {
                match self { $(Self::$variant => $harmless,)* }
            }
        }
    };
}

shortcuts! {
    SelfCancel "self-cancel"
        "order-svc cancels by itself when the deadline passes, without asking the pivot." None;
    RefusalsNotStored "refusals-not-stored"
        "A participant that refuses says so, and writes no row." None;
    Overhear "overhear"
        "order-svc cancels at any failure that it overhears, before the way back is done." None;
    HoldExpiry "hold-expiry"
        "A participant lets its hold expire by its own clock." None;
    TimeOutIsNo "time-out-is-no"
        "payment-svc takes a time-out of the gateway for a decline." None;
    NoTombstone "no-tombstone"
        "A participant that has nothing to undo passes the undo on, and writes no row." None;
    IgnoreEarlyUndo "ignore-early-undo"
        "A participant that has nothing to undo ignores the undo." None;
    DropRepeats "drop-repeats"
        "Everybody drops a message that changes nothing as already processed, unanswered." None;
    NoRepeats "no-repeats"
        "order-svc never repeats: it trusts the bus." None;
    EffectPerMessage "effect-per-message"
        "A participant applies the effect of every message, a duplicate's too." None;
    IgnoreAttempts "ignore-attempts"
        "Every duplicate is answered, whatever its attempt."
        Some("Answers without effects harm nobody. The attempts only keep duplicates from multiplying along the line.");
    AckBeforeCommit "ack-before-commit"
        "A message is acknowledged before its step is committed: a crash loses the step."
        Some("A step that is lost with its message is a lost message: the next repeat makes it good.");
    UndoInParallel "undo-in-parallel"
        "A failure is broadcast: everybody gives back at once, not one after the other." None;
    ConfirmInParallel "confirm-in-parallel"
        "The payment is broadcast: everybody captures at once, not one after the other." None;
    PivotForgets "pivot-forgets"
        "payment-svc says that an unpaid order failed, and writes no row." None;
    CancelWhileCharging "cancel-while-charging"
        "payment-svc takes a cancel for the answer while the gateway is being asked." None;
    ForgetFinished "forget-finished"
        "A participant deletes its row some time after it has given back." None;
}

impl fmt::Display for Shortcut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Shortcut {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|shortcut| shortcut.as_str() == text);
        found
            .copied()
            .ok_or_else(|| format!("unknown shortcut {text:?}"))
    }
}

/// The shipped tables with these shortcuts taken.
#[derive(Debug, Clone, Default)]
pub struct Broken {
    without: BTreeSet<Shortcut>,
}

impl Table for Broken {
    fn step(
        &self,
        service: Service,
        row: Option<&Row>,
        input: &Input,
        luck: Luck,
    ) -> Result<Done, Impossible> {
        if *input == Input::NoNews && self.takes(Shortcut::NoRepeats) {
            return Ok(Done::nothing(row));
        }
        if *input == Input::HoldIsOld && self.takes(Shortcut::ForgetFinished) && is_given_back(row)
        {
            return Ok(Done::nothing(None));
        }
        let input = self.taken_for(service, row, *input);
        let done = Shipped.step(service, row, &input, luck)?;
        match row {
            None => Ok(self.first(done)),
            Some(row) => self.again(service, row, &input, luck, done),
        }
    }

    fn hears(&self, service: Service, event_type: EventType) -> bool {
        Shipped.hears(service, event_type)
            || self.overhears(
                service,
                event_type.spec().publisher,
                event_type.spec().payload,
            )
    }
}

impl Broken {
    /// Takes these shortcuts, all at once.
    pub fn new(without: impl IntoIterator<Item = Shortcut>) -> Self {
        Self {
            without: without.into_iter().collect(),
        }
    }

    fn takes(&self, shortcut: Shortcut) -> bool {
        self.without.contains(&shortcut)
    }

    /// Whether a service listens to what one further up the line tells its own neighbour.
    fn overhears(&self, service: Service, publisher: Service, kind: PayloadKind) -> bool {
        let from_beyond = service < publisher && publisher <= Service::Payment;
        from_beyond
            && match (service, kind) {
                (Service::Order, PayloadKind::Failure) => self.takes(Shortcut::Overhear),
                (Service::User | Service::Inventory, PayloadKind::Failure) => {
                    self.takes(Shortcut::UndoInParallel)
                }
                (Service::User | Service::Inventory, PayloadKind::Settled) => {
                    self.takes(Shortcut::ConfirmInParallel)
                }
                _ => false,
            }
    }

    /// What a service takes an input for.
    fn taken_for(&self, service: Service, row: Option<&Row>, input: Input) -> Input {
        let state = row.map_or("–", Row::state);
        match input {
            Input::Message(message) => {
                if self.takes(Shortcut::CancelWhileCharging)
                    && message.event_type == EventType::OrderCancelRequested
                    && state == PaymentState::Authorizing.as_str()
                {
                    return DECLINED;
                }
                let EventSpec {
                    publisher, payload, ..
                } = *message.event_type.spec();
                if self.overhears(service, publisher, payload) {
                    let event_type = neighbours_word(service, &message);
                    return Input::Message(Message {
                        event_type,
                        ..message
                    });
                }
                input
            }
            Input::Cancel(code)
                if self.takes(Shortcut::SelfCancel) && state == Status::Pending.as_str() =>
            {
                undo(EventType::PaymentRollback, code)
            }
            Input::HoldIsOld
                if self.takes(Shortcut::HoldExpiry) && state == State::Reserved.as_str() =>
            {
                undo(undone_by(service), ReasonCode::DeadlineExceeded)
            }
            Input::Gateway(Heard::TimeOut { .. })
                if self.takes(Shortcut::TimeOutIsNo)
                    && state == PaymentState::Authorizing.as_str() =>
            {
                DECLINED
            }
            Input::Cancel(_) | Input::NoNews | Input::Gateway(_) | Input::HoldIsOld => input,
        }
    }

    /// What is left of a step of a service that had no row.
    fn first(&self, done: Done) -> Done {
        let forgotten = match &done.row {
            Some(Row::Hold(hold)) if hold.state == State::Refused => {
                self.takes(Shortcut::RefusalsNotStored)
            }
            Some(Row::Hold(hold)) if hold.state == State::Released => {
                if self.takes(Shortcut::IgnoreEarlyUndo) {
                    return Done::nothing(None);
                }
                self.takes(Shortcut::NoTombstone)
            }
            Some(Row::Payment(payment)) if payment.state == PaymentState::Failed => {
                self.takes(Shortcut::PivotForgets)
            }
            _ => false,
        };
        if forgotten {
            Done { row: None, ..done }
        } else {
            done
        }
    }

    /// What is left of a step of a service that had a row.
    fn again(
        &self,
        service: Service,
        row: &Row,
        input: &Input,
        luck: Luck,
        mut done: Done,
    ) -> Result<Done, Impossible> {
        let Input::Message(message) = *input else {
            return Ok(done);
        };
        let changed = done.row.as_ref().map(Row::state) != Some(row.state());
        if changed || luck == Luck::Crash {
            return Ok(done);
        }
        if self.takes(Shortcut::EffectPerMessage) {
            done.effect = first_effect(service, row, message, luck);
        }
        if self.takes(Shortcut::IgnoreAttempts) && done.says.is_empty() {
            let urgent = Input::Message(Message {
                attempt: u32::MAX,
                ..message
            });
            done.says = Shipped.step(service, Some(row), &urgent, luck)?.says;
            for said in &mut done.says {
                said.attempt = message.attempt;
            }
        }
        if self.takes(Shortcut::DropRepeats) && !done.says.is_empty() {
            return Ok(Done {
                effect: done.effect,
                ..Done::nothing(Some(row))
            });
        }
        Ok(done)
    }
}

const DECLINED: Input = Input::Gateway(Heard::Answer(Answer::Declined));

/// An undo that nobody sent.
fn undo(event_type: EventType, reason_code: ReasonCode) -> Input {
    let reason = Reason {
        reason_code,
        failed_step: Service::Payment,
    };
    let payload = Payload::Failure(Failure {
        order_id: purchase().order_id,
        reason,
    });
    Input::Message(Message {
        event_type,
        attempt: 0,
        payload,
    })
}

/// The event of its right neighbour that makes a participant compensate.
const fn undone_by(service: Service) -> EventType {
    match service {
        Service::User => EventType::InventoryRollback,
        Service::Inventory => EventType::ItemRestored,
        Service::Item => EventType::PaymentFailed,
        Service::Order | Service::Payment | Service::Notify => EventType::PaymentRollback,
    }
}

/// What its right neighbour would make of this message, in the end.
const fn neighbours_word(service: Service, message: &Message) -> EventType {
    match (service, &message.payload) {
        (Service::User, Payload::Settled(_)) => EventType::InventoryConfirmed,
        (Service::Inventory, Payload::Settled(_)) => EventType::ItemDeducted,
        _ => undone_by(service),
    }
}

/// What the message did, or would have done, when it came for the first time.
fn first_effect(service: Service, row: &Row, message: Message, luck: Luck) -> Ledger {
    let Row::Hold(hold) = row else {
        return Ledger::default();
    };
    let before = match message.payload {
        Payload::Purchase(_) => None,
        _ => Some(Row::Hold(Hold {
            state: State::Reserved,
            ..hold.clone()
        })),
    };
    let first = Shipped.step(service, before.as_ref(), &Input::Message(message), luck);
    first.map_or_else(|_| Ledger::default(), |done| done.effect)
}

fn is_given_back(row: Option<&Row>) -> bool {
    match row {
        Some(Row::Hold(hold)) => matches!(hold.state, State::Refused | State::Released),
        _ => false,
    }
}
