//! Twice a second: how the system is, and how much was said since.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use saga_events::EventType;
use serde::Serialize;
use svc_chassis::Chassis;
use tokio::time::{MissedTickBehavior, interval};
use utoipa::ToSchema;

use super::Lookout;
use crate::OrderSvc;
use crate::overview::{Picture, Taken};

/// The name of the event.
pub const TICK: &str = "tick";
const EVERY: Duration = Duration::from_millis(500);

/// How the system is, and how much was said since the tick before.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Tick<'a> {
    #[serde(flatten)]
    picture: &'a Picture,
    /// How many events were said since the tick before, by type; those that nobody said are left out.
    per_event: BTreeMap<EventType, u64>,
    /// How long ago that was, in milliseconds; 0: this is the first one.
    per_ms: u64,
}

/// For ever.
pub async fn run(lookout: &Lookout, svc: &OrderSvc, chassis: &Chassis) {
    let mut turns = interval(EVERY);
    turns.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut before: Option<Arc<Taken>> = None;
    loop {
        turns.tick().await;
        // What the own database does not tell now it tells at the next turn.
        let Ok(now) = svc.picture(chassis, Duration::ZERO).await else {
            continue;
        };
        lookout.show(TICK, &Tick::of(&now, before.as_deref()));
        before = Some(now);
    }
}

impl<'a> Tick<'a> {
    fn of(now: &'a Taken, before: Option<&Taken>) -> Self {
        let said = |event_type: EventType| {
            let (now, before) = (&now.said, &before?.said);
            let count = now[event_type as usize].saturating_sub(before[event_type as usize]);
            (count > 0).then_some((event_type, count))
        };
        let passed = before.map(|before| now.at.duration_since(before.at));
        let passed = passed.unwrap_or_default().as_millis();
        Self {
            picture: &now.picture,
            per_event: EventType::ALL.iter().copied().filter_map(said).collect(),
            per_ms: u64::try_from(passed).unwrap_or(u64::MAX),
        }
    }
}
