//! The verdict: after the last fault, every order that was promised is there and ends in time, and
//! all books agree.

use std::collections::BTreeMap;
use std::rc::Rc;

use saga_events::Service;
use serde_json::Value;
use tokio::time::{Duration, Instant, sleep};

use super::audits::audit_all;
use super::scene::Scene;
use super::strike::POISON;
use crate::{Books, DeadLetter};

/// A violation names at most so many orders.
const NAMED: usize = 10;

/// How a run came out; what must not be is in the record.
#[derive(Debug, Default)]
pub struct Verdict {
    /// When it was seen that every order has ended.
    pub ended_at: Option<Instant>,
    /// Orders that completed.
    pub completed: usize,
    /// Orders that were cancelled, by reason.
    pub cancelled: BTreeMap<String, usize>,
}

/// Waits until nothing is under way, until this moment at most, and then judges.
pub async fn judge(scene: Rc<Scene>, end: Instant) -> Verdict {
    let scene = &*scene;
    let mut verdict = Verdict::default();
    let books = loop {
        // Cheap, as it is asked again and again; the books are not.
        if Instant::now() >= end || !has_open_orders(scene).await {
            let asked_at = Instant::now();
            let books = Books::read(&scene.system).await;
            let open = books.under_way();
            if open.is_empty() {
                verdict.ended_at = Some(asked_at);
                break books;
            }
            if Instant::now() >= end {
                let some = open.iter().take(NAMED).cloned().collect::<Vec<_>>();
                let what = format!("{} not over in time: {}", open.len(), some.join("; "));
                scene.record.violation(what);
                break books;
            }
        }
        sleep(Duration::from_millis(100)).await;
    };
    for violation in books.violations() {
        scene.record.violation(violation);
    }
    for order in scene.record.promises() {
        if !books.orders.contains_key(&order) {
            let what = format!("order {order} was answered with 201 and does not exist");
            scene.record.violation(what);
        }
    }
    for service in Service::ALL {
        let letters = scene.system.file(service).dead_letters();
        let unexpected = letters.iter().filter(|letter| !is_planted(scene, letter));
        for letter in unexpected.take(NAMED) {
            let what = format!("{service} has a dead letter that nobody planted: {letter:?}");
            scene.record.violation(what);
        }
    }
    audit_all(scene, end).await;
    for order in books.orders.values() {
        match order.reason_code {
            None => verdict.completed += 1,
            Some(reason) => {
                *verdict
                    .cancelled
                    .entry(reason.as_str().to_owned())
                    .or_default() += 1;
            }
        }
    }
    verdict
}

async fn has_open_orders(scene: &Scene) -> bool {
    for status in ["PENDING", "CANCELLING"] {
        let path = format!("/orders?status={status}&limit=1");
        let orders: Vec<Value> = scene
            .system
            .at(Service::Order)
            .get(&path)
            .await
            .expect(200)
            .field("orders");
        if !orders.is_empty() {
            return true;
        }
    }
    false
}

/// Whether it is poison or forged.
fn is_planted(scene: &Scene, letter: &DeadLetter) -> bool {
    match letter.reason.as_str() {
        "undecodable" => letter.event == POISON,
        "impossible" => serde_json::from_str::<Value>(&letter.event)
            .ok()
            .and_then(|event| event["subject"].as_str()?.parse().ok())
            .is_some_and(|order| scene.record.is_forged(order)),
        _ => false,
    }
}
