//! Timelines against the shipped transition functions: purchases are led through them at random, with
//! messages duplicated, late, lost and repeated, and everything that the six journals tell then is as
//! saga-timeline says that it may be, and no more than that comes about.

use std::collections::{BTreeMap, BTreeSet};

use fastrand::Rng;
use order_svc::saga::begin;
use payment_svc::saga::Answer;
use saga_events::{EventId, EventType, Message, Phase, ReasonCode, Service, Timestamp};
use saga_model::table::{Shipped, Table};
use saga_model::world::{Heard, Input, Luck, Row, purchase};
use saga_timeline::conformance::{causes, state_after};
use saga_timeline::{Entry, Journal, Sources, Timeline, Told};

/// Purchases, and what happens to each at most.
const PURCHASES: u64 = 1_500;
const HAPPENINGS: usize = 120;

/// Six databases, and everything that was ever said.
struct Walk {
    dice: Rng,
    clock: i64,
    rows: BTreeMap<Service, Row>,
    changed: BTreeMap<Service, Timestamp>,
    said: Vec<Message>,
    journals: BTreeMap<Service, Vec<Entry>>,
    answer: Answer,
}

impl Walk {
    fn begin(seed: u64) -> Self {
        let mut dice = Rng::with_seed(seed);
        let answer = if dice.u8(..4) == 0 {
            Answer::Declined
        } else {
            Answer::Approved
        };
        let (order, created) = begin(purchase());
        let mut walk = Self {
            dice,
            clock: 0,
            rows: BTreeMap::from([(Service::Order, Row::Order(order))]),
            changed: BTreeMap::from([(Service::Order, Timestamp::from_micros(0))]),
            said: vec![],
            journals: BTreeMap::new(),
            answer,
        };
        walk.say(Service::Order, created, None);
        walk
    }

    fn say(&mut self, by: Service, message: Message, cause: Option<EventId>) {
        let order = message.order_id();
        self.journals.entry(by).or_default().push(Entry {
            id: EventId::of(order, message.event_type),
            event_type: message.event_type,
            attempt: message.attempt,
            causation_id: cause,
            time: Timestamp::from_micros(self.clock),
            data: serde_json::to_value(message.payload).unwrap(),
        });
        self.said.push(message);
    }

    /// One thing happens: mostly a message arrives, new or again, early or late.
    fn happen(&mut self) {
        self.clock += 1_000;
        let (by, input) = match self.dice.u8(..20) {
            0 => (Service::Order, Input::Cancel(ReasonCode::CancelledByUser)),
            1..4 => (Service::Order, Input::NoNews),
            4..8 => (Service::Payment, Input::Gateway(Heard::Answer(self.answer))),
            _ => {
                let newest = self.said.len().saturating_sub(4);
                let from = if self.dice.bool() { newest } else { 0 };
                let message = self.said[self.dice.usize(from..self.said.len())];
                match message.event_type.spec().consumers {
                    [consumer] => (*consumer, Input::Message(message)),
                    _ => return,
                }
            }
        };
        let is_asking = self
            .rows
            .get(&Service::Payment)
            .is_some_and(|row| row.state() == "Authorizing");
        if matches!(input, Input::Gateway(_)) && !is_asking {
            return;
        }
        let row = self.rows.get(&by).cloned();
        let done = Shipped.step(by, row.as_ref(), &input, self.luck(by));
        let done = done.unwrap_or_else(|impossible| panic!("{impossible}"));
        let cause = match input {
            Input::Message(message) => Some(EventId::of(message.order_id(), message.event_type)),
            Input::Gateway(_) => Some(EventId::of(purchase().order_id, EventType::ItemReserved)),
            Input::Cancel(_) | Input::NoNews | Input::HoldIsOld => None,
        };
        if done.row.as_ref().map(Row::state) != row.as_ref().map(Row::state) {
            self.changed.insert(by, Timestamp::from_micros(self.clock));
        }
        if let Some(row) = done.row {
            self.rows.insert(by, row);
        }
        for message in done.says {
            self.say(by, message, cause);
        }
    }

    fn luck(&mut self, service: Service) -> Luck {
        let refuse = match service {
            Service::User => ReasonCode::InsufficientBalance,
            Service::Inventory => ReasonCode::InventoryFull,
            Service::Item => ReasonCode::OutOfStock,
            Service::Order | Service::Payment | Service::Notify => return Luck::Plenty,
        };
        match self.dice.u8(..8) {
            0 if service == Service::User && self.dice.bool() => {
                Luck::Short(ReasonCode::UserNotFound)
            }
            0 => Luck::Short(refuse),
            _ => Luck::Plenty,
        }
    }

    fn sources(&self) -> Sources {
        let told = Service::ALL.into_iter().map(|service| {
            let told = match self.rows.get(&service) {
                None => Told::Nothing,
                Some(row) => Told::Journal(Journal {
                    service,
                    order_id: purchase().order_id,
                    state: row.state().to_owned(),
                    amount: i64::from(
                        matches!(row, Row::Payment(payment) if payment.purchase.is_some()),
                    ),
                    updated_at: self.changed[&service],
                    kept_since: Timestamp::from_micros(i64::MIN),
                    events: self.journals.get(&service).cloned().unwrap_or_default(),
                }),
            };
            (service, told)
        });
        let now = Timestamp::from_micros(self.clock);
        let mut sources = Sources::of(purchase().order_id, told.collect(), now);
        sources.closed =
            matches!(self.rows.get(&Service::Order), Some(Row::Order(order)) if order.told);
        sources
    }
}

#[test]
fn every_journal_that_can_come_about_conforms_and_somebody_is_always_waited_for() {
    for seed in 0..PURCHASES {
        let mut walk = Walk::begin(seed);
        for _ in 0..HAPPENINGS {
            walk.happen();
            let sources = walk.sources();
            let timeline = Timeline::of(&sources);
            assert!(timeline.conformance.ok, "seed {seed}: {:#?}", timeline);
            assert!(sources.to_read_again().is_empty(), "seed {seed}");
            let is_told = walk.rows.contains_key(&Service::Notify);
            let waits = !timeline.expected.is_empty();
            assert_eq!(waits, !is_told, "seed {seed}: {:#?}", timeline);
            // Whoever is waited for has not said it.
            for due in &timeline.expected {
                let said = walk.journals.get(&due.from).into_iter().flatten();
                let mut said = said.map(|entry| entry.event_type);
                assert!(
                    !said.any(|event_type| event_type == due.event_type),
                    "seed {seed}: {due:?}"
                );
            }
        }
    }
}

#[test]
fn no_cause_is_allowed_that_never_causes() {
    let mut seen: BTreeSet<(EventType, EventType)> = BTreeSet::new();
    let name = |id| {
        let mut all = EventType::ALL.iter();
        *all.find(|t| EventId::of(purchase().order_id, **t) == id)
            .unwrap()
    };
    for seed in 0..PURCHASES {
        let mut walk = Walk::begin(seed);
        (0..HAPPENINGS).for_each(|_| walk.happen());
        let entries = walk.journals.values().flatten();
        seen.extend(
            entries.filter_map(|entry| Some((entry.event_type, name(entry.causation_id?)))),
        );
    }
    let allowed: BTreeSet<(EventType, EventType)> = EventType::ALL
        .iter()
        .flat_map(|effect| causes(*effect).iter().map(move |cause| (*effect, *cause)))
        .collect();
    let never: Vec<_> = allowed.difference(&seen).collect();
    assert!(never.is_empty(), "allowed, and never so: {never:?}");
    assert!(seen.is_subset(&allowed));
}

#[test]
fn the_states_are_the_services_own() {
    let mut walk_states: BTreeSet<(Service, &str)> = BTreeSet::new();
    for seed in 0..200 {
        let mut walk = Walk::begin(seed);
        for _ in 0..HAPPENINGS {
            walk.happen();
            let rows = walk.rows.iter();
            walk_states.extend(rows.map(|(service, row)| (*service, row.state())));
        }
    }
    for event_type in EventType::ALL {
        let publisher = event_type.spec().publisher;
        match state_after(*event_type) {
            Some(state) => assert!(walk_states.contains(&(publisher, state)), "{event_type}"),
            None => assert!(matches!(
                event_type.spec().phase,
                Phase::Inform | Phase::Close
            )),
        }
    }
    for (service, state) in walk_states {
        assert!(
            saga_timeline::stand::Stand::named(service, state).is_some(),
            "{service} {state}"
        );
    }
}
