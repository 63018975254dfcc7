//! The buyers: each asks until it is answered, always with the same key, and remembers the answer.

use std::rc::Rc;
use std::time::Duration;

use reqwest::Method;
use saga_events::{OrderId, Service};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::dice::Dice;
use super::market::Shopping;
use super::scene::Scene;
use crate::Answer;

/// Begins purchases at this pace, each one only when all faults before it have struck, and returns
/// when all were answered or the run is over.
pub async fn shop(
    scene: Rc<Scene>,
    purchases: usize,
    per_second: u32,
    mut may_begin: watch::Receiver<usize>,
) {
    let mut pace = interval(Duration::from_secs(1) / per_second);
    pace.set_missed_tick_behavior(MissedTickBehavior::Skip);
    let mut buyers = JoinSet::new();
    for number in 0..purchases {
        pace.tick().await;
        if may_begin.wait_for(|end| number < *end).await.is_err() {
            return;
        }
        scene.record.begun.send_replace(number + 1);
        buyers.spawn_local(buy(scene.clone(), number));
    }
    while let Some(done) = buyers.join_next().await {
        if let Err(panic) = done {
            scene.record.violation(format!("a buyer: {panic}"));
        }
    }
}

async fn buy(scene: Rc<Scene>, number: usize) {
    let shopping = scene.market.shopping(scene.seed, number);
    let mut over = scene.over.subscribe();
    let order = tokio::select! {
        order = taken(&scene, number, shopping) => order,
        _ = over.wait_for(|over| *over) => {
            scene.record.violation(format!("purchase {number} was never answered"));
            return;
        }
    };
    let Some(order) = order else { return };
    scene.record.promised(order);
    if shopping.asks_again
        && let Some(again) = taken(&scene, number, shopping).await
        && again != order
    {
        let what = format!("purchase {number} was answered as {order}, then as {again}");
        scene.record.violation(what);
    }
    if let Some(delay) = shopping.cancels {
        sleep(delay).await;
        cancel(&scene, order).await;
    }
}

/// Posts until it is answered. `None`: with something that nobody should be answered.
async fn taken(scene: &Scene, number: usize, shopping: Shopping) -> Option<OrderId> {
    let dice = &mut Dice::new(scene.seed, 1_000_000 + number as u64);
    let client = scene.system.at(Service::Order);
    loop {
        let mut request = client
            .request(Method::POST, "/orders")
            .json(&shopping.sale.body())
            .header("Idempotency-Key", format!("purchase-{number}"));
        if shopping.waits {
            request = request.header("Prefer", "wait=1");
        }
        match client.try_send(request).await {
            Ok(answer) if answer.status == 201 => return Some(answer.field("id")),
            Ok(Answer {
                status: 409 | 503, ..
            })
            | Err(_) => sleep(dice.millis(20, 200)).await,
            Ok(Answer { status, body, .. }) => {
                let what = format!("purchase {number} was answered {status} {body}");
                scene.record.violation(what);
                return None;
            }
        }
    }
}

/// Asks to cancel; whether that comes in time is up to the pivot.
async fn cancel(scene: &Scene, order: OrderId) {
    let client = scene.system.at(Service::Order);
    for _ in 0..20 {
        let request = client.request(Method::POST, &format!("/orders/{order}/cancel"));
        match client.try_send(request).await {
            Ok(Answer {
                status: 200 | 202 | 409,
                ..
            }) => return,
            Ok(Answer { status: 503, .. }) | Err(_) => sleep(Duration::from_millis(100)).await,
            Ok(Answer { status, body, .. }) => {
                let what = format!("the cancel of {order} was answered {status} {body}");
                return scene.record.violation(what);
            }
        }
    }
}
