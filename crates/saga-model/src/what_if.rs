//! What if a safeguard were missing? A verdict, and a shortest way to it.

use serde::Serialize;

use crate::broken::{Broken, Shortcut};
use crate::cells::{Cells, Rigour};
use crate::explore::{Event, Explored, explore};
use crate::recovery::{Meanwhile, Recovery};
use crate::trace::{Step, tell};

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

/// How often order-svc finds no news before the bus is emptied. Every known shortcut shows what it
/// is at one, which is answered in milliseconds.
const REPEATS: u32 = 1;

/// Checks the shipped tables with these shortcuts taken, all at once.
pub fn what_if(without: &[Shortcut]) -> Report {
    let table = Broken::new(without.iter().copied());
    let mut cells = Cells::new(&table, Rigour::Harm);
    let found = explore(&mut cells, Rigour::Harm, REPEATS);
    let states = found.configurations().count();
    if let Some((because, path)) = &found.harm {
        let steps = tell(&mut cells, path, None);
        return Report { states, verdict: Verdict::Unsafe, because: because.clone(), steps };
    }
    if let Some((because, path, losing)) = shortest_way_to_nowhere(&mut cells, &found) {
        let steps = tell(&mut cells, &path, Some(losing));
        return Report { states, verdict: Verdict::Stuck, because, steps };
    }
    Report { states, verdict: Verdict::Safe, because: harmless(without), steps: vec![] }
}

/// Why an order is stuck, the way there, and after how many steps of it the bus is emptied.
fn shortest_way_to_nowhere(
    cells: &mut Cells<'_>,
    found: &Explored,
) -> Option<(String, Vec<Event>, usize)> {
    let mut recovery = Recovery::new(cells, Rigour::Harm, Meanwhile::Calm);
    let mut shortest: Option<(String, Vec<Event>, usize)> = None;
    for (desks, configuration) in &found.places {
        if recovery.ends(*desks) {
            continue;
        }
        let mut path = found.path_to(*configuration);
        let losing = path.len();
        if shortest.as_ref().is_some_and(|(_, known, _)| known.len() <= losing) {
            break;
        }
        let end = recovery.go_nowhere(*desks, &mut path);
        if shortest.as_ref().is_none_or(|(_, known, _)| path.len() < known.len()) {
            shortest = Some((recovery.plight(end), path, losing));
        }
    }
    shortest
}

fn harmless(without: &[Shortcut]) -> String {
    let reasons: Vec<_> =
        without.iter().filter_map(|shortcut| shortcut.harmless_because()).collect();
    if reasons.is_empty() {
        return "In no configuration is there any harm, and from every one, with an empty bus, one \
                repeat ends the order."
            .to_owned();
    }
    reasons.join(" ")
}
