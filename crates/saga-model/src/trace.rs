//! Paths, as people read them.

use std::collections::HashSet;
use std::fmt;

use payment_svc::saga::Answer;
use saga_events::{EventType, Message, ReasonCode, Service};
use serde::Serialize;

use crate::cells::Cells;
use crate::explore::{Event, beginning};
use crate::world::{Heard, Input};

/// One step of a trace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Step {
    /// Whose step it is.
    pub by: Service,
    /// What it was given.
    pub input: String,
    /// Its state before, `–` where it had no row.
    pub from: &'static str,
    /// Its state after.
    pub to: &'static str,
    /// What it says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub output: Vec<EventType>,
    /// What the bus did to the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fate: Option<Fate>,
}

/// What a bus does to a message, other than to deliver it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Fate {
    /// It is never delivered.
    Lost,
    /// It was delivered to this service before.
    Duplicate,
    /// Something that was said after it was delivered before it.
    Late,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            by,
            input,
            from,
            to,
            output,
            fate,
        } = self;
        write!(f, "{by:<13} {input}")?;
        match fate {
            Some(Fate::Lost) => return write!(f, " is lost"),
            Some(Fate::Duplicate) => write!(f, " (again)")?,
            Some(Fate::Late) => write!(f, " (late)")?,
            None => {}
        }
        write!(f, ": {from} → {to}")?;
        for (at, said) in output.iter().enumerate() {
            write!(f, "{} {said}", if at == 0 { ", says" } else { " and" })?;
        }
        Ok(())
    }
}

/// Lists the steps, a numbered line each.
pub(crate) fn list(steps: &[Step], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    (1..)
        .zip(steps)
        .try_for_each(|(at, step): (usize, _)| writeln!(f, "{at:>3} {step}"))
}

/// Tells a path from the beginning on. After the first `losing` steps (if given) the bus loses
/// everything that was not delivered by then.
pub(crate) fn tell(cells: &mut Cells<'_>, path: &[Event], losing: Option<usize>) -> Vec<Step> {
    let (mut desks, created) = beginning(cells);
    let mut steps = vec![];
    // In the order in which they were said; the last one that anybody has heard.
    let mut said = vec![created];
    let mut latest = None;
    let mut heard: HashSet<(Service, u32)> = HashSet::new();
    for (at, event) in path.iter().map(Some).chain([None]).enumerate() {
        if losing == Some(at) {
            lose(cells, &desks, &said, &heard, &mut steps);
        }
        let Some(event) = event else { break };
        let Event {
            service,
            input,
            luck,
        } = *event;
        let desk = desks[service as usize];
        let from = cells.desk(desk).state();
        let Some((says, after)) = cells.replay(desk, input, luck) else {
            let (by, input) = (service, name_of(cells.input(input)));
            steps.push(Step {
                by,
                input,
                from,
                to: from,
                output: vec![],
                fate: None,
            });
            continue;
        };
        let place = said.iter().position(|known| *known == input);
        let fate = if !heard.insert((service, input)) && place.is_some() {
            Some(Fate::Duplicate)
        } else if place.is_some() && place < latest {
            Some(Fate::Late)
        } else {
            None
        };
        latest = latest.max(place);
        steps.push(Step {
            by: service,
            input: name_of(cells.input(input)),
            from,
            to: after.state(),
            output: says.iter().map(|message| message.event_type).collect(),
            fate,
        });
        desks[service as usize] = cells.number_of_desk(service, after);
        for message in says {
            let number = cells.number_of_input(Input::Message(message));
            if !said.contains(&number) {
                said.push(number);
            }
        }
    }
    steps
}

fn lose(
    cells: &Cells<'_>,
    desks: &[u32; 6],
    said: &[u32],
    heard: &HashSet<(Service, u32)>,
    steps: &mut Vec<Step>,
) {
    for message in said {
        for by in cells.hearers(*message) {
            if !heard.contains(&(by, *message)) {
                let from = cells.desk(desks[by as usize]).state();
                let (input, fate) = (name_of(cells.input(*message)), Some(Fate::Lost));
                steps.push(Step {
                    by,
                    input,
                    from,
                    to: from,
                    output: vec![],
                    fate,
                });
            }
        }
    }
}

fn name_of(input: &Input) -> String {
    match input {
        Input::Message(Message {
            event_type,
            attempt: 0,
            ..
        }) => event_type.to_string(),
        Input::Message(Message {
            event_type,
            attempt,
            ..
        }) => {
            format!("{event_type} (repeat {attempt})")
        }
        Input::Cancel(ReasonCode::DeadlineExceeded) => "the deadline passes".to_owned(),
        Input::Cancel(_) => "the buyer cancels".to_owned(),
        Input::NoNews => "no news".to_owned(),
        Input::Gateway(Heard::Answer(Answer::Approved)) => "the gateway approves".to_owned(),
        Input::Gateway(Heard::Answer(Answer::Declined)) => "the gateway declines".to_owned(),
        Input::Gateway(Heard::TimeOut { charged: true }) => {
            "no answer from the gateway, which has charged".to_owned()
        }
        Input::Gateway(Heard::TimeOut { charged: false }) => {
            "no answer from the gateway, which has not charged".to_owned()
        }
        Input::HoldIsOld => "the hold is old".to_owned(),
    }
}
