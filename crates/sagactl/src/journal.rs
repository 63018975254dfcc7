//! One purchase, from the six services' own journals: no central store knows it.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use anyhow::Result;
use saga_events::{EventId, EventType, OrderId, Service, Timestamp};
use serde::Deserialize;

use crate::client::Client;

/// The buyer is told after the order is final; on a healthy system within milliseconds.
const TOLD_TIMEOUT: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(20);

/// An event, as the service that published it remembers it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// The same for all repeats of an event.
    pub id: EventId,
    /// Which event.
    #[serde(rename = "type")]
    pub event_type: EventType,
    /// 0, or the number of the repeat that it answers.
    pub attempt: u32,
    /// The event that directly caused it.
    pub causation_id: Option<EventId>,
    /// When it was said.
    pub time: Timestamp,
}

#[derive(Deserialize)]
struct Saga {
    events: Vec<Entry>,
}

/// Every event of a purchase, each after its cause.
///
/// # Errors
/// A service does not answer.
pub async fn of(client: &Client, order: OrderId) -> Result<Vec<Entry>> {
    let mut entries = Vec::new();
    for service in Service::ALL {
        // A service that the purchase never reached knows nothing of it.
        let saga: Option<Saga> = client.find(service, &format!("/sagas/{order}")).await?;
        entries.extend(saga.into_iter().flat_map(|saga| saga.events));
    }
    Ok(causal_order(entries))
}

/// As [`of`], once the buyer has been told, or after five seconds as far as it has come.
///
/// # Errors
/// A service does not answer.
pub async fn of_told(client: &Client, order: OrderId) -> Result<Vec<Entry>> {
    let deadline = Instant::now() + TOLD_TIMEOUT;
    loop {
        let entries = of(client, order).await?;
        let told = entries
            .iter()
            .any(|entry| entry.event_type == EventType::NotificationSent);
        if told || Instant::now() > deadline {
            return Ok(entries);
        }
        tokio::time::sleep(POLL).await;
    }
}

/// By time, but never before the cause: clocks of different machines differ.
fn causal_order(mut waiting: Vec<Entry>) -> Vec<Entry> {
    waiting.sort_by_key(|entry| entry.time);
    let mut missing: HashSet<EventId> = waiting.iter().map(|entry| entry.id).collect();
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let caused = |entry: &Entry| entry.causation_id.is_none_or(|id| !missing.contains(&id));
        // Nothing is caused only in a circle, which no honest journal has; then time decides.
        let entry = waiting.remove(waiting.iter().position(caused).unwrap_or(0));
        missing.remove(&entry.id);
        ordered.push(entry);
    }
    ordered
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn entry(event_type: EventType, cause: Option<EventType>, micros: i64) -> Entry {
        let order = OrderId::from_uuid(uuid::Uuid::nil());
        Entry {
            id: EventId::of(order, event_type),
            event_type,
            attempt: 0,
            causation_id: cause.map(|cause| EventId::of(order, cause)),
            time: Timestamp::from_micros(micros),
        }
    }

    fn types(entries: Vec<Entry>) -> Vec<EventType> {
        causal_order(entries)
            .into_iter()
            .map(|entry| entry.event_type)
            .collect()
    }

    #[test]
    fn no_event_stands_before_its_cause_whatever_the_clocks_say() {
        use EventType::{InventoryReserved, ItemReserved, OrderCreated, PaymentReserved};
        let entries = vec![
            entry(ItemReserved, Some(InventoryReserved), 1),
            entry(PaymentReserved, Some(OrderCreated), 2),
            entry(InventoryReserved, Some(PaymentReserved), 3),
            entry(OrderCreated, None, 4),
        ];
        assert_eq!(
            types(entries),
            [
                OrderCreated,
                PaymentReserved,
                InventoryReserved,
                ItemReserved
            ]
        );
    }

    #[test]
    fn among_the_caused_time_decides_and_an_unknown_cause_holds_nothing_up() {
        use EventType::{OrderCreated, PaymentReserved, UserValidated};
        let entries = vec![
            entry(PaymentReserved, Some(OrderCreated), 3),
            entry(UserValidated, Some(OrderCreated), 2),
        ];
        assert_eq!(types(entries), [UserValidated, PaymentReserved]);
    }

    #[test]
    fn a_circle_of_causes_ends() {
        use EventType::{OrderCreated, PaymentReserved};
        let entries = vec![
            entry(OrderCreated, Some(PaymentReserved), 1),
            entry(PaymentReserved, Some(OrderCreated), 2),
        ];
        assert_eq!(types(entries), [OrderCreated, PaymentReserved]);
    }

    #[test]
    fn an_entry_is_read_as_the_services_write_it() {
        let json = r#"{"id":"0d3ba5e9-5a56-5b0c-9cd6-e0ac55b4d9f1","type":"order.created","attempt":0,
            "causationId":null,"time":"2026-01-01T00:00:00.000001Z","more":"ignored"}"#;
        let entry: Entry = serde_json::from_str(json).unwrap();
        assert_eq!(
            (entry.event_type, entry.causation_id),
            (EventType::OrderCreated, None)
        );
    }
}
