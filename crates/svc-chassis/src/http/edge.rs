//! The edge: what happens to every request before and after its handler. Request id and trace in,
//! host and origin checked, problem bodies completed, one log line for what went wrong, all of it counted.

use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use actix_web::middleware::Next;
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError, web};
use saga_events::{Timestamp, TraceParent};
use uuid::Uuid;

use super::Problem;
use super::problem::CONTENT_TYPE;
use crate::chassis::Chassis;
use crate::failpoint;
use crate::metrics::{Method, Route};
use crate::traces::{Kind, Span, Traces};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What the edge knows of a request, for handlers and logs.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Taken over from `X-Request-Id` or made.
    pub request_id: String,
    /// The span of this request, in the trace of `traceparent` or in one that begins with it.
    pub traceparent: TraceParent,
    /// The caller's span, where it has named one.
    pub parent: Option<TraceParent>,
}

impl RequestContext {
    /// The context of a request that came through the edge.
    pub fn of(request: &HttpRequest) -> Self {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self::new(request.headers(), &Traces::default()))
    }

    fn new(headers: &HeaderMap, traces: &Traces) -> Self {
        let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        // An id from outside goes into logs: printable, without spaces, and short, or not at all.
        let acceptable = |id: &&str| {
            !id.is_empty() && id.len() <= 128 && id.bytes().all(|b| b.is_ascii_graphic())
        };
        let parent: Option<TraceParent> = text("traceparent").and_then(|text| text.parse().ok());
        let request_id = text("x-request-id").filter(acceptable).map(str::to_owned);
        Self {
            request_id: request_id.unwrap_or_else(|| Uuid::now_v7().to_string()),
            traceparent: parent
                .as_ref()
                .map_or_else(|| traces.begin(), TraceParent::child),
            parent,
        }
    }
}

/// The middleware, for `actix_web::middleware::from_fn`.
///
/// # Errors
/// None of its own: every error becomes an answer here.
pub async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let (began, method) = (Instant::now(), Method::from(request.method()));
    // An instance that stands by has no chassis yet: nothing to tell, and no traces.
    let chassis = request.app_data::<web::Data<Chassis>>().cloned();
    let traces = chassis.as_ref().map(|chassis| chassis.traces.clone());
    let context = RequestContext::new(request.headers(), &traces.unwrap_or_default());
    request.extensions_mut().insert(context.clone());
    let answer = match foreign(&request, chassis.as_ref().map(|chassis| chassis.get_ref())) {
        Some(problem) => request
            .into_response(problem.error_response())
            .map_into_boxed_body(),
        // What handlers and extractors refuse is an answer by now; nothing else makes an error.
        None => next.call(request).await?.map_into_boxed_body(),
    };
    if answer.status() == StatusCode::CREATED {
        failpoint!("http.after_commit");
    }
    // Not cloned before: the router needs the request for itself.
    let http = answer.request().clone();
    let mut answer = complete(answer, &http, &context);
    if let Ok(id) = HeaderValue::from_str(&context.request_id) {
        answer.headers_mut().insert(REQUEST_ID, id);
    }
    if let Some(chassis) = chassis {
        let route = http.app_data::<Route>().copied().unwrap_or(Route::UNKNOWN);
        let (status, took) = (answer.status(), began.elapsed());
        let requests = &chassis.metrics.requests;
        requests.answered(route, method, status.as_u16(), took);
        if is_traced(&http, &context, route) {
            let span = |id: &TraceParent| span(id, &http, &context, (route, method, status), took);
            chassis.traces.record(Some(&context.traceparent), span);
        }
    }
    Ok(answer)
}

/// What the edge does for a server that is no service and guards itself: ids in, problem bodies
/// completed.
///
/// # Errors
/// None of its own: every error becomes an answer here.
pub async fn whole_problems(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let context = RequestContext::new(request.headers(), &Traces::default());
    request.extensions_mut().insert(context.clone());
    let answer = next.call(request).await?.map_into_boxed_body();
    let http = answer.request().clone();
    Ok(complete(answer, &http, &context))
}

/// What changes something, and what the caller wants to see in its trace; never what only looks
/// whether the service is well.
fn is_traced(http: &HttpRequest, context: &RequestContext, Route(path): Route) -> bool {
    let is_probe = path.starts_with("/health/") || path == "/metrics";
    !is_probe && (context.parent.is_some() || !http.method().is_safe())
}

/// The span of an answered request.
fn span(
    id: &TraceParent,
    http: &HttpRequest,
    context: &RequestContext,
    (route, method, status): (Route, Method, StatusCode),
    took: Duration,
) -> Span {
    let (method, path) = (method.as_str(), http.path().to_owned());
    let began = Timestamp::now().minus(took);
    let name = format!("{method} {}", route.0);
    let mut span = Span::new(Kind::Server, name, id.clone(), began)
        .with("http.request.method", method)
        .with("http.route", route.0)
        .with("http.response.status_code", i64::from(status.as_u16()))
        .with("url.path", path)
        .with("request.id", context.request_id.clone());
    span.parent = context.parent.clone();
    if status.is_server_error() {
        return span.failed(status.canonical_reason().unwrap_or("a fault"));
    }
    span
}

/// A page of another site must not buy, neither in its own name nor under one that it lets point here.
fn foreign(request: &ServiceRequest, chassis: Option<&Chassis>) -> Option<Problem> {
    if request.method().is_safe() {
        return None;
    }
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    if chassis.is_some_and(|chassis| !chassis.hosts.know(host)) {
        let detail = "a state-changing call must name this service by its address, localhost, or \
                      a name of the system: list the one in Host under http.names if it is one";
        let problem = Problem::new(StatusCode::FORBIDDEN, "FOREIGN_HOST", detail);
        return Some(problem);
    }
    if is_of_another_origin(request) {
        let detail = "a state-changing call from another origin is not allowed";
        let problem = Problem::new(StatusCode::FORBIDDEN, "FOREIGN_ORIGIN", detail);
        return Some(problem);
    }
    None
}

/// Browsers send `Origin` with every state-changing call.
fn is_of_another_origin(request: &ServiceRequest) -> bool {
    let Some(origin) = request.headers().get(ORIGIN) else {
        return false;
    };
    let connection = request.connection_info();
    let own = format!("{}://{}", connection.scheme(), connection.host());
    origin
        .to_str()
        .map_or(true, |origin| !origin.eq_ignore_ascii_case(&own))
}

/// Marks an answer whose status says what its body is about, such as an audit that found something:
/// the request itself was answered, so the body is no problem.
#[derive(Debug, Clone, Copy)]
pub(super) struct Verdict;

/// Another service's answer, passed on as it came: a refusal has that service's own code and fields.
pub fn passed_on(status: StatusCode, body: &serde_json::Value) -> HttpResponse {
    let mut answer = HttpResponse::build(status);
    if !status.is_success() {
        answer.content_type(CONTENT_TYPE);
    }
    let mut answer = answer.json(body);
    answer.extensions_mut().insert(Verdict);
    answer
}

/// Makes every error answer a complete problem, whoever made it, and logs the server's faults.
fn complete(
    answer: ServiceResponse,
    http: &HttpRequest,
    context: &RequestContext,
) -> ServiceResponse {
    let status = answer.status();
    let is_verdict = answer.response().extensions().get::<Verdict>().is_some();
    if is_verdict || (!status.is_client_error() && !status.is_server_error()) {
        return answer;
    }
    let problem = answer.response().extensions().get::<Problem>().cloned();
    let problem = problem.unwrap_or_else(|| of_status(status, http));
    let (path, request_id) = (http.path(), &context.request_id);
    log(&problem, http, context);
    let mut response = problem.response_for(path, request_id);
    for (name, value) in answer.headers() {
        if name == actix_web::http::header::ALLOW {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    answer.into_response(response)
}

/// What is the caller's own fault is told to the caller, in words of what was sent: not to the log,
/// for names are nobody else's business.
fn log(problem: &Problem, http: &HttpRequest, context: &RequestContext) {
    let (path, request_id, trace_id) = (
        http.path(),
        context.request_id.as_str(),
        context.traceparent.trace_id(),
    );
    let status = problem.status();
    if status == StatusCode::SERVICE_UNAVAILABLE {
        tracing::warn!(
            http.method = %http.method(), http.path = path, http.status = status.as_u16(),
            request.id = request_id, trace.id = trace_id, error = %problem,
            "a request was turned away"
        );
    } else if status.is_server_error() {
        tracing::error!(
            http.method = %http.method(), http.path = path, http.status = status.as_u16(),
            request.id = request_id, trace.id = trace_id, error = %problem,
            "a request failed"
        );
    } else {
        tracing::debug!(
            http.method = %http.method(), http.path = path, http.status = status.as_u16(),
            request.id = request_id, trace.id = trace_id, code = problem.code(),
            "a request was refused"
        );
    }
}

/// The problem of an answer that the framework made.
fn of_status(status: StatusCode, http: &HttpRequest) -> Problem {
    match status {
        StatusCode::NOT_FOUND => {
            Problem::not_found("NO_SUCH_PATH", format!("path {}", http.path()))
        }
        StatusCode::METHOD_NOT_ALLOWED => Problem::new(
            status,
            "METHOD_NOT_ALLOWED",
            "this path does not answer to that method",
        ),
        _ => Problem::new(
            status,
            "REFUSED",
            status.canonical_reason().unwrap_or("refused"),
        ),
    }
}
