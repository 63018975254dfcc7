//! Harm: what a buyer, a shop or a bank would notice. It must be visible in no configuration.

use notify_svc::saga::Kind;
use order_svc::saga::{Order, Status};
use payment_svc::saga::{Answer, Payment, State as PaymentState};
use saga_events::Service;
use svc_chassis::participant::{Hold, State};

use crate::world::{Desk, Desks, Gateway, Ledger, Row, purchase};

/// Harm that can be seen in the six databases, as a sentence.
pub(crate) fn harm(desks: &Desks<'_>) -> Option<String> {
    let view = View::of(desks);
    view.completed()
        .or_else(|| view.cancelled())
        .or_else(|| view.charged())
        .or_else(|| view.captured())
        .or_else(|| view.answered())
        .or_else(|| view.notified())
        .or_else(|| {
            PARTICIPANTS
                .into_iter()
                .find_map(|who| effects(who, desks[who as usize]))
        })
}

/// A final state that changes, as a sentence.
pub(crate) fn finality(service: Service, before: &Desk, after: &Desk) -> Option<String> {
    let is_final = match before.row.as_ref()? {
        Row::Order(order) => order.status.is_final(),
        Row::Hold(hold) => hold.state != State::Reserved,
        Row::Payment(payment) => payment.state != PaymentState::Authorizing,
        Row::Notification(_) => true,
    };
    after.row.as_ref()?;
    let (from, to) = (before.state(), after.state());
    (is_final && from != to).then(|| format!("{service} was {from}, which is final, and is {to}"))
}

const PARTICIPANTS: [Service; 3] = [Service::User, Service::Inventory, Service::Item];

/// What is spoken of: the thing that a participant holds.
const fn thing(service: Service) -> &'static str {
    match service {
        Service::User => "the money",
        Service::Inventory => "the room",
        Service::Item => "the stock",
        Service::Order | Service::Payment | Service::Notify => "the purchase",
    }
}

/// The six rows and the bank's book, by their names.
pub(crate) struct View<'a> {
    pub(crate) order: Option<&'a Order>,
    /// user-, inventory- and item-svc's.
    pub(crate) holds: [(Service, Option<&'a Hold>); 3],
    pub(crate) payment: Option<&'a Payment>,
    pub(crate) gateway: Gateway,
    pub(crate) notified: Option<Kind>,
}

impl<'a> View<'a> {
    pub(crate) fn of(desks: &Desks<'a>) -> Self {
        let row = |service: Service| desks[service as usize].row.as_ref();
        Self {
            order: match row(Service::Order) {
                Some(Row::Order(order)) => Some(order),
                _ => None,
            },
            holds: PARTICIPANTS.map(|who| match row(who) {
                Some(Row::Hold(hold)) => (who, Some(hold)),
                _ => (who, None),
            }),
            payment: match row(Service::Payment) {
                Some(Row::Payment(payment)) => Some(payment),
                _ => None,
            },
            gateway: desks[Service::Payment as usize].gateway,
            notified: match row(Service::Notify) {
                Some(Row::Notification(notification)) => Some(notification.kind),
                _ => None,
            },
        }
    }

    pub(crate) fn status(&self) -> Option<Status> {
        self.order.map(|order| order.status)
    }

    pub(crate) fn paid(&self) -> Option<PaymentState> {
        self.payment.map(|payment| payment.state)
    }

    fn charged(&self) -> Option<String> {
        let paid = self.paid() == Some(PaymentState::Processed)
            || self.gateway == Gateway::Decided(Answer::Approved);
        if !paid {
            return None;
        }
        self.holds
            .into_iter()
            .find_map(|(who, hold)| match state(hold) {
                Some(State::Reserved | State::Confirmed) => None,
                None | Some(State::Refused | State::Released) => Some(format!(
                    "the buyer is charged, but {who} does not hold {}",
                    thing(who)
                )),
            })
    }

    fn completed(&self) -> Option<String> {
        if self.status() != Some(Status::Completed) {
            return None;
        }
        if self.paid() != Some(PaymentState::Processed) {
            return Some("COMPLETED, but nothing is paid".to_owned());
        }
        self.holds
            .into_iter()
            .find_map(|(who, hold)| match state(hold) {
                Some(State::Confirmed) => None,
                None | Some(State::Reserved | State::Refused | State::Released) => Some(format!(
                    "COMPLETED, but {who} has not captured {}",
                    thing(who)
                )),
            })
    }

    fn cancelled(&self) -> Option<String> {
        if self.status() != Some(Status::Cancelled) {
            return None;
        }
        match self.paid() {
            None | Some(PaymentState::Failed) => {}
            Some(PaymentState::Processed) => {
                return Some("CANCELLED, but the buyer is charged".to_owned());
            }
            Some(PaymentState::Authorizing) => {
                return Some("CANCELLED, but the gateway is being asked to charge".to_owned());
            }
        }
        self.holds
            .into_iter()
            .find_map(|(who, hold)| match state(hold) {
                None | Some(State::Refused | State::Released) => None,
                Some(State::Reserved) => Some(format!("CANCELLED, but {who} holds {}", thing(who))),
                Some(State::Confirmed) => {
                    Some(format!("CANCELLED, but {who} has captured {}", thing(who)))
                }
            })
    }

    fn captured(&self) -> Option<String> {
        if self.paid() == Some(PaymentState::Processed) {
            return None;
        }
        self.holds.into_iter().find_map(|(who, hold)| {
            (state(hold) == Some(State::Confirmed))
                .then(|| format!("{who} has captured {}, but nothing is paid", thing(who)))
        })
    }

    /// payment-svc says what the bank did.
    fn answered(&self) -> Option<String> {
        match (self.paid(), self.gateway) {
            (None, Gateway::Idle) | (Some(PaymentState::Authorizing), _) => None,
            (Some(PaymentState::Processed), Gateway::Decided(Answer::Approved)) => None,
            (Some(PaymentState::Failed), Gateway::Idle | Gateway::Decided(Answer::Declined)) => {
                None
            }
            (Some(PaymentState::Failed), Gateway::Decided(Answer::Approved)) => {
                Some("the payment is Failed, but the buyer is charged".to_owned())
            }
            (Some(PaymentState::Failed), Gateway::Asked) => {
                Some("the payment is Failed, but the gateway may still charge".to_owned())
            }
            (Some(PaymentState::Processed), _) => {
                Some("the payment is Processed, but the buyer is not charged".to_owned())
            }
            (None, Gateway::Asked | Gateway::Decided(_)) => {
                Some("the gateway was asked, but nobody remembers it".to_owned())
            }
        }
    }

    fn notified(&self) -> Option<String> {
        let end = match self.notified? {
            Kind::Completed => Status::Completed,
            Kind::Cancelled => Status::Cancelled,
        };
        (self.status() != Some(end))
            .then(|| format!("the buyer was told {}, which is not so", end.as_str()))
    }
}

pub(crate) fn state(hold: Option<&Hold>) -> Option<State> {
    hold.map(|hold| hold.state)
}

/// No effect is missing, and none happened twice: a ledger says the same as the row beside it.
fn effects(service: Service, desk: &Desk) -> Option<String> {
    let Ledger { free, held, kept } = desk.ledger;
    let hold = match &desk.row {
        Some(Row::Hold(hold)) => Some(hold),
        _ => None,
    };
    let fits = match hold.map(|hold| (hold.state, hold.held)) {
        None | Some((State::Refused | State::Released, _)) => desk.ledger == Ledger::default(),
        Some((State::Reserved, amount)) => free == -amount && held == amount && kept == 0,
        // A slot that turned out not to be needed is given back.
        Some((State::Confirmed, amount)) if service == Service::Inventory => {
            (-amount..=0).contains(&free) && held == 0 && kept == purchase().quantity.get()
        }
        Some((State::Confirmed, amount)) => free == -amount && held == 0 && kept == amount,
    };
    (!fits).then(|| {
        let state = desk.state();
        let thing = thing(service);
        format!(
            "{service} is {state}, but of {thing} {held} is held, {kept} captured, {free} moved"
        )
    })
}
