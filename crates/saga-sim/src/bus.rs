//! The bus in memory: streams, groups and pending entries as Redis has them, and what can happen to
//! them. The names of the streams, the envelopes and the subscriptions are the real ones.

use std::collections::BTreeMap;
use std::rc::Rc;

use saga_events::bus::{Delivery, Entry, Raw, partition_of, stream, subscriptions};
use saga_events::{Event, OrderId, Service, Undecodable};

use crate::dice::Dice;

/// A member of a service's group.
pub type Consumer = u16;

/// All streams.
#[derive(Default)]
pub struct Bus {
    partitions: u16,
    streams: BTreeMap<String, Stream>,
    /// Entry ids are never used twice, whatever is flushed.
    last_id: u64,
}

#[derive(Default)]
struct Stream {
    entries: BTreeMap<u64, Rc<[u8]>>,
    groups: BTreeMap<Service, Group>,
}

#[derive(Default)]
struct Group {
    last_delivered: u64,
    pending: BTreeMap<u64, Consumer>,
}

impl Bus {
    /// An empty bus.
    pub fn new(partitions: u16) -> Self {
        Self {
            partitions,
            ..Self::default()
        }
    }

    /// Into how many the order ids are parted.
    pub const fn partitions(&self) -> u16 {
        self.partitions
    }

    /// The streams that a service reads; an [`Entry`] names one by its place.
    pub fn subscriptions(&self, service: Service) -> Vec<String> {
        subscriptions(service, self.partitions)
    }

    /// The stream of an event.
    pub fn stream_of(&self, order: OrderId, event: &Event) -> String {
        stream(partition_of(order, self.partitions), event.event_type())
    }

    /// Appends an entry and answers with its number.
    pub fn add(&mut self, stream: &str, bytes: Rc<[u8]>) -> u64 {
        self.last_id += 1;
        let entries = &mut self.streams.entry(stream.to_owned()).or_default().entries;
        entries.insert(self.last_id, bytes);
        self.last_id
    }

    /// New entries for a consumer, `most` a stream. A group that is not there is made at the beginning.
    pub fn read(&mut self, service: Service, consumer: Consumer, most: usize) -> Vec<Delivery> {
        self.for_each_stream(service, |place, Stream { entries, groups }, read| {
            let group = groups.entry(service).or_default();
            let next = group.last_delivered + 1;
            for (id, bytes) in entries.range(next..).take(most) {
                group.last_delivered = *id;
                group.pending.insert(*id, consumer);
                read.push(delivery(place, *id, Some(bytes)));
            }
        })
    }

    /// What was delivered to a consumer before and is not acknowledged: read after a start.
    pub fn pending_of(&mut self, service: Service, consumer: Consumer) -> Vec<Delivery> {
        self.for_each_stream(service, |place, Stream { entries, groups }, read| {
            let pending = groups.entry(service).or_default().pending.iter();
            let own = pending.filter(|(_, owner)| **owner == consumer);
            read.extend(own.map(|(id, _)| delivery(place, *id, entries.get(id))));
        })
    }

    /// What was delivered to anybody else and is not acknowledged. What was trimmed meanwhile is
    /// taken off the list, as `XAUTOCLAIM` does.
    pub fn claim(&mut self, service: Service, consumer: Consumer) -> Vec<Delivery> {
        self.for_each_stream(service, |place, Stream { entries, groups }, read| {
            let pending = &mut groups.entry(service).or_default().pending;
            pending.retain(|id, owner| *owner == consumer || entries.contains_key(id));
            for (id, owner) in pending.iter_mut().filter(|(_, owner)| **owner != consumer) {
                *owner = consumer;
                read.push(delivery(place, *id, entries.get(id)));
            }
        })
    }

    fn for_each_stream(
        &mut self,
        service: Service,
        mut read: impl FnMut(usize, &mut Stream, &mut Vec<Delivery>),
    ) -> Vec<Delivery> {
        let mut deliveries = Vec::new();
        for (place, name) in self.subscriptions(service).into_iter().enumerate() {
            let stream = self.streams.entry(name).or_default();
            read(place, stream, &mut deliveries);
        }
        deliveries
    }

    /// These entries are done with.
    pub fn acknowledge(&mut self, service: Service, entries: &[Entry]) {
        if entries.is_empty() {
            return;
        }
        let names = self.subscriptions(service);
        for entry in entries {
            let stream = names.get(entry.stream());
            let group = stream.and_then(|name| self.streams.get_mut(name));
            if let Some(group) = group.and_then(|stream| stream.groups.get_mut(&service)) {
                group.pending.remove(&number_of(entry));
            }
        }
    }

    /// How many entries of a stream a group has not acknowledged.
    pub fn backlog(&self, stream: &str, service: Service) -> usize {
        let Some(Stream { entries, groups }) = self.streams.get(stream) else {
            return 0;
        };
        let unread = |group: &Group| entries.range(group.last_delivered + 1..).count();
        groups
            .get(&service)
            .map_or(entries.len(), |group| unread(group) + group.pending.len())
    }

    /// Whether every group has acknowledged everything.
    pub fn is_done(&self) -> bool {
        Service::ALL.into_iter().all(|service| {
            let names = self.subscriptions(service);
            names.iter().all(|name| self.backlog(name, service) == 0)
        })
    }

    /// Everything is gone.
    pub fn flush(&mut self) {
        self.streams.clear();
    }

    /// The last entries of all streams are gone, and some acknowledgements: those entries are
    /// delivered again.
    pub fn lose_tail(&mut self, dice: &mut Dice) {
        let first_lost = self.last_id.saturating_sub(dice.below(40)) + 1;
        for Stream { entries, groups } in self.streams.values_mut() {
            entries.retain(|id, _| *id < first_lost);
            for Group {
                last_delivered,
                pending,
            } in groups.values_mut()
            {
                pending.retain(|id, _| *id < first_lost);
                *last_delivered =
                    (*last_delivered).min(first_lost.saturating_sub(dice.below(20) + 1));
            }
        }
    }

    /// Some group reads from the beginning again.
    pub fn rewind(&mut self, dice: &mut Dice) {
        if let Some(group) = self.some_stream(dice).and_then(|(stream, place)| {
            let length = stream.groups.len().max(1);
            stream.groups.values_mut().nth(place % length)
        }) {
            group.last_delivered = 0;
        }
    }

    /// The groups of some stream are gone.
    pub fn lose_groups(&mut self, dice: &mut Dice) {
        if let Some((stream, _)) = self.some_stream(dice) {
            stream.groups.clear();
        }
    }

    /// Some stream keeps only its last entries.
    pub fn trim(&mut self, dice: &mut Dice) {
        let keep = dice.place(4);
        if let Some((stream, _)) = self.some_stream(dice) {
            while stream.entries.len() > keep {
                stream.entries.pop_first();
            }
        }
    }

    fn some_stream(&mut self, dice: &mut Dice) -> Option<(&mut Stream, usize)> {
        let (at, place) = (dice.place(self.streams.len()), dice.place(8));
        self.streams
            .values_mut()
            .nth(at)
            .map(|stream| (stream, place))
    }

    /// The name of some stream.
    pub fn some_name(&self, dice: &mut Dice) -> Option<String> {
        let at = dice.place(self.streams.len());
        self.streams.keys().nth(at).cloned()
    }
}

fn number_of(entry: &Entry) -> u64 {
    let number = entry
        .id()
        .split('-')
        .next()
        .and_then(|text| text.parse().ok());
    number.unwrap_or(0)
}

fn delivery(stream: usize, id: u64, bytes: Option<&Rc<[u8]>>) -> Delivery {
    let entry = Entry::new(stream, format!("{id}-0"));
    let (event, raw) = match bytes {
        Some(bytes) => (Event::decode(bytes), Raw::Event(bytes.to_vec())),
        None => {
            let why = "the entry was trimmed before it was read".into();
            (Err(Undecodable { why }), Raw::Gone)
        }
    };
    Delivery { entry, event, raw }
}
