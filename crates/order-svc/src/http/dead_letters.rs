//! `/system/dead-letters`: the dead letters of all six services in one place. Each service keeps its
//! own and answers for it; here its answers are only collected and passed on.

pub(super) mod all;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use reqwest::Method;
use saga_events::Service;
use serde::{Deserialize, Serialize};
use svc_chassis::Error;
use svc_chassis::http::{Body, Problem, Query, Routes, resource};
use utoipa::{IntoParams, ToSchema};

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
        (status = 200, description = "As the service has it", body = serde_json::Value),
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

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ReplayOneQuery {
    /// Everything is undone after it was tried.
    #[serde(default)]
    dry_run: bool,
}

/// Who and why: the services check it.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = OperatorOfAll)]
struct Why {
    /// Why, for whoever reads the trail. No control characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        required,
        nullable = false,
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    reason: Option<String>,
    /// Who: nobody is authenticated, so it is what the caller says.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    by: Option<String>,
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
    request_body = Why,
    responses(
        (status = 200, description = "What came of it, as the service says", body = serde_json::Value),
        (status = 404, description = "`DEAD_LETTER_NOT_FOUND`"),
        (status = 409, description = "`NOT_OPEN`: it was replayed or discarded before"),
        (status = 503, description = "The service is away"),
    ),
)]
async fn replay_one(
    request: HttpRequest,
    Query(query): Query<ReplayOneQuery>,
    body: Body<Why>,
    svc: web::Data<OrderSvc>,
) -> Result<HttpResponse, Error> {
    let (service, id) = named(&request)?;
    let path = format!("/dead-letters/{id}/replay?dryRun={}", query.dry_run);
    let reply = svc
        .peers
        .ask(service, Method::POST, &path, Some(&body.json));
    Ok(pass_on(service, reply.await)?)
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
struct DiscardQuery {
    /// Why, for whoever reads the trail. No control characters.
    #[param(
        required,
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    reason: Option<String>,
    /// Who: nobody is authenticated, so it is what the caller says.
    #[param(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    by: Option<String>,
}

/// Give it up: it will not be applied, and is kept
#[utoipa::path(
    delete, path = "/system/dead-letters/{service}/{id}", operation_id = "discardDeadLetterOf", tag = "all dead letters",
    params(
        ("service" = Service, Path, description = "Whose"),
        ("id" = i64, Path, description = "Its number in that service"),
        DiscardQuery,
    ),
    responses(
        (status = 200, description = "It is `discarded`", body = serde_json::Value),
        (status = 404, description = "`DEAD_LETTER_NOT_FOUND`"),
        (status = 409, description = "`NOT_OPEN`: it was replayed or discarded before"),
        (status = 503, description = "The service is away"),
    ),
)]
async fn discard(
    request: HttpRequest,
    Query(query): Query<DiscardQuery>,
    svc: web::Data<OrderSvc>,
) -> Result<HttpResponse, Error> {
    let (service, id) = named(&request)?;
    let mut fields = form_urlencoded::Serializer::new(String::new());
    let given = [("reason", query.reason), ("by", query.by)];
    for (name, value) in given {
        if let Some(value) = value {
            fields.append_pair(name, &value);
        }
    }
    let path = format!("/dead-letters/{id}?{}", fields.finish());
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
    let reply = reply.map_err(|why| Problem::unavailable(service.as_str(), why))?;
    if !reply.is_success() {
        return Err(problem(service, &reply));
    }
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .body(reply.body))
}

/// The service's own problem.
fn problem(service: Service, reply: &Reply) -> Problem {
    #[derive(Deserialize)]
    struct Said {
        code: String,
        detail: String,
        #[serde(default)]
        errors: Vec<Field>,
    }
    #[derive(Deserialize)]
    struct Field {
        field: String,
        message: String,
    }
    let status = StatusCode::from_u16(reply.status.as_u16());
    let (Ok(status), Ok(said)) = (status, reply.json::<Said>()) else {
        return Problem::unavailable(service.as_str(), reply.detail());
    };
    let problem = Problem::new(status, said.code, format!("{service}: {}", said.detail));
    said.errors.into_iter().fold(problem, |problem, field| {
        problem.with_field(field.field, field.message)
    })
}
