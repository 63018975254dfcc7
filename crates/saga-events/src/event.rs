//! The envelope: CloudEvents 1.0 in structured JSON, with the extensions `correlationid`,
//! `causationid`, `traceparent` and `attempt`.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::{EventId, EventType, OrderId, Payload, Timestamp, TraceParent};

/// The version of every payload that this build publishes, the last part of `dataschema`. A
/// version once published decodes for ever.
pub const SCHEMA_VERSION: u32 = 1;
/// Room for every envelope of this contract: longer ones only cost a move.
const ENVELOPE_BYTES: usize = 1024;

/// What is said about a purchase: an event without what only a shell knows (time, cause, trace).
/// The pure steps read messages and answer with messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Message {
    /// Which event.
    pub event_type: EventType,
    /// 0, or the number of the repeat that this answers.
    pub attempt: u32,
    /// Its `data`.
    pub payload: Payload,
}

impl Message {
    /// The purchase it belongs to.
    pub const fn order_id(&self) -> OrderId {
        self.payload.order_id()
    }
}

/// A message in its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// UUID v5 of (order id, type): a repeat of an event is recognisably the same event.
    pub id: EventId,
    /// When it was said; a repeat has a new time.
    pub time: Timestamp,
    /// The event that directly caused this one.
    pub causation_id: Option<EventId>,
    /// The trace of the HTTP request that began it all, and the span in which this was said.
    pub traceparent: Option<TraceParent>,
    /// What it says.
    pub message: Message,
}

/// An entry of a stream that is not an event of this contract. It goes to the dead letters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("undecodable event: {why}")]
pub struct Undecodable {
    /// What is wrong, in one line.
    pub why: String,
}

impl Undecodable {
    fn new(why: impl ToString) -> Self {
        Self {
            why: why.to_string(),
        }
    }
}

#[derive(Serialize)]
struct Out<'a> {
    specversion: &'static str,
    id: EventId,
    source: &'static str,
    #[serde(rename = "type")]
    event_type: EventType,
    subject: OrderId,
    time: Timestamp,
    datacontenttype: &'static str,
    dataschema: String,
    correlationid: OrderId,
    #[serde(skip_serializing_if = "Option::is_none")]
    causationid: Option<EventId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a TraceParent>,
    attempt: u32,
    data: &'a Payload,
}

#[derive(Deserialize)]
struct In<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    id: Uuid,
    #[serde(borrow)]
    source: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    event_type: Cow<'a, str>,
    subject: Uuid,
    time: Timestamp,
    #[serde(borrow)]
    dataschema: Cow<'a, str>,
    correlationid: Uuid,
    #[serde(default)]
    causationid: Option<EventId>,
    #[serde(default)]
    traceparent: Option<TraceParent>,
    #[serde(default)]
    attempt: u32,
    #[serde(borrow)]
    data: &'a RawValue,
}

impl Event {
    /// Puts a message into its envelope.
    pub fn new(
        message: Message,
        causation_id: Option<EventId>,
        traceparent: Option<TraceParent>,
        time: Timestamp,
    ) -> Self {
        let id = EventId::of(message.order_id(), message.event_type);
        Self {
            id,
            time,
            causation_id,
            traceparent,
            message,
        }
    }

    /// The purchase.
    pub const fn order_id(&self) -> OrderId {
        self.message.order_id()
    }

    /// Which event.
    pub const fn event_type(&self) -> EventType {
        self.message.event_type
    }

    /// The id of the trace it belongs to, 32 hexadecimal digits.
    pub fn trace_id(&self) -> Option<&str> {
        self.traceparent.as_ref().map(TraceParent::trace_id)
    }

    /// The envelope as JSON, what one entry of a stream carries.
    ///
    /// # Errors
    /// None in practice: every field has a JSON form.
    pub fn encode(&self) -> Result<Vec<u8>, serde_json::Error> {
        let Message {
            event_type,
            attempt,
            payload,
        } = &self.message;
        let order_id = self.order_id();
        let mut json = Vec::with_capacity(ENVELOPE_BYTES);
        let envelope = Out {
            specversion: "1.0",
            id: self.id,
            source: event_type.spec().publisher.as_str(),
            event_type: *event_type,
            subject: order_id,
            time: self.time,
            datacontenttype: "application/json",
            dataschema: schema_uri(*event_type, SCHEMA_VERSION),
            correlationid: order_id,
            causationid: self.causation_id,
            traceparent: self.traceparent.as_ref(),
            attempt: *attempt,
            data: payload,
        };
        serde_json::to_writer(&mut json, &envelope)?;
        Ok(json)
    }

    /// Reads an envelope and holds it to the contract: known type, its own publisher, its own
    /// deterministic id, one order throughout. Total: no input makes it panic.
    ///
    /// # Errors
    /// [`Undecodable`] says what is wrong; the caller makes it a dead letter.
    pub fn decode(json: &[u8]) -> Result<Self, Undecodable> {
        let text = std::str::from_utf8(json).map_err(Undecodable::new)?;
        let envelope: In<'_> = serde_json::from_str(text).map_err(Undecodable::new)?;
        if envelope.specversion != "1.0" {
            return Err(Undecodable::new(format!(
                "specversion {:?}",
                envelope.specversion
            )));
        }
        let event_type: EventType = envelope.event_type.parse().map_err(Undecodable::new)?;
        let spec = event_type.spec();
        if envelope.source != spec.publisher.as_str() {
            let (source, owner) = (envelope.source, spec.publisher);
            return Err(Undecodable::new(format!(
                "{event_type} from {source:?}, not {owner}"
            )));
        }
        if envelope.dataschema != schema_uri(event_type, SCHEMA_VERSION) {
            return Err(Undecodable::new(format!(
                "unknown dataschema {:?}",
                envelope.dataschema
            )));
        }
        let order_id = OrderId::from_uuid(envelope.subject);
        let id = EventId::of(order_id, event_type);
        if envelope.id != id.uuid() || envelope.correlationid != envelope.subject {
            return Err(Undecodable::new(
                "id or correlationid does not belong to the subject",
            ));
        }
        let payload =
            Payload::decode(spec.payload, envelope.data.get()).map_err(Undecodable::new)?;
        if payload.order_id() != order_id {
            return Err(Undecodable::new("data.orderId is not the subject"));
        }
        Ok(Self {
            id,
            time: envelope.time,
            causation_id: envelope.causationid,
            traceparent: envelope.traceparent,
            message: Message {
                event_type,
                attempt: envelope.attempt,
                payload,
            },
        })
    }
}

/// `urn:saga:order.created:1`: names the file `schemas/order.created.1.json`.
fn schema_uri(event_type: EventType, version: u32) -> String {
    format!("urn:saga:{event_type}:{version}")
}
