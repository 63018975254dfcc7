//! More callers than capacity: refused clearly, and nothing that was accepted suffers.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use e2e_tests::{PATIENCE, Sale, System, eventually, together};
use saga_events::{OrderId, Service};

const ENDED: &str = "SELECT count(*) AS number FROM orders WHERE status = 'COMPLETED'";
const HOLDING: &str = "SELECT count(*) AS number FROM holds WHERE state = 'Reserved'";
const REPEATS: &str = "SELECT coalesce(sum(attempt), 0) AS number FROM orders";
const NOT_CLOSED: &str = "SELECT count(*) AS number FROM orders WHERE told = 0";
const SAID: &str = "SELECT count(*) AS number FROM outbox";

/// Waits until a number in the file of a service is at least this.
async fn at_least(system: &System, service: Service, sql: &str, least: i64) {
    let ask = async || match system.file(service).number(sql) {
        number if number >= least => Ok(()),
        number => Err(number),
    };
    eventually(&format!("{service}: {sql} ≥ {least}"), PATIENCE, ask).await;
}

#[tokio::test]
async fn ten_times_more_callers_than_places_are_served_or_told_to_come_back() {
    const PLACES: usize = 20;
    let system = System::with()
        .set(Service::Order, "SAGA__ORDER__MAX_OPEN", PLACES)
        .start()
        .await;
    let sale = Sale::of(system.user(1_000_000).await, system.item(10, 100_000).await);
    let (over, refused) = (AtomicBool::new(false), AtomicUsize::new(0));
    let accepted: Mutex<Vec<OrderId>> = Mutex::default();
    let caller = async |_| {
        while !over.load(Ordering::Relaxed) {
            let answer = system
                .at(Service::Order)
                .post("/orders", &sale.body())
                .await;
            if answer.status == 201 {
                accepted.lock().unwrap().push(answer.field("id"));
                continue;
            }
            let answer = answer.expect(503);
            assert_eq!(answer.header("content-type"), "application/problem+json");
            assert_eq!(answer.body["code"], "OVERLOADED");
            let seconds: u64 = answer.header("retry-after").parse().unwrap();
            assert!((1..=60).contains(&seconds));
            refused.fetch_add(1, Ordering::Relaxed);
        }
    };
    // Purchases go on ending while callers are being refused, all the time.
    let watch = async {
        for turn in 1..=10 {
            let before = refused.load(Ordering::Relaxed);
            at_least(&system, Service::Order, ENDED, turn * 50).await;
            let more = async || match refused.load(Ordering::Relaxed) - before {
                0 => Err("nobody is refused"),
                _ => Ok(()),
            };
            eventually("there are too many callers", PATIENCE, more).await;
        }
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(together((0..PLACES * 10).map(caller)), watch);

    let books = system.settled().await;
    let accepted = accepted.into_inner().unwrap();
    assert_eq!(books.orders.len(), accepted.len(), "201 is an order");
    assert_eq!(books.completed().count(), accepted.len());
    assert!(system.buy(sale).await.is_completed(), "there are places");
    system.settled().await;
}

#[tokio::test]
async fn a_pivot_that_is_away_with_5000_open_orders_makes_no_storm_of_repeats() {
    const ORDERS: i64 = 5_000;
    const CALLERS: i64 = 50;
    const EACH: i64 = ORDERS / CALLERS;
    let system = System::with()
        .repeating_quickly()
        .set(Service::Order, "SAGA__ORDER__REPEATS_PER_SECOND", 2_000)
        .start()
        .await;
    let item = system.item(10, ORDERS).await;
    system.kill(Service::Payment);
    let caller = async |_| {
        let user = system.user(1_000_000).await;
        // While they are open, each holds a slot of its own.
        system.set_capacity(user, EACH).await;
        for _ in 0..EACH {
            system.order(Sale::of(user, item)).await;
        }
    };
    together((0..CALLERS).map(caller)).await;
    at_least(&system, Service::Item, HOLDING, ORDERS).await;
    at_least(&system, Service::Order, REPEATS, ORDERS).await;

    system.restart(Service::Payment).await;
    let closed = async || match system.file(Service::Order).number(NOT_CLOSED) {
        0 => Ok(()),
        open => Err(open),
    };
    eventually("all orders end", PATIENCE, closed).await;
    let sum = |sql: &str, of: &[Service]| -> i64 {
        of.iter()
            .map(|service| system.file(*service).number(sql))
            .sum()
    };
    let (said, repeats) = (sum(SAID, &Service::ALL), sum(REPEATS, &[Service::Order]));
    let most = (ORDERS + repeats) * 14;
    assert!(said <= most, "{said} messages for {repeats} repeats");
    let held = sum(HOLDING, &[Service::User, Service::Inventory, Service::Item]);
    assert_eq!(held, 0);
}
