//! The dead letters of all six services at once: listed, counted by kind, tried again.

use std::collections::BTreeMap;

use actix_web::{HttpResponse, web};
use futures_util::future::join_all;
use reqwest::Method;
use saga_events::{EventType, Service, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use svc_chassis::Error;
use svc_chassis::http::{Body, OperatorFields, Problem, Query, Routes, resource};
use utoipa::{IntoParams, ToSchema};

use super::pass_on;
use crate::OrderSvc;
use crate::peers::Peers;

/// The open ones that are listed of each service, and those that are counted.
const LISTED: usize = 100;
const COUNTED: usize = 1_000;

pub fn routes(routes: &mut Routes<'_>) {
    resource("/system/dead-letters").get(list).register(routes);
    resource("/system/dead-letters/replay")
        .post(replay_all)
        .register(routes);
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub(in crate::http) struct Which {
    /// Only this service's.
    service: Option<Service>,
    /// Only those of this type.
    r#type: Option<EventType>,
}

#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Letters {
    /// How many there are of a kind: 1,000 of a service are counted.
    groups: Vec<Kind>,
    /// The oldest first, 100 of each service at most.
    dead_letters: Vec<Value>,
    /// Who did not answer.
    missing: Vec<Service>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = KindOfDeadLetter)]
struct Kind {
    service: Service,
    /// Why they left the line.
    reason: String,
    /// Missing where that could not be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    count: usize,
    oldest_at: Timestamp,
}

/// Events that could not be applied, in all services
#[utoipa::path(
    get, path = "/system/dead-letters", operation_id = "listAllDeadLetters", tag = "all dead letters",
    params(Which),
    responses((status = 200, description = "The open ones", body = Letters)),
)]
pub(in crate::http) async fn list(
    Query(which): Query<Which>,
    svc: web::Data<OrderSvc>,
) -> Result<HttpResponse, Error> {
    let services = services(which.service);
    let read = services.map(|service| open_of(&svc.peers, service, which.r#type));
    let mut groups: BTreeMap<(Service, String, String), Kind> = BTreeMap::new();
    let (mut listed, mut missing) = (Vec::new(), Vec::new());
    for (service, letters) in join_all(read).await {
        let Ok(letters) = letters else {
            missing.push(service);
            continue;
        };
        for letter in &letters {
            count(&mut groups, service, letter);
        }
        let named = letters.into_iter().take(LISTED);
        listed.extend(named.map(|letter| of_service(service, letter)));
    }
    listed.sort_by_cached_key(created_at);
    Ok(HttpResponse::Ok().json(Letters {
        groups: groups.into_values().collect(),
        dead_letters: listed.into_iter().map(Value::Object).collect(),
        missing,
    }))
}

fn services(only: Option<Service>) -> impl Iterator<Item = Service> {
    let all = Service::ALL.into_iter();
    all.filter(move |service| only.is_none_or(|only| only == *service))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageOfLetters {
    dead_letters: Vec<Map<String, Value>>,
    next_cursor: Option<String>,
}

/// The open ones of a service, the oldest first, as far as they are counted.
async fn open_of(
    peers: &Peers,
    service: Service,
    event_type: Option<EventType>,
) -> (Service, Result<Vec<Map<String, Value>>, Problem>) {
    let of_type = event_type.map_or_else(String::new, |name| format!("&type={name}"));
    let (mut letters, mut cursor) = (Vec::new(), String::new());
    while letters.len() < COUNTED {
        let path = format!("/dead-letters?limit=100{of_type}{cursor}");
        let page = match peers.get::<PageOfLetters>(service, &path).await {
            Ok(page) => page,
            Err(away) => return (service, Err(away)),
        };
        let Some(page) = page else { break };
        letters.extend(page.dead_letters);
        match page.next_cursor {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    (service, Ok(letters))
}

fn count(
    groups: &mut BTreeMap<(Service, String, String), Kind>,
    service: Service,
    letter: &Map<String, Value>,
) {
    let text = |name: &str| letter.get(name).and_then(Value::as_str).map(str::to_owned);
    let (reason, event_type) = (text("reason").unwrap_or_default(), text("type"));
    let key = (
        service,
        reason.clone(),
        event_type.clone().unwrap_or_default(),
    );
    let at = created_at(letter);
    let kind = groups.entry(key).or_insert(Kind {
        service,
        reason,
        r#type: event_type,
        count: 0,
        oldest_at: at,
    });
    kind.count += 1;
    kind.oldest_at = kind.oldest_at.min(at);
}

fn created_at(letter: &Map<String, Value>) -> Timestamp {
    let at = letter.get("createdAt").cloned().unwrap_or_default();
    serde_json::from_value(at).unwrap_or(Timestamp::from_micros(0))
}

fn of_service(service: Service, mut letter: Map<String, Value>) -> Map<String, Value> {
    letter.insert("service".to_owned(), json!(service));
    letter
}

#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[schema(as = ReplayOfAll)]
pub(in crate::http) struct Many {
    /// Only this service's.
    #[serde(default)]
    service: Option<Service>,
    /// Only those of this type.
    #[serde(default)]
    r#type: Option<EventType>,
    /// Everything is undone after it was tried.
    #[serde(default)]
    dry_run: bool,
    /// Why, for whoever reads the trail. No control characters.
    #[serde(default)]
    #[schema(
        required,
        nullable = false,
        min_length = 1,
        max_length = 500,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    reason: Option<String>,
    /// Who: nobody is authenticated, so it is what the caller says.
    #[serde(default)]
    #[schema(
        min_length = 1,
        max_length = 100,
        pattern = r"^[^\x00-\x1f\x7f-\x9f]*$"
    )]
    by: Option<String>,
}

#[derive(Default, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ReplayedOfAll)]
struct Replayed {
    /// Whether all this was undone.
    dry_run: bool,
    /// How many are settled.
    replayed: u64,
    /// How many stay open.
    failed: u64,
    /// How many open ones were not tried: a service tries 100 at once.
    remaining: u64,
    /// What came of each, as its service says.
    results: Vec<Value>,
    /// Who did not answer.
    missing: Vec<Service>,
}

/// As a service answers.
#[derive(Deserialize)]
struct OfOne {
    replayed: u64,
    failed: u64,
    remaining: u64,
    results: Vec<Map<String, Value>>,
}

/// Apply those that are open again, in all services
#[utoipa::path(
    post, path = "/system/dead-letters/replay", operation_id = "replayAllDeadLetters", tag = "all dead letters",
    request_body = Many,
    responses((status = 200, description = "What came of each, 100 of each service at most", body = Replayed)),
)]
pub(in crate::http) async fn replay_all(
    body: Body<Many>,
    svc: web::Data<OrderSvc>,
) -> Result<HttpResponse, Error> {
    let Many {
        service,
        r#type,
        dry_run,
        reason,
        by,
    } = body.value;
    let of_type = r#type.map_or_else(String::new, |name| format!("&type={name}"));
    let path = format!("/dead-letters/replay?dryRun={dry_run}{of_type}");
    let why = serde_json::to_value(OperatorFields { reason, by }).map_err(Error::internal)?;
    let ask = services(service).map(|service| {
        let reply = svc.peers.ask(service, Method::POST, &path, Some(&why));
        async move { (service, reply.await) }
    });
    let mut all = Replayed {
        dry_run,
        ..Replayed::default()
    };
    for (service, reply) in join_all(ask).await {
        let Ok(reply) = reply else {
            all.missing.push(service);
            continue;
        };
        if reply.status.is_client_error() {
            // The reason is not acceptable: nobody takes it.
            return Ok(pass_on(service, Ok(reply))?);
        }
        let Ok(of_one) = reply.json::<OfOne>() else {
            all.missing.push(service);
            continue;
        };
        all.replayed += of_one.replayed;
        all.failed += of_one.failed;
        all.remaining += of_one.remaining;
        let results = of_one.results.into_iter();
        all.results
            .extend(results.map(|result| Value::Object(of_service(service, result))));
    }
    Ok(HttpResponse::Ok().json(all))
}
