//! One input to one order, inside the writer's transaction: decide (saga.rs), store, say; and what
//! follows once it is committed. All inputs come through here: requests, events and the sweep.

use std::sync::Arc;

use saga_events::{
    Amount, Event, EventId, ItemId, Message, OrderId, Purchase, Quantity, ReasonCode, Timestamp,
    TraceParent, UserId,
};
use svc_chassis::traces::{Kind, Span, Traces};
use svc_chassis::{Cause, Error, Outcome, Tx};

use crate::live::Live;
use crate::saga::{self, Input};
use crate::store::{self, StoredOrder};

/// A purchase that is about to begin: all but its deadline.
#[derive(Debug, Clone, Copy)]
pub struct NewPurchase {
    /// Made by the caller, so that somebody can wait for it before it exists.
    pub order_id: OrderId,
    /// Who buys.
    pub user_id: UserId,
    /// What.
    pub item_id: ItemId,
    /// How many.
    pub quantity: Quantity,
    /// The quoted price of one.
    pub unit_price: Amount,
    /// `unit_price` × `quantity`.
    pub total_amount: Amount,
}

/// Begins a purchase.
///
/// # Errors
/// The database's.
pub fn begin(
    tx: &mut Tx<'_>,
    live: &Arc<Live>,
    new: NewPurchase,
    traceparent: &TraceParent,
) -> Result<StoredOrder, Error> {
    let now = tx.now();
    let NewPurchase {
        order_id,
        user_id,
        item_id,
        quantity,
        unit_price,
        total_amount,
    } = new;
    let deadline = now.plus(live.deadline);
    let purchase = Purchase {
        order_id,
        user_id,
        item_id,
        quantity,
        unit_price,
        total_amount,
        deadline,
    };
    let (order, created) = saga::begin(purchase);
    let traceparent = Some(traceparent.clone());
    let last_seq = tx.say(
        created,
        Cause {
            event: None,
            traceparent: traceparent.clone(),
        },
    )?;
    let due_at = live
        .patience
        .due_at(&order, 0, live.pace.time_to_final(), now);
    let stored = StoredOrder {
        order,
        due_at,
        repeats: 0,
        last_seq,
        traceparent,
        created_at: now,
        updated_at: now,
    };
    store::insert(tx.conn(), &stored)?;
    let live = live.clone();
    tx.after_commit(move || {
        live.load.begun();
        live.figures.begun();
        live.load.said(last_seq);
    });
    Ok(stored)
}

/// Takes one input to an order. Answers with the order as it is then, and what the input did.
/// `event`: the event that the input came in, where it came in one.
///
/// # Errors
/// The database's.
pub fn advance(
    tx: &mut Tx<'_>,
    live: &Arc<Live>,
    stored: StoredOrder,
    input: Input<'_>,
    event: Option<&Event>,
) -> Result<(StoredOrder, Outcome), Error> {
    let step = match saga::step(Some(&stored.order), input) {
        Ok(step) => step,
        Err(impossible) => return Ok((stored, Outcome::Impossible(impossible.to_string()))),
    };
    let Some(order) = step.order else {
        return Ok((stored, Outcome::Duplicate));
    };
    let (before, now) = (stored.order.status, tx.now());
    let last_seq = match step.says {
        Some(message) => {
            let cause = cause(event, &stored, &message);
            tx.say(message, cause)?
        }
        None => stored.last_seq,
    };
    let changed = order.status != before;
    let outcome = match (changed, order.told) {
        (true, _) => Outcome::Changed(order.status.as_str()),
        (false, true) => Outcome::Changed("closed"),
        (false, false) => Outcome::Repeated,
    };
    let repeats = if changed {
        0
    } else {
        stored.repeats.saturating_add(1)
    };
    let due_at = live
        .patience
        .due_at(&order, repeats, live.pace.time_to_final(), now);
    let updated_at = if changed { now } else { stored.updated_at };
    let stored = StoredOrder {
        order,
        due_at,
        repeats,
        last_seq,
        updated_at,
        ..stored
    };
    store::update(tx.conn(), &stored)?;
    if changed && stored.order.status.is_final() {
        let reason = stored.order.reason.map(|reason| reason.reason_code);
        if reason == Some(ReasonCode::PriceChanged) {
            // Before the commit: whoever reads there why the order has failed and orders again
            // gets the new price.
            live.prices.forget(stored.order.purchase.item_id);
        }
        let (live, stored) = (live.clone(), stored.clone());
        tx.after_commit(move || {
            live.load.said(last_seq);
            live.ended(&stored);
        });
    } else if step.says.is_some() {
        let (live, repeated) = (live.clone(), (!changed).then_some(stored.order.status));
        tx.after_commit(move || {
            live.load.said(last_seq);
            if let Some(status) = repeated {
                live.figures.repeated(status);
            }
        });
    }
    Ok((stored, outcome))
}

/// The buyer asks to cancel. `None`: there is no such order.
///
/// # Errors
/// The database's.
pub fn cancel(
    tx: &mut Tx<'_>,
    live: &Arc<Live>,
    id: OrderId,
) -> Result<Option<(StoredOrder, Outcome)>, Error> {
    let Some(stored) = store::find(tx.conn(), id)? else {
        return Ok(None);
    };
    let input = Input::Cancel(ReasonCode::CancelledByUser);
    advance(tx, live, stored, input, None).map(Some)
}

/// What an order says belongs to the trace that began it, whoever made it speak.
fn cause(event: Option<&Event>, stored: &StoredOrder, message: &Message) -> Cause {
    let carried = event.and_then(|event| event.traceparent.clone());
    Cause {
        event: event.map(|event| event.id),
        traceparent: match event {
            Some(_) => carried.or_else(|| stored.traceparent.clone()),
            None => stored.saying(message.event_type, message.attempt),
        },
    }
}

/// Records the span of what an order has said last, where no event made it speak but a timer, or a
/// request that is not its first.
pub(crate) fn trace_said(
    traces: &Traces,
    stored: &StoredOrder,
    at: Timestamp,
    outcome: &'static str,
) {
    traces.record(stored.traceparent.as_ref(), |began| {
        let (order, says) = (&stored.order, stored.order.status.says());
        let (order_id, attempt) = (order.purchase.order_id, order.attempt);
        let event = EventId::of(order_id, says);
        Span::new(
            Kind::Producer,
            format!("send {says}"),
            began.saying(event, attempt),
            at,
        )
        .child_of(began)
        .with("messaging.system", "redis")
        .with("messaging.operation.type", "send")
        .with("messaging.message.id", event.to_string())
        .with("order.id", order_id.to_string())
        .with("event.type", says.as_str())
        .with("attempt", attempt)
        .with("outcome", outcome)
    });
}
