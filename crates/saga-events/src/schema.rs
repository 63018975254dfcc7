//! The JSON Schemas of the events, made from the types.

use schemars::{Schema, schema_for};

use crate::{Cancelled, EventType, Failure, PayloadKind, Purchase, SCHEMA_VERSION, Settled};

/// The schema of an event's `data`.
pub fn of(event_type: EventType) -> Schema {
    let mut schema = match event_type.spec().payload {
        PayloadKind::Purchase => schema_for!(Purchase),
        PayloadKind::Settled => schema_for!(Settled),
        PayloadKind::Failure => schema_for!(Failure),
        PayloadKind::Cancelled => schema_for!(Cancelled),
    };
    schema.insert(
        "$id".into(),
        format!("urn:saga:{event_type}:{SCHEMA_VERSION}").into(),
    );
    schema.insert("title".into(), event_type.as_str().into());
    schema.insert("description".into(), event_type.spec().meaning.into());
    schema
}
