//! `GET /orders?stuck=true`: the purchases that wait for something, and why.

use futures_util::{StreamExt, TryStreamExt, stream};
use saga_events::Timestamp;
use saga_timeline::stuck::{Stuck, UNDER_WAY};
use svc_chassis::{Chassis, Error};

use crate::OrderSvc;
use crate::gather::Gatherer;
use crate::store::StoredOrder;
use crate::store::list::Filter;

/// Purchases that are followed at the same time.
const AT_A_TIME: usize = 8;

/// Only those that are under way for longer than a purchase takes.
pub(super) fn only(filter: &mut Filter) {
    let old_enough = Timestamp::now().minus(UNDER_WAY);
    let before = filter
        .before
        .map_or(old_enough, |before| before.min(old_enough));
    filter.under_way = true;
    filter.before = Some(before);
}

/// These without those that nothing holds up, each with what does.
pub(super) async fn held_up(
    svc: &OrderSvc,
    chassis: &Chassis,
    orders: Vec<StoredOrder>,
) -> Result<Vec<(StoredOrder, Option<Vec<Stuck>>)>, Error> {
    let gatherer = Gatherer::new(chassis, &svc.peers);
    let follow = |stored: StoredOrder| {
        let gatherer = gatherer.clone();
        async move {
            let stuck = gatherer.timeline(&stored).await?.stuck;
            let stuck = Some(stuck).filter(|stuck| !stuck.is_empty());
            Ok::<_, Error>((stored, stuck))
        }
    };
    let followed: Vec<_> = stream::iter(orders)
        .map(follow)
        .buffered(AT_A_TIME)
        .try_collect()
        .await?;
    let held_up = followed.into_iter().filter(|(_, stuck)| stuck.is_some());
    Ok(held_up.collect())
}
