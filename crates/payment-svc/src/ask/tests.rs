//! Asking until there is an answer.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::VecDeque;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use saga_events::Amount;
use tokio::task::JoinSet;

use super::*;
use crate::saga::Answer;

/// A gateway that does as it is told, call by call, and remembers what it was asked.
struct Scripted {
    script: Mutex<VecDeque<Does>>,
    asked: Mutex<Vec<(&'static str, OrderId)>>,
    open: AtomicUsize,
    most_open: AtomicUsize,
}

#[derive(Clone, Copy)]
enum Does {
    Answer,
    Refuse,
    Hang,
    /// Only to a look-up: the book has no such key.
    NotFound,
}

impl Scripted {
    fn new(script: impl IntoIterator<Item = Does>) -> Arc<Self> {
        Arc::new(Self {
            script: Mutex::new(script.into_iter().collect()),
            asked: Mutex::default(),
            open: AtomicUsize::new(0),
            most_open: AtomicUsize::new(0),
        })
    }

    async fn next(
        &self,
        call: &'static str,
        order_id: OrderId,
    ) -> Result<Option<Authorization>, Unknown> {
        self.asked.lock().unwrap().push((call, order_id));
        let open = self.open.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_open.fetch_max(open, Ordering::SeqCst);
        tokio::task::yield_now().await;
        let does = self
            .script
            .lock()
            .unwrap()
            .pop_front()
            .unwrap_or(Does::Answer);
        self.open.fetch_sub(1, Ordering::SeqCst);
        match does {
            Does::Answer => Ok(Some(yes())),
            Does::NotFound => Ok(None),
            Does::Refuse => Err(Unknown::Refused),
            Does::Hang => std::future::pending().await,
        }
    }

    fn calls(&self) -> Vec<&'static str> {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .map(|(call, _)| *call)
            .collect()
    }
}

impl Gateway for Scripted {
    async fn authorize(&self, charge: Charge) -> Result<Authorization, Unknown> {
        let answer = self.next("authorize", charge.order_id).await?;
        answer.ok_or_else(|| Unknown::Failed("the script says not found".into()))
    }

    async fn look_up(&self, order_id: OrderId) -> Result<Option<Authorization>, Unknown> {
        self.next("look up", order_id).await
    }
}

fn yes() -> Authorization {
    Authorization {
        answer: Answer::Approved,
        reference: "r".into(),
    }
}

fn charge() -> Charge {
    Charge {
        order_id: OrderId::new(),
        amount: Amount::MIN,
    }
}

fn asker(gateway: &Arc<Scripted>) -> Asker<Scripted> {
    Asker::new(gateway.clone(), Duration::from_millis(20), 4)
}

#[tokio::test]
async fn an_answer_is_asked_for_once() {
    let gateway = Scripted::new([Does::Answer]);
    assert_eq!(asker(&gateway).ask(charge()).await, yes());
    assert_eq!(gateway.calls(), ["authorize"]);
}

#[tokio::test]
async fn no_answer_is_asked_for_again_with_the_same_key_until_there_is_one() {
    let gateway = Scripted::new([
        Does::Refuse,
        Does::Hang,
        Does::NotFound,
        Does::Hang,
        Does::NotFound,
    ]);
    let charge = charge();
    assert_eq!(asker(&gateway).ask(charge).await, yes());
    // The book is looked at before each further try, and "not found" is never taken for a no.
    let calls = [
        "authorize",
        "look up",
        "look up",
        "authorize",
        "look up",
        "authorize",
    ];
    assert_eq!(gateway.calls(), calls);
    assert!(
        gateway
            .asked
            .lock()
            .unwrap()
            .iter()
            .all(|(_, key)| *key == charge.order_id)
    );
}

#[tokio::test]
async fn a_charge_whose_answer_was_lost_is_found_and_not_made_again() {
    let gateway = Scripted::new([Does::Hang, Does::Answer]);
    assert_eq!(asker(&gateway).ask(charge()).await, yes());
    assert_eq!(gateway.calls(), ["authorize", "look up"]);
}

#[tokio::test]
async fn unknown_payments_are_counted_while_they_are_unknown() {
    let gateway = Scripted::new([Does::Refuse, Does::Refuse]);
    let asker = Arc::new(asker(&gateway));
    assert_eq!(asker.figures().unknown(), 0);
    let charge = charge();
    let asking = tokio::spawn({
        let asker = asker.clone();
        async move { asker.ask(charge).await }
    });
    while asker.figures().unknown() == 0 {
        tokio::task::yield_now().await;
    }
    assert_eq!(asker.figures().unknown(), 1);
    assert!(asker.figures().unknown_since(charge.order_id).is_some());
    asking.await.unwrap();
    assert_eq!(asker.figures().unknown(), 0);
    assert_eq!(asker.figures().unknown_since(charge.order_id), None);
}

#[tokio::test]
async fn many_are_asked_for_at_a_time_but_no_more_than_may_be() {
    let gateway = Scripted::new([]);
    let asker = Arc::new(asker(&gateway));
    let mut asking = JoinSet::new();
    for _ in 0..100 {
        let asker = asker.clone();
        asking.spawn(async move { asker.ask(charge()).await });
    }
    assert_eq!(asking.join_all().await.len(), 100);
    assert_eq!(gateway.most_open.load(Ordering::SeqCst), 4);
}

#[test]
fn waits_are_jittered_and_at_most_two_seconds() {
    let waits: Vec<Duration> = (0..200).map(|_| jittered(MAX_DELAY)).collect();
    let allowed = Duration::from_secs(1)..=Duration::from_secs(2);
    assert!(waits.iter().all(|wait| allowed.contains(wait)));
    assert!(waits.iter().any(|wait| *wait != waits[0]));
}
