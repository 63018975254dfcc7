//! The state tables, tabulated: each cell is computed once, the first time that it is reached.

use std::rc::Rc;

use saga_events::{EventType, Message, Service};

use crate::intern::{Bits, Interner};
use crate::invariants::finality;
use crate::laws::{duplicate_law, step_law};
use crate::table::{Done, Table};
use crate::world::{Desk, Gateway, Input, Luck, gateway_after, happenings, lucks};

/// How much is asked of the tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rigour {
    /// No harm.
    Harm,
    /// No harm, and every law.
    Laws,
}

/// One thing that can come of an input.
#[derive(Debug, Clone)]
pub(crate) struct Move {
    pub(crate) luck: Luck,
    /// The number of the desk afterwards.
    pub(crate) desk: u32,
    /// The numbers of the messages that are said and that somebody hears.
    pub(crate) says: Rc<[u32]>,
    /// What is wrong with it.
    pub(crate) wrong: Option<String>,
}

/// All that can come of an input.
#[derive(Debug, Default)]
pub(crate) struct Moves {
    /// What changes something.
    pub(crate) ways: Vec<Move>,
    /// Whether it may be, without a crash, that nothing happens.
    pub(crate) maybe_nothing: bool,
}

/// Who can be given which message.
pub(crate) type Mail = Rc<[(Service, u32)]>;

/// The cells that were reached, and the numbers of all that occurred in them.
pub(crate) struct Cells<'t> {
    table: &'t dyn Table,
    rigour: Rigour,
    desks: Interner<(Service, Desk)>,
    inputs: Interner<Input>,
    buses: Interner<Bits>,
    /// By bus: what can be delivered, to whom.
    mail: Vec<Option<Mail>>,
    /// By desk: what can happen there without a message.
    happenings: Vec<Option<Rc<[u32]>>>,
    /// By desk, then by input.
    moves: Vec<Vec<Option<Rc<Moves>>>>,
}

impl<'t> Cells<'t> {
    pub(crate) fn new(table: &'t dyn Table, rigour: Rigour) -> Self {
        Self {
            table,
            rigour,
            desks: Interner::new(),
            inputs: Interner::new(),
            buses: Interner::new(),
            mail: vec![],
            happenings: vec![],
            moves: vec![],
        }
    }

    pub(crate) fn number_of_desk(&mut self, service: Service, desk: Desk) -> u32 {
        self.desks.number((service, desk))
    }

    pub(crate) fn number_of_input(&mut self, input: Input) -> u32 {
        self.inputs.number(input)
    }

    pub(crate) fn desk(&self, number: u32) -> &Desk {
        &self.desks.thing(number).1
    }

    pub(crate) fn input(&self, number: u32) -> &Input {
        self.inputs.thing(number)
    }

    /// A bus on which nothing was ever said.
    pub(crate) fn silence(&mut self) -> u32 {
        self.buses.number(Bits::default())
    }

    /// This bus after these messages were said on it.
    pub(crate) fn bus_with(&mut self, bus: u32, says: &[u32]) -> u32 {
        if says.is_empty() {
            return bus;
        }
        let bits = self.buses.thing(bus).with(says);
        self.buses.number(bits)
    }

    /// What can be delivered: every message that was ever said, any number of times, in any order.
    pub(crate) fn mail(&mut self, bus: u32) -> Mail {
        let at = bus as usize;
        if self.mail.len() <= at {
            self.mail.resize(at + 1, None);
        }
        if let Some(mail) = &self.mail[at] {
            return Rc::clone(mail);
        }
        let messages: Vec<u32> = self.buses.thing(bus).iter().collect();
        let mail: Mail = messages
            .into_iter()
            .flat_map(|message| {
                self.hearers(message)
                    .into_iter()
                    .map(move |who| (who, message))
            })
            .collect();
        self.mail[at] = Some(Rc::clone(&mail));
        mail
    }

    /// Who reads this message.
    pub(crate) fn hearers(&self, message: u32) -> Vec<Service> {
        match self.input(message) {
            Input::Message(message) => self.hear(message.event_type).collect(),
            Input::Cancel(_) | Input::NoNews | Input::Gateway(_) | Input::HoldIsOld => vec![],
        }
    }

    /// What can happen at this desk without a message.
    pub(crate) fn happenings(&mut self, desk: u32) -> Rc<[u32]> {
        let at = desk as usize;
        if self.happenings.len() <= at {
            self.happenings.resize(at + 1, None);
        }
        if let Some(happenings) = &self.happenings[at] {
            return Rc::clone(happenings);
        }
        let (service, desk) = self.desks.thing(desk);
        let inputs = happenings(*service, desk);
        let numbers: Rc<[_]> = inputs
            .into_iter()
            .map(|input| self.inputs.number(input))
            .collect();
        self.happenings[at] = Some(Rc::clone(&numbers));
        numbers
    }

    /// All that can come of an input at a desk.
    pub(crate) fn moves(&mut self, desk: u32, input: u32) -> Rc<Moves> {
        let (row, column) = (desk as usize, input as usize);
        if self.moves.len() <= row {
            self.moves.resize(row + 1, vec![]);
        }
        if self.moves[row].len() <= column {
            self.moves[row].resize(column + 1, None);
        }
        if let Some(moves) = &self.moves[row][column] {
            return Rc::clone(moves);
        }
        let moves = Rc::new(self.compute(desk, input));
        self.moves[row][column] = Some(Rc::clone(&moves));
        moves
    }

    /// What a move says, and the names of the states around it: for traces.
    pub(crate) fn replay(&self, desk: u32, input: u32, luck: Luck) -> Option<(Vec<Message>, Desk)> {
        let (service, before) = self.desks.thing(desk);
        let input = self.input(input);
        let done = self
            .table
            .step(*service, before.row.as_ref(), input, luck)
            .ok()?;
        let after = after(before, input, &done);
        Some((done.says, after))
    }

    /// How many cells were reached.
    pub(crate) fn reached(&self) -> usize {
        self.moves.iter().flatten().flatten().count()
    }

    fn hear(&self, event_type: EventType) -> impl Iterator<Item = Service> {
        Service::ALL
            .into_iter()
            .filter(move |service| self.table.hears(*service, event_type))
    }

    fn compute(&mut self, desk: u32, input: u32) -> Moves {
        let (service, before) = self.desks.thing(desk).clone();
        let input = *self.inputs.thing(input);
        let mut moves = Moves::default();
        for luck in lucks(service) {
            let next = match self.table.step(service, before.row.as_ref(), &input, *luck) {
                Ok(done) => self.settle(service, &before, &input, *luck, &done),
                Err(impossible) => {
                    let wrong = Some(format!("{service} meets an {impossible}"));
                    Move {
                        luck: *luck,
                        desk,
                        says: Rc::from([]),
                        wrong,
                    }
                }
            };
            let same = |known: &Move| {
                known.desk == next.desk && known.says == next.says && known.wrong == next.wrong
            };
            if next.desk == desk && next.says.is_empty() && next.wrong.is_none() {
                moves.maybe_nothing |= *luck != Luck::Crash;
            } else if !moves.ways.iter().any(same) {
                moves.ways.push(next);
            }
        }
        moves
    }

    fn settle(
        &mut self,
        service: Service,
        before: &Desk,
        input: &Input,
        luck: Luck,
        done: &Done,
    ) -> Move {
        let after = after(before, input, done);
        let mut wrong = finality(service, before, &after);
        if self.rigour == Rigour::Laws && luck != Luck::Crash {
            wrong = wrong
                .or_else(|| step_law(service, before, input, done))
                .or_else(|| self.duplicate(service, input, luck, done));
        }
        let says = done
            .says
            .iter()
            .filter(|message| self.hear(message.event_type).next().is_some())
            .copied()
            .collect::<Vec<Message>>();
        let says = says
            .into_iter()
            .map(|said| self.inputs.number(Input::Message(said)))
            .collect();
        Move {
            luck,
            desk: self.desks.number((service, after)),
            says,
            wrong,
        }
    }

    fn duplicate(
        &self,
        service: Service,
        input: &Input,
        luck: Luck,
        done: &Done,
    ) -> Option<String> {
        if !matches!(input, Input::Message(_)) {
            return None;
        }
        let again = self.table.step(service, done.row.as_ref(), input, luck);
        match again {
            Ok(again) => duplicate_law(service, done, &again),
            Err(impossible) => Some(format!("{service} meets an {impossible} on a duplicate")),
        }
    }
}

fn after(before: &Desk, input: &Input, done: &Done) -> Desk {
    let mut after = Desk {
        row: done.row.clone(),
        ..before.clone()
    };
    after.ledger += done.effect;
    if let Input::Gateway(heard) = input {
        after.gateway = gateway_after(before.gateway, *heard);
    }
    if done.asks && after.gateway == Gateway::Idle {
        after.gateway = Gateway::Asked;
    }
    after
}
