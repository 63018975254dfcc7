//! `GET /orders?stuck=true`: the purchases that wait for something, and why.

use actix_web::HttpResponse;
use futures_util::{StreamExt, TryStreamExt, stream};
use saga_events::{OrderId, Timestamp};
use saga_timeline::stuck::UNDER_WAY;
use svc_chassis::http::Pages;
use svc_chassis::{Chassis, Error};

use super::order_view::OrderView;
use super::{Listed, Orders};
use crate::OrderSvc;
use crate::gather::Gatherer;
use crate::store::{self, Filter, StoredOrder};

/// Purchases that are followed at the same time.
const AT_A_TIME: usize = 8;

/// A page of those that are under way for longer than a purchase takes, without those that nothing
/// holds up: a page may be short, or empty, and still have a next one.
pub(super) async fn list(
    svc: &OrderSvc,
    chassis: &Chassis,
    filter: Filter,
    pages: &Pages<OrderId>,
) -> Result<HttpResponse, Error> {
    let old_enough = Timestamp::now().minus(UNDER_WAY);
    let filter = Filter {
        under_way: true,
        before: Some(
            filter
                .before
                .map_or(old_enough, |before| before.min(old_enough)),
        ),
        ..filter
    };
    let to_read = pages.to_read();
    let rows = chassis
        .readers
        .read(move |conn| Ok(store::list(conn, &filter, to_read)?))
        .await?;
    let gatherer = Gatherer::new(chassis, &svc.peers);
    let follow = |stored: StoredOrder| {
        let gatherer = gatherer.clone();
        async move {
            let stuck = gatherer.timeline(&stored).await?.stuck;
            let order = OrderView::from(&stored);
            let stuck = Some(stuck).filter(|stuck| !stuck.is_empty());
            Ok::<_, Error>(Listed { order, stuck })
        }
    };
    // The cursor is the last row that was looked at, so the page is cut before it is thinned out.
    let (rows, next_cursor) = pages.cut(rows, StoredOrder::id);
    let followed: Vec<Listed> = stream::iter(rows)
        .map(follow)
        .buffered(AT_A_TIME)
        .try_collect()
        .await?;
    let held_up = followed.into_iter().filter(|row| row.stuck.is_some());
    Ok(HttpResponse::Ok().json(Orders {
        orders: held_up.collect(),
        next_cursor,
    }))
}
