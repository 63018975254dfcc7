//! The door for callers: a request becomes an input, an order becomes an answer. Nothing is decided
//! here but what a caller may know before a purchase begins: that there is no such item, that the
//! total is too large, that there is too much to do.

mod audit;
mod create;
mod events;
mod order_view;
mod prefer;
mod queries;
mod stuck;
mod test_data;
mod timeline;

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{EventId, OrderId, Timestamp, UserId};
use serde::Deserialize;
use svc_chassis::http::{Page, Problem, Query, RequestContext, id_in_path, page_of, resource};
use svc_chassis::{Chassis, Error, Outcome, Tx};

use crate::OrderSvc;
use crate::advance;
use crate::saga::Status;
use crate::store::{self, Filter, StoredOrder};
use crate::waiting::Waiter;
use order_view::{OrderView, answer, unless_known};
use prefer::wait_preference;

/// Every route of order-svc beside the shared ones.
pub fn routes(app: &mut web::ServiceConfig) {
    resource("/orders")
        .get(list)
        .post(create::create)
        .register(app);
    resource("/orders/{id}").get(get).register(app);
    resource("/orders/{id}/cancel").post(cancel).register(app);
    resource("/user/{id}/orders").get(of_user).register(app);
    audit::routes(app);
    events::routes(app);
    queries::routes(app);
    test_data::routes(app);
    timeline::routes(app);
}

/// `GET /orders/{id}`
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

/// `POST /orders/{id}/cancel`
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

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ListQuery {
    status: Option<String>,
    user_id: Option<UserId>,
    older_than: Option<String>,
    stuck: Option<bool>,
    limit: Option<i64>,
    cursor: Option<String>,
}

/// `GET /orders`
async fn list(
    Query(query): Query<ListQuery>,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let pages = page_of::<OrderId>(query.limit, query.cursor.as_deref())?;
    let status = match query.status.as_deref().map(str::parse) {
        None => None,
        Some(Ok(status)) => Some(status),
        Some(Err(_)) => {
            let states = Status::ALL.map(Status::as_str).join(", ");
            return Err(Problem::malformed("status", format!("must be one of {states}")).into());
        }
    };
    let before = match query.older_than.as_deref().map(age) {
        None => None,
        Some(Some(age)) => Some(Timestamp::now().minus(age)),
        Some(None) => {
            let message = "must be a number and ms, s, m, h or d, such as 10s";
            return Err(Problem::malformed("olderThan", message).into());
        }
    };
    let filter = Filter {
        status,
        user_id: query.user_id,
        before,
        after: pages.after,
        ..Filter::default()
    };
    if query.stuck == Some(true) {
        return stuck::list(&svc, &chassis, filter, &pages).await;
    }
    let to_read = pages.to_read();
    let rows = chassis
        .readers
        .read(move |conn| Ok(store::list(conn, &filter, to_read)?))
        .await?;
    let views = rows.iter().map(OrderView::from).collect();
    Ok(HttpResponse::Ok().json(pages.answer("orders", views, OrderView::id)))
}

/// `GET /user/{id}/orders`
async fn of_user(
    request: HttpRequest,
    Query(page): Query<Page>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let user_id: UserId = id_in_path(&request, "id")?;
    let pages = page_of::<OrderId>(page.limit, page.cursor.as_deref())?;
    let filter = Filter {
        user_id: Some(user_id),
        after: pages.after,
        ..Filter::default()
    };
    let to_read = pages.to_read();
    let rows = chassis
        .readers
        .read(move |conn| Ok(store::list(conn, &filter, to_read)?))
        .await?;
    let views = rows.iter().map(OrderView::from).collect();
    let mut body = pages.answer("orders", views, OrderView::id);
    body["userId"] = serde_json::json!(user_id);
    Ok(HttpResponse::Ok().json(body))
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
        None => read(chassis, stored.order.purchase.order_id).await,
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

/// `10s`, `500ms`, `2m`, `1h`, `1d`
fn age(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: u64 = number.parse().ok()?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(millis)?))
}

/// No event came in, so the line is about what went out.
fn log_said(stored: &StoredOrder, request_id: &str) {
    let (status, at) = (stored.order.status, stored.updated_at);
    let (order_id, says) = (stored.order.purchase.order_id, status.says());
    tracing::info!(
        at_us = at.micros(), order.id = %order_id, event.r#type = says.as_str(),
        says = says.as_str(), attempt = stored.order.attempt, outcome = "changed",
        event.id = %EventId::of(order_id, says), trace.id = stored.trace_id(),
        request.id = request_id, "{}", status.as_str()
    );
}
