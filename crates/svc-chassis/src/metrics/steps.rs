//! What the consumer counts about its steps, and what left the line.

use std::fmt;
use std::time::Duration;

use saga_events::{EventType, Service};

use super::{Counter, Histogram, Measures, Page};
use crate::dead_letters::Reason;
use crate::service::Outcome;

/// The label `outcome`, in the order of the counters.
const OUTCOMES: [&str; 4] = ["changed", "repeated", "duplicate", "impossible"];

/// The figures of a service's steps. Counted after the commit, so a batch that runs twice counts
/// once.
#[derive(Debug)]
pub(crate) struct Steps {
    /// One for each event type, in the order of the contract; `None`: not consumed here.
    by_type: Vec<Option<StepsOf>>,
    dead: [Counter; Reason::ALL.len()],
    retries: Counter,
    pub(super) alarms: Counter,
}

#[derive(Debug)]
struct StepsOf {
    outcomes: [Counter; OUTCOMES.len()],
    seconds: Histogram,
}

impl Steps {
    pub fn new(service: Service) -> Self {
        let of = |event_type: &EventType| {
            let is_consumed = event_type.spec().consumers.contains(&service);
            is_consumed.then(|| StepsOf {
                outcomes: Default::default(),
                seconds: Histogram::of_seconds(),
            })
        };
        Self {
            by_type: EventType::ALL.iter().map(of).collect(),
            dead: Default::default(),
            retries: Counter::default(),
            alarms: Counter::default(),
        }
    }

    /// A step is on disk, so long after its input was said.
    pub fn applied(&self, event_type: EventType, outcome: &Outcome, took: Duration) {
        let Some(Some(of)) = self.by_type.get(event_type as usize) else {
            return;
        };
        let outcome = match outcome {
            Outcome::Changed(_) => 0,
            Outcome::Repeated => 1,
            Outcome::Duplicate => 2,
            Outcome::Impossible(_) => 3,
        };
        of.outcomes[outcome].add(1);
        of.seconds.took(took);
    }

    /// An event is a dead letter, and that is on disk.
    pub fn died(&self, reason: Reason, event_type: Option<EventType>) {
        self.dead[reason as usize].add(1);
        if reason == Reason::Impossible {
            self.alarms.add(1);
            let of =
                event_type.and_then(|event_type| self.by_type.get(event_type as usize)?.as_ref());
            if let Some(of) = of {
                of.outcomes[3].add(1);
            }
        }
    }

    /// A step has failed and will be tried again.
    pub fn failed(&self) {
        self.retries.add(1);
    }

    fn consumed(&self) -> impl Iterator<Item = (EventType, &StepsOf)> {
        let all = EventType::ALL.iter().zip(&self.by_type);
        all.filter_map(|(event_type, of)| Some((*event_type, of.as_ref()?)))
    }
}

impl Measures for Steps {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let outcomes = self.consumed().flat_map(|(event_type, of)| {
            let labels = move |outcome| [("type", event_type.as_str()), ("outcome", outcome)];
            let counts = OUTCOMES.into_iter().zip(&of.outcomes);
            counts.map(move |(outcome, count)| (labels(outcome), count.get()))
        });
        let help = "Events that were applied, by what they did";
        page.counters("saga_steps_total", help, outcomes)?;
        let seconds = self.consumed();
        let seconds =
            seconds.map(|(event_type, of)| ([("type", event_type.as_str())], &of.seconds));
        let help = "From when an event was said until what it did is on disk: relay, Redis, queue and commit";
        page.histograms("saga_step_seconds", help, seconds)?;
        let help = "Times that a step failed and was put back to be tried again";
        page.counter("saga_step_retries_total", help, self.retries.get())?;
        let help =
            "Impossible cells met: something is broken that the protocol excludes. Must be 0";
        page.counter("saga_alarm_cells_total", help, self.alarms.get())?;
        let dead = Reason::ALL.iter().zip(&self.dead);
        let dead = dead.map(|(reason, count)| ([("reason", reason.as_str())], count.get()));
        let help = "Events that left the line as dead letters";
        page.counters("saga_dead_letters_total", help, dead)
    }
}
