//! Every key and channel of Redis, spelled once.

use crate::{EventType, OrderId, Phase, Service};

/// The field of a stream's entry that holds the envelope.
pub(super) const FIELD: &str = "event";

/// The stream of one event type in one partition: `saga:{0}:order.created`. The braces are a hash
/// tag: in a Redis Cluster all streams of a partition live on one node.
pub fn stream(partition: u16, event_type: EventType) -> String {
    format!("saga:{{{partition}}}:{event_type}")
}

/// The event type that a stream of this name carries.
pub fn carried_by(stream: &str) -> Option<EventType> {
    stream.rsplit(':').next()?.parse().ok()
}

/// The Pub/Sub channel that carries a live copy of every event of this type.
pub fn channel(event_type: EventType) -> &'static str {
    event_type.as_str()
}

/// The partition of an order: all its events travel on one node.
pub fn partition_of(order: OrderId, partitions: u16) -> u16 {
    // The low bits of a UUID v7 are random.
    let low = order.uuid().as_u64_pair().1 % u64::from(partitions.max(1));
    u16::try_from(low).unwrap_or(0)
}

/// The key of a singleton's lock.
pub(super) fn lock(name: &str) -> String {
    format!("saga:lock:{name}")
}

/// Every stream that a service reads, in a fixed order. A read answers in this order, so a request to
/// cancel comes first: it must not queue behind the work that it is to prevent.
pub fn subscriptions(service: Service, partitions: u16) -> Vec<String> {
    let mut types: Vec<EventType> = service.consumes().collect();
    types.sort_by_key(|event_type| event_type.spec().phase != Phase::Request);
    let in_partition = |p| types.iter().map(move |event_type| stream(p, *event_type));
    (0..partitions.max(1)).flat_map(in_partition).collect()
}
