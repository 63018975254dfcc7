//! What if a safeguard were missing? A verdict, and a shortest way to it.

use std::fmt;

use serde::Serialize;

use crate::broken::{Broken, Shortcut};
use crate::cells::{Cells, Rigour};
use crate::explore::{Event, Explored, explore};
use crate::recovery::{Meanwhile, Plight, Recovery};
use crate::trace::{self, Step};

/// What a what-if says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    /// How many configurations were looked at.
    pub states: usize,
    /// What came of it.
    pub verdict: Verdict,
    /// Why, in a sentence or two.
    pub because: String,
    /// A shortest way there; none where it is safe.
    pub steps: Vec<Step>,
}

/// What comes of six tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum Verdict {
    /// No harm can come, and every purchase ends.
    Safe,
    /// Harm can come.
    Unsafe,
    /// No harm can come, but a purchase can hang for ever.
    Stuck,
}

impl Verdict {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Safe => "safe",
            Self::Unsafe => "unsafe",
            Self::Stuck => "stuck",
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            states,
            verdict,
            because,
            steps,
        } = self;
        write!(f, "{}", verdict.as_str())?;
        if !steps.is_empty() {
            write!(f, " in {} steps", steps.len())?;
        }
        writeln!(f, ", {states} states: {because}")?;
        trace::list(steps, f)
    }
}

/// How often order-svc finds no news before the bus is emptied. Every known shortcut shows what it
/// is at one, which is answered in milliseconds.
const REPEATS: u32 = 1;

/// Checks the shipped tables with these shortcuts taken, all at once.
pub fn what_if(without: &[Shortcut]) -> Report {
    let table = Broken::new(without.iter().copied());
    let mut cells = Cells::new(&table, Rigour::Harm);
    let found = explore(&mut cells, Rigour::Harm, REPEATS);
    let states = found.configurations().count();
    if let Some((because, path)) = &found.wrong {
        let steps = trace::tell(&mut cells, path, None);
        return Report {
            states,
            verdict: Verdict::Unsafe,
            because: because.clone(),
            steps,
        };
    }
    if let Some(nowhere) = shortest_way_to_nowhere(&mut cells, &found) {
        let (verdict, because) = match nowhere.plight {
            Plight::Harm(because) => (Verdict::Unsafe, because),
            Plight::Stuck(because) => (Verdict::Stuck, because),
        };
        let steps = trace::tell(&mut cells, &nowhere.path, Some(nowhere.losing));
        return Report {
            states,
            verdict,
            because,
            steps,
        };
    }
    Report {
        states,
        verdict: Verdict::Safe,
        because: harmless(without),
        steps: vec![],
    }
}

struct Nowhere {
    plight: Plight,
    path: Vec<Event>,
    /// After how many steps of the path the bus is emptied.
    losing: usize,
}

fn shortest_way_to_nowhere(cells: &mut Cells<'_>, found: &Explored) -> Option<Nowhere> {
    let mut recovery = Recovery::new(cells, Rigour::Harm, Meanwhile::Calm);
    let mut shortest: Option<Nowhere> = None;
    for (desks, configuration) in &found.places {
        if recovery.ends(*desks) {
            continue;
        }
        let mut path = found.path_to(*configuration);
        let losing = path.len();
        if shortest
            .as_ref()
            .is_some_and(|known| known.path.len() <= losing)
        {
            break;
        }
        let plight = recovery.go_nowhere(*desks, &mut path);
        if shortest
            .as_ref()
            .is_none_or(|known| path.len() < known.path.len())
        {
            shortest = Some(Nowhere {
                plight,
                path,
                losing,
            });
        }
    }
    shortest
}

fn harmless(without: &[Shortcut]) -> String {
    let mut because =
        "No configuration shows harm, and from each, with an empty bus, a repeat ends \
                       the order."
            .to_owned();
    for reason in without
        .iter()
        .filter_map(|shortcut| shortcut.harmless_because())
    {
        because.push(' ');
        because.push_str(reason);
    }
    because
}
