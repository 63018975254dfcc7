//! Everything that a timeline is made of, as it was read from the six services.

use std::collections::{BTreeMap, BTreeSet};

use saga_events::{EventId, EventType, OrderId, Service, Timestamp};
use serde::{Deserialize, Serialize};

use crate::conformance;
use crate::journal::Journal;

/// What a service answered about a purchase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// The purchase never reached it.
    Nothing,
    /// This.
    Journal(Journal),
    /// The service did not answer.
    Missing,
}

/// A dead letter about the purchase that nobody has replayed or discarded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// Since when.
    pub created_at: Timestamp,
}

/// What was read about one purchase. Who is not in a map was not asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sources {
    /// The purchase.
    pub order_id: OrderId,
    /// What each service answered.
    pub told: BTreeMap<Service, Told>,
    /// Whether order-svc has heard that the buyer was told: nothing is to come then.
    pub closed: bool,
    /// When order-svc looks at the purchase again, and repeats what it has said.
    pub next_repeat_at: Option<Timestamp>,
    /// The oldest open dead letter of each service that has one.
    pub dead_letters: BTreeMap<Service, Letter>,
    /// Since when payment-svc does not know whether the buyer has paid.
    pub gateway_unknown_since: Option<Timestamp>,
    /// Whether Redis answers.
    pub redis_up: bool,
    /// How many messages of the stream that it waits for each service has not read or not finished.
    pub behind: BTreeMap<Service, u64>,
    /// When all of this was read.
    pub now: Timestamp,
}

impl Sources {
    /// Of journals alone, with nothing known beside them.
    pub fn of(order_id: OrderId, told: BTreeMap<Service, Told>, now: Timestamp) -> Self {
        Self {
            order_id,
            told,
            closed: false,
            next_repeat_at: None,
            dead_letters: BTreeMap::new(),
            gateway_unknown_since: None,
            redis_up: true,
            behind: BTreeMap::new(),
            now,
        }
    }

    /// What this service remembers of the purchase.
    pub fn journal(&self, service: Service) -> Option<&Journal> {
        match self.told.get(&service) {
            Some(Told::Journal(journal)) => Some(journal),
            Some(Told::Nothing | Told::Missing) | None => None,
        }
    }

    /// All that is remembered of the purchase.
    pub fn journals(&self) -> impl Iterator<Item = &Journal> {
        Service::ALL
            .into_iter()
            .filter_map(|service| self.journal(service))
    }

    /// Who did not answer.
    pub fn missing(&self) -> Vec<Service> {
        let is_missing = |service: &Service| {
            matches!(
                self.told.get(service).unwrap_or(&Told::Missing),
                Told::Missing
            )
        };
        Service::ALL.into_iter().filter(is_missing).collect()
    }

    /// Who must have said more by now than was read: the six are read one beside the other, so an
    /// effect may be here while its cause was said after its service was read. Read these again.
    pub fn to_read_again(&self) -> BTreeSet<Service> {
        let causes = conformance::missing_causes(self).into_iter();
        causes.map(|(_, cause)| cause.spec().publisher).collect()
    }

    /// The type of the event of this purchase that has this id.
    pub fn type_of(&self, id: EventId) -> Option<EventType> {
        let mut types = EventType::ALL.iter().copied();
        types.find(|event_type| EventId::of(self.order_id, *event_type) == id)
    }
}
