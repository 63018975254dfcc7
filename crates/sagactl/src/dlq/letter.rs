//! The dead letters as the services answer them, and the calls.

use std::fmt;
use std::str::FromStr;

use anyhow::Result;
use clap::Args;
use saga_events::{EventType, OrderId, Service, Timestamp};
use serde::{Deserialize, Serialize};

use crate::client::Client;

/// A dead letter's name over all services: `item-svc/3`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Name {
    /// Whose it is.
    pub service: Service,
    /// Its number there.
    pub id: i64,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.service, self.id)
    }
}

impl FromStr for Name {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once('/');
        let (name, id) = parts.ok_or("a dead letter is named SERVICE/ID, as in item-svc/3")?;
        let id = id.parse::<i64>();
        Ok(Self {
            service: service(name)?,
            id: id.map_err(|_| "the number after the slash is not one")?,
        })
    }
}

/// A service by its name, or by that without its `-svc`.
pub fn service(text: &str) -> Result<Service, String> {
    let known = text.parse::<Service>();
    known.or_else(|error| format!("{text}-svc").parse().map_err(|_| error))
}

/// Who acts, and why: kept with what was done.
#[derive(Debug, Args, Serialize)]
pub struct Operator {
    /// Why, for whoever reads the trail later
    #[arg(long)]
    pub reason: String,
    /// Who
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

/// A dead letter, as it is listed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Letter {
    /// Whose it is; the answer does not say.
    #[serde(default = "nobody", skip_deserializing)]
    pub service: Service,
    /// Its number there.
    pub id: i64,
    /// open, replayed or discarded.
    pub state: String,
    /// undecodable, impossible or exhausted.
    pub reason: String,
    /// What exactly went wrong.
    pub error: String,
    /// Tries that failed.
    pub attempts: i64,
    /// The event's type, where it is known.
    #[serde(rename = "type")]
    pub event_type: Option<EventType>,
    /// The purchase, where it is known.
    pub order_id: Option<OrderId>,
    /// Where it was read.
    pub stream: String,
    /// Its entry there.
    pub entry_id: String,
    /// When it was kept.
    pub created_at: Timestamp,
}

/// A dead letter with what arrived and its trail.
#[derive(Debug, Serialize, Deserialize)]
pub struct Shown {
    /// As it is listed.
    #[serde(flatten)]
    pub letter: Letter,
    /// How `event` is written: text, escaped, fields or gone.
    pub form: String,
    /// What arrived.
    pub event: String,
    /// Who did what to it.
    pub trail: Vec<TrailEntry>,
}

/// What an operator did.
#[derive(Debug, Serialize, Deserialize)]
pub struct TrailEntry {
    /// replay or discard.
    pub act: String,
    /// When.
    pub time: Timestamp,
    /// Who, where that was said.
    pub by: Option<String>,
    /// Why.
    pub reason: String,
    /// What came of it.
    pub outcome: String,
}

/// What came of a replay.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Replayed {
    /// Whose it is; the answer does not say.
    #[serde(default = "nobody", skip_deserializing)]
    pub service: Service,
    /// Its number there.
    pub id: i64,
    /// The event's type, where it is known.
    #[serde(rename = "type")]
    pub event_type: Option<EventType>,
    /// The purchase, where it is known.
    pub order_id: Option<OrderId>,
    /// changed, repeated, nothingChanged, undecodable, impossible or failed.
    pub outcome: String,
    /// The state that the service changed to.
    pub to: Option<String>,
    /// Why it could not be applied.
    pub error: Option<String>,
    /// What became of the dead letter.
    pub state: String,
    /// Tries that failed.
    pub attempts: i64,
}

impl Replayed {
    /// Whether the event was applied.
    pub fn is_applied(&self) -> bool {
        self.state == "replayed"
    }
}

/// Replaced at once by the service that answered.
fn nobody() -> Service {
    Service::Order
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Page {
    dead_letters: Vec<Letter>,
    next_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReplayedPage {
    results: Vec<Replayed>,
    next_cursor: Option<String>,
}

/// Which dead letters one call replays.
#[derive(Debug)]
pub struct Which {
    service: Service,
    query: Vec<(&'static str, String)>,
}

impl Which {
    /// The first ones of a service.
    pub fn first(service: Service, event_type: Option<EventType>, dry_run: bool) -> Self {
        let mut query = vec![("dryRun", dry_run.to_string())];
        query.extend(event_type.map(|event_type| ("type", event_type.to_string())));
        Self { service, query }
    }

    /// Those that follow.
    pub fn after(&mut self, cursor: String) {
        self.query.retain(|(name, _)| *name != "cursor");
        self.query.push(("cursor", cursor));
    }
}

/// All dead letters of a service in this state.
///
/// # Errors
/// It does not answer, or refuses.
pub async fn list(
    client: &Client,
    service: Service,
    state: &str,
    event_type: Option<EventType>,
) -> Result<Vec<Letter>> {
    let mut letters = Vec::new();
    let mut query = vec![("state", state.to_owned())];
    query.extend(event_type.map(|event_type| ("type", event_type.to_string())));
    loop {
        let path = with_query("/dead-letters", &query);
        let page: Page = client.get(service, &path).await?;
        let of = |letter| Letter { service, ..letter };
        letters.extend(page.dead_letters.into_iter().map(of));
        let Some(next) = page.next_cursor else {
            return Ok(letters);
        };
        query.retain(|(name, _)| *name != "cursor");
        query.push(("cursor", next));
    }
}

/// One dead letter.
///
/// # Errors
/// The service does not answer, or has none of that number.
pub async fn show(client: &Client, Name { service, id }: Name) -> Result<Shown> {
    let path = format!("/dead-letters/{id}");
    let mut shown: Shown = client.get(service, &path).await?;
    shown.letter.service = service;
    Ok(shown)
}

/// Replays one.
///
/// # Errors
/// The service does not answer, or it is not open there.
pub async fn replay(
    client: &Client,
    Name { service, id }: Name,
    operator: &Operator,
    dry_run: bool,
) -> Result<Replayed> {
    let path = format!("/dead-letters/{id}/replay?dryRun={dry_run}");
    let replayed: Replayed = client.post(service, &path, operator).await?;
    Ok(Replayed {
        service,
        ..replayed
    })
}

/// Replays a page of those of a service, and says where the next one begins.
///
/// # Errors
/// The service does not answer, or refuses.
pub async fn replay_page(
    client: &Client,
    Which { service, query }: &Which,
    operator: &Operator,
) -> Result<(Vec<Replayed>, Option<String>)> {
    let path = with_query("/dead-letters/replay", query);
    let page: ReplayedPage = client.post(*service, &path, operator).await?;
    let of = |one| Replayed {
        service: *service,
        ..one
    };
    Ok((page.results.into_iter().map(of).collect(), page.next_cursor))
}

/// Discards one.
///
/// # Errors
/// The service does not answer, or it is not open there.
pub async fn discard(
    client: &Client,
    Name { service, id }: Name,
    operator: &Operator,
) -> Result<Letter> {
    let mut query = vec![("reason", operator.reason.clone())];
    query.extend(operator.by.clone().map(|by| ("by", by)));
    let path = with_query(&format!("/dead-letters/{id}"), &query);
    let letter: Letter = client.delete(service, &path).await?;
    Ok(Letter { service, ..letter })
}

fn with_query(path: &str, query: &[(&'static str, String)]) -> String {
    let pairs = query
        .iter()
        .map(|(name, value)| format!("{name}={}", encoded(value)));
    format!("{path}?{}", pairs.collect::<Vec<_>>().join("&"))
}

/// Percent-encoding of all but what RFC 3986 calls unreserved.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_dead_letter_is_named_by_its_service_and_number() {
        let name: Name = "item-svc/3".parse().unwrap();
        assert_eq!((name.service, name.id), (Service::Item, 3));
        assert_eq!("item/3".parse::<Name>(), Ok(name));
        assert_eq!(name.to_string(), "item-svc/3");
        for wrong in ["3", "item-svc/", "item-svc/x", "cart-svc/3", "item-svc/3/4"] {
            assert!(wrong.parse::<Name>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_reason_travels_in_a_query_as_it_is() {
        assert_eq!(
            with_query("/p", &[("reason", "a&b=c 방".into()), ("by", "me".into())]),
            "/p?reason=a%26b%3Dc%20%EB%B0%A9&by=me"
        );
    }
}
