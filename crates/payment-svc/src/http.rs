//! Requests in, answers out; no decisions.

use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{Amount, OrderId, Timestamp};
use serde::{Deserialize, Serialize};
use svc_chassis::http::{Body, Problem, Query, Routes, id_in_path, page_of, resource};
use svc_chassis::{Chassis, Error};
use utoipa::{IntoParams, ToSchema};

use crate::PaymentSvc;
use crate::gateway::simulated::Behaviour;
use crate::saga::State;
use crate::store::{self, Shown};

/// Adds this service's routes.
pub fn routes(routes: &mut Routes<'_>) {
    resource("/payments").get(payments).register(routes);
    resource("/payments/{orderId}")
        .get(payment)
        .register(routes);
    resource("/gateway")
        .get(gateway)
        .put(set_gateway)
        .register(routes);
}

/// The paths of payment-svc, for its document.
#[derive(utoipa::OpenApi)]
#[openapi(paths(payments, payment, gateway, set_gateway))]
pub struct Api;

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Payment)]
struct PaymentBody {
    /// The purchase.
    order_id: OrderId,
    /// 0 in a tombstone: it was cancelled before its amount was heard of.
    amount: i64,
    /// Where it stands.
    state: State,
    /// Under which name the gateway keeps the charge.
    #[serde(skip_serializing_if = "Option::is_none")]
    gateway_reference: Option<String>,
    /// Since when the gateway owes an answer: until then nobody knows whether the buyer has paid.
    #[serde(skip_serializing_if = "Option::is_none")]
    unknown_since: Option<Timestamp>,
    updated_at: Timestamp,
}

impl PaymentBody {
    fn new(shown: Shown, service: &PaymentSvc) -> Self {
        let Shown {
            payment,
            gateway_reference,
            updated_at,
        } = shown;
        let amount = payment.purchase.map(|purchase| purchase.total_amount);
        Self {
            order_id: payment.order_id,
            amount: amount.map_or(0, Amount::get),
            state: payment.state,
            gateway_reference,
            unknown_since: service.asker.figures().unknown_since(payment.order_id),
            updated_at,
        }
    }
}

/// The payment of a purchase
#[utoipa::path(
    get, path = "/payments/{orderId}", operation_id = "getPayment", tag = "payments",
    params(("orderId" = OrderId, Path, description = "The purchase")),
    responses(
        (status = 200, description = "As it is now", body = PaymentBody),
        (status = 404, description = "`PAYMENT_NOT_FOUND`"),
    ),
)]
async fn payment(
    request: HttpRequest,
    service: web::Data<PaymentSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let order_id: OrderId = id_in_path(&request, "orderId")?;
    let found = chassis
        .readers
        .read(move |conn| Ok(store::payment_of(conn, order_id)?))
        .await?;
    let found = found
        .ok_or_else(|| Problem::not_found("PAYMENT_NOT_FOUND", format!("payment {order_id}")))?;
    Ok(HttpResponse::Ok().json(PaymentBody::new(found, &service)))
}

#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct PaymentsQuery {
    /// Only those in this state.
    #[param(value_type = Option<State>, inline)]
    state: Option<String>,
    /// How many rows, 1 to 100; 100 unless given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The `nextCursor` of the page before.
    #[param(format = Uuid)]
    cursor: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Payments {
    payments: Vec<PaymentBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Payments, the newest purchases first
#[utoipa::path(
    get, path = "/payments", operation_id = "listPayments", tag = "payments",
    params(PaymentsQuery),
    responses((status = 200, description = "A page of them", body = Payments)),
)]
async fn payments(
    Query(query): Query<PaymentsQuery>,
    service: web::Data<PaymentSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let page = page_of::<OrderId>(query.limit, query.cursor.as_deref())?;
    let state: Option<State> = match query.state.as_deref().map(str::parse).transpose() {
        Ok(state) => state,
        Err(error) => return Err(Problem::malformed("state", error).into()),
    };
    let (before, limit) = (page.after, page.to_read());
    let rows = chassis
        .readers
        .read(move |conn| Ok(store::newest(conn, state, before, limit)?))
        .await?;
    let body = |shown| PaymentBody::new(shown, &service);
    let rows: Vec<PaymentBody> = rows.into_iter().map(body).collect();
    let (payments, next_cursor) = page.cut(rows, |row| row.order_id);
    Ok(HttpResponse::Ok().json(Payments {
        payments,
        next_cursor,
    }))
}

/// How the simulated gateway behaves
#[utoipa::path(
    get, path = "/gateway", operation_id = "getGateway", tag = "gateway",
    responses((status = 200, description = "As it is now", body = Behaviour)),
)]
async fn gateway(service: web::Data<PaymentSvc>) -> HttpResponse {
    HttpResponse::Ok().json(service.gateway.behaviour())
}

/// Let the simulated gateway behave otherwise, until the process ends
#[utoipa::path(
    put, path = "/gateway", operation_id = "setGateway", tag = "gateway",
    request_body = Behaviour,
    responses(
        (status = 200, description = "How it behaves from now on", body = Behaviour),
        (status = 404, description = "`DEMO_OFF`"),
        (status = 422, description = "A field is not acceptable, or the longest latency is below the shortest"),
    ),
)]
async fn set_gateway(
    service: web::Data<PaymentSvc>,
    chassis: web::Data<Chassis>,
    body: Result<Body<Behaviour>, Error>,
) -> Result<HttpResponse, Error> {
    if !chassis.settings.demo {
        let what = "control of the gateway here: the demo is off";
        return Err(Problem::not_found("DEMO_OFF", what).into());
    }
    let Body {
        value: behaviour, ..
    } = body?;
    behaviour
        .validate()
        .map_err(|why| Problem::invalid("latencyMaxMs", why))?;
    let text = serde_json::to_string(&behaviour).map_err(Error::internal)?;
    tracing::info!(gateway = %text, "the simulated gateway behaves so from now on");
    service.gateway.behave(behaviour.clone());
    Ok(HttpResponse::Ok().json(behaviour))
}
