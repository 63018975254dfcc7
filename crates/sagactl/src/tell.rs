//! Words and colours for purchases, the same in every command.

use saga_events::{Phase, Timestamp};
use saga_timeline::stuck::{Cause, Stuck};
use saga_timeline::timeline::{Effect, Event};

use crate::purchase::{Status, Story};
use crate::screen::{Screen, Tone};

/// How a purchase ended and in what time, or how far it is.
pub fn outcome(screen: &Screen, story: &Story) -> String {
    let order = &story.order;
    let mut events = story.timeline.events.iter();
    let last = events.rfind(|event| event.event_type.spec().phase == Phase::Final);
    let took = last.map_or(String::new(), |last| {
        format!(" in {}", millis(order.created_at, last.time))
    });
    let why = match (order.reason_code, order.failed_step) {
        (Some(code), Some(step)) => format!(": {code} at {step}"),
        _ => String::new(),
    };
    let text = format!("{}{took}{why}", order.status.as_str());
    screen.paint(Some(tone_of(order.status)), text)
}

/// The tone of a status.
pub const fn tone_of(status: Status) -> Tone {
    match status {
        Status::Completed => Tone::Good,
        Status::Cancelled => Tone::Back,
        Status::Pending | Status::Cancelling => Tone::Bad,
    }
}

/// The tone of an event; what was only said again may be skipped.
pub const fn tone(event: &Event) -> Option<Tone> {
    match event.effect {
        Effect::Repeated => Some(Tone::Faint),
        _ => Tone::of(event.event_type.spec().phase),
    }
}

/// Why a purchase waits, in a few words.
pub fn late(stuck: &Stuck, now: Timestamp) -> String {
    let Stuck { service, since, .. } = stuck;
    let why = match stuck.cause {
        Cause::ServiceDown => format!("{service} does not answer"),
        Cause::DeadLetter => format!("{service} has a dead letter of it"),
        Cause::GatewayUnknown => format!("the gateway does not answer {service}"),
        Cause::RedisDown => format!("Redis does not answer, {service} hears nothing"),
        Cause::Lagging => format!("{service} is {} behind", stuck.behind.unwrap_or(0)),
        Cause::WaitingRepeat => format!("{service} has no news"),
    };
    let waits = seconds(*since, now);
    let next = stuck.next_repeat_at.map_or(String::new(), |next| {
        format!(", next repeat in {}", seconds(now, next))
    });
    format!("{why}; waits for {waits}{next}")
}

/// From one moment to another, in milliseconds with a digit more.
pub fn millis(from: Timestamp, to: Timestamp) -> String {
    let micros = to.since(from).as_micros();
    format!("{}.{} ms", micros / 1000, micros % 1000 / 100)
}

/// From one moment to another, in seconds with a digit more; nothing where that is over.
pub fn seconds(from: Timestamp, to: Timestamp) -> String {
    let millis = to.since(from).as_millis();
    format!("{}.{} s", millis / 1000, millis % 1000 / 100)
}
