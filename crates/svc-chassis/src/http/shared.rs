//! The routes that every service has.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::OrderId;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Problem, Query, id_in_path, resource};
use crate::chassis::Chassis;
use crate::error::Error;
use crate::outbox;
use crate::service::Service;

/// Adds the shared routes.
pub fn shared_routes<S: Service>(app: &mut web::ServiceConfig) {
    resource("/health/live").get(live).register(app);
    resource("/health/ready").get(ready).register(app);
    resource("/sagas").get(sagas::<S>).register(app);
    resource("/sagas/{orderId}").get(saga::<S>).register(app);
    super::dead_letters::routes::<S>(app);
}

async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "live"}))
}

/// Asks each dependency, changes nothing. Where one fails, the problem names it.
async fn ready(chassis: web::Data<Chassis>) -> Result<HttpResponse, Error> {
    let checks = chassis.readiness().await;
    let failing: Vec<(&str, &String)> = checks
        .iter()
        .filter_map(|(name, result)| Some((*name, result.as_ref().err()?)))
        .collect();
    if failing.is_empty() {
        let names: Vec<&str> = checks.iter().map(|(name, _)| *name).collect();
        return Ok(HttpResponse::Ok().json(json!({"status": "ready", "checks": names})));
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

async fn saga<S: Service>(
    request: HttpRequest,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let order_id: OrderId = id_in_path(&request, "orderId")?;
    let (row, events) = chassis
        .readers
        .read(move |conn| Ok((S::saga(conn, order_id)?, outbox::of_order(conn, order_id)?)))
        .await?;
    let row =
        row.ok_or_else(|| Problem::not_found("SAGA_NOT_FOUND", format!("order {order_id} here")))?;
    let event = |event: &saga_events::Event| {
        json!({
            "id": event.id,
            "type": event.event_type(),
            "attempt": event.message.attempt,
            "causationId": event.causation_id,
            "time": event.time,
            "data": event.message.payload,
        })
    };
    Ok(HttpResponse::Ok().json(json!({
        "service": S::ME,
        "orderId": order_id,
        "state": row.state,
        "amount": row.amount,
        "updatedAt": row.updated_at,
        "events": events.iter().map(event).collect::<Vec<_>>(),
    })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SagasQuery {
    after: Option<OrderId>,
    limit: Option<i64>,
    state: Option<String>,
}

async fn sagas<S: Service>(
    Query(query): Query<SagasQuery>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let limit = limit_of(query.limit, 1000)?;
    let rows = chassis
        .readers
        .read(move |conn| Ok(S::sagas(conn, query.after, query.state.as_deref(), limit)?))
        .await?;
    Ok(HttpResponse::Ok().json(json!({ "service": S::ME, "sagas": rows })))
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

    /// Makes the answer `{name: rows, nextCursor?}` of the rows that were read.
    pub fn answer<T: Serialize>(
        &self,
        name: &str,
        mut rows: Vec<T>,
        id: impl Fn(&T) -> Id,
    ) -> Value {
        let limit = usize::try_from(self.limit).unwrap_or(0);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next = rows.last().filter(|_| more).map(|row| id(row).to_string());
        let mut answer = json!({ name: rows });
        if let Some(next) = next {
            answer["nextCursor"] = next.into();
        }
        answer
    }
}
