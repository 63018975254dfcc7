//! The routes that every service has.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use diesel::prelude::*;
use saga_audit::{Check, Report, SagaRow};
use saga_events::{OrderId, Service as Name, Timestamp};
use saga_timeline::Journal;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::edge::Verdict;
use super::problem::ProblemBody;
use super::{Problem, Query, Routes, dead_letters, id_in_path, openapi, resource, status};
use crate::audit;
use crate::chassis::Chassis;
use crate::error::Error;
use crate::journal;
use crate::metrics::Scrape;
use crate::outbox;
use crate::service::Service;

/// Adds the shared routes.
pub(crate) fn shared_routes<S: Service>(routes: &mut Routes<'_>) {
    resource("/health/live").get(live).register(routes);
    resource("/health/ready").get(ready).register(routes);
    resource("/metrics").get(metrics::<S>).register(routes);
    resource("/status")
        .get(status::status::<S>)
        .register(routes);
    resource("/audit").get(own_audit::<S>).register(routes);
    resource("/sagas").get(sagas::<S>).register(routes);
    resource("/sagas/{orderId}").get(saga::<S>).register(routes);
    dead_letters::routes::<S>(routes);
    openapi::routes::<S>(routes);
}

/// The shared routes, for the document.
#[derive(utoipa::OpenApi)]
#[openapi(
    paths(
        live,
        ready,
        metrics,
        status::status,
        own_audit,
        sagas,
        saga,
        dead_letters::list,
        dead_letters::show,
        dead_letters::replay_one,
        dead_letters::replay_all,
        dead_letters::discard,
        openapi::json,
        openapi::to_page
    ),
    components(schemas(ProblemBody))
)]
pub(super) struct Api;

#[derive(Serialize, ToSchema)]
struct Live {
    /// `live`, or `standing by` while another instance works on the file.
    status: &'static str,
}

/// Whether the process runs
#[utoipa::path(
    get, path = "/health/live", operation_id = "isLive", tag = "service",
    responses((status = 200, description = "It runs", body = Live)),
)]
async fn live() -> HttpResponse {
    HttpResponse::Ok().json(Live { status: "live" })
}

#[derive(Serialize, ToSchema)]
struct Ready {
    /// `ready`
    status: &'static str,
    /// What was looked at.
    checks: Vec<&'static str>,
}

/// Whether all that the service needs is there
///
/// Asks each dependency, changes nothing.
#[utoipa::path(
    get, path = "/health/ready", operation_id = "isReady", tag = "service",
    responses(
        (status = 200, description = "All of it", body = Ready),
        (status = 503, description = "`NOT_READY`; `errors` names what is missing"),
    ),
)]
async fn ready(chassis: web::Data<Chassis>) -> Result<HttpResponse, Error> {
    let checks = chassis.readiness().await;
    let failing: Vec<(&str, &String)> = checks
        .iter()
        .filter_map(|(name, result)| Some((*name, result.as_ref().err()?)))
        .collect();
    if failing.is_empty() {
        let checks = checks.iter().map(|(name, _)| *name).collect();
        let status = "ready";
        return Ok(HttpResponse::Ok().json(Ready { status, checks }));
    }
    let status = StatusCode::SERVICE_UNAVAILABLE;
    let names: Vec<&str> = failing.iter().map(|(name, _)| *name).collect();
    let problem = Problem::new(
        status,
        "NOT_READY",
        format!("not ready: {}", names.join(", ")),
    );
    let problem = failing.into_iter().fold(problem, |problem, (name, why)| {
        problem.with_field(name, why)
    });
    Err(problem.with_retry_after(1).into())
}

/// Figures for Prometheus
#[utoipa::path(
    get, path = "/metrics", operation_id = "getMetrics", tag = "service",
    responses((
        status = 200, description = "In the text format of OpenMetrics", body = String,
        content_type = "application/openmetrics-text",
    )),
)]
async fn metrics<S: Service>(scrape: web::Data<Scrape<S>>) -> Result<HttpResponse, Error> {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let page = scrape.page().await?;
    Ok(HttpResponse::Ok().content_type(OPEN_METRICS).body(page))
}

/// What this service remembers of a purchase
#[utoipa::path(
    get, path = "/sagas/{orderId}", operation_id = "getSaga", tag = "service",
    params(("orderId" = OrderId, Path, description = "The purchase")),
    responses(
        (status = 200, description = "Its row, and everything that it said about the purchase", body = Journal),
        (status = 404, description = "`SAGA_NOT_FOUND`: it knows nothing of it"),
    ),
)]
async fn saga<S: Service>(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let order_id: OrderId = id_in_path(&request, "orderId")?;
    let journal = journal::of::<S>(&chassis, order_id).await?;
    let nothing = || Problem::not_found("SAGA_NOT_FOUND", format!("order {order_id} here"));
    Ok(HttpResponse::Ok().json(journal.ok_or_else(nothing)?))
}

/// How a service's own audit is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AuditQuery {
    /// `self`: the service's own part only, which is all that a service has but order-svc.
    #[param(inline)]
    pub of: Option<Own>,
    /// `false`: only the totals, which cost less than the checks.
    pub checks: Option<bool>,
    /// Rows are compared with the journal from then on; as far back as it is kept, unless given.
    pub since: Option<Timestamp>,
}

/// The service's own part.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Own {
    /// Spelled `self`.
    #[serde(rename = "self")]
    Me,
}

/// What this service says about itself
///
/// Its totals and the laws that it can judge alone, in one read transaction. The checks read whole
/// tables: minutes apart is often enough.
///
/// # Errors
/// The database's.
#[utoipa::path(
    get, path = "/audit", operation_id = "getAudit", tag = "service",
    params(AuditQuery),
    responses(
        (status = 200, description = "Nothing is violated", body = Report),
        (status = 503, description = "One of its laws is violated: the same body", body = Report),
    ),
)]
pub async fn own_audit<S: Service>(
    Query(query): Query<AuditQuery>,
    service: web::Data<S>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let checks = query.checks.unwrap_or(true);
    let report = audit::live(&**service, &chassis, checks, query.since).await?;
    let fine = !report.checks.iter().any(Check::is_violated);
    Ok(audit_answer(fine, &report))
}

/// Answers with an audit: 200 where it is fine, 503 where it is not, in either case with what was
/// found.
pub fn audit_answer(fine: bool, audit: &impl Serialize) -> HttpResponse {
    let mut answer = if fine {
        HttpResponse::Ok().json(audit)
    } else {
        HttpResponse::ServiceUnavailable().json(audit)
    };
    answer.extensions_mut().insert(Verdict);
    answer
}

/// The most rows that are looked up by their ids at once, and the most purchases that have changed.
const MOST_IDS: usize = 500;
const MOST_CHANGED: i64 = 10_000;

/// One of three: a page (`after`, `limit`, `state`), `orders` alone, or `changedSince` with `limit`.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct SagasQuery {
    /// The last purchase of the page before.
    after: Option<OrderId>,
    /// How many rows; of a page 1000 at most.
    #[param(minimum = 1, maximum = 10_000)]
    limit: Option<i64>,
    /// Only those in this state.
    state: Option<String>,
    /// These purchases: at most 500 ids, separated by commas.
    orders: Option<String>,
    /// Those that something was said about since, the latest first.
    changed_since: Option<Timestamp>,
}

#[derive(Serialize, ToSchema)]
struct Sagas {
    service: Name,
    sagas: Vec<SagaRow>,
}

/// Where this service stands with purchases
#[utoipa::path(
    get, path = "/sagas", operation_id = "listSagas", tag = "service",
    params(SagasQuery),
    responses((status = 200, description = "In order of the purchases' ids", body = Sagas)),
)]
async fn sagas<S: Service>(
    Query(query): Query<SagasQuery>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let which = Which::try_from(query)?;
    let rows = chassis
        .readers
        .read(move |conn| Ok(which.rows::<S>(conn)?))
        .await?;
    let service = S::ME;
    Ok(HttpResponse::Ok().json(Sagas {
        service,
        sagas: rows,
    }))
}

/// Which rows are asked for.
enum Which {
    /// A page in order of the purchases' ids.
    Page {
        after: Option<OrderId>,
        state: Option<String>,
        limit: i64,
    },
    /// Those of these purchases that there are.
    Orders(Vec<OrderId>),
    /// Those that something was said about since, the latest first.
    Changed { since: Timestamp, limit: i64 },
}

impl TryFrom<SagasQuery> for Which {
    type Error = Problem;

    fn try_from(query: SagasQuery) -> Result<Self, Problem> {
        let SagasQuery {
            after,
            limit,
            state,
            orders,
            changed_since,
        } = query;
        let is_page = after.is_some() || state.is_some();
        match (orders, changed_since) {
            (None, None) => Ok(Self::Page {
                after,
                state,
                limit: limit_of(limit, 1000)?,
            }),
            (Some(orders), None) if !is_page && limit.is_none() => {
                Ok(Self::Orders(ids_in(&orders, "orders")?))
            }
            (None, Some(since)) if !is_page => Ok(Self::Changed {
                since,
                limit: limit_of(limit, MOST_CHANGED)?,
            }),
            (Some(_), _) => Err(Problem::malformed("orders", "goes with nothing else")),
            (None, Some(_)) => Err(Problem::malformed("changedSince", "goes only with limit")),
        }
    }
}

impl Which {
    fn rows<S: Service>(self, conn: &mut SqliteConnection) -> QueryResult<Vec<SagaRow>> {
        let orders = match self {
            Self::Page {
                after,
                state,
                limit,
            } => return S::sagas(conn, after, state.as_deref(), limit),
            Self::Orders(orders) => orders,
            Self::Changed { since, limit } => {
                outbox::changed_since(conn, since, usize::try_from(limit).unwrap_or(0))?
            }
        };
        let rows = orders.into_iter().map(|order| S::saga(conn, order));
        rows.filter_map(Result::transpose).collect()
    }
}

/// Reads ids separated by commas.
///
/// # Errors
/// 400 that names the field when they are too many, or one is no UUID.
pub fn ids_in<Id: std::str::FromStr>(text: &str, field: &str) -> Result<Vec<Id>, Problem> {
    let ids: Result<Vec<Id>, _> = text.split(',').map(str::parse).collect();
    let ids = ids.ok().filter(|ids| ids.len() <= MOST_IDS);
    ids.ok_or_else(|| {
        let message = format!("must be at most {MOST_IDS} UUIDs, separated by commas");
        Problem::malformed(field, message)
    })
}

/// How many rows a page has: from 1 to `most`, which it is unless given.
fn limit_of(limit: Option<i64>, most: i64) -> Result<i64, Problem> {
    match limit {
        None => Ok(most),
        Some(limit) if (1..=most).contains(&limit) => Ok(limit),
        Some(_) => Err(Problem::malformed(
            "limit",
            format!("must be from 1 to {most}"),
        )),
    }
}

/// A page of a list, read with one row more than asked for, to know whether there is a next one.
#[derive(Debug)]
pub struct Pages<Id> {
    /// How many rows to show.
    pub limit: i64,
    /// The last row of the page before.
    pub after: Option<Id>,
}

/// Checks a page's query.
///
/// # Errors
/// 400 that names `limit` or `cursor`.
pub fn page_of<Id: std::str::FromStr>(
    limit: Option<i64>,
    cursor: Option<&str>,
) -> Result<Pages<Id>, Problem> {
    let after = match cursor {
        None => None,
        Some(text) => Some(text.parse().map_err(|_| {
            Problem::malformed("cursor", "must be the nextCursor of the page before")
        })?),
    };
    Ok(Pages {
        limit: limit_of(limit, 100)?,
        after,
    })
}

impl<Id: ToString> Pages<Id> {
    /// How many rows to read.
    pub fn to_read(&self) -> i64 {
        self.limit + 1
    }

    /// Cuts what was read to the page, and tells where the next one begins, if there is one.
    pub fn cut<T>(&self, mut rows: Vec<T>, id: impl Fn(&T) -> Id) -> (Vec<T>, Option<String>) {
        let limit = usize::try_from(self.limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| id(row).to_string());
        (rows, next)
    }
}
