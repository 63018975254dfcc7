//! Some purchases, step by step. What they did is read from the journals when they have ended, since
//! that costs less than to listen to everything; those that stay open are looked at now and then.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use saga_events::{EventType, OrderId, ReasonCode, Service, Timestamp};
use saga_timeline::Timeline;
use saga_timeline::timeline::{Effect, Event};
use serde::Serialize;
use svc_chassis::Chassis;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use utoipa::ToSchema;

use super::Lookout;
use crate::OrderSvc;
use crate::gather::Gatherer;
use crate::seen::{SeenOf, is_over};
use crate::store::{self, StoredOrder};

/// The name of the event.
const STEP: &str = "step";
/// From one purchase to the next: 20 a second at most.
const TURN: Duration = Duration::from_millis(50);
/// To follow a purchase takes six services: a rest so many times as long leaves them to purchases.
const RESTS: u32 = 20;
/// The buyer is told a moment after the end.
const TOLD: Duration = Duration::from_millis(150);
/// Purchases that have ended and wait to be followed. More are left out: it is a sample.
const WAITING: usize = 10;
/// From one look for purchases that stay open to the next, and how old those are at least.
const SLOW: Duration = Duration::from_millis(500);
/// Of those that stay open, so many of the oldest and so many of the newest.
const OPEN: i64 = 3;
/// Purchases that are followed at several turns.
const FOLLOWED: usize = 12;

/// A purchase that has become final.
pub struct Final {
    order: OrderId,
    at: Instant,
}

/// Where the writer says that an order has ended: it never waits here.
pub struct Ended {
    wanted: AtomicBool,
    sample: mpsc::Sender<Final>,
}

impl Ended {
    pub(super) fn new() -> (Self, mpsc::Receiver<Final>) {
        let (sample, receiver) = mpsc::channel(WAITING);
        let ended = Self {
            wanted: AtomicBool::new(false),
            sample,
        };
        (ended, receiver)
    }

    /// Somebody watches. What has ended before is no news.
    pub(super) fn listen(&self, sample: &mut mpsc::Receiver<Final>) {
        while sample.try_recv().is_ok() {}
        self.wanted.store(true, Ordering::Relaxed);
    }

    /// Nobody watches any more.
    pub(super) fn stop_listening(&self) {
        self.wanted.store(false, Ordering::Relaxed);
    }

    /// This one has ended. It is left out where nobody watches, or enough wait.
    pub fn note(&self, order: OrderId) {
        if self.wanted.load(Ordering::Relaxed) {
            let at = Instant::now();
            let _ = self.sample.try_send(Final { order, at });
        }
    }
}

/// One step of a purchase.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Step {
    order_id: OrderId,
    /// Its place in the purchase's timeline, from 1 on.
    n: usize,
    r#type: EventType,
    /// Who said it.
    service: Service,
    /// When, by that service's clock.
    time: Timestamp,
    /// 0, or the number of the repeat that it answers.
    attempt: u32,
    /// The place of the event that caused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<usize>,
    effect: Effect,
    /// Why it was refused or cancelled.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason_code: Option<ReasonCode>,
    /// It is the last one of the purchase.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    closed: bool,
}

/// Purchases that are shown in more than one piece, those looked at longest ago first.
type Followed = VecDeque<(OrderId, SeenOf)>;

/// For ever.
pub(super) async fn run(
    lookout: &Lookout,
    svc: &OrderSvc,
    chassis: &Chassis,
    ended: &mut mpsc::Receiver<Final>,
) {
    let mut followed = Followed::new();
    let mut slow: VecDeque<OrderId> = VecDeque::new();
    let mut look_at = Instant::now();
    let mut slow_next = false;
    loop {
        if look_at <= Instant::now() {
            look_at = Instant::now() + SLOW;
            slow = still_open(chassis, &followed).await;
        }
        // One after the other, so that neither keeps the other out.
        slow_next = !slow_next;
        let next = match slow.front() {
            Some(_) if slow_next => slow.pop_front(),
            Some(_) | None => match timeout(TURN, ended.recv()).await {
                Ok(Some(Final { order, at })) => {
                    sleep_until(at + TOLD).await;
                    Some(order)
                }
                Ok(None) => return,
                Err(_) => None,
            },
        };
        let Some(order) = next else {
            continue;
        };
        let began = Instant::now();
        follow(lookout, svc, chassis, order, &mut followed).await;
        sleep(TURN.max(began.elapsed() * RESTS)).await;
    }
}

/// Some of those that stay open, and those that were shown in part.
async fn still_open(chassis: &Chassis, followed: &Followed) -> VecDeque<OrderId> {
    let before = Timestamp::now().minus(SLOW);
    let open = chassis
        .readers
        .read(move |conn| Ok(store::some_open(conn, before, OPEN)?));
    let mut slow: VecDeque<OrderId> = followed.iter().map(|(order, _)| *order).collect();
    for order in open.await.unwrap_or_default() {
        if !slow.contains(&order) {
            slow.push_back(order);
        }
    }
    slow
}

/// Shows what is new of a purchase.
async fn follow(
    lookout: &Lookout,
    svc: &OrderSvc,
    chassis: &Chassis,
    order: OrderId,
    followed: &mut Followed,
) {
    // What cannot be read now is read at another turn, or left out.
    let Ok(Some(stored)) = find(chassis, order).await else {
        return;
    };
    let Ok(timeline) = Gatherer::new(chassis, &svc.peers).timeline(&stored).await else {
        return;
    };
    svc.live.followed(order, &timeline);
    let at = followed.iter().position(|(known, _)| *known == order);
    let seen = at.and_then(|at| followed.remove(at));
    let seen = seen.map_or_else(SeenOf::default, |(_, seen)| seen);
    let over = stored.order.told && is_over(&timeline);
    let after = show(lookout, order, &timeline, seen, over);
    if !over {
        if followed.len() >= FOLLOWED {
            followed.pop_front();
        }
        followed.push_back((order, after));
    }
}

fn show(
    lookout: &Lookout,
    order: OrderId,
    timeline: &Timeline,
    mut seen: SeenOf,
    over: bool,
) -> SeenOf {
    let mut news = seen.news(timeline).peekable();
    while let Some((after, event)) = news.next() {
        let closed = over && news.peek().is_none();
        lookout.show(STEP, &Step::of(order, event, closed));
        seen = after;
    }
    seen
}

async fn find(
    chassis: &Chassis,
    order: OrderId,
) -> Result<Option<StoredOrder>, svc_chassis::Error> {
    let read = chassis
        .readers
        .read(move |conn| Ok(store::find(conn, order)?));
    read.await
}

impl Step {
    fn of(order_id: OrderId, event: &Event, closed: bool) -> Self {
        let reason = event.data["reasonCode"].as_str();
        Self {
            order_id,
            n: event.n,
            r#type: event.event_type,
            service: event.service,
            time: event.time,
            attempt: event.attempt,
            because: event.because,
            effect: event.effect,
            reason_code: reason.and_then(|code| code.parse().ok()),
            closed,
        }
    }
}
