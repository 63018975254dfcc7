//! `POST /orders`, the hot path: one job of the writer, and nothing read that is at hand.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{ItemId, OrderId, Quantity, TraceParent, UserId};
use serde::Deserialize;
use svc_chassis::http::{Body, Problem, RequestContext};
use svc_chassis::idempotency::{IdempotencyKey, KeyHeader, marked, once};
use svc_chassis::{Chassis, Error, Tx};
use utoipa::ToSchema;

use super::order_view::{OrderView, answer};
use super::prefer::{PreferHeader, wait_preference};
use super::{log_said, look, until_final};
use crate::OrderSvc;
use crate::advance::{self, NewPurchase};
use crate::live::Live;
use crate::load::Place;
use crate::store::StoredOrder;

#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct NewOrder {
    user_id: UserId,
    item_id: ItemId,
    quantity: Quantity,
}

/// What a request makes.
enum Made {
    /// An order.
    Now(StoredOrder),
    /// Nothing: the same key made this order before.
    Before(OrderId),
}

/// Buy
///
/// Answered when the purchase is on disk; with `Prefer: wait=N`, when it has ended, or after N seconds.
#[utoipa::path(
    post, path = "/orders", operation_id = "createOrder", tag = "orders",
    params(PreferHeader, KeyHeader),
    request_body = NewOrder,
    responses(
        (status = 201, description = "It has begun", body = OrderView, headers(("Location" = String), ("ETag" = String))),
        (status = 404, description = "`ITEM_NOT_FOUND`"),
        (status = 409, description = "The first request with this key is not answered yet"),
        (status = 422, description = "A field is not acceptable, the total is too large, or the key was used with another body"),
        (status = 503, description = "Too much to do, or the price is not known while item-svc is away"),
    ),
)]
pub(super) async fn create(
    request: HttpRequest,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
    body: Body<NewOrder>,
) -> Result<HttpResponse, Error> {
    let wait = wait_preference(request.headers());
    let key = IdempotencyKey::of(&request, &body.value.user_id.to_string(), &body.json)?;
    // Before the rules that may have changed since: a replay is answered whatever the price and
    // the load are now.
    if let Some(key) = &key
        && let Some(id) = made_before(&chassis, key.clone()).await?
    {
        return replay(&svc, &chassis, id, wait).await;
    }
    let place = svc.live.load.enter(chassis.published.seq())?;
    let new = quote(&svc, body.value).await?;
    // Before the order exists, so that its end cannot slip through.
    let waiter = wait.map(|_| svc.live.waiting.register(new.order_id));
    let RequestContext {
        request_id,
        traceparent,
        ..
    } = RequestContext::of(&request);
    let job = begin_once(svc.live.clone(), new, traceparent, key, place);
    let begun = match chassis.writer.write(job).await? {
        Made::Now(stored) => stored,
        // The same key was committed while this request was on its way.
        Made::Before(id) => return replay(&svc, &chassis, id, wait).await,
    };
    log_said(&begun, &request_id);
    let stored = match waiter.zip(wait) {
        Some((waiter, wait)) => until_final(&chassis, waiter, begun, wait).await?,
        None => begun,
    };
    Ok(created(&stored, wait).json(OrderView::from(&stored)))
}

/// What a key made before.
async fn made_before(chassis: &Chassis, key: IdempotencyKey) -> Result<Option<OrderId>, Error> {
    let made = chassis.readers.read(move |conn| key.look_up(conn)).await?;
    let id = made.map(|made| made.parse().map_err(|_| made));
    id.transpose()
        .map_err(|made| Error::internal(format!("idempotency key made {made:?}")))
}

/// Freezes the price in a purchase that is about to begin.
async fn quote(svc: &OrderSvc, order: NewOrder) -> Result<NewPurchase, Problem> {
    let NewOrder {
        user_id,
        item_id,
        quantity,
    } = order;
    let unit_price = svc.live.prices.of(item_id).await?;
    let total_amount = unit_price.times(quantity).ok_or_else(|| {
        let message = format!("{quantity} pieces at {unit_price} are more than 2^53-1");
        Problem::invalid("quantity", message)
    })?;
    let order_id = OrderId::new();
    Ok(NewPurchase {
        order_id,
        user_id,
        item_id,
        quantity,
        unit_price,
        total_amount,
    })
}

/// The writer's job. The place is the job's own: it is left when the order is committed, before anybody
/// is answered, or when the job ends without one, also when the client has gone meanwhile.
fn begin_once(
    live: Arc<Live>,
    new: NewPurchase,
    trace: TraceParent,
    key: Option<IdempotencyKey>,
    place: Place,
) -> impl FnMut(&mut Tx<'_>) -> Result<Made, Error> {
    let place = Arc::new(place);
    move |tx| {
        let mut begun = None;
        let (id, _) = once(tx, key.as_ref(), |tx| {
            begun = Some(advance::begin(tx, &live, new, &trace)?);
            let place = place.clone();
            tx.after_commit(move || place.leave());
            Ok(new.order_id)
        })?;
        Ok(begun.map_or(Made::Before(id), Made::Now))
    }
}

/// Answers a repeated request: the same id, and the order as it is now.
async fn replay(
    svc: &OrderSvc,
    chassis: &Chassis,
    id: OrderId,
    wait: Option<Duration>,
) -> Result<HttpResponse, Error> {
    let stored = look(svc, chassis, id, wait).await?;
    Ok(marked(&mut created(&stored, wait), true).json(OrderView::from(&stored)))
}

fn created(stored: &StoredOrder, wait: Option<Duration>) -> actix_web::HttpResponseBuilder {
    let location = format!("/orders/{}", stored.id());
    let mut response = answer(StatusCode::CREATED, stored, wait);
    response.insert_header((LOCATION, location));
    response
}
