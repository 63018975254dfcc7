//! The door for callers: a request becomes an input, an order becomes an answer. Nothing is decided
//! here but what a caller may know before a purchase begins: that there is no such item, that the
//! total is too large, that there is too much to do.

mod audit;
mod contract;
mod create;
mod dead_letters;
mod etag;
mod events;
mod list;
mod live;
mod order_view;
mod prefer;
mod queries;
mod search;
mod stuck;
mod system;
mod test_data;
mod timeline;
mod ui;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{EventId, OrderId, UserId};
use serde::Serialize;
use svc_chassis::http::{
    Page, Problem, Query, RequestContext, Routes, id_in_path, page_of, resource,
};
use svc_chassis::{Chassis, Error, Outcome, Tx};
use utoipa::{IntoParams, ToSchema};

use crate::OrderSvc;
use crate::advance;
use crate::saga::Status;
use crate::store::list::{Filter, Listed};
use crate::store::{self, StoredOrder};
use crate::waiting::Waiter;
use order_view::{OrderView, answer, unless_known};
use prefer::{PreferHeader, wait_preference};

pub use ui::page;

/// Every route of order-svc beside the shared ones.
pub fn routes(routes: &mut Routes<'_>) {
    resource("/orders")
        .get(list::list)
        .post(create::create)
        .register(routes);
    resource("/orders/{id}").get(get).register(routes);
    resource("/orders/{id}/cancel")
        .post(cancel)
        .register(routes);
    resource("/user/{id}/orders").get(of_user).register(routes);
    audit::routes(routes);
    contract::routes(routes);
    dead_letters::routes(routes);
    events::routes(routes);
    live::routes(routes);
    queries::routes(routes);
    system::routes(routes);
    test_data::routes(routes);
    timeline::routes(routes);
    ui::routes(routes);
}

/// What they take and answer, for the document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(
    create::create,
    get,
    cancel,
    list::list,
    of_user,
    timeline::timeline,
    timeline::explained,
    timeline::conformance,
    events::of_order,
    events::all,
    live::live,
    queries::balance,
    queries::inventory,
    queries::items,
    test_data::set_up,
    audit::audit,
    contract::contract,
    system::system,
    dead_letters::all::list,
    dead_letters::show,
    dead_letters::replay_one,
    dead_letters::all::replay_all,
    dead_letters::discard,
    ui::index,
    ui::asset
))]
pub struct Api;

/// The header, for the OpenAPI document.
#[derive(IntoParams)]
#[into_params(parameter_in = Header)]
#[allow(dead_code)] // it is read by hand
struct KnownTag {
    /// The `ETag` of the order that the caller has: 304 while it is still that.
    #[param(rename = "If-None-Match", nullable = false)]
    tag: Option<String>,
}

/// A purchase
///
/// With `Prefer: wait=N`, as it is when it has ended, or after N seconds.
#[utoipa::path(
    get, path = "/orders/{id}", operation_id = "getOrder", tag = "orders",
    params(("id" = OrderId, Path, description = "The purchase"), PreferHeader, KnownTag),
    responses(
        (status = 200, description = "As it is", body = OrderView, headers(("ETag" = String))),
        (status = 304, description = "It is still what the caller has"),
        (status = 404, description = "`ORDER_NOT_FOUND`"),
    ),
)]
async fn get(
    request: HttpRequest,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let id = id_in_path(&request, "id")?;
    let wait = wait_preference(request.headers());
    let stored = look(&svc, &chassis, id, wait).await?;
    Ok(unless_known(request.headers(), &stored, wait))
}

/// Cancel a purchase, unless it is paid
///
/// Repeating it is harmless.
#[utoipa::path(
    post, path = "/orders/{id}/cancel", operation_id = "cancelOrder", tag = "orders",
    params(("id" = OrderId, Path, description = "The purchase")),
    responses(
        (status = 200, description = "It is cancelled already", body = OrderView),
        (status = 202, description = "It is `CANCELLING`: payment-svc decides", body = OrderView),
        (status = 404, description = "`ORDER_NOT_FOUND`"),
        (status = 409, description = "`ORDER_COMPLETED`"),
    ),
)]
async fn cancel(
    request: HttpRequest,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let id: OrderId = id_in_path(&request, "id")?;
    let live = svc.live.clone();
    let ask =
        move |tx: &mut Tx<'_>| Ok(advance::cancel(tx, &live, id)?.ok_or_else(|| not_found(id))?);
    let (stored, outcome) = chassis.writer.write(ask).await?;
    if matches!(outcome, Outcome::Changed(_)) {
        log_said(&stored, &RequestContext::of(&request).request_id);
        advance::trace_said(&chassis.traces, &stored, stored.updated_at, outcome.label());
    }
    let status = match stored.order.status {
        Status::Pending | Status::Cancelling => StatusCode::ACCEPTED,
        Status::Cancelled => StatusCode::OK,
        Status::Completed => {
            let detail = format!("order {id} is already completed");
            return Err(Problem::conflict("ORDER_COMPLETED", detail).into());
        }
    };
    Ok(answer(status, &stored, None).json(OrderView::from(&stored)))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct OrdersOfUser {
    user_id: UserId,
    orders: Vec<OrderView>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// A buyer's purchases, the newest first
#[utoipa::path(
    get, path = "/user/{id}/orders", operation_id = "listOrdersOfUser", tag = "buyers",
    params(("id" = UserId, Path, description = "The buyer"), Page),
    responses((status = 200, description = "A page of them; none where nobody knows the buyer", body = OrdersOfUser)),
)]
async fn of_user(
    request: HttpRequest,
    Query(page): Query<Page>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let user_id: UserId = id_in_path(&request, "id")?;
    let pages = page_of::<OrderId>(page.limit, page.cursor.as_deref())?;
    let filter = Filter {
        users: vec![user_id],
        after: pages.after,
        ..Filter::default()
    };
    let read = move |conn: &mut _| Ok(store::list::list(conn, &filter, pages.limit)?);
    let Listed { orders, more } = chassis.readers.read(read).await?;
    Ok(HttpResponse::Ok().json(OrdersOfUser {
        user_id,
        orders: orders.iter().map(OrderView::from).collect(),
        next_cursor: more.map(|last| last.to_string()),
    }))
}

/// An order as it is; with a preference, as it is when it is final, or when the wait is over.
async fn look(
    svc: &OrderSvc,
    chassis: &Chassis,
    id: OrderId,
    wait: Option<Duration>,
) -> Result<StoredOrder, Error> {
    let waiter = wait.map(|_| svc.live.waiting.register(id));
    let stored = read(chassis, id).await?;
    match (waiter, wait) {
        (Some(waiter), Some(wait)) => until_final(chassis, waiter, stored, wait).await,
        _ => Ok(stored),
    }
}

async fn until_final(
    chassis: &Chassis,
    waiter: Waiter,
    stored: StoredOrder,
    wait: Duration,
) -> Result<StoredOrder, Error> {
    if stored.order.status.is_final() {
        return Ok(stored);
    }
    // A service that is asked to end does not keep its callers.
    let ended = tokio::select! {
        ended = waiter.wait(wait) => ended,
        () = chassis.shutdown.cancelled() => None,
    };
    match ended {
        Some(stored) => Ok(stored),
        None => read(chassis, stored.id()).await,
    }
}

async fn read(chassis: &Chassis, id: OrderId) -> Result<StoredOrder, Error> {
    let found = chassis
        .readers
        .read(move |conn| Ok(store::find(conn, id)?))
        .await?;
    Ok(found.ok_or_else(|| not_found(id))?)
}

fn not_found(id: OrderId) -> Problem {
    Problem::not_found("ORDER_NOT_FOUND", format!("order {id}"))
}

/// No event came in, so the line is about what went out.
fn log_said(stored: &StoredOrder, request_id: &str) {
    let (status, at) = (stored.order.status, stored.updated_at);
    let (order_id, says) = (stored.id(), status.says());
    tracing::info!(
        at_us = at.micros(), order.id = %order_id, event.r#type = says.as_str(),
        says = says.as_str(), attempt = stored.order.attempt, outcome = "changed",
        event.id = %EventId::of(order_id, says), trace.id = stored.trace_id(),
        request.id = request_id, "{}", status.as_str()
    );
}
