//! `GET /orders?stuck=true`: the purchases that wait for something, and why.

use actix_web::HttpResponse;
use futures_util::{StreamExt, TryStreamExt, stream};
use saga_events::{OrderId, Timestamp};
use saga_timeline::stuck::{Stuck, UNDER_WAY};
use serde::Serialize;
use svc_chassis::http::Pages;
use svc_chassis::{Chassis, Error};

use super::order_view::OrderView;
use crate::OrderSvc;
use crate::gather::Gatherer;
use crate::store::{self, Filter, StoredOrder};

/// Purchases that are followed at the same time.
const AT_A_TIME: usize = 8;

#[derive(Serialize)]
struct Waiting {
    #[serde(flatten)]
    order: OrderView,
    stuck: Vec<Stuck>,
}

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
            Ok::<_, Error>(Waiting { order, stuck })
        }
    };
    let followed: Vec<Waiting> = stream::iter(rows)
        .map(follow)
        .buffered(AT_A_TIME)
        .try_collect()
        .await?;
    // The cursor is the last row that was looked at, so the page is cut before it is thinned out.
    let mut answer = pages.answer("orders", followed, |row| row.order.id());
    if let Some(rows) = answer["orders"].as_array_mut() {
        rows.retain(|row| {
            row["stuck"]
                .as_array()
                .is_some_and(|stuck| !stuck.is_empty())
        });
    }
    Ok(HttpResponse::Ok().json(answer))
}
