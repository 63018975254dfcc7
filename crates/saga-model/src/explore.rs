//! Every configuration that can be reached, the nearest first: so the first harm that is found is
//! a shortest way to harm.

use std::collections::HashSet;

use order_svc::saga::begin;
use saga_events::Service;

use crate::cells::{Cells, Rigour};
use crate::intern::Interner;
use crate::invariants::harm;
use crate::laws::law;
use crate::world::{Desk, Input, Luck, Row, purchase};

/// Six desks, by their numbers.
pub(crate) type Places = [u32; 6];

/// A configuration: the six desks and the set of messages that were ever said. A message of the
/// set may be delivered at any time, any number of times, in any order, or never: that is
/// duplication, reordering and loss in one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Configuration {
    desks: Places,
    bus: u32,
}

/// One step of a path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Event {
    pub(crate) service: Service,
    pub(crate) input: u32,
    pub(crate) luck: Luck,
}

/// What was found.
pub(crate) struct Explored {
    /// How many ways lead from one of them to another.
    pub(crate) transitions: usize,
    /// What six databases can look like together, each with the shortest way there, the nearest
    /// first.
    pub(crate) places: Vec<(Places, usize)>,
    /// The first thing that is wrong, and a shortest way to it.
    pub(crate) wrong: Option<(String, Vec<Event>)>,
    /// Every way, by the numbers of the configurations that it leads from and to.
    pub(crate) ways: Vec<(u32, u32)>,
    seen: Interner<Configuration>,
    /// How each configuration was reached first.
    from: Vec<(usize, Event)>,
}

impl Explored {
    /// Every configuration, the nearest first.
    pub(crate) fn configurations(&self) -> impl Iterator<Item = (Places, u32)> {
        self.seen.things().iter().map(|seen| (seen.desks, seen.bus))
    }

    /// The way from the beginning to this configuration.
    pub(crate) fn path_to(&self, mut configuration: usize) -> Vec<Event> {
        let mut path = vec![];
        while configuration > 0 {
            let (before, event) = self.from[configuration - 1];
            path.push(event);
            configuration = before;
        }
        path.reverse();
        path
    }
}

/// The six desks when a purchase has begun, and the first message.
pub(crate) fn beginning(cells: &mut Cells<'_>) -> (Places, u32) {
    let (order, created) = begin(purchase());
    let desks = Service::ALL.map(|service| {
        let row = (service == Service::Order).then(|| Row::Order(order.clone()));
        cells.number_of_desk(
            service,
            Desk {
                row,
                ..Desk::default()
            },
        )
    });
    (desks, cells.number_of_input(Input::Message(created)))
}

/// The harm, or under full rigour the broken law, that six desks show.
pub(crate) fn wrong_with(cells: &Cells<'_>, places: &Places, rigour: Rigour) -> Option<String> {
    let desks = places.map(|number| cells.desk(number));
    let law = || {
        if rigour == Rigour::Laws {
            law(&desks)
        } else {
            None
        }
    };
    harm(&desks).or_else(law)
}

/// Explores until harm is found, or everything was seen. `repeats`: how often order-svc may find
/// that there is no news; it bounds the attempts, and so makes the world finite.
pub(crate) fn explore(cells: &mut Cells<'_>, rigour: Rigour, repeats: u32) -> Explored {
    let (desks, created) = beginning(cells);
    let silence = cells.silence();
    let bus = cells.bus_with(silence, &[created]);
    let mut known: HashSet<Places> = HashSet::from([desks]);
    let mut found = Explored {
        transitions: 0,
        places: vec![(desks, 0)],
        wrong: None,
        ways: vec![],
        seen: Interner::new(),
        from: vec![],
    };
    found.seen.number(Configuration { desks, bus });
    let mut next = 0;
    while next < found.seen.len() {
        let Configuration { desks, bus } =
            *found.seen.thing(u32::try_from(next).unwrap_or(u32::MAX));
        for (service, input) in inputs(cells, &desks, bus, repeats) {
            for way in &cells.moves(desks[service as usize], input).ways {
                found.transitions += 1;
                let event = Event {
                    service,
                    input,
                    luck: way.luck,
                };
                let mut desks = desks;
                desks[service as usize] = way.desk;
                let bus = cells.bus_with(bus, &way.says);
                let fresh = found.seen.len();
                let number = found.seen.number(Configuration { desks, bus }) as usize;
                found.ways.push((
                    u32::try_from(next).unwrap_or(u32::MAX),
                    u32::try_from(number).unwrap_or(u32::MAX),
                ));
                if number == fresh {
                    found.from.push((next, event));
                }
                let wrong = way.wrong.clone().or_else(|| {
                    let new = known.insert(desks);
                    if new {
                        found.places.push((desks, number));
                    }
                    new.then(|| wrong_with(cells, &desks, rigour)).flatten()
                });
                if let Some(wrong) = wrong {
                    let mut path = found.path_to(next);
                    path.push(event);
                    found.wrong = Some((wrong, path));
                    return found;
                }
            }
        }
        next += 1;
    }
    found
}

fn inputs(cells: &mut Cells<'_>, desks: &Places, bus: u32, repeats: u32) -> Vec<(Service, u32)> {
    let mut inputs = vec![];
    for (service, desk) in Service::ALL.into_iter().zip(desks) {
        for input in cells.happenings(*desk).iter() {
            let over =
                *cells.input(*input) == Input::NoNews && attempt(cells.desk(*desk)) >= repeats;
            if !over {
                inputs.push((service, *input));
            }
        }
    }
    inputs.extend(cells.mail(bus).iter());
    inputs
}

fn attempt(desk: &Desk) -> u32 {
    match &desk.row {
        Some(Row::Order(order)) => order.attempt,
        _ => 0,
    }
}
