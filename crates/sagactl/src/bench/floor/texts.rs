//! Event texts of the right length: encoded once by the contract's own code, and from then on only
//! the order's id is written over. Nothing is parsed: it stands at the same place in each.

use anyhow::{Context, Result};
use saga_events::{
    Amount, Cancelled, Event, EventId, EventType, Failure, Message, OrderId, Payload, PayloadKind,
    Purchase, Quantity, Reason, ReasonCode, Service, Settled, Timestamp, TraceParent,
};
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::bench::buyers::Buyers;
use crate::bench::wire::find;

/// Stands for the order's id in a text that is made; nothing else in it looks like this.
const ANY_ORDER: Uuid = Uuid::from_u128(0x0199_0000_0000_7000_8000_00f1_007f_1007);

/// The texts of all event types.
pub struct Texts(Vec<Text>);

/// What one event type looks like.
pub struct Text {
    /// The envelope: what an entry of a stream carries.
    pub envelope: Vec<u8>,
    /// Where the order's id stands in it; the first is the subject.
    ids: Vec<usize>,
    /// What the outbox keeps of it.
    pub data: String,
}

impl Texts {
    /// Encodes one event of each type.
    ///
    /// # Errors
    /// None in practice: every event has a JSON form with its order's id in it.
    pub fn new() -> Result<Self> {
        let texts = EventType::ALL.iter().map(|event_type| text(*event_type));
        texts.collect::<Result<_>>().map(Self)
    }

    /// The text of a type, written for this order.
    pub fn of(&mut self, event_type: EventType, order: OrderId) -> &Text {
        let text = &mut self.0[event_type as usize];
        let mut id = [0; Hyphenated::LENGTH];
        order.uuid().hyphenated().encode_lower(&mut id);
        for at in &text.ids {
            text.envelope[*at..at + id.len()].copy_from_slice(&id);
        }
        text
    }

    /// The order that an envelope of this type is about.
    pub fn order_of(&self, event_type: EventType, envelope: &[u8]) -> Option<OrderId> {
        let at = *self.0[event_type as usize].ids.first()?;
        let id = envelope.get(at..at + Hyphenated::LENGTH)?;
        Uuid::try_parse_ascii(id).ok().map(OrderId::from_uuid)
    }
}

fn text(event_type: EventType) -> Result<Text> {
    let order_id = OrderId::from_uuid(ANY_ORDER);
    let amount = Amount::new(super::PRICE)?;
    let now = Timestamp::now();
    let purchase = Purchase {
        order_id,
        user_id: Buyers::user(0),
        item_id: Buyers::item(0),
        quantity: Quantity::new(1)?,
        unit_price: amount,
        total_amount: amount,
        deadline: now,
    };
    let reason = Reason {
        reason_code: ReasonCode::PaymentDeclined,
        failed_step: Service::Payment,
    };
    let payload = match event_type.spec().payload {
        PayloadKind::Purchase => Payload::Purchase(purchase),
        PayloadKind::Settled => Payload::Settled(Settled { order_id }),
        PayloadKind::Failure => Payload::Failure(Failure { order_id, reason }),
        PayloadKind::Cancelled => Payload::Cancelled(Cancelled { purchase, reason }),
    };
    let message = Message {
        event_type,
        attempt: 0,
        payload,
    };
    let trace: TraceParent = super::TRACE
        .parse()
        .map_err(|_| anyhow::anyhow!("no trace"))?;
    let cause = EventId::of(OrderId::from_uuid(Uuid::nil()), event_type);
    let event = Event::new(message, Some(cause), Some(trace), now);
    let envelope = event.encode()?;
    let (mut ids, mut from) = (Vec::new(), 0);
    let id = ANY_ORDER.to_string();
    while let Some(at) = find(&envelope[from..], id.as_bytes()) {
        ids.push(from + at);
        from += at + id.len();
    }
    ids.first().context("an event without its order's id")?;
    Ok(Text {
        envelope,
        ids,
        data: serde_json::to_string(&payload)?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_an_event_of_the_contract_but_for_its_id() {
        let mut texts = Texts::new().unwrap();
        for event_type in EventType::ALL.iter().copied() {
            let order = OrderId::new();
            let envelope = texts.of(event_type, order).envelope.clone();
            assert_eq!(texts.order_of(event_type, &envelope), Some(order));
            // Its own id is not made anew, since that is no row and no command.
            let json: serde_json::Value = serde_json::from_slice(&envelope).unwrap();
            let mut right = json.clone();
            right["id"] = EventId::of(order, event_type).to_string().into();
            let event = Event::decode(right.to_string().as_bytes()).unwrap();
            assert_eq!(event.order_id(), order);
            assert_eq!(
                envelope.len(),
                event.encode().unwrap().len(),
                "{event_type}"
            );
        }
    }
}
