//! `GET /status`: how an instance is, in one small answer, for whoever asks often.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::{HttpResponse, web};
use saga_events::{EventType, Service as Name, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::chassis::Chassis;
use crate::metrics::Looks;
use crate::service::Service;

/// What only Redis or the database knows is asked for again only after this.
const FRESH: Duration = Duration::from_millis(400);

/// How one instance of a service is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = ServiceStatus)]
pub struct Status {
    /// Which service.
    pub service: Name,
    /// Which build of it.
    pub version: String,
    /// When this process started: another one counts from zero.
    pub since: Timestamp,
    /// Whether all that it needs is there.
    pub ready: bool,
    /// What is missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether Redis answers it.
    pub redis_up: bool,
    /// Entries of its streams that it has not read or not acknowledged; missing while Redis is away.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag: Option<u64>,
    /// How old the oldest of them is, in milliseconds; 0: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_ms: Option<u64>,
    /// How old the oldest event is that Redis has not taken yet, in milliseconds; 0: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outbox_age_ms: Option<u64>,
    /// Events that Redis has not taken yet.
    pub unpublished: u64,
    /// Dead letters that nobody has replayed or discarded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dead_letters: Option<u64>,
    /// How many events of each type this process has committed to its outbox.
    pub said: BTreeMap<EventType, u64>,
}

/// How this instance is
///
/// Figures that change by the second, 400 ms old at most.
#[utoipa::path(
    get, path = "/status", operation_id = "getStatus", tag = "service",
    responses((status = 200, description = "Whether it is ready, what waits for it, what it has said", body = Status)),
)]
pub(super) async fn status<S: Service>(
    looks: web::Data<Looks<S>>,
    chassis: web::Data<Chassis>,
) -> HttpResponse {
    HttpResponse::Ok().json(of(&looks.into_inner(), &chassis).await)
}

async fn of<S: Service>(looks: &Arc<Looks<S>>, chassis: &Chassis) -> Status {
    let seen = looks.seen(FRESH).await;
    let failed = chassis.judged(
        seen.stored.as_ref().map(drop).map_err(Clone::clone),
        seen.pending.as_ref().map(drop).map_err(Clone::clone),
    );
    let failed = failed
        .into_iter()
        .filter_map(|(name, found)| Some(format!("{name}: {}", found.err()?)));
    let failed: Vec<String> = failed.collect();
    // In this order: what is said in between counts as published at most once.
    let published = chassis.published.seq();
    let unpublished = chassis.writer.batches().last_seq() - published;
    let (pending, stored) = (seen.pending.ok(), seen.stored.ok());
    let now = Timestamp::now();
    Status {
        service: S::ME,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        since: chassis.since,
        ready: failed.is_empty(),
        error: (!failed.is_empty()).then(|| failed.join("; ")),
        redis_up: pending.is_some(),
        lag: pending.map(|pending| pending.entries),
        lag_ms: pending.map(|pending| millis(pending.oldest.unwrap_or_default())),
        outbox_age_ms: stored.map(|stored| {
            let since = stored.unpublished_since.map(|since| now.since(since));
            millis(since.unwrap_or_default())
        }),
        unpublished: u64::try_from(unpublished).unwrap_or(0),
        dead_letters: stored.and_then(|stored| u64::try_from(stored.dead_letters).ok()),
        said: S::ME
            .publishes()
            .map(|event_type| (event_type, chassis.writer.batches().said_of(event_type)))
            .collect(),
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
