//! The routes of the dead letters: look, replay, discard. Every act names its reason.

use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{Event, EventType, OrderId};
use serde::Deserialize;
use serde_json::json;

use super::{Body, Problem, Query, page_of, resource};
use crate::chassis::Chassis;
use crate::dead_letters::{self, Filter, Operator, State, replay};
use crate::error::Error;
use crate::service::Service;
use crate::writer::Tx;

/// Adds the routes of the dead letters.
pub(super) fn routes<S: Service>(app: &mut web::ServiceConfig) {
    resource("/dead-letters").get(list).register(app);
    resource("/dead-letters/replay")
        .post(replay_all::<S>)
        .register(app);
    resource("/dead-letters/{id}")
        .get(show)
        .delete(discard)
        .register(app);
    resource("/dead-letters/{id}/replay")
        .post(replay_one::<S>)
        .register(app);
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ListQuery {
    state: Option<String>,
    r#type: Option<String>,
    order_id: Option<OrderId>,
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ReplayQuery {
    r#type: Option<String>,
    #[serde(default)]
    dry_run: bool,
    limit: Option<i64>,
    cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ReplayOneQuery {
    #[serde(default)]
    dry_run: bool,
}

/// Who and why: the body of a replay, the query of a discard.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OperatorFields {
    reason: Option<String>,
    by: Option<String>,
}

async fn list(
    Query(query): Query<ListQuery>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let filter = Filter {
        state: state_of(query.state.as_deref())?,
        event_type: type_of(query.r#type.as_deref())?,
        order_id: query.order_id,
    };
    let pages = page_of::<i64>(query.limit, query.cursor.as_deref())?;
    let (after, limit) = (pages.after, pages.to_read());
    let letters = chassis
        .readers
        .read(move |conn| Ok(dead_letters::page(conn, filter, after, limit)?))
        .await?;
    Ok(HttpResponse::Ok().json(pages.answer("deadLetters", letters, |letter| letter.id)))
}

async fn show(request: HttpRequest, chassis: web::Data<Chassis>) -> Result<HttpResponse, Error> {
    let id = number_in_path(&request)?;
    let (letter, trail) = chassis
        .readers
        .read(move |conn| {
            let letter = dead_letters::find(conn, id)?;
            Ok((letter, dead_letters::trail_of(conn, id)?))
        })
        .await?;
    let letter = letter.ok_or_else(|| replay::not_found(id))?;
    let mut answer = json!(letter);
    answer["form"] = letter.form.as_str().into();
    answer["event"] = letter.event.into();
    answer["trail"] = json!(trail);
    Ok(HttpResponse::Ok().json(answer))
}

async fn replay_one<S: Service>(
    request: HttpRequest,
    Query(query): Query<ReplayOneQuery>,
    body: Body<OperatorFields>,
    chassis: web::Data<Chassis>,
    service: web::Data<S>,
) -> Result<HttpResponse, Error> {
    let id = number_in_path(&request)?;
    let operator = body.value.checked()?;
    let replayed = chassis
        .writer
        .write(move |tx| {
            let step = |tx: &mut Tx<'_>, event: &Event| service.step(tx, event);
            replay::one(tx, &step, id, &operator, query.dry_run)
        })
        .await?;
    let mut answer = json!(replayed);
    answer["dryRun"] = query.dry_run.into();
    Ok(HttpResponse::Ok().json(answer))
}

async fn replay_all<S: Service>(
    Query(query): Query<ReplayQuery>,
    body: Body<OperatorFields>,
    chassis: web::Data<Chassis>,
    service: web::Data<S>,
) -> Result<HttpResponse, Error> {
    let event_type = type_of(query.r#type.as_deref())?;
    let pages = page_of::<i64>(query.limit, query.cursor.as_deref())?;
    let which = (event_type, pages.after, pages.limit);
    let operator = body.value.checked()?;
    let replayed = chassis
        .writer
        .write(move |tx| {
            let step = |tx: &mut Tx<'_>, event: &Event| service.step(tx, event);
            replay::all(tx, &step, which, &operator, query.dry_run)
        })
        .await?;
    Ok(HttpResponse::Ok().json(replayed))
}

async fn discard(
    request: HttpRequest,
    Query(query): Query<OperatorFields>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let id = number_in_path(&request)?;
    let operator = query.checked()?;
    let letter = chassis
        .writer
        .write(move |tx| replay::discard(tx, id, &operator))
        .await?;
    Ok(HttpResponse::Ok().json(letter))
}

impl OperatorFields {
    fn checked(self) -> Result<Operator, Problem> {
        let Some(reason) = self.reason else {
            let message = "is missing: say why, for whoever reads the trail";
            return Err(Problem::invalid("reason", message));
        };
        Ok(Operator {
            reason: printable("reason", reason, 500)?,
            by: self.by.map(|by| printable("by", by, 100)).transpose()?,
        })
    }
}

fn printable(field: &str, text: String, most: usize) -> Result<String, Problem> {
    let text = text.trim().to_owned();
    if !(1..=most).contains(&text.chars().count()) {
        let message = format!("must have 1 to {most} characters");
        return Err(Problem::invalid(field, message));
    }
    if text.chars().any(char::is_control) {
        return Err(Problem::invalid(field, "must not have control characters"));
    }
    Ok(text)
}

/// Those that are open unless asked for others.
fn state_of(text: Option<&str>) -> Result<Option<State>, Problem> {
    match text {
        None => Ok(Some(State::Open)),
        Some("all") => Ok(None),
        Some(text) => text
            .parse()
            .map(Some)
            .map_err(|_| Problem::malformed("state", "must be open, replayed, discarded or all")),
    }
}

fn type_of(text: Option<&str>) -> Result<Option<EventType>, Problem> {
    let event_type = text.map(str::parse::<EventType>).transpose();
    event_type.map_err(|error| Problem::malformed("type", error))
}

fn number_in_path(request: &HttpRequest) -> Result<i64, Problem> {
    let text = request.match_info().get("id").unwrap_or_default();
    text.parse()
        .map_err(|_| Problem::malformed("id", "must be a whole number"))
}
