//! order-svc's sweep, with its own queries and decisions; when it comes is thrown.

use std::sync::Arc;

use order_svc::OrderSvc;
use order_svc::advance;
use order_svc::live::Live;
use order_svc::saga::{Input, Status};
use order_svc::store::{self as orders, StoredOrder};
use order_svc::sweep;
use saga_events::bus::stream;
use saga_events::{OrderId, ReasonCode};
use svc_chassis::singleton::Fence;
use svc_chassis::{Error, Outcome, Tx};

use crate::process::{Broken, Runs};
use crate::stray;
use crate::watched::Watch;
use crate::world::World;
use crate::wrong::Wrong;

/// Orders that one sweep takes up.
const BATCH: i64 = 1024;

/// order-svc looks after its orders, under this number.
///
/// # Errors
/// Its database cannot be read.
pub fn sweep_as(world: &mut World, fence: Option<Fence>) -> Result<(), Broken> {
    let Some(fence) = fence else { return Ok(()) };
    let (now, published) = (world.order.now(), world.order.published());
    let repeats = !matches!(
        world.wrong,
        Some(Wrong::NoRepeats | Wrong::AcknowledgeFirst)
    );
    let behind = sweep::FIRST_TO_LAST.map(|status| has_backlog(world, status));
    let Some(conn) = world.order.conn() else {
        return Ok(());
    };
    let broken = |error: diesel::result::Error| error.to_string();
    let mut due = orders::overdue(conn, now, BATCH).map_err(broken)?;
    for (status, behind) in sweep::FIRST_TO_LAST.into_iter().zip(behind) {
        let since = if behind {
            now.minus(sweep::BACKLOG_PATIENCE)
        } else {
            now
        };
        if repeats {
            let repeats = orders::due(conn, status, since, published, BATCH).map_err(broken)?;
            due.extend(repeats);
        }
    }
    for order in due {
        take_up(world, order, fence.clone());
    }
    Ok(())
}

fn has_backlog(world: &World, status: Status) -> bool {
    let event_type = status.says();
    let behind = |partition| {
        let stream = stream(partition, event_type);
        let mut consumers = event_type.spec().consumers.iter();
        consumers.any(|consumer| world.air.bus.backlog(&stream, *consumer) > 0)
    };
    (0..world.air.bus.partitions()).any(behind)
}

fn take_up(world: &mut World, id: OrderId, fence: Fence) {
    let Some(instance) = world.order.instance() else {
        return;
    };
    let live = instance.service().inner().live().clone();
    let (watch, wrong) = (world.order.watch.clone(), world.wrong);
    drop(instance.ask(move |tx| {
        if wrong == Some(Wrong::CancelByItself) && cancel_by_itself(tx, &watch, &live, id)? {
            return Ok(());
        }
        let take_up = |tx: &mut Tx<'_>| sweep::take_up_one(tx, &live, &fence, id);
        watch.noting::<OrderSvc, _>(tx, id, take_up, |said| {
            let (stored, _) = said.as_ref()?;
            Some(match stored.repeats {
                0 => (
                    "cancel",
                    None,
                    Outcome::Changed(stored.order.status.as_str()),
                ),
                _ => ("no news", None, Outcome::Repeated),
            })
        })?;
        Ok(())
    }));
}

/// What no order-svc may do: it takes its deadline for the answer.
fn cancel_by_itself(
    tx: &mut Tx<'_>,
    watch: &Watch,
    live: &Arc<Live>,
    id: OrderId,
) -> Result<bool, Error> {
    let Some(stored) = orders::find(tx.conn(), id)? else {
        return Ok(false);
    };
    let overdue = stored.order.purchase.deadline <= tx.now();
    if stored.order.status != Status::Pending || !overdue {
        return Ok(false);
    }
    let event = stray::failure(id, ReasonCode::DeadlineExceeded);
    let cancel = |tx: &mut Tx<'_>| -> Result<(StoredOrder, Outcome), Error> {
        let input = Input::Message(&event.message);
        advance::advance(tx, live, stored, input, None)
    };
    watch.noting::<OrderSvc, _>(tx, id, cancel, |(_, outcome)| {
        Some(("cancel", None, outcome.clone()))
    })?;
    Ok(true)
}
