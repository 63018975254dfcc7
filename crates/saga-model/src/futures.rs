//! What may come: for every configuration, where each service stands, and every state that it may be
//! found in at that moment or at any later one. A live audit reads one service now and another one
//! later, so its laws are sound if they hold for all of these.

use std::collections::{BTreeMap, BTreeSet};

use saga_events::Service;

use crate::proof::{Flaw, explored};
use crate::table::Table;

/// States by name, `–` where there is no row.
pub type States = BTreeSet<&'static str>;

/// Where the services stand at a moment, and where they may be found from then on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Future {
    /// Each service's state.
    pub now: BTreeMap<Service, &'static str>,
    /// Each service's state then, and all that it may come to.
    pub later: BTreeMap<Service, States>,
}

/// All futures of a purchase. `repeats` as in [`prove`](crate::prove).
///
/// # Errors
/// A [`Flaw`] of the tables.
pub fn futures(table: &dyn Table, repeats: u32) -> Result<Vec<Future>, Flaw> {
    let (cells, found) = explored(table, repeats)?;
    let mut names: Vec<(Service, &'static str)> = Vec::new();
    // A bit for each state of each service: there are fewer than 32.
    let mut bit_of = |state: (Service, &'static str)| -> u32 {
        let known = names.iter().position(|name| *name == state);
        1 << known.unwrap_or_else(|| {
            names.push(state);
            names.len() - 1
        })
    };
    let now: Vec<u32> = found
        .configurations()
        .map(|(desks, _)| {
            let states = Service::ALL.into_iter().zip(desks);
            states.fold(0, |bits, (service, desk)| {
                bits | bit_of((service, cells.desk(desk).state()))
            })
        })
        .collect();
    let mut later = now.clone();
    // From the end to the beginning, until nothing is added any more.
    let mut changed = true;
    while changed {
        changed = false;
        for (from, to) in found.ways.iter().rev() {
            let (from, to) = (*from as usize, *to as usize);
            let all = later[from] | later[to];
            changed |= all != later[from];
            later[from] = all;
        }
    }
    let different: BTreeSet<(u32, u32)> = now.into_iter().zip(later).collect();
    let states = |bits: u32| {
        let set = names
            .iter()
            .enumerate()
            .filter(move |(at, _)| bits >> at & 1 == 1);
        set.map(|(_, name)| *name)
    };
    let future = |(now, later): (u32, u32)| {
        let mut of = Future {
            now: states(now).collect(),
            later: BTreeMap::new(),
        };
        for (service, state) in states(later) {
            of.later.entry(service).or_default().insert(state);
        }
        of
    };
    Ok(different.into_iter().map(future).collect())
}
