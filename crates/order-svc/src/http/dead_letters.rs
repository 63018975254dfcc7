//! `/system/dead-letters`: the dead letters of all six services in one place. Each service keeps its
//! own and answers for it; here its answers are only collected and passed on.

pub(super) mod all;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use reqwest::Method;
use saga_events::Service;
use serde_json::Value;
use svc_chassis::Error;
use svc_chassis::http::{
    Body, OperatorFields, Problem, Query, ReplayOneQuery, Routes, passed_on, resource,
};

use crate::OrderSvc;
use crate::peers::Reply;

pub fn routes(routes: &mut Routes<'_>) {
    all::routes(routes);
    resource("/system/dead-letters/{service}/{id}")
        .get(show)
        .delete(discard)
        .register(routes);
    resource("/system/dead-letters/{service}/{id}/replay")
        .post(replay_one)
        .register(routes);
}

/// An event that could not be applied, with what arrived
#[utoipa::path(
    get, path = "/system/dead-letters/{service}/{id}", operation_id = "getDeadLetterOf", tag = "all dead letters",
    params(
        ("service" = Service, Path, description = "Whose"),
        ("id" = i64, Path, description = "Its number in that service"),
    ),
    responses(
        (status = 200, description = "As the service has it", body = Value),
        (status = 404, description = "`DEAD_LETTER_NOT_FOUND`"),
        (status = 503, description = "The service is away"),
    ),
)]
async fn show(request: HttpRequest, svc: web::Data<OrderSvc>) -> Result<HttpResponse, Error> {
    let (service, id) = named(&request)?;
    let path = format!("/dead-letters/{id}");
    Ok(pass_on(
        service,
        svc.peers.ask(service, Method::GET, &path, None).await,
    )?)
}

/// Apply it again
///
/// In the service's own transaction that also marks it: it can neither be lost nor applied twice.
#[utoipa::path(
    post, path = "/system/dead-letters/{service}/{id}/replay", operation_id = "replayDeadLetterOf", tag = "all dead letters",
    params(
        ("service" = Service, Path, description = "Whose"),
        ("id" = i64, Path, description = "Its number in that service"),
        ReplayOneQuery,
    ),
    request_body = OperatorFields,
    responses(
        (status = 200, description = "What came of it, as the service says", body = Value),
        (status = 404, description = "`DEAD_LETTER_NOT_FOUND`"),
        (status = 409, description = "`NOT_OPEN`: it was replayed or discarded before"),
        (status = 503, description = "The service is away"),
    ),
)]
async fn replay_one(
    request: HttpRequest,
    Query(query): Query<ReplayOneQuery>,
    body: Body<OperatorFields>,
    svc: web::Data<OrderSvc>,
) -> Result<HttpResponse, Error> {
    let (service, id) = named(&request)?;
    let path = format!("/dead-letters/{id}/replay?dryRun={}", query.dry_run);
    let reply = svc
        .peers
        .ask(service, Method::POST, &path, Some(&body.json));
    Ok(pass_on(service, reply.await)?)
}

/// Give it up: it will not be applied, and is kept
#[utoipa::path(
    delete, path = "/system/dead-letters/{service}/{id}", operation_id = "discardDeadLetterOf", tag = "all dead letters",
    params(
        ("service" = Service, Path, description = "Whose"),
        ("id" = i64, Path, description = "Its number in that service"),
        OperatorFields,
    ),
    responses(
        (status = 200, description = "It is `discarded`", body = Value),
        (status = 404, description = "`DEAD_LETTER_NOT_FOUND`"),
        (status = 409, description = "`NOT_OPEN`: it was replayed or discarded before"),
        (status = 503, description = "The service is away"),
    ),
)]
async fn discard(
    request: HttpRequest,
    Query(why): Query<OperatorFields>,
    svc: web::Data<OrderSvc>,
) -> Result<HttpResponse, Error> {
    let (service, id) = named(&request)?;
    let why = serde_urlencoded::to_string(&why).map_err(Error::internal)?;
    let path = format!("/dead-letters/{id}?{why}");
    Ok(pass_on(
        service,
        svc.peers.ask(service, Method::DELETE, &path, None).await,
    )?)
}

/// The dead letter that the path names.
fn named(request: &HttpRequest) -> Result<(Service, i64), Problem> {
    let part = |name| request.match_info().get(name).unwrap_or_default();
    let service = part("service").parse().map_err(|_| {
        let names = Service::ALL.map(Service::as_str).join(", ");
        Problem::malformed("service", format!("must be one of {names}"))
    })?;
    let id = part("id").parse();
    let id = id.map_err(|_| Problem::malformed("id", "must be a whole number"))?;
    Ok((service, id))
}

/// Answers as the service has answered.
fn pass_on(service: Service, reply: Result<Reply, String>) -> Result<HttpResponse, Problem> {
    let away = |why| Problem::unavailable(service.as_str(), why);
    let reply = reply.map_err(away)?;
    let status = StatusCode::from_u16(reply.status.as_u16());
    match (status, reply.json::<Value>()) {
        (Ok(status), Ok(body)) => Ok(passed_on(status, &body)),
        _ => Err(away(reply.detail())),
    }
}
