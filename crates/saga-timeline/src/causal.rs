//! The order of cause and effect.
//!
//! Two things are certain, whatever the clocks of the services say: what one service said is in the
//! order of its own journal, and an event was said before anybody took it. Within that, time decides.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use saga_events::Timestamp;

use crate::journal::{Entry, Journal};

/// Things by their numbers, each after its causes; among those that may come next, the earliest.
/// `causes`: for each thing, the things that it comes after. Where they contradict each other (a
/// clock was set back, a log lies) the earliest comes all the same.
pub fn in_order(causes: &[Vec<usize>], times: &[Timestamp]) -> Vec<usize> {
    let mut effects = vec![Vec::new(); causes.len()];
    let mut missing: Vec<usize> = causes.iter().map(Vec::len).collect();
    for (effect, causes) in causes.iter().enumerate() {
        for cause in causes {
            effects[*cause].push(effect);
        }
    }
    let mut done = vec![false; causes.len()];
    let mut order = Vec::with_capacity(causes.len());
    let may_be_next = (0..causes.len()).filter(|at| missing[*at] == 0);
    let mut next: BinaryHeap<_> = may_be_next.map(|at| Reverse((times[at], at))).collect();
    let mut earliest_left = 0;
    while order.len() < causes.len() {
        let at = match next.pop() {
            Some(Reverse((_, at))) => at,
            None => {
                while done[earliest_left] {
                    earliest_left += 1;
                }
                earliest_left
            }
        };
        if std::mem::replace(&mut done[at], true) {
            continue;
        }
        order.push(at);
        for effect in &effects[at] {
            missing[*effect] -= 1;
            if missing[*effect] == 0 {
                next.push(Reverse((times[*effect], *effect)));
            }
        }
    }
    order
}

/// An entry in its place: whose it is, and which earlier one caused it.
#[derive(Debug, Clone, Copy)]
pub struct Placed<'a> {
    /// Whose journal it is in.
    pub journal: &'a Journal,
    /// The entry.
    pub entry: &'a Entry,
    /// The place of its cause in the same list.
    pub because: Option<usize>,
}

/// All entries of these journals, causes before effects.
pub fn merged<'a>(journals: impl Iterator<Item = &'a Journal>) -> Vec<Placed<'a>> {
    let (mut all, mut after): (Vec<(&Journal, &Entry)>, Vec<Vec<usize>>) = (vec![], vec![]);
    for journal in journals {
        for (number, entry) in journal.events.iter().enumerate() {
            // Its own journal's order is certain.
            after.push((number > 0).then(|| all.len() - 1).into_iter().collect());
            all.push((journal, entry));
        }
    }
    let causes: Vec<Option<usize>> = all.iter().map(|(_, entry)| cause(entry, &all)).collect();
    for (effect, cause) in causes.iter().enumerate() {
        after[effect].extend(cause);
    }
    let times: Vec<Timestamp> = all.iter().map(|(_, entry)| entry.time).collect();
    let order = in_order(&after, &times);
    let mut place = vec![0; order.len()];
    for (at, number) in order.iter().enumerate() {
        place[*number] = at;
    }
    let placed = |number: usize| Placed {
        journal: all[number].0,
        entry: all[number].1,
        because: causes[number].map(|cause| place[cause]),
    };
    order.into_iter().map(placed).collect()
}

/// An answer carries the attempt of what it answers; where that one is not there any more, another
/// of the same id will do.
fn cause(effect: &Entry, all: &[(&Journal, &Entry)]) -> Option<usize> {
    let id = effect.causation_id?;
    let sayings = || {
        let numbered = all.iter().enumerate();
        numbered.filter(move |(_, (_, entry))| entry.id == id)
    };
    let mut same = sayings().filter(|(_, (_, entry))| entry.attempt == effect.attempt);
    let found = same.next().or_else(|| sayings().next());
    found.map(|(number, _)| number)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
