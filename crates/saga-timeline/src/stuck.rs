//! Why a purchase may be stuck: for each message that is due, the first reason that explains it.

use std::time::Duration;

use saga_events::{Service, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::expected::Expected;
use crate::sources::Sources;

/// A message may be under way for so long before its being late means anything.
pub const UNDER_WAY: Duration = Duration::from_secs(1);

/// Why a message does not come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Cause {
    /// The service that is to say it does not answer.
    ServiceDown,
    /// The service could not apply what it is to answer, and has put it aside.
    DeadLetter,
    /// payment-svc asks the gateway, which does not answer.
    GatewayUnknown,
    /// Redis does not answer, so nothing travels.
    RedisDown,
    /// The service has other messages to read first.
    Lagging,
    /// None of these: a message got lost, and order-svc's repeat brings it again.
    WaitingRepeat,
}

impl Cause {
    /// Every cause, the most telling first.
    pub const ALL: [Self; 6] = [
        Self::ServiceDown,
        Self::DeadLetter,
        Self::GatewayUnknown,
        Self::RedisDown,
        Self::Lagging,
        Self::WaitingRepeat,
    ];
}

/// Why a purchase may be stuck, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Stuck {
    /// Why.
    pub cause: Cause,
    /// At whom.
    pub service: Service,
    /// Since when.
    pub since: Timestamp,
    /// How many messages are before this one; with `LAGGING` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub behind: Option<u64>,
    /// When order-svc repeats what it has said, where it is to do so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_repeat_at: Option<Timestamp>,
}

/// Why each of these is late; those that are only under way are not.
pub fn stuck(sources: &Sources, expected: &[Expected]) -> Vec<Stuck> {
    let missing = sources.missing();
    let mut all: Vec<Stuck> = Vec::new();
    for due in expected {
        let late = sources.now.since(due.since) >= UNDER_WAY;
        let letter = sources.dead_letters.get(&due.from);
        let unknown = sources.gateway_unknown_since;
        let unknown = unknown.filter(|_| due.from == Service::Payment);
        let behind = sources.behind.get(&due.from).copied().filter(|n| *n > 0);
        let (cause, since) = if missing.contains(&due.from) {
            (Cause::ServiceDown, due.since)
        } else if let Some(letter) = letter {
            (Cause::DeadLetter, letter.created_at)
        } else if let Some(since) = unknown {
            (Cause::GatewayUnknown, since)
        } else if !sources.redis_up {
            (Cause::RedisDown, due.since)
        } else if !late {
            continue;
        } else if behind.is_some() {
            (Cause::Lagging, due.since)
        } else {
            (Cause::WaitingRepeat, due.since)
        };
        let stuck = Stuck {
            cause,
            service: due.from,
            since,
            behind: behind.filter(|_| cause == Cause::Lagging),
            next_repeat_at: sources.next_repeat_at,
        };
        if !all.contains(&stuck) {
            all.push(stuck);
        }
    }
    all
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;
