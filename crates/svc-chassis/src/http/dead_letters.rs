//! The routes of the dead letters: look, replay, discard. Every act names its reason.

use actix_web::{HttpRequest, HttpResponse, web};
use saga_events::{Event, EventType, OrderId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Body, Problem, Query, Routes, page_of, resource};
use crate::chassis::Chassis;
use crate::consumer::replayed_step;
use crate::dead_letters::evidence::Form;
use crate::dead_letters::replay::{self, Replayed, ReplayedAll};
use crate::dead_letters::{self, DeadLetter, Filter, Operator, State, TrailEntry};
use crate::error::Error;
use crate::service::Service;
use crate::writer::Tx;

/// Adds the routes of the dead letters.
pub(super) fn routes<S: Service>(routes: &mut Routes<'_>) {
    resource("/dead-letters").get(list).register(routes);
    resource("/dead-letters/replay")
        .post(replay_all::<S>)
        .register(routes);
    resource("/dead-letters/{id}")
        .get(show)
        .delete(discard)
        .register(routes);
    resource("/dead-letters/{id}/replay")
        .post(replay_one::<S>)
        .register(routes);
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ListQuery {
    /// `open` unless given.
    #[param(inline)]
    state: Option<Wanted>,
    /// Only those of this type.
    r#type: Option<EventType>,
    /// Only those of this purchase.
    order_id: Option<OrderId>,
    /// How many rows, 1 to 100; 100 unless given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The `nextCursor` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
}

#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum Wanted {
    Open,
    Replayed,
    Discarded,
    All,
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct ReplayQuery {
    /// Only those of this type.
    r#type: Option<EventType>,
    /// Everything is undone after it was tried.
    #[serde(default)]
    dry_run: bool,
    /// How many, 1 to 100; 100 unless given.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
    /// The `nextCursor` of the call before.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
}

/// How one is replayed.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct ReplayOneQuery {
    /// Everything is undone after it was tried.
    #[serde(default)]
    pub dry_run: bool,
}

/// Who and why: the body of a replay, the query of a discard. Not checked yet.
#[derive(Serialize, Deserialize, IntoParams, ToSchema)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
#[schema(as = Operator)]
pub struct OperatorFields {
    /// Why, for whoever reads the trail. No control characters.
    #[schema(
        required,
        nullable = false,
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    #[param(
        required,
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who: nobody is authenticated, so it is what the caller says.
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    #[param(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct DeadLetters {
    dead_letters: Vec<DeadLetter>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<String>,
}

/// Events that could not be applied, oldest first
#[utoipa::path(
    get, path = "/dead-letters", operation_id = "listDeadLetters", tag = "dead letters",
    params(ListQuery),
    responses((status = 200, description = "A page of them", body = DeadLetters)),
)]
async fn list(
    Query(query): Query<ListQuery>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let filter = Filter {
        state: match query.state.unwrap_or(Wanted::Open) {
            Wanted::Open => Some(State::Open),
            Wanted::Replayed => Some(State::Replayed),
            Wanted::Discarded => Some(State::Discarded),
            Wanted::All => None,
        },
        event_type: query.r#type,
        order_id: query.order_id,
    };
    let pages = page_of::<i64>(query.limit, query.cursor.as_deref())?;
    let (after, limit) = (pages.after, pages.to_read());
    let letters = chassis
        .readers
        .read(move |conn| Ok(dead_letters::page(conn, filter, after, limit)?))
        .await?;
    let (dead_letters, next_cursor) = pages.cut(letters, |letter| letter.id);
    Ok(HttpResponse::Ok().json(DeadLetters {
        dead_letters,
        next_cursor,
    }))
}

#[derive(Serialize, ToSchema)]
struct Shown {
    #[serde(flatten)]
    letter: DeadLetter,
    /// How `event` is written: as it came, escaped, as the fields of its entry, or not at all.
    form: Form,
    /// What arrived.
    event: String,
    /// Who did what to it, when and why.
    trail: Vec<TrailEntry>,
}

/// An event that could not be applied, with what arrived
#[utoipa::path(
    get, path = "/dead-letters/{id}", operation_id = "getDeadLetter", tag = "dead letters",
    params(("id" = i64, Path, description = "Its number in this service")),
    responses(
        (status = 200, description = "All about it", body = Shown),
        (status = 404, description = "`DEAD_LETTER_NOT_FOUND`"),
    ),
)]
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
    Ok(HttpResponse::Ok().json(Shown {
        form: letter.form,
        event: letter.event.clone(),
        letter,
        trail,
    }))
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReplayedOne {
    /// Whether all this was undone.
    dry_run: bool,
    #[serde(flatten)]
    replayed: Replayed,
}

/// Apply it again
///
/// In the transaction that also marks it: it can neither be lost nor applied twice.
#[utoipa::path(
    post, path = "/dead-letters/{id}/replay", operation_id = "replayDeadLetter", tag = "dead letters",
    params(("id" = i64, Path, description = "Its number in this service"), ReplayOneQuery),
    request_body = OperatorFields,
    responses(
        (status = 200, description = "What came of it", body = ReplayedOne),
        (status = 404, description = "`DEAD_LETTER_NOT_FOUND`"),
        (status = 409, description = "`NOT_OPEN`: it was replayed or discarded before"),
    ),
)]
async fn replay_one<S: Service>(
    request: HttpRequest,
    Query(query): Query<ReplayOneQuery>,
    body: Body<OperatorFields>,
    chassis: web::Data<Chassis>,
    service: web::Data<S>,
) -> Result<HttpResponse, Error> {
    let id = number_in_path(&request)?;
    let operator = body.value.checked()?;
    let dry_run = query.dry_run;
    let traces = chassis.traces.clone();
    let replayed = chassis
        .writer
        .write(move |tx| {
            let step =
                |tx: &mut Tx<'_>, event: &Event| replayed_step(&**service, &traces, tx, event);
            replay::one(tx, &step, id, &operator, dry_run)
        })
        .await?;
    Ok(HttpResponse::Ok().json(ReplayedOne { dry_run, replayed }))
}

/// Apply those that are open again, oldest first
#[utoipa::path(
    post, path = "/dead-letters/replay", operation_id = "replayDeadLetters", tag = "dead letters",
    params(ReplayQuery),
    request_body = OperatorFields,
    responses((status = 200, description = "What came of each", body = ReplayedAll)),
)]
async fn replay_all<S: Service>(
    Query(query): Query<ReplayQuery>,
    body: Body<OperatorFields>,
    chassis: web::Data<Chassis>,
    service: web::Data<S>,
) -> Result<HttpResponse, Error> {
    let pages = page_of::<i64>(query.limit, query.cursor.as_deref())?;
    let which = (query.r#type, pages.after, pages.limit);
    let operator = body.value.checked()?;
    let traces = chassis.traces.clone();
    let replayed = chassis
        .writer
        .write(move |tx| {
            let step =
                |tx: &mut Tx<'_>, event: &Event| replayed_step(&**service, &traces, tx, event);
            replay::all(tx, &step, which, &operator, query.dry_run)
        })
        .await?;
    Ok(HttpResponse::Ok().json(replayed))
}

/// Give it up: it will not be applied, and is kept
#[utoipa::path(
    delete, path = "/dead-letters/{id}", operation_id = "discardDeadLetter", tag = "dead letters",
    params(("id" = i64, Path, description = "Its number in this service"), OperatorFields),
    responses(
        (status = 200, description = "It is `discarded`", body = DeadLetter),
        (status = 404, description = "`DEAD_LETTER_NOT_FOUND`"),
        (status = 409, description = "`NOT_OPEN`: it was replayed or discarded before"),
    ),
)]
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

fn number_in_path(request: &HttpRequest) -> Result<i64, Problem> {
    let text = request.match_info().get("id").unwrap_or_default();
    text.parse()
        .map_err(|_| Problem::malformed("id", "must be a whole number"))
}
