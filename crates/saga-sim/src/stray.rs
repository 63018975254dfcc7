//! What nobody has said: events that cannot be, answers that contradict themselves, and garbage.

use std::rc::Rc;

use payment_svc::gateway::Authorization;
use payment_svc::saga::Answer;
use saga_events::{
    Cancelled, Event, EventType, Failure, Message, OrderId, Payload, PayloadKind, Purchase, Reason,
    ReasonCode, Service, Settled,
};
use saga_model::table::{Shipped, Table};
use saga_model::world::{Input, Luck, Row};

use crate::gateway;
use crate::known::MADE_UP;
use crate::process::Broken;
use crate::requests::some_order;
use crate::shop;
use crate::world::World;

/// So many rows are tried.
const TRIES: u32 = 8;

/// Something that is no event lands on some stream.
pub fn poison(world: &mut World) {
    let air = &mut world.air;
    let Some(stream) = air.bus.some_name(&mut air.dice) else {
        return;
    };
    let at = air.dice.place(air.history.len());
    let bytes: Rc<[u8]> = match (air.dice.below(3), air.history.get(at)) {
        // An event that was cut off, or is on another's stream.
        (0, Some((_, event))) => event[..event.len() / 2].into(),
        (1, Some((_, event))) => {
            let text = String::from_utf8_lossy(event);
            text.replace("\"specversion\":\"1.0\"", "\"specversion\":\"2.0\"")
                .into_bytes()
                .into()
        }
        _ => air.dice.bits().to_le_bytes().as_slice().into(),
    };
    air.bus.add(&stream, bytes);
}

/// An event is made up that cannot be where it comes: it must change nothing.
///
/// # Errors
/// The event cannot be written.
pub fn impossible(world: &mut World) -> Result<(), Broken> {
    // Most rows know nothing that is impossible, so several are tried.
    for _ in 0..TRIES {
        if one_impossible(world)? {
            break;
        }
    }
    Ok(())
}

/// Whether something could be made up for a row that was picked.
fn one_impossible(world: &mut World) -> Result<bool, Broken> {
    // Now and then it is about an order that nobody has.
    let order = match world.air.dice.below(4) {
        0 => shop::order_id(&mut world.air.dice, world.air.clock.now()),
        _ => match some_order(world) {
            Some(order) => order,
            None => return Ok(false),
        },
    };
    let service = world.air.dice.pick(&Service::ALL);
    let row = world.known.row(order, service).cloned();
    if service == Service::Payment {
        return Ok(contradict(world, order));
    }
    if !stays(row.as_ref()) {
        return Ok(false);
    }
    let purchase = purchase_of(world, order);
    let events = service.consumes().filter_map(|event_type| {
        let event = made_up(event_type, order, purchase)?;
        let input = Input::Message(event.message);
        // Who has no row yet may get one that makes the event possible, unless nobody has the order.
        let nobody_has_it = row.is_some() || world.known.row(order, Service::Order).is_none();
        let done = Shipped.step(service, row.as_ref(), &input, Luck::Plenty);
        (nobody_has_it && done.is_err()).then_some(event)
    });
    let events: Vec<Event> = events.collect();
    if events.is_empty() {
        return Ok(false);
    }
    let event = &events[world.air.dice.place(events.len())];
    let bytes = event.encode().map_err(|error| error.to_string())?;
    let stream = world.air.bus.stream_of(order, event);
    world.air.bus.add(&stream, bytes.into());
    Ok(true)
}

/// The gateway says the opposite of what it has said, or answers to what it was never asked.
fn contradict(world: &mut World, order: OrderId) -> bool {
    let any = world.air.dice.pick(&[Answer::Approved, Answer::Declined]);
    let answer = match world.known.state(order, Service::Payment) {
        "Processed" => Answer::Declined,
        "Failed" => Answer::Approved,
        "–" if world.known.row(order, Service::Order).is_none() => any,
        _ => return false,
    };
    let reference = "made up".into();
    gateway::tell_payment(
        world,
        order,
        Authorization { answer, reference },
        Some(MADE_UP),
    );
    true
}

/// Whether what is impossible in this row is so for ever.
fn stays(row: Option<&Row>) -> bool {
    // Of an order only its end does not go together with some events.
    !row.is_some_and(|row| {
        matches!(
            row.state(),
            "Reserved" | "Authorizing" | "PENDING" | "CANCELLING"
        )
    })
}

fn purchase_of(world: &World, order: OrderId) -> Option<Purchase> {
    match world.known.row(order, Service::Order)? {
        Row::Order(order) => Some(order.purchase),
        Row::Hold(_) | Row::Payment(_) | Row::Notification(_) => None,
    }
}

const REASON: Reason = Reason {
    reason_code: ReasonCode::PaymentDeclined,
    failed_step: Service::Payment,
};

fn made_up(event_type: EventType, order_id: OrderId, purchase: Option<Purchase>) -> Option<Event> {
    let reason = REASON;
    let payload = match event_type.spec().payload {
        PayloadKind::Purchase => Payload::Purchase(purchase?),
        PayloadKind::Settled => Payload::Settled(Settled { order_id }),
        PayloadKind::Failure => Payload::Failure(Failure { order_id, reason }),
        PayloadKind::Cancelled => Payload::Cancelled(Cancelled {
            purchase: purchase?,
            reason,
        }),
    };
    // A high attempt: it is no duplicate.
    let message = Message {
        event_type,
        attempt: 1_000,
        payload,
    };
    let time = saga_events::Timestamp::from_micros(0);
    Some(Event::new(message, Some(MADE_UP), None, time))
}

/// A failure that user-svc never said.
pub fn failure(order_id: OrderId, reason_code: ReasonCode) -> Event {
    let reason = Reason {
        reason_code,
        ..REASON
    };
    let message = Message {
        event_type: EventType::PaymentRollback,
        attempt: 0,
        payload: Payload::Failure(Failure { order_id, reason }),
    };
    Event::new(
        message,
        Some(MADE_UP),
        None,
        saga_events::Timestamp::from_micros(0),
    )
}
