//! A service that dies at a chosen boundary of its work: what was promised before is kept, what was
//! not is done once. Each failpoint is tried in every service in which it lies, and proven hit: the
//! process ends by SIGABRT and says where.

use std::cell::{Cell, RefCell};
use std::os::unix::process::ExitStatusExt;

use e2e_tests::{Books, PATIENCE, Sale, System, eventually, together};
use reqwest::Method;
use saga_events::Service;
use serde_json::{Value, json};

const PURCHASES: usize = 20;
/// Callers at the same time.
const LANES: usize = 4;
const SIGABRT: i32 = 6;
/// Not the first time that it comes there, so that the work before it is under way.
const TIMES: u32 = 2;

/// A system in which services have died at a failpoint and were started again, and how many
/// purchases were made meanwhile.
struct Trial {
    system: System,
    purchases: usize,
}

/// For each service in turn: runs it with the failpoint until that has ended it, starts it again
/// without, and buys all the while. `provoke` is called again and again until it has died.
async fn run(
    failpoint: &str,
    services: &[Service],
    provoke: impl AsyncFn(&System, Service),
) -> Trial {
    let system = System::with().repeating_quickly().start().await;
    let (user, item) = (system.user(1_000_000).await, system.item(10, 100_000).await);
    let sale = Sale::of(user, item);
    let purchases = Cell::new(0_usize);
    for &service in services {
        // In order, so that it gives its locks back.
        assert!(system.terminate(service).await.success(), "{service}");
        system.launch_with_failpoint(service, failpoint, TIMES);
        let is_back = Cell::new(false);
        let lane = async |_| {
            let mut turn = 0;
            while turn < PURCHASES / LANES || !is_back.get() {
                let key = purchases.replace(purchases.get() + 1).to_string();
                let order = system.order_whatever_happens(sale, &key).await;
                system.ended(order).await;
                turn += 1;
            }
        };
        let dying = async {
            until_it_died(&system, failpoint, service, &provoke).await;
            system.restart(service).await;
            is_back.set(true);
        };
        tokio::join!(together((0..LANES).map(lane)), dying);
        assert!(purchases.get() >= PURCHASES);
    }
    let purchases = purchases.get();
    Trial { system, purchases }
}

async fn until_it_died(
    system: &System,
    failpoint: &str,
    service: Service,
    provoke: impl AsyncFn(&System, Service),
) {
    let ask = async || {
        let status = system.ended_by_itself(service);
        if status.is_none() {
            provoke(system, service).await;
        }
        status.ok_or("it still runs")
    };
    let what = format!("{service} comes to {failpoint}");
    let status = eventually(&what, PATIENCE, ask).await;
    assert_eq!(status.signal(), Some(SIGABRT), "{service}: {status}");
    let last_words = format!("failpoint {failpoint}: aborting");
    assert!(system.log(service).contains(&last_words), "{service}");
}

impl Trial {
    fn holds(&self, books: &Books) {
        let made = books.orders.len();
        assert_eq!(made, self.purchases, "a key makes one order");
        assert_eq!(books.completed().count(), made, "nothing was refused");
    }
}

/// Purchases alone lead there.
async fn check(failpoint: &str, services: &[Service]) {
    check_provoked(failpoint, services, async |_, _| {}).await;
}

async fn check_provoked(
    failpoint: &str,
    services: &[Service],
    provoke: impl AsyncFn(&System, Service),
) {
    let trial = run(failpoint, services, provoke).await;
    trial.holds(&trial.system.settled().await);
}

/// What can be made by `POST` at this service beside purchases.
fn creation(service: Service) -> Option<(&'static str, Value)> {
    match service {
        Service::User => Some(("/users", json!({"username": "another", "balance": 7}))),
        Service::Item => {
            let body = json!({"name": "another", "price": 1, "stock": 7});
            Some(("/items", body))
        }
        _ => None,
    }
}

/// Makes orders, users and items: a key makes one, whenever the service died.
async fn check_creating(failpoint: &str) {
    let asked = RefCell::new(Vec::new());
    let create = async |system: &System, service: Service| {
        let Some((path, body)) = creation(service) else {
            return;
        };
        let key = asked.borrow().len().to_string();
        asked.borrow_mut().push((service, key.clone()));
        let client = system.at(service);
        let request = client.request(Method::POST, path).json(&body);
        // It may die before it answers: it is asked again below.
        let _ = client
            .try_send(request.header("Idempotency-Key", key))
            .await;
    };
    let services = [Service::Order, Service::User, Service::Item];
    let trial = run(failpoint, &services, create).await;
    let system = &trial.system;
    for (service, key) in asked.take() {
        let (path, body) = creation(service).unwrap();
        let made = system
            .make_whatever_happens(service, path, &body, &key)
            .await;
        match service {
            Service::User => system.note_deposit(made.field("id"), 7),
            _ => system.note_supply(made.field("id"), 7),
        }
    }
    trial.holds(&system.settled().await);
}

#[tokio::test]
async fn what_was_not_committed_is_made_when_it_is_asked_for_again() {
    check_creating("http.before_commit").await;
}

#[tokio::test]
async fn what_was_committed_and_not_answered_is_answered_and_not_made_again() {
    check_creating("http.after_commit").await;
}

#[tokio::test]
async fn events_that_were_read_and_nothing_more_are_read_again() {
    check("consumer.after_read", &Service::ALL).await;
}

#[tokio::test]
async fn a_step_that_was_not_committed_is_taken_again() {
    check("inbox.before_commit", &Service::ALL).await;
}

#[tokio::test]
async fn a_step_that_was_committed_and_not_acknowledged_is_not_taken_again() {
    check("inbox.after_commit", &Service::ALL).await;
}

#[tokio::test]
async fn what_was_committed_and_not_published_is_published_after_the_start() {
    check("relay.before_xadd", &Service::ALL).await;
}

#[tokio::test]
async fn what_was_published_and_not_noted_is_published_twice_and_done_once() {
    check("relay.after_xadd", &Service::ALL).await;
}

#[tokio::test]
async fn what_was_published_from_the_outbox_and_not_noted_is_done_once() {
    // Redis refuses what comes in this moment, so that it is read from the outbox afterwards.
    let refuse = async |system: &System, _| {
        system.redis().ask::<()>("CONFIG SET maxmemory 1").await;
        system.redis().ask::<()>("CONFIG SET maxmemory 0").await;
    };
    check_provoked("relay.catching_up", &Service::ALL, refuse).await;
}

#[tokio::test]
async fn a_position_that_was_not_remembered_costs_duplicates_only() {
    check("relay.before_remember", &Service::ALL).await;
}

#[tokio::test]
async fn a_position_that_was_just_remembered_skips_nothing() {
    check("relay.after_remember", &Service::ALL).await;
}

#[tokio::test]
async fn a_crash_between_two_streams_that_are_trimmed_loses_nothing() {
    check("trimmer.mid", &Service::ALL).await;
}

#[tokio::test]
async fn a_dead_letter_that_was_not_committed_is_kept_when_it_comes_again() {
    let poison = async |system: &System, service: Service| {
        let event_type = service.consumes().next().unwrap();
        system.plant(event_type, "event", "{\"half\":").await;
    };
    let trial = run("dead_letter.before_commit", &Service::ALL, poison).await;
    trial.holds(&trial.system.settled_despite_dead_letters().await);
    for service in Service::ALL {
        let letters = trial.system.file(service).dead_letters();
        assert!(letters.len() >= TIMES as usize, "{service}: {letters:#?}");
        let undecodable = letters.iter().all(|letter| letter.reason == "undecodable");
        assert!(undecodable, "{service}: {letters:#?}");
    }
}

#[tokio::test]
async fn a_gateway_that_was_about_to_be_asked_is_asked_after_the_start() {
    check("gw.before_call", &[Service::Payment]).await;
}

#[tokio::test]
async fn an_answer_of_the_gateway_that_was_not_stored_is_given_again_and_charged_once() {
    // The books hold the bank's own book to the payments.
    check("gw.after_call", &[Service::Payment]).await;
}

#[tokio::test]
async fn an_answer_of_the_gateway_that_was_stored_stays() {
    check("gw.after_settle", &[Service::Payment]).await;
}

/// Loses events until there is something to repeat.
async fn flush(system: &System, _: Service) {
    system.redis().ask::<()>("FLUSHALL").await;
}

#[tokio::test]
async fn a_repeat_that_was_not_committed_is_made_by_the_next_sweep() {
    check_provoked("sweep.before_commit", &[Service::Order], flush).await;
}

#[tokio::test]
async fn a_crash_in_the_middle_of_a_sweep_leaves_the_rest_to_the_next() {
    check_provoked("sweep.mid", &[Service::Order], flush).await;
}

#[tokio::test]
async fn a_normal_build_contains_no_failpoint() {
    let name = b"inbox.before_commit";
    let contains = |path| {
        std::fs::read(path)
            .unwrap()
            .windows(name.len())
            .any(|at| at == name)
    };
    for service in Service::ALL.map(Service::as_str) {
        assert!(
            contains(e2e_tests::binary_with_failpoints(service)),
            "{service}"
        );
        assert!(!contains(e2e_tests::binary(service)), "{service}");
    }
}
