//! What a bank across a network does, and what it must never do.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Instant;

use diesel::prelude::*;
use saga_events::Amount;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

fn behaviour(rate: f64) -> Behaviour {
    Behaviour {
        kind: Kind::Simulated,
        approval_rate: rate.try_into().unwrap(),
        latency_min_ms: 0.try_into().unwrap(),
        latency_max_ms: 0.try_into().unwrap(),
        outage: Outage::None,
        seed: 1.try_into().unwrap(),
    }
}

fn during(outage: Outage) -> Behaviour {
    Behaviour {
        outage,
        ..behaviour(1.0)
    }
}

fn slow(min: u64, max: u64) -> Behaviour {
    Behaviour {
        latency_min_ms: min.try_into().unwrap(),
        latency_max_ms: max.try_into().unwrap(),
        ..behaviour(1.0)
    }
}

struct Bank {
    folder: TempDir,
    gateway: Arc<Simulated>,
}

impl Bank {
    fn open(behaviour: Behaviour) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let gateway =
            Arc::new(Simulated::open(&folder.path().join("gateway.db"), behaviour).unwrap());
        Self { folder, gateway }
    }

    /// As after the end of the process: nothing but the file is left.
    fn reopen(self, behaviour: Behaviour) -> Self {
        let Self { folder, gateway } = self;
        drop(gateway);
        let gateway =
            Arc::new(Simulated::open(&folder.path().join("gateway.db"), behaviour).unwrap());
        Self { folder, gateway }
    }

    async fn authorize(&self, order: u128) -> Result<Authorization, Unknown> {
        within(LONG, self.gateway.authorize(charge(order))).await
    }

    async fn look_up(&self, order: u128) -> Result<Option<Authorization>, Unknown> {
        within(LONG, self.gateway.look_up(charge(order).order_id)).await
    }

    /// Both calls, by a caller who hangs up soon.
    async fn hangs(&self, order: u128) {
        let asked = within(SHORT, self.gateway.authorize(charge(order))).await;
        assert_eq!(asked, Err(Unknown::TimedOut));
        let looked = within(SHORT, self.gateway.look_up(charge(order).order_id)).await;
        assert_eq!(looked, Err(Unknown::TimedOut));
    }

    /// Waits until the book has this many keys and has charged this sum.
    async fn charges(&self, keys: i64, charged: i64) {
        let deadline = Instant::now() + LONG;
        while self.book() != (keys, charged) {
            assert!(Instant::now() < deadline, "{:?}", self.book());
            tokio::task::yield_now().await;
        }
    }

    /// How many keys are in the book, and the sum of what was charged.
    fn book(&self) -> (i64, i64) {
        let path = self.folder.path().join("gateway.db");
        let mut conn = SqliteConnection::establish(&path.to_string_lossy()).unwrap();
        diesel::sql_query(
            "SELECT count(*) AS keys, coalesce(sum(amount) FILTER (WHERE answer = 'Approved'), 0) AS charged
             FROM charges",
        )
        .get_result::<Sums>(&mut conn)
        .map(|sums| (sums.keys, sums.charged))
        .unwrap()
    }
}

#[derive(QueryableByName)]
struct Sums {
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    keys: i64,
    #[diesel(sql_type = diesel::sql_types::BigInt)]
    charged: i64,
}

/// How long a caller waits who wants an answer, and one who is not to get any.
const LONG: Duration = Duration::from_secs(10);
const SHORT: Duration = Duration::from_millis(50);

async fn within<T>(
    patience: Duration,
    call: impl Future<Output = Result<T, Unknown>>,
) -> Result<T, Unknown> {
    tokio::time::timeout(patience, call)
        .await
        .unwrap_or(Err(Unknown::TimedOut))
}

fn charge(order: u128) -> Charge {
    let order_id = OrderId::from_uuid(Uuid::from_u128(order));
    Charge {
        order_id,
        amount: Amount::new(300).unwrap(),
    }
}

#[tokio::test]
async fn a_rate_of_one_approves_all_and_a_rate_of_zero_none() {
    let bank = Bank::open(behaviour(1.0));
    for order in 0..200 {
        assert_eq!(
            bank.authorize(order).await.unwrap().answer,
            Answer::Approved
        );
    }
    bank.gateway.behave(behaviour(0.0));
    for order in 200..400 {
        assert_eq!(
            bank.authorize(order).await.unwrap().answer,
            Answer::Declined
        );
    }
    assert_eq!(bank.book(), (400, 200 * 300));
}

#[tokio::test]
async fn the_same_key_is_answered_the_same_for_ever_whatever_the_rate_is_by_then() {
    let bank = Bank::open(behaviour(1.0));
    let yes = bank.authorize(1).await.unwrap();
    bank.gateway.behave(behaviour(0.0));
    let no = bank.authorize(2).await.unwrap();
    assert_eq!(bank.authorize(1).await.unwrap(), yes);
    bank.gateway.behave(behaviour(1.0));
    assert_eq!(bank.authorize(2).await.unwrap(), no);
    assert_eq!(
        (yes.answer, no.answer),
        (Answer::Approved, Answer::Declined)
    );
    assert_ne!(yes.reference, no.reference);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_key_fifty_fold_at_once_is_one_charge() {
    let bank = Bank::open(behaviour(1.0));
    let call = |_| {
        let gateway = bank.gateway.clone();
        tokio::spawn(async move { gateway.authorize(charge(1)).await.unwrap() })
    };
    let calls: Vec<_> = (0..50).map(call).collect();
    let first = bank.gateway.authorize(charge(1)).await.unwrap();
    for call in calls {
        assert_eq!(call.await.unwrap(), first);
    }
    assert_eq!(bank.book(), (1, 300));
}

#[tokio::test]
async fn the_answers_to_new_keys_depend_on_seed_order_and_rate_alone() {
    let answers = async |behaviour: Behaviour, orders: Vec<u128>| {
        let bank = Bank::open(behaviour);
        let mut answers = Vec::new();
        for order in orders {
            answers.push((order, bank.authorize(order).await.unwrap().answer));
        }
        answers.sort_unstable();
        answers
    };
    let forwards = answers(behaviour(0.5), (0..64).collect()).await;
    let backwards = answers(behaviour(0.5), (0..64).rev().collect()).await;
    assert_eq!(forwards, backwards);
    let seed = 2.try_into().unwrap();
    let other_seed = answers(
        Behaviour {
            seed,
            ..behaviour(0.5)
        },
        (0..64).collect(),
    )
    .await;
    assert_ne!(forwards, other_seed);
    // A higher rate approves what a lower one does, and more.
    let more = answers(behaviour(0.9), (0..64).collect()).await;
    let approved = |(_, answer): &(u128, Answer)| *answer == Answer::Approved;
    assert!(
        forwards
            .iter()
            .zip(&more)
            .all(|(low, high)| !approved(low) || approved(high))
    );
    assert!(
        forwards.iter().filter(|answer| approved(answer)).count()
            < more.iter().filter(|answer| approved(answer)).count()
    );
}

/// Pinned: a release that decided otherwise would turn yes into no for the orders in flight.
#[test]
fn the_decision_is_the_same_in_every_version() {
    let yes: Vec<u128> = (0..32)
        .filter(|order| decide(&behaviour(0.5), charge(*order).order_id) == Answer::Approved)
        .collect();
    let pinned = [1, 2, 4, 5, 8, 9, 10, 14, 15, 16, 18, 22, 26, 28, 29, 30, 31];
    assert_eq!(yes, pinned);
}

#[test]
fn the_rate_is_the_share_that_is_approved() {
    let orders = 20_000_u32;
    let approve = |rate: f64| {
        let behaviour = behaviour(rate);
        (0..orders)
            .filter(|_| decide(&behaviour, OrderId::new()) == Answer::Approved)
            .count()
    };
    for rate in [0.1, 0.5, 0.9] {
        let share = f64::from(u32::try_from(approve(rate)).unwrap()) / f64::from(orders);
        assert!((share - rate).abs() < 0.02, "{share} instead of {rate}");
    }
}

#[tokio::test]
async fn refused_connections_are_unknown_and_charge_nothing() {
    let bank = Bank::open(during(Outage::Refuse));
    assert_eq!(bank.authorize(1).await, Err(Unknown::Refused));
    assert_eq!(bank.look_up(1).await, Err(Unknown::Refused));
    assert_eq!(bank.book(), (0, 0));
    bank.gateway.behave(behaviour(1.0));
    assert_eq!(bank.authorize(1).await.unwrap().answer, Answer::Approved);
}

#[tokio::test]
async fn lost_requests_hang_and_charge_nothing() {
    let bank = Bank::open(during(Outage::Timeout));
    bank.hangs(1).await;
    bank.gateway.behave(behaviour(1.0));
    assert_eq!(bank.look_up(1).await, Ok(None));
    assert_eq!(bank.book(), (0, 0));
}

#[tokio::test]
async fn lost_answers_hang_and_the_charge_stands() {
    let bank = Bank::open(during(Outage::TimeoutAfterCharge));
    bank.hangs(1).await;
    bank.charges(1, 300).await;
    // The rate has changed since; what was charged was charged.
    bank.gateway.behave(behaviour(0.0));
    let found = bank.look_up(1).await.unwrap().expect("it is in the book");
    assert_eq!(found.answer, Answer::Approved);
    assert_eq!(bank.authorize(1).await.unwrap(), found);
    assert_eq!(bank.book(), (1, 300));
}

#[tokio::test]
async fn a_charge_whose_answer_was_lost_survives_the_end_of_the_process() {
    let bank = Bank::open(during(Outage::TimeoutAfterCharge));
    bank.hangs(1).await;
    bank.charges(1, 300).await;
    let bank = bank.reopen(behaviour(0.0));
    let found = bank.look_up(1).await.unwrap().expect("it is in the book");
    assert_eq!(bank.authorize(1).await.unwrap(), found);
    assert_eq!((found.answer, bank.book()), (Answer::Approved, (1, 300)));
}

#[tokio::test]
async fn a_decision_takes_its_latency_and_looking_up_none() {
    let bank = Bank::open(slow(40, 60));
    let begin = Instant::now();
    bank.authorize(1).await.unwrap();
    assert!(begin.elapsed() >= Duration::from_millis(40));
    bank.gateway.behave(slow(60_000, 60_000));
    assert!(bank.look_up(1).await.unwrap().is_some());
}

#[test]
fn latencies_are_drawn_for_each_call_within_their_bounds() {
    let bank = Bank::open(behaviour(1.0));
    let drawn: Vec<Duration> = (0..100)
        .map(|_| bank.gateway.draw_latency(&slow(10, 20)))
        .collect();
    assert!(
        drawn
            .iter()
            .all(|ms| (Duration::from_millis(10)..=Duration::from_millis(20)).contains(ms))
    );
    assert!(drawn.iter().any(|ms| *ms != drawn[0]));
    assert_eq!(bank.gateway.draw_latency(&slow(0, 0)), Duration::ZERO);
}

#[tokio::test]
async fn a_slow_bank_goes_on_when_the_caller_has_hung_up() {
    let bank = Bank::open(slow(500, 500));
    let asked = within(SHORT, bank.gateway.authorize(charge(1))).await;
    assert_eq!(asked, Err(Unknown::TimedOut));
    assert_eq!(
        bank.look_up(1).await,
        Ok(None),
        "not found is not a no: it is on its way"
    );
    bank.charges(1, 300).await;
    assert!(bank.look_up(1).await.unwrap().is_some());
}

#[test]
fn behaviour_is_strict_json_that_comes_back_as_it_was() {
    let text = r#"{"kind":"simulated","approvalRate":0.9,"latencyMinMs":0,"latencyMaxMs":5,"outage":"timeoutAfterCharge","seed":1}"#;
    let parsed: Behaviour = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&parsed).unwrap(), text);
    for (field, bad) in [
        ("kind", "\"real\""),
        ("approvalRate", "1.01"),
        ("approvalRate", "-0.1"),
        ("approvalRate", "\"1\""),
        ("latencyMinMs", "-1"),
        ("latencyMaxMs", "60001"),
        ("latencyMaxMs", "1.5"),
        ("outage", "\"None\""),
        ("outage", "null"),
        ("seed", "9007199254740992"),
        ("more", "1"),
    ] {
        let mut json: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(text).unwrap();
        json.insert(field.into(), serde_json::from_str(bad).unwrap());
        let json = serde_json::Value::Object(json);
        assert!(
            serde_json::from_value::<Behaviour>(json).is_err(),
            "{field} {bad}"
        );
    }
    assert!(slow(1, 1).validate().is_ok());
    assert!(slow(2, 1).validate().is_err());
}
