//! Delivery at its worst: taken over while it is worked on, twice, in another order, repeated by
//! the hundred, watched by somebody who never reads. One effect, and nobody waits for ever.

use std::collections::BTreeMap;

use e2e_tests::chaos::dice::Dice;
use e2e_tests::{PATIENCE, Sale, System, eventually, together};
use saga_events::bus::stream;
use saga_events::{LINE, OrderId, Service};
use serde_json::json;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// The longest way that one repeat can make.
const DELIVERIES_OF_A_REPEAT: usize = 14;

async fn buyer(system: &System) -> Sale {
    let (user, item) = (system.user(1_000_000).await, system.item(10, 10_000).await);
    system.set_capacity(user, 100).await;
    Sale::of(user, item)
}

#[tokio::test]
async fn entries_that_are_taken_over_while_they_are_worked_on_have_one_effect() {
    // Every entry counts as left alone at once, so each look for such takes what is in hand.
    let builder = System::with().repeating_quickly();
    let system = builder
        .set_for_all("SAGA__BUS__CLAIM_IDLE_MS", 1)
        .start()
        .await;
    let sale = buyer(&system).await;
    together((0..100).map(|_| system.buy(sale))).await;
    assert_eq!(system.settled().await.completed().count(), 100);
}

#[tokio::test]
async fn everything_that_is_on_the_streams_comes_again_in_another_order_and_changes_nothing() {
    let system = System::with().repeating_quickly().start().await;
    let sale = buyer(&system).await;
    let dice = &mut Dice::new(1, 1);
    for _ in 0..5 {
        // Half of them are under way while copies of their own events overtake them.
        let orders = together((0..20).map(|_| system.order(sale))).await;
        let mut copies = Vec::new();
        for spec in LINE.iter().filter(|spec| !spec.consumers.is_empty()) {
            let key = stream(0, spec.event_type);
            let words = ["XRANGE", &key, "-", "+"];
            let entries: Vec<(String, Vec<String>)> = system.redis().ask_words(&words).await;
            copies.extend(
                entries
                    .into_iter()
                    .map(|(_, mut fields)| (spec.event_type, fields.remove(1))),
            );
        }
        dice.shuffle(&mut copies);
        for (event_type, text) in copies {
            system.plant(event_type, "event", &text).await;
        }
        together(orders.into_iter().map(|order| system.ended(order))).await;
    }
    assert_eq!(system.settled().await.completed().count(), 100);
}

#[tokio::test]
async fn repeats_of_many_orders_that_stand_still_are_few_and_each_travels_the_line_once() {
    let system = System::with().repeating_quickly().start().await;
    let sale = buyer(&system).await;
    system.set_gateway(json!({"outage": "timeout"})).await;
    let orders = together((0..50).map(|_| system.order(sale))).await;
    let repeated = async || {
        for order in &orders {
            let said = system.said(Service::Order, *order).await;
            if said.iter().all(|said| said.attempt < 2) {
                return Err(format!("{order} was repeated {} times", said.len()));
            }
        }
        Ok(())
    };
    eventually("every order was repeated twice", PATIENCE, repeated).await;
    system.set_gateway(json!({"outage": "none"})).await;
    system.settled().await;

    let mut attempts: BTreeMap<OrderId, usize> = BTreeMap::new();
    for order in orders {
        let journal = system.journal(order).await;
        let highest = journal.iter().map(|said| said.attempt).max().unwrap();
        let most = DELIVERIES_OF_A_REPEAT * (1 + highest as usize);
        assert!(journal.len() <= most, "{order}: {} events", journal.len());
        attempts.insert(order, highest as usize);
    }
    assert!(attempts.values().all(|attempts| *attempts >= 2));
}

#[tokio::test]
async fn a_watcher_that_never_reads_holds_no_purchase_up() {
    let system = System::start().await;
    let sale = buyer(&system).await;
    let mut watcher = TcpStream::connect(("127.0.0.1", system.redis().port()))
        .await
        .unwrap();
    watcher.write_all(b"PSUBSCRIBE *\r\n").await.unwrap();
    let watched = async || match system.redis().ask::<i64>("PUBSUB NUMPAT").await {
        0 => Err("not yet"),
        _ => Ok(()),
    };
    eventually("it watches", PATIENCE, watched).await;
    for _ in 0..10 {
        let orders = together((0..50).map(|_| system.buy(sale))).await;
        assert!(orders.iter().all(|order| order.is_completed()));
    }
    system.settled().await;
    drop(watcher);
}

#[tokio::test]
async fn who_reads_at_a_pace_takes_together_what_came_meanwhile() {
    let key = "SAGA__CONSUMER__PACE_MS";
    let system = System::with().set(Service::Notify, key, 1000).start().await;
    let sale = buyer(&system).await;
    // One after another, so each letter could have had a batch of its own.
    for _ in 0..30 {
        assert!(system.buy(sale).await.is_completed());
    }
    system.until_closed().await;
    let file = system.file(Service::Notify);
    let letters = file.number("SELECT count(*) AS number FROM notifications");
    // A batch has one time.
    let batches = file.number("SELECT count(DISTINCT created_at) AS number FROM notifications");
    assert_eq!(letters, 30);
    assert!(batches <= 15, "{batches} batches");
    system.settled().await;
}
