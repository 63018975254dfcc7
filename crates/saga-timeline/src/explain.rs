//! The timeline in one paragraph of plain words. What is said is decided here, from codes and
//! causation; how it is said is a table a language, and every table has an answer to everything.

mod english;
mod korean;

use std::time::Duration;

use saga_events::{EventType, Phase, ReasonCode, Service, Timestamp};

use crate::cells::{Cell, CellState, Way};
use crate::stuck::Stuck;
use crate::timeline::{Effect, Event, Timeline};

/// A language that timelines are explained in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// `en`
    English,
    /// `ko`
    Korean,
}

impl Language {
    /// Every one, the first where nothing else is asked for.
    pub const ALL: [Self; 2] = [Self::English, Self::Korean];

    /// The tag in `Accept-Language` and `Content-Language`.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Korean => "ko",
        }
    }

    fn say(self, sentence: &Sentence) -> String {
        match self {
            Self::English => english::say(sentence),
            Self::Korean => korean::say(sentence),
        }
    }
}

/// Something to say about a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Sentence {
    /// It has ended, all is captured.
    Completed { after: Option<Duration> },
    /// It has ended, all is given back.
    Cancelled {
        because: Option<(ReasonCode, Service)>,
        given_back: Vec<Service>,
        after: Option<Duration>,
    },
    /// It has not ended.
    Open { held: Vec<Service> },
    /// The gateway has not decided yet.
    Asking,
    /// The buyer has paid; the rest is certain.
    Paid,
    /// Cancelling was asked for; the pivot decides.
    Cancelling,
    /// A step refused, so what was done is being undone.
    TurnedBack { by: Service },
    /// The buyer knows.
    Notified,
    /// So often something was said again.
    Repeated { times: usize },
    /// Something is late, and why.
    Late(Stuck),
    /// order-svc says again what it has said.
    RepeatsIn(Duration),
    /// These did not answer.
    Missing(Vec<Service>),
    /// The path is not as the protocol allows.
    Wrong { problems: usize },
}

/// One paragraph about a purchase, as of `now`.
pub fn explain(timeline: &Timeline, language: Language, now: Timestamp) -> String {
    let sentences = sentences(timeline, now);
    let said: Vec<String> = sentences
        .iter()
        .map(|sentence| language.say(sentence))
        .collect();
    said.join(" ")
}

fn sentences(timeline: &Timeline, now: Timestamp) -> Vec<Sentence> {
    let mut sentences = vec![ended(timeline).unwrap_or_else(|| {
        Sentence::Open {
            held: in_state(timeline, Way::There, CellState::Held)
                .filter(|service| !is_given_back(timeline, *service))
                .collect(),
        }
    })];
    let is_open = matches!(sentences[0], Sentence::Open { .. });
    if is_open {
        sentences.extend(turn(timeline));
    }
    if in_state(timeline, Way::Back, CellState::Notified)
        .next()
        .is_some()
    {
        sentences.push(Sentence::Notified);
    }
    let times = repeats(timeline);
    if times > 0 {
        sentences.push(Sentence::Repeated { times });
    }
    sentences.extend(timeline.stuck.iter().cloned().map(Sentence::Late));
    let next = timeline
        .stuck
        .iter()
        .filter_map(|stuck| stuck.next_repeat_at)
        .min();
    sentences.extend(next.map(|next| Sentence::RepeatsIn(next.since(now))));
    if !timeline.missing.is_empty() {
        sentences.push(Sentence::Missing(timeline.missing.clone()));
    }
    let problems = timeline.conformance.problems.len();
    if problems > 0 {
        sentences.push(Sentence::Wrong { problems });
    }
    sentences
}

/// How it ended; none while it is open.
fn ended(timeline: &Timeline) -> Option<Sentence> {
    let mut cells = timeline.cells.iter();
    let order = cells.rfind(|cell| cell.service == Service::Order)?;
    let last = timeline
        .events
        .iter()
        .find(|event| event.event_type.spec().phase == Phase::Final);
    let began = timeline
        .events
        .iter()
        .find(|event| event.event_type == EventType::OrderCreated);
    let after = last
        .zip(began)
        .map(|(last, began)| last.time.since(began.time));
    match order.state {
        CellState::Completed => Some(Sentence::Completed { after }),
        CellState::Cancelled => Some(Sentence::Cancelled {
            because: last.and_then(reason),
            given_back: in_state(timeline, Way::Back, CellState::GivenBack).collect(),
            after,
        }),
        _ => None,
    }
}

/// Where an open purchase has turned round, or is about to.
fn turn(timeline: &Timeline) -> Vec<Sentence> {
    let mut turn = Vec::new();
    let is_requested = |event: &Event| event.effect == Effect::Requested;
    if timeline.events.iter().any(is_requested) {
        turn.push(Sentence::Cancelling);
    }
    let refused = |cell: &&Cell| {
        cell.way == Way::There && matches!(cell.state, CellState::Refused | CellState::Tombstone)
    };
    if let Some(cell) = timeline.cells.iter().find(refused) {
        turn.push(Sentence::TurnedBack { by: cell.service });
    }
    if in_state(timeline, Way::There, CellState::Asking)
        .next()
        .is_some()
    {
        turn.push(Sentence::Asking);
    }
    let paid = |cell: &Cell| cell.service == Service::Payment && cell.state == CellState::Captured;
    if timeline.cells.iter().any(paid) {
        turn.push(Sentence::Paid);
    }
    turn
}

fn in_state(timeline: &Timeline, way: Way, state: CellState) -> impl Iterator<Item = Service> {
    let cells = timeline.cells.iter();
    cells
        .filter(move |cell| cell.way == way && cell.state == state)
        .map(|cell| cell.service)
}

fn is_given_back(timeline: &Timeline, service: Service) -> bool {
    in_state(timeline, Way::Back, CellState::GivenBack).any(|other| other == service)
}

fn repeats(timeline: &Timeline) -> usize {
    let repeated = |event: &&Event| event.effect == Effect::Repeated;
    timeline.events.iter().filter(repeated).count()
}

fn reason(last: &Event) -> Option<(ReasonCode, Service)> {
    let text = |field: &str| last.data.get(field)?.as_str();
    let code = text("reasonCode")?.parse().ok()?;
    Some((code, text("failedStep")?.parse().ok()?))
}

/// A duration with as many digits as a reader wants: `4 ms`, `1.2 s`, `12 s`.
fn took(duration: Duration) -> String {
    match duration.as_millis() {
        millis @ 0..1_000 => format!("{millis} ms"),
        1_000..10_000 => format!("{:.1} s", duration.as_secs_f64()),
        _ => format!("{} s", duration.as_secs()),
    }
}

/// `12:02:55` of a time, in UTC.
fn clock(time: Timestamp) -> String {
    time.to_string().get(11..19).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests;
