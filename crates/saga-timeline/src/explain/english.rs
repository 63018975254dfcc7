//! `en`

use saga_events::Service;

use super::{Sentence, clock, took};
use crate::stuck::{Cause, Stuck};

/// A sentence in English.
pub(super) fn say(sentence: &Sentence) -> String {
    match sentence {
        Sentence::Completed { after } => {
            let after = after.map_or(String::new(), |after| format!(" after {}", took(after)));
            format!("The purchase is complete{after}: money, room and stock are captured.")
        }
        Sentence::Cancelled {
            because,
            given_back,
            after,
        } => {
            let after = after.map_or(String::new(), |after| format!(" after {}", took(after)));
            let why = because.map_or(String::new(), |(code, step)| {
                format!(" {} That was decided at {step}.", code.sentence())
            });
            let back = match given_back.as_slice() {
                [] => "Nothing was held when it ended.".to_owned(),
                some => format!("{} given back.", capital(&held(some))),
            };
            format!("The purchase was cancelled{after}.{why} {back}")
        }
        Sentence::Open { held: services } => match services.as_slice() {
            [] => "The purchase is under way; nothing is held for it yet.".to_owned(),
            some => format!("The purchase is under way; {} held for it.", held(some)),
        },
        Sentence::Asking => {
            "The payment gateway is being asked; until it answers nobody knows whether the buyer has paid.".to_owned()
        }
        Sentence::Paid => "The buyer has paid, so it will complete.".to_owned(),
        Sentence::Cancelling => {
            "Cancelling was asked for; payment-svc decides whether it was paid before.".to_owned()
        }
        Sentence::TurnedBack { by } => {
            format!("{by} turned it back, so what was held is being given back.")
        }
        Sentence::Notified => "The buyer was told.".to_owned(),
        Sentence::Repeated { times: 1 } => "One event was said again.".to_owned(),
        Sentence::Repeated { times } => format!("{times} events were said again."),
        Sentence::Late(stuck) => late(stuck),
        Sentence::RepeatsIn(wait) if wait.is_zero() => "The next repeat is due now.".to_owned(),
        Sentence::RepeatsIn(wait) => format!("The next repeat is in {}.", took(*wait)),
        Sentence::Missing(services) => {
            let names: Vec<&str> = services.iter().map(|service| service.as_str()).collect();
            format!("What only {} knows is missing here.", names.join(", "))
        }
        Sentence::Wrong { problems: 1 } => {
            "One thing on its path is not as the protocol allows: see conformance.".to_owned()
        }
        Sentence::Wrong { problems } => format!(
            "{problems} things on its path are not as the protocol allows: see conformance."
        ),
    }
}

fn late(stuck: &Stuck) -> String {
    let (service, since) = (stuck.service, clock(stuck.since));
    match stuck.cause {
        Cause::ServiceDown => {
            format!("{service} does not answer; the purchase has waited for it since {since}.")
        }
        Cause::DeadLetter => format!(
            "{service} could not apply an event and has put it aside since {since}: replay or discard its dead letter."
        ),
        Cause::GatewayUnknown => format!(
            "The payment gateway has not answered since {since}; {service} asks again under the same key."
        ),
        Cause::RedisDown => format!(
            "Redis does not answer, so nothing has reached {service} since {since}; everything that was said waits in the outboxes."
        ),
        Cause::Lagging => {
            let n = stuck.behind.unwrap_or(0);
            format!("{service} is behind by {n}; the purchase has waited for it since {since}.")
        }
        Cause::WaitingRepeat => format!(
            "{service} has had no news since {since}: a message was lost, and the next repeat brings it again."
        ),
    }
}

/// `money and room are`
fn held(services: &[Service]) -> String {
    let names: Vec<&str> = services.iter().map(|service| thing(*service)).collect();
    match names.as_slice() {
        [] => String::new(),
        [one] => format!("{one} is"),
        [most @ .., last] => format!("{} and {last} are", most.join(", ")),
    }
}

const fn thing(service: Service) -> &'static str {
    match service {
        Service::Order => "the order",
        Service::User => "money",
        Service::Inventory => "room",
        Service::Item => "stock",
        Service::Payment => "the payment",
        Service::Notify => "the notification",
    }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}
