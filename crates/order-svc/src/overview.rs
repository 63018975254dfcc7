//! One picture of the whole system: what the six services say of themselves, asked beside each other,
//! and since when each is as it is. Taken when somebody wants it, and kept for a moment.

mod memory;

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use reqwest::Method;
use saga_events::{EventType, Service, Timestamp};
use serde::Serialize;
use svc_chassis::http::Status;
use svc_chassis::{Chassis, Error};
use tokio::sync::Mutex;
use tokio::time::Instant;
use utoipa::ToSchema;

use crate::live::Live;
use crate::peers::Peers;
use crate::store;
use memory::Memory;

/// A service that is frozen does not hold up the picture for longer.
const PATIENCE: Duration = Duration::from_millis(400);

/// How many events of each type were said.
pub type Counts = [u64; EventType::ALL.len()];

/// Takes pictures, one at a time.
pub struct Overview {
    peers: Peers,
    state: Mutex<State>,
}

struct State {
    memory: Memory,
    last: Option<Arc<Taken>>,
}

/// A picture that was taken.
#[derive(Debug)]
pub struct Taken {
    /// When.
    pub at: Instant,
    /// What is on it.
    pub picture: Picture,
    /// What was said as far as it was seen, to be compared with another picture.
    pub said: Counts,
}

/// The system at a moment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Picture {
    /// Which build answers.
    version: &'static str,
    /// Which page this build has: another one than the caller's is a newer one.
    page: &'static str,
    /// Whether there are test data and controls to play with.
    demo: bool,
    /// Where the lab is; only where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    lab_origin: Option<String>,
    /// When it was taken.
    at: Timestamp,
    redis: RedisSeen,
    /// Purchases that are not final.
    open: i64,
    /// How old the oldest of them is, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    oldest_open_ms: Option<u64>,
    /// Events that order-svc has said again since it started.
    repeats: u64,
    /// Events of all services that Redis has not taken yet, as far as they answer.
    unpublished: u64,
    /// The six, in the order in which a purchase visits them.
    services: Vec<ServiceSeen>,
}

/// Whether Redis answers anybody.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
struct RedisSeen {
    up: bool,
    /// Since when, as far as order-svc has seen.
    since: Timestamp,
}

/// How a service is.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ServiceSeen {
    name: Service,
    /// It answers.
    up: bool,
    /// It says that it has all that it needs.
    ready: bool,
    /// Since when it is as it is, as far as order-svc has seen.
    since: Timestamp,
    /// Why it is not up, or not ready.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// Entries of its streams that it has not read or not acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag: Option<u64>,
    /// How old the oldest of them is, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    lag_ms: Option<u64>,
    /// How old the oldest event is that Redis has not taken yet, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    outbox_age_ms: Option<u64>,
    /// Events that Redis has not taken yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    unpublished: Option<u64>,
    /// Dead letters that nobody has replayed or discarded.
    #[serde(skip_serializing_if = "Option::is_none")]
    dead_letters: Option<u64>,
}

/// What came of asking a service how it is.
#[derive(Debug)]
enum Answer {
    /// It told.
    Told(Box<Status>),
    /// It answers, and has nothing to tell: it stands by, or fails.
    Ill(String),
    /// It does not answer.
    Silent(String),
}

impl Overview {
    /// Of the system with these services; nothing is known of it yet.
    pub fn new(peers: Peers) -> Self {
        let memory = Memory::new(Timestamp::now());
        Self {
            peers,
            state: Mutex::new(State { memory, last: None }),
        }
    }

    /// The picture of now, or of a moment ago: so long at most.
    ///
    /// # Errors
    /// order-svc's own database's.
    pub async fn picture(
        &self,
        (live, chassis, lab): (&Live, &Chassis, Option<&str>),
        fresh: Duration,
    ) -> Result<Arc<Taken>, Error> {
        let mut state = self.state.lock().await;
        if let Some(last) = &state.last
            && last.at.elapsed() < fresh
        {
            return Ok(last.clone());
        }
        let oldest = chassis.readers.read(|conn| Ok(store::oldest_open(conn)?));
        let (answers, oldest) = tokio::join!(self.ask(), oldest);
        let (at, oldest) = (Timestamp::now(), oldest?);
        let (redis, services) = state.memory.note(at, &answers);
        let picture = Picture {
            version: env!("CARGO_PKG_VERSION"),
            page: crate::http::page(),
            demo: chassis.settings.demo,
            lab_origin: lab.map(str::to_owned),
            at,
            redis,
            open: live.load.open(),
            oldest_open_ms: oldest.map(|oldest| millis(at.since(oldest))),
            repeats: live.figures.repeats(),
            unpublished: services.iter().filter_map(|seen| seen.unpublished).sum(),
            services,
        };
        let taken = Arc::new(Taken {
            at: Instant::now(),
            picture,
            said: state.memory.said(),
        });
        state.last = Some(taken.clone());
        Ok(taken)
    }

    /// Asks all six, one beside the other.
    async fn ask(&self) -> Vec<(Service, Answer)> {
        join_all(Service::ALL.map(async |service| (service, self.status(service).await))).await
    }

    async fn status(&self, service: Service) -> Answer {
        let asked = self.peers.ask(service, Method::GET, "/status", None);
        let reply = match tokio::time::timeout(PATIENCE, asked).await {
            Ok(Ok(reply)) => reply,
            Ok(Err(why)) => return Answer::Silent(why),
            Err(_) => return Answer::Silent(format!("no answer within {PATIENCE:?}")),
        };
        match reply.json() {
            Ok(status) if reply.is_success() => Answer::Told(status),
            Ok(_) | Err(_) => Answer::Ill(reply.detail()),
        }
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
