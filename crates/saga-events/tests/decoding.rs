//! Decoding is total, and the inverse of encoding.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use saga_events::{
    Amount, Cancelled, Event, EventType, Failure, ItemId, MAX_MONEY, Message, OrderId, Payload,
    PayloadKind, Purchase, Quantity, Reason, ReasonCode, Service, Settled, Timestamp, TraceParent,
    UserId,
};
use uuid::Uuid;

fn any_uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}

/// Between the years 0 and 9999: what RFC 3339 can spell.
fn any_time() -> impl Strategy<Value = Timestamp> {
    (-62_000_000_000_000_000_i64..253_000_000_000_000_000).prop_map(Timestamp::from_micros)
}

prop_compose! {
    fn any_purchase()(
        order in any_uuid(), user in any_uuid(), item in any_uuid(), quantity in 1..=1000_i64,
        price in 1..=MAX_MONEY, total in 1..=MAX_MONEY, deadline in any_time(),
    ) -> Purchase {
        Purchase {
            order_id: OrderId::from_uuid(order),
            user_id: UserId::from_uuid(user),
            item_id: ItemId::from_uuid(item),
            quantity: Quantity::new(quantity).unwrap(),
            unit_price: Amount::new(price).unwrap(),
            total_amount: Amount::new(total).unwrap(),
            deadline,
        }
    }
}

prop_compose! {
    fn any_event()(
        purchase in any_purchase(),
        event_type in prop::sample::select(EventType::ALL),
        reason_code in prop::sample::select(ReasonCode::ALL),
        failed_step in prop::sample::select(&Service::ALL[..]),
        attempt in any::<u32>(), cause in prop::option::of(any_uuid()), traced in any::<bool>(),
        time in any_time(),
    ) -> Event {
        let (order_id, reason) = (purchase.order_id, Reason { reason_code, failed_step });
        let payload = match event_type.spec().payload {
            PayloadKind::Purchase => Payload::Purchase(purchase),
            PayloadKind::Settled => Payload::Settled(Settled { order_id }),
            PayloadKind::Failure => Payload::Failure(Failure { order_id, reason }),
            PayloadKind::Cancelled => Payload::Cancelled(Cancelled { purchase, reason }),
        };
        let cause = cause.map(saga_events::EventId::from_uuid);
        let trace = traced.then(TraceParent::new);
        Event::new(Message { event_type, attempt, payload }, cause, trace, time)
    }
}

proptest! {
    #[test]
    fn what_is_encoded_decodes_to_the_same(event in any_event()) {
        prop_assert_eq!(Event::decode(&event.encode().unwrap()), Ok(event));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Event::decode(&bytes).is_err());
    }

    /// Close to an event: one byte is another one, or the end is missing. It may still be an event
    /// (a time, a number), but then it is one of this contract.
    #[test]
    fn a_damaged_event_is_refused_or_is_an_event(
        event in any_event(), place in any::<prop::sample::Index>(), byte in any::<u8>(), cut in any::<bool>(),
    ) {
        let mut json = event.encode().unwrap();
        let place = place.index(json.len());
        if cut { json.truncate(place) } else { json[place] = byte }
        if let Ok(decoded) = Event::decode(&json) {
            prop_assert_eq!(Event::decode(&decoded.encode().unwrap()), Ok(decoded));
        }
    }

    #[test]
    fn unknown_fields_are_ignored_where_a_newer_publisher_may_add_them(event in any_event()) {
        let mut json: serde_json::Value = serde_json::from_slice(&event.encode().unwrap()).unwrap();
        json["newer"] = serde_json::json!({"field": [1, "two"]});
        json["data"]["newer"] = serde_json::json!(3);
        prop_assert_eq!(Event::decode(json.to_string().as_bytes()), Ok(event));
    }

    #[test]
    fn a_missing_field_is_refused(event in any_event(), place in any::<prop::sample::Index>()) {
        let json: serde_json::Value = serde_json::from_slice(&event.encode().unwrap()).unwrap();
        let in_envelope: Vec<(&str, String)> = names(&json, "").collect();
        let in_data = names(&json["data"], "/data").collect::<Vec<_>>();
        let needed: Vec<_> = in_envelope.into_iter().chain(in_data).filter(is_needed).collect();
        let (parent, name) = place.get(&needed);
        let mut less = json.clone();
        less.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name);
        prop_assert!(Event::decode(less.to_string().as_bytes()).is_err(), "without {}", name);
    }
}

fn names<'a>(json: &serde_json::Value, parent: &'a str) -> impl Iterator<Item = (&'a str, String)> {
    json.as_object()
        .unwrap()
        .keys()
        .cloned()
        .collect::<Vec<_>>()
        .into_iter()
        .map(move |n| (parent, n))
}

/// What CloudEvents or the contract leaves optional.
fn is_needed((_, name): &(&str, String)) -> bool {
    !["causationid", "traceparent", "attempt", "datacontenttype"].contains(&name.as_str())
}
