//! From every configuration: does the purchase end?
//!
//! The bus loses everything that it carries, then the faults stop: order-svc repeats once, every
//! message is delivered once, in every order, and the gateway answers. Where that leaves the order
//! open, order-svc repeats again.

use std::collections::{HashMap, HashSet, VecDeque};
use std::rc::Rc;

use saga_events::Service;

use crate::cells::{Cells, Rigour};
use crate::explore::{Event, Places, wrong_with};
use crate::world::{Heard, Input, Luck, Row};

/// What else can happen while the order is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Meanwhile {
    /// Nothing.
    Calm,
    /// The deadline may pass, and the buyer cancel, at any moment.
    Cancels,
}

/// How all the ways end on which messages can be delivered.
#[derive(Debug, Clone, Default)]
pub(crate) struct Settled {
    /// The most deliveries on any way.
    pub(crate) deliveries: usize,
    /// What the six databases look like where all is delivered and the order has not ended.
    open: Vec<Places>,
    /// What is wrong on some way.
    wrong: Option<String>,
}

impl Settled {
    /// What keeps this from being an end on every way.
    pub(crate) fn flaw(&self) -> Option<String> {
        let open = || "all is delivered, and the order has not ended".to_owned();
        self.wrong
            .clone()
            .or_else(|| (!self.open.is_empty()).then(open))
    }
}

/// What is left to happen: six desks, the messages under way, and those that may still come though
/// nobody waits for them, late or twice.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Node {
    desks: Places,
    queue: Vec<(Service, u32)>,
    strays: u32,
}

/// What comes of an order that repeats do not end.
pub(crate) enum Plight {
    /// Harm.
    Harm(String),
    /// It hangs for ever.
    Stuck(String),
}

/// One step from a node to another.
struct Way {
    event: Event,
    then: Node,
    /// Whether it is sure to happen if nothing else does: a delivery, or the gateway's answer.
    due: bool,
    wrong: Option<String>,
}

/// No way is this long unless the services answer each other for ever.
const ENDLESS: usize = 100;

/// How many repeats in a row may leave an order open until it counts as stuck.
const PATIENCE: usize = 3;

/// Delivers what is under way, in every order.
pub(crate) struct Recovery<'c, 't> {
    cells: &'c mut Cells<'t>,
    rigour: Rigour,
    meanwhile: Meanwhile,
    known: HashMap<Node, Rc<Settled>>,
}

impl<'c, 't> Recovery<'c, 't> {
    pub(crate) fn new(cells: &'c mut Cells<'t>, rigour: Rigour, meanwhile: Meanwhile) -> Self {
        Self {
            cells,
            rigour,
            meanwhile,
            known: HashMap::new(),
        }
    }

    /// A purchase from its beginning, on a bus that loses nothing.
    pub(crate) fn deliver(&mut self, desks: Places, says: &[u32]) -> Rc<Settled> {
        let node = self.node(desks, says);
        self.settle(node, 0)
    }

    /// One repeat, on an empty bus.
    pub(crate) fn repeat(&mut self, desks: Places) -> Rc<Settled> {
        let node = self.repeated(desks);
        self.settle(node, 0)
    }

    /// One repeat, on a bus that still carries all that was ever said: any of it may come meanwhile,
    /// any number of times.
    pub(crate) fn repeat_among_strays(&mut self, desks: Places, bus: u32) -> Rc<Settled> {
        let mut node = self.repeated(desks);
        node.strays = bus;
        self.settle(node, 0)
    }

    /// Whether every order that looks like this ends, if order-svc repeats often enough.
    pub(crate) fn ends(&mut self, desks: Places) -> bool {
        self.ends_within(desks, PATIENCE)
    }

    /// Adds a shortest way on which repeats do not end an order, up to the repeat that changes
    /// nothing any more, and says what comes of it.
    pub(crate) fn go_nowhere(&mut self, from: Places, path: &mut Vec<Event>) -> Plight {
        let mut at = from;
        for patience in (0..PATIENCE).rev() {
            let (then, wrong) = self.repeat_and_go_nowhere(at, patience, path);
            if let Some(wrong) = wrong {
                return Plight::Harm(wrong);
            }
            if self.states(&then) == self.states(&at) {
                break;
            }
            at = then;
        }
        Plight::Stuck(self.what_hangs(&at))
    }

    fn what_hangs(&self, desks: &Places) -> String {
        let desk = self.cells.desk(desks[Service::Order as usize]);
        let state = desk.state();
        match &desk.row {
            Some(Row::Order(order)) if order.status.is_final() => {
                format!("{state}, but the buyer is never told")
            }
            _ => format!("{state} for ever: a message was lost, and no repeat makes it good"),
        }
    }

    fn states(&self, desks: &Places) -> [&'static str; 6] {
        desks.map(|desk| self.cells.desk(desk).state())
    }

    fn ends_within(&mut self, desks: Places, patience: usize) -> bool {
        if self.is_closed(&desks) {
            return true;
        }
        if patience == 0 {
            return false;
        }
        let settled = self.repeat(desks);
        settled.wrong.is_none()
            && settled
                .open
                .iter()
                .all(|open| self.ends_within(*open, patience - 1))
    }

    fn settle(&mut self, node: Node, depth: usize) -> Rc<Settled> {
        if let Some(settled) = self.known.get(&node) {
            return Rc::clone(settled);
        }
        let endless =
            || (depth > ENDLESS).then(|| "the services answer each other for ever".to_owned());
        let wrong = wrong_with(self.cells, &node.desks, self.rigour).or_else(endless);
        let mut settled = Settled {
            wrong,
            ..Settled::default()
        };
        if settled.wrong.is_none() {
            let ways = self.ways(&node);
            if self.is_open_and_quiet(&node, &ways) {
                settled.open.push(node.desks);
            }
            for way in ways {
                let then = match way.wrong {
                    None => self.settle(way.then, depth + 1),
                    wrong => Rc::new(Settled {
                        wrong,
                        ..Settled::default()
                    }),
                };
                let deliveries = then.deliveries + usize::from(self.is_delivery(&way.event));
                settled.deliveries = settled.deliveries.max(deliveries);
                settled.open.extend(&then.open);
                settled.wrong = settled.wrong.or_else(|| then.wrong.clone());
            }
            settled.open.sort_unstable();
            settled.open.dedup();
        }
        let settled = Rc::new(settled);
        self.known.insert(node, Rc::clone(&settled));
        settled
    }

    /// One repeat and a shortest way from it to harm, or to an order that `patience` more do not end.
    fn repeat_and_go_nowhere(
        &mut self,
        from: Places,
        patience: usize,
        path: &mut Vec<Event>,
    ) -> (Places, Option<String>) {
        path.push(self.no_news());
        let first = self.repeated(from);
        let mut seen = HashSet::from([first.clone()]);
        let mut waiting = VecDeque::from([(first, vec![], None)]);
        while let Some((node, steps, wrong)) = waiting.pop_front() {
            let wrong: Option<String> = wrong;
            let wrong = wrong.or_else(|| wrong_with(self.cells, &node.desks, self.rigour));
            let ways = if wrong.is_some() {
                vec![]
            } else {
                self.ways(&node)
            };
            let open =
                self.is_open_and_quiet(&node, &ways) && !self.ends_within(node.desks, patience);
            if wrong.is_some() || open {
                path.extend(steps);
                return (node.desks, wrong);
            }
            for way in ways {
                if seen.insert(way.then.clone()) {
                    let steps = steps.iter().copied().chain([way.event]).collect();
                    waiting.push_back((way.then, steps, way.wrong));
                }
            }
        }
        (from, None)
    }

    fn is_open_and_quiet(&self, node: &Node, ways: &[Way]) -> bool {
        ways.iter().all(|way| !way.due) && !self.is_closed(&node.desks)
    }

    fn is_closed(&self, desks: &Places) -> bool {
        match &self.cells.desk(desks[Service::Order as usize]).row {
            Some(Row::Order(order)) => order.status.is_final() && order.told,
            _ => false,
        }
    }

    fn is_delivery(&self, event: &Event) -> bool {
        matches!(self.cells.input(event.input), Input::Message(_))
    }

    fn no_news(&mut self) -> Event {
        let input = self.cells.number_of_input(Input::NoNews);
        Event {
            service: Service::Order,
            input,
            luck: Luck::Plenty,
        }
    }

    fn node(&mut self, desks: Places, says: &[u32]) -> Node {
        let strays = self.cells.silence();
        Node {
            desks,
            queue: self.queue_with(&[], says),
            strays,
        }
    }

    fn repeated(&mut self, mut desks: Places) -> Node {
        let Event { service, input, .. } = self.no_news();
        let at = service as usize;
        match self.cells.moves(desks[at], input).ways.first() {
            None => self.node(desks, &[]),
            Some(only) => {
                desks[at] = only.desk;
                self.node(desks, &only.says)
            }
        }
    }

    fn queue_with(&self, queue: &[(Service, u32)], says: &[u32]) -> Vec<(Service, u32)> {
        let mut queue = queue.to_vec();
        for message in says {
            queue.extend(
                self.cells
                    .hearers(*message)
                    .into_iter()
                    .map(|who| (who, *message)),
            );
        }
        queue.sort_unstable();
        queue
    }

    fn ways(&mut self, node: &Node) -> Vec<Way> {
        let mut ways = vec![];
        for at in 0..node.queue.len() {
            if at > 0 && node.queue[at] == node.queue[at - 1] {
                continue;
            }
            let mut rest = node.clone();
            let (service, input) = rest.queue.remove(at);
            self.go(&mut ways, &rest, service, input, true);
            if self
                .cells
                .moves(node.desks[service as usize], input)
                .maybe_nothing
            {
                let event = Event {
                    service,
                    input,
                    luck: Luck::Plenty,
                };
                ways.push(Way {
                    event,
                    then: rest,
                    due: true,
                    wrong: None,
                });
            }
        }
        for (service, desk) in Service::ALL.into_iter().zip(node.desks) {
            for input in self.cells.happenings(desk).iter() {
                let due = match self.cells.input(*input) {
                    Input::Gateway(Heard::Answer(_)) => true,
                    Input::Cancel(_) if self.meanwhile == Meanwhile::Cancels => false,
                    Input::Cancel(_)
                    | Input::Gateway(Heard::TimeOut { .. })
                    | Input::NoNews
                    | Input::HoldIsOld
                    | Input::Message(_) => continue,
                };
                self.go(&mut ways, node, service, *input, due);
            }
        }
        for (service, input) in self.cells.mail(node.strays).iter() {
            self.go(&mut ways, node, *service, *input, false);
        }
        ways
    }

    /// All that can come of an input, but for a crash: the faults have stopped.
    fn go(&mut self, ways: &mut Vec<Way>, node: &Node, service: Service, input: u32, due: bool) {
        let at = service as usize;
        let moves = self.cells.moves(node.desks[at], input);
        for to in &moves.ways {
            if to.luck == Luck::Crash {
                continue;
            }
            let mut then = node.clone();
            then.desks[at] = to.desk;
            then.queue = self.queue_with(&node.queue, &to.says);
            let event = Event {
                service,
                input,
                luck: to.luck,
            };
            ways.push(Way {
                event,
                then,
                due,
                wrong: to.wrong.clone(),
            });
        }
    }
}
