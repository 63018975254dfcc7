//! `GET /openapi.json`: what a service answers to, as OpenAPI 3.1, made from the code; and `GET /docs/`,
//! a page to try it. Both come from the binary: nobody needs a network.

use std::sync::Arc;

use actix_web::http::header::{self, CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::{HttpRequest, HttpResponse, web};
use utoipa::OpenApi as _;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::{Content, Info, OpenApi, Ref, RefOr, Response};
use utoipa_swagger_ui::Config;

use super::problem::CONTENT_TYPE;
use super::{Problem, Routes, resource, shared};
use crate::error::Error;
use crate::service::Service;

/// The page loads nothing that is not the service's own. Its library writes styles into elements.
const CONTENT_POLICY: &str = "default-src 'none'; script-src 'self'; connect-src 'self'; \
     style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'";

/// Adds the document and the page.
pub(super) fn routes<S: Service>(routes: &mut Routes<'_>) {
    resource("/openapi.json").get(json::<S>).register(routes);
    resource("/docs").get(to_page).register(routes);
    resource("/docs/{file:.*}").get(page).register(routes);
}

/// What this service answers to
#[utoipa::path(
    get, path = "/openapi.json", operation_id = "getOpenApi", tag = "service",
    responses((status = 200, description = "This document", body = serde_json::Value)),
)]
async fn json<S: Service>() -> HttpResponse {
    HttpResponse::Ok().json(document::<S>())
}

/// A page to try it
#[utoipa::path(
    get, path = "/docs", operation_id = "getDocs", tag = "service",
    responses((status = 308, description = "The page is at /docs/")),
)]
async fn to_page() -> HttpResponse {
    // The page's own links are relative.
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, "/docs/"))
        .finish()
}

async fn page(request: HttpRequest) -> Result<HttpResponse, Error> {
    let config = Config::from("../openapi.json")
        .validator_url("none")
        .display_request_duration(true)
        .display_operation_id(true)
        .try_it_out_enabled(true);
    let file = request.match_info().get("file").unwrap_or_default();
    let found = utoipa_swagger_ui::serve(file, Arc::new(config)).map_err(Error::internal)?;
    let found = found.ok_or_else(|| Problem::not_found("NO_SUCH_PATH", format!("file {file}")))?;
    Ok(HttpResponse::Ok()
        .content_type(found.content_type)
        .insert_header((CONTENT_SECURITY_POLICY, CONTENT_POLICY))
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(web::Bytes::from(found.bytes.into_owned())))
}

/// Everything that a service answers to: its own paths, then those that all have.
pub(crate) fn document<S: Service>() -> OpenApi {
    let mut document = own::<S>();
    document.merge(shared());
    document
}

/// A service's own paths.
pub(crate) fn own<S: Service>() -> OpenApi {
    described(S::api(), S::ME.as_str(), S::ABOUT)
}

/// The paths that all services have.
pub(crate) fn shared() -> OpenApi {
    described(
        shared::Api::openapi(),
        "every service",
        "What each of the six answers to, beside its own.",
    )
}

fn described(mut document: OpenApi, title: &str, about: &str) -> OpenApi {
    document.info = Info::new(title, env!("CARGO_PKG_VERSION"));
    document.info.description = Some(about.to_owned());
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        describe_problems(operation);
    }
    document
}

/// The path's operations, by whichever methods.
fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        delete,
        patch,
        ..
    } = item;
    [get, put, post, delete, patch].into_iter().flatten()
}

/// Every error answer is a problem, whether the operation names it or not.
fn describe_problems(operation: &mut Operation) {
    let answers = &mut operation.responses.responses;
    let other = Response::new("Anything else is a problem, as RFC 9457 has it");
    answers.insert("default".to_owned(), other.into());
    for (status, answer) in answers {
        let is_error = status.starts_with(['4', '5', 'd']);
        if let RefOr::T(answer) = answer
            && is_error
            && answer.content.is_empty()
        {
            let problem = RefOr::Ref(Ref::from_schema_name("Problem"));
            let problem = Content::new(Some(problem));
            answer
                .content
                .insert(CONTENT_TYPE.to_owned(), problem.into());
        }
    }
}
