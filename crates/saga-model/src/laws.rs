//! Laws: the reasons why there is no harm. They are stronger than "no harm", and the shipped tables
//! keep them all: the implications that a live audit relies on, what each state has to say, and what
//! makes duplicates silent.

use order_svc::saga::{Order, Status};
use payment_svc::saga::{Answer, Payment, State as PaymentState};
use saga_events::{EventType, Message, Payload, Phase, Reason, ReasonCode, Service};
use svc_chassis::participant::{Hold, State};

use crate::invariants::{View, state};
use crate::table::Done;
use crate::world::{Desk, Desks, Gateway, Heard, Input, Ledger, Luck, Row, lucks, purchase};

/// A law that the six databases break, as a sentence.
pub(crate) fn law(desks: &Desks<'_>) -> Option<String> {
    let view = View::of(desks);
    nothing_beyond_a_release(&view)
        .or_else(|| everything_beyond_a_capture(&view))
        .or_else(|| authorizing(&view))
        .or_else(|| reasons(&view))
        .or_else(|| told(&view))
        .or_else(|| amounts(&view))
}

/// A law that a step breaks, as a sentence.
pub(crate) fn step_law(
    service: Service,
    before: &Desk,
    input: &Input,
    done: &Done,
) -> Option<String> {
    let row = before.row.as_ref();
    let keeps = [
        (
            done.says
                .iter()
                .all(|said| is_of_the_contract(service, said)),
            "breaks its contract",
        ),
        (
            says_what_its_state_means(service, row, done),
            "does not say what its state means",
        ),
        (
            copies_the_attempt(input, done),
            "says it with another attempt than it was asked with",
        ),
        (
            done.asks == begins_to_authorize(row, done),
            "asks the gateway at the wrong moment",
        ),
        (
            remembers(row, done),
            "forgets which attempts it has answered",
        ),
        (hears_a_cancel(row, input, done), "ignores a cancel"),
    ];
    let broken = keeps.into_iter().find(|(kept, _)| !kept);
    broken.map(|(_, what)| format!("{service} {what}"))
}

/// Taken in again (a crash before the acknowledgement, a natural duplicate), a message does nothing.
pub(crate) fn duplicate_law(service: Service, done: &Done, again: &Done) -> Option<String> {
    let silent = again.row == done.row
        && again.says.is_empty()
        && again.effect == Ledger::default()
        && !again.asks;
    (!silent).then(|| format!("{service} is not silent on a plain duplicate"))
}

/// *Refused* and *released* mean: I, and everyone beyond me, hold nothing, and never will.
fn nothing_beyond_a_release(view: &View<'_>) -> Option<String> {
    let nothing =
        |hold: Option<&Hold>| matches!(state(hold), None | Some(State::Refused | State::Released));
    let at = view
        .holds
        .iter()
        .position(|(_, hold)| hold.is_some() && nothing(*hold))?;
    let who = view.holds[at].0;
    if let Some((beyond, _)) = view.holds[at..].iter().find(|(_, hold)| !nothing(*hold)) {
        return Some(format!("{who} holds nothing, but {beyond} does"));
    }
    let unpaid = matches!(view.paid(), None | Some(PaymentState::Failed));
    (!unpaid).then(|| format!("{who} holds nothing, but payment-svc goes on"))
}

fn everything_beyond_a_capture(view: &View<'_>) -> Option<String> {
    let captured = |hold: Option<&Hold>| state(hold) == Some(State::Confirmed);
    let at = view.holds.iter().position(|(_, hold)| captured(*hold))?;
    let (beyond, _) = view.holds[at..].iter().find(|(_, hold)| !captured(*hold))?;
    Some(format!(
        "{} has captured, but {beyond} has not",
        view.holds[at].0
    ))
}

fn authorizing(view: &View<'_>) -> Option<String> {
    if view.paid() != Some(PaymentState::Authorizing) {
        return None;
    }
    let (who, _) = view
        .holds
        .into_iter()
        .find(|(_, hold)| state(*hold) != Some(State::Reserved))?;
    Some(format!(
        "the gateway is being asked, but {who} is not Reserved"
    ))
}

/// A reason is given once, by who refuses, and passed on unchanged to the order that it ends.
fn reasons(view: &View<'_>) -> Option<String> {
    let requested = view
        .order
        .filter(|order| order.status == Status::Cancelling)
        .and_then(|order| order.reason);
    let is_requested = |reason: Reason| requested.is_none_or(|requested| requested == reason);
    let mut beyond = None;
    if let Some(Payment {
        state: PaymentState::Failed,
        reason,
        ..
    }) = view.payment
    {
        let declined = view.gateway == Gateway::Decided(Answer::Declined);
        let fits = reason.is_some_and(|reason| {
            reason.failed_step == Service::Payment
                && match reason.reason_code {
                    ReasonCode::PaymentDeclined => declined,
                    ReasonCode::DeadlineExceeded | ReasonCode::CancelledByUser => {
                        !declined && is_requested(reason)
                    }
                    _ => false,
                }
        });
        if !fits {
            return Some("payment-svc failed for a reason that is none of its own".to_owned());
        }
        beyond = *reason;
    }
    for (who, hold) in view.holds.into_iter().rev() {
        let reason = hold.and_then(|hold| hold.reason);
        let fits = match state(hold) {
            None | Some(State::Reserved | State::Confirmed) => reason.is_none(),
            Some(State::Released) => reason.is_some() && reason == beyond,
            Some(State::Refused) => reason.is_some_and(|reason| {
                reason.failed_step == who && lucks(who).contains(&Luck::Short(reason.reason_code))
            }),
        };
        if !fits {
            return Some(format!("{who} has a reason that nobody gave it"));
        }
        beyond = reason;
    }
    let order = view.order?;
    let fits = match order.status {
        Status::Pending | Status::Completed => order.reason.is_none(),
        Status::Cancelling => order.reason.is_some_and(|reason| {
            let ours = [ReasonCode::DeadlineExceeded, ReasonCode::CancelledByUser];
            reason.failed_step == Service::Payment && ours.contains(&reason.reason_code)
        }),
        Status::Cancelled => order.reason.is_some() && order.reason == beyond,
    };
    (!fits).then(|| format!("{} for a reason that nobody gave", order.status.as_str()))
}

fn told(view: &View<'_>) -> Option<String> {
    let told = view.order.is_some_and(|order| order.told);
    (told && view.notified.is_none())
        .then(|| "the order is closed, but the buyer was not told".to_owned())
}

fn amounts(view: &View<'_>) -> Option<String> {
    let bought = purchase();
    view.holds.into_iter().find_map(|(who, hold)| {
        let hold = hold.filter(|hold| matches!(hold.state, State::Reserved | State::Confirmed))?;
        let fits = match who {
            Service::User => hold.held == bought.total_amount.get(),
            Service::Inventory => hold.held == 0 || hold.held == 1,
            Service::Item => hold.held == bought.quantity.get(),
            Service::Order | Service::Payment | Service::Notify => false,
        };
        (!fits).then(|| format!("{who} holds the wrong amount"))
    })
}

/// Its own event, with the fields of the contract, about this purchase.
fn is_of_the_contract(service: Service, message: &Message) -> bool {
    let spec = message.event_type.spec();
    let whole = match &message.payload {
        Payload::Purchase(bought) => *bought == purchase(),
        Payload::Cancelled(cancelled) => cancelled.purchase == purchase(),
        Payload::Settled(_) | Payload::Failure(_) => message.order_id() == purchase().order_id,
    };
    spec.publisher == service && spec.payload == message.payload.kind() && whole
}

/// A new state is announced, an old one at most repeated, and nothing else is ever said.
fn says_what_its_state_means(service: Service, before: Option<&Row>, done: &Done) -> bool {
    let says: Vec<EventType> = done.says.iter().map(|said| said.event_type).collect();
    let changes = before.map(Row::state) != done.row.as_ref().map(Row::state);
    let words = done
        .row
        .as_ref()
        .map_or_else(Vec::new, |row| words_of(service, row));
    let reasons = done
        .says
        .iter()
        .all(|said| match (&done.row, said.payload.reason()) {
            (Some(Row::Order(Order { reason, .. })), Some(said)) => *reason == Some(said),
            (Some(Row::Hold(Hold { reason, .. })), Some(said)) => *reason == Some(said),
            (Some(Row::Payment(Payment { reason, .. })), Some(said)) => *reason == Some(said),
            (_, said) => said.is_none(),
        });
    reasons && (says == words || (says.is_empty() && !changes))
}

/// What a row has to say, by its state.
fn words_of(service: Service, row: &Row) -> Vec<EventType> {
    let publishes = |phases: &[Phase]| -> Vec<EventType> {
        service
            .publishes()
            .filter(|event| phases.contains(&event.spec().phase))
            .collect()
    };
    match row {
        Row::Order(Order { told: true, .. }) => vec![],
        Row::Order(Order { status, .. }) => vec![match status {
            Status::Pending => EventType::OrderCreated,
            Status::Cancelling => EventType::OrderCancelRequested,
            Status::Completed => EventType::OrderCompleted,
            Status::Cancelled => EventType::OrderCancelled,
        }],
        Row::Hold(Hold { state, reason, .. }) => match state {
            State::Reserved => publishes(&[Phase::Inform, Phase::Reserve]),
            State::Released => publishes(&[Phase::Compensate]),
            State::Confirmed => publishes(&[Phase::Confirm]),
            State::Refused => {
                let mut refusals = publishes(&[Phase::Refuse]);
                let poor = reason
                    .is_some_and(|reason| reason.reason_code == ReasonCode::InsufficientBalance);
                refusals.retain(|event| match event {
                    EventType::UserValidationFailed => !poor,
                    EventType::PaymentReservationFailed => poor,
                    _ => true,
                });
                refusals
            }
        },
        Row::Payment(Payment { state, .. }) => match state {
            PaymentState::Authorizing => vec![],
            PaymentState::Processed => vec![EventType::PaymentProcessed],
            PaymentState::Failed => vec![EventType::PaymentFailed],
        },
        Row::Notification(_) => vec![EventType::NotificationSent],
    }
}

/// order-svc counts the attempts; everybody else answers with the one that it is asked with.
fn copies_the_attempt(input: &Input, done: &Done) -> bool {
    let attempt = match (&done.row, input) {
        (Some(Row::Order(order)), _) => order.attempt,
        (Some(Row::Payment(payment)), Input::Gateway(Heard::Answer(_))) => {
            payment.answered_item.max(payment.answered_cancel)
        }
        (_, Input::Message(message)) => message.attempt,
        _ => 0,
    };
    done.says.iter().all(|said| said.attempt == attempt)
}

fn begins_to_authorize(before: Option<&Row>, done: &Done) -> bool {
    let authorizes = |row: Option<&Row>| {
        matches!(
            row,
            Some(Row::Payment(Payment {
                state: PaymentState::Authorizing,
                ..
            }))
        )
    };
    authorizes(done.row.as_ref()) && !authorizes(before)
}

fn remembers(before: Option<&Row>, done: &Done) -> bool {
    let memory = |row: Option<&Row>| match row {
        Some(Row::Order(order)) => [order.attempt, u32::from(order.told)],
        Some(Row::Hold(hold)) => [hold.answered_there, hold.answered_back],
        Some(Row::Payment(payment)) => [payment.answered_item, payment.answered_cancel],
        Some(Row::Notification(notification)) => [notification.answered, 0],
        None => [0, 0],
    };
    let (old, new) = (memory(before), memory(done.row.as_ref()));
    old[0] <= new[0] && old[1] <= new[1]
}

/// A deadline and a buyer's cancel are only requests, but they are made.
fn hears_a_cancel(before: Option<&Row>, input: &Input, done: &Done) -> bool {
    let status = |row: Option<&Row>| match row {
        Some(Row::Order(order)) => Some(order.status),
        _ => None,
    };
    let asked = matches!(input, Input::Cancel(_)) && status(before) == Some(Status::Pending);
    !asked || status(done.row.as_ref()) == Some(Status::Cancelling)
}
