//! Replaying all that there is, after all is over: the books stay as they are, row by row.

use std::collections::BTreeMap;

use e2e_tests::{PATIENCE, Sale, System, eventually, failure, settled};
use saga_events::{EventType, OrderId, Service};
use serde_json::{Value, json};

use super::open_letters;

/// A trigger that makes the step of one service fail for orders of this total.
fn poison(service: Service, total: i64) -> String {
    let on = match service {
        Service::Order => "UPDATE ON orders WHEN NEW.status IN ('COMPLETED', 'CANCELLED') AND",
        Service::User | Service::Inventory => "UPDATE ON holds WHEN",
        Service::Item => "INSERT ON holds WHEN",
        Service::Payment => "INSERT ON payments WHEN",
        Service::Notify => "INSERT ON notifications WHEN",
    };
    let column = match service {
        Service::Notify => "amount",
        _ => "total_amount",
    };
    format!(
        "CREATE TRIGGER poison BEFORE {on} NEW.{column} = {total}
         BEGIN SELECT RAISE(ABORT, 'poison'); END"
    )
}

/// All that the six services have stored, row by row.
fn contents(system: &System) -> BTreeMap<Service, BTreeMap<String, Vec<String>>> {
    let of = |service| (service, system.file(service).contents());
    Service::ALL.into_iter().map(of).collect()
}

async fn replay_all(system: &System, service: Service, query: &str) -> Value {
    let path = format!("/dead-letters/replay{query}");
    let body = json!({"reason": "a week later"});
    let answer = system.at(service).post(&path, &body).await.expect(200);
    let body = answer.body;
    assert_eq!(body["remaining"], 0, "{body}");
    body
}

#[tokio::test]
async fn replaying_everything_after_all_is_final_changes_nothing() {
    let system = System::with().repeating_quickly().start().await;
    let sale = Sale::of(system.user(100_000).await, system.item(10, 1_000).await);
    let buy = async |quantity| system.order(Sale { quantity, ..sale }).await;
    let mut poisoned = Vec::new();
    for (service, quantity) in Service::ALL.into_iter().zip(1..) {
        system.file(service).run(&poison(service, 10 * quantity));
        poisoned.push(buy(quantity).await);
    }
    // Poison in all six, and purchases that have nothing to do with it.
    for _ in 0..5 {
        assert!(system.ended(buy(20).await).await.is_completed());
    }
    system.set_gateway(json!({"approvalRate": 0})).await;
    let declined = system.ended(buy(20).await).await;
    assert_eq!(declined.status, "CANCELLED");
    for service in Service::ALL {
        let ask = async || match open_letters(&system, service).await.len() {
            0 => Err("it has none"),
            _ => Ok(()),
        };
        eventually(&format!("{service} has a dead letter"), PATIENCE, ask).await;
    }
    system.set_gateway(json!({"approvalRate": 1})).await;
    for service in Service::ALL {
        system.file(service).run("DROP TRIGGER poison");
    }
    // The repeats bring them to their end; the dead letters are left over.
    for order in &poisoned {
        system.ended(*order).await;
    }
    // Others that were never true, of orders that are over and of one that never was.
    for order in [poisoned[0], declined.id, OrderId::new()] {
        for event_type in [EventType::PaymentProcessed, EventType::PaymentConfirmed] {
            system.forge(settled(event_type, order, 99)).await;
        }
    }
    for order in [poisoned[0], declined.id] {
        for event_type in [EventType::PaymentFailed, EventType::PaymentRollback] {
            system.forge(failure(event_type, order, 99)).await;
        }
    }
    system.plant(EventType::ItemDeducted, "event", "{").await;
    system.until_closed().await;
    system.until_read().await;
    system.settled_despite_dead_letters().await;

    let before = contents(&system);
    let mut replayed = 0;
    for service in Service::ALL {
        let dry = replay_all(&system, service, "?dryRun=true").await;
        assert_eq!(contents(&system), before, "a dry run leaves no trace");
        let wet = replay_all(&system, service, "").await;
        assert_eq!(wet["results"], dry["results"], "it came as it was said");
        replayed += wet["replayed"].as_i64().unwrap();
        for result in wet["results"].as_array().unwrap() {
            assert_ne!(result["outcome"], "changed", "{result}");
        }
    }
    assert!(replayed >= 6, "only {replayed} were replayed");
    assert_eq!(contents(&system), before, "nothing changed in any book");
    system.settled_despite_dead_letters().await;
}

#[tokio::test]
async fn a_call_replays_a_hundred_and_says_how_many_remain() {
    let system = System::start().await;
    for _ in 0..120 {
        system.plant(EventType::ItemDeducted, "event", "{").await;
    }
    system
        .plant(EventType::InventoryReserved, "event", "{")
        .await;
    system.until_dead_letters(Service::Inventory, 120).await;
    let client = system.at(Service::Inventory);
    let body = json!({"reason": "whether it helps"});
    let path = "/dead-letters/replay?type=item.deducted";
    let first = client.post(path, &body).await.expect(200);
    let tried = |body: &Value| body["results"].as_array().unwrap().len();
    assert_eq!((tried(&first.body), first.field("remaining")), (100, 20));
    assert_eq!(
        (&first.body["replayed"], &first.body["failed"]),
        (&json!(0), &json!(100))
    );
    let cursor = first.field::<String>("nextCursor");
    let rest = client.post(&format!("{path}&cursor={cursor}"), &body).await;
    let rest = rest.expect(200);
    assert_eq!((tried(&rest.body), rest.field("remaining")), (20, 0));
    assert!(rest.body["nextCursor"].is_null());
    let other = client.post("/dead-letters/replay?type=payment.reserved", &body);
    assert_eq!(tried(&other.await.expect(200).body), 0);
    system.settled_despite_dead_letters().await;
}
