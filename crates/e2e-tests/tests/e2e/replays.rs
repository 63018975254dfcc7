//! Dead letters from the operator's side: read, replayed, discarded. Whatever is replayed, whenever:
//! nothing that was final changes.

mod everything;
mod refused;
mod tool;

use e2e_tests::{Answer, PATIENCE, Sale, System, envelope, eventually, settled};
use reqwest::Method;
use saga_events::bus::stream;
use saga_events::{EventType, OrderId, Service};
use serde_json::{Value, json};

/// A system in which nothing is repeated: what was lost stays lost until somebody acts.
pub async fn without_repeats() -> System {
    System::with()
        .set(Service::Order, "SAGA__ORDER__FIRST_REPEAT_MS", 55_000)
        .set(Service::Order, "SAGA__ORDER__MAX_REPEAT_MS", 55_000)
        .start()
        .await
}

/// The dead letters of a service that are open, as it lists them.
pub async fn open_letters(system: &System, service: Service) -> Vec<Value> {
    system.at(service).all("/dead-letters", "deadLetters").await
}

/// Waits for the first dead letter of a service, and returns it as it is shown.
pub async fn first_letter(system: &System, service: Service) -> Value {
    let ask = async || match open_letters(system, service).await.first() {
        Some(letter) => Ok(letter["id"].as_i64().unwrap()),
        None => Err("there is none"),
    };
    let id = eventually("a dead letter is listed", PATIENCE, ask).await;
    show(system, service, id).await
}

async fn show(system: &System, service: Service, id: i64) -> Value {
    let path = format!("/dead-letters/{id}");
    system.at(service).get(&path).await.expect(200).body
}

async fn replay(system: &System, service: Service, letter: &Value) -> Answer {
    let path = format!("/dead-letters/{}/replay", letter["id"]);
    let body = json!({"reason": "it is mended", "by": "ann"});
    system.at(service).post(&path, &body).await
}

async fn discard(system: &System, service: Service, id: &Value, query: &str) -> Answer {
    let path = format!("/dead-letters/{id}{query}");
    let client = system.at(service);
    client.send(client.request(Method::DELETE, &path)).await
}

#[tokio::test]
async fn what_a_failing_step_exhausted_blocks_nobody_and_goes_on_when_replayed() {
    let system = without_repeats().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    let stock = system.file(Service::Item);
    stock.run(
        "CREATE TRIGGER poison BEFORE INSERT ON holds WHEN NEW.quantity = 7
         BEGIN SELECT RAISE(ABORT, 'seven is poison'); END",
    );
    let poisoned = system
        .order(Sale {
            quantity: 7,
            ..sale
        })
        .await;
    // The tries go on meanwhile, and nobody waits for them.
    for _ in 0..5 {
        assert!(system.buy(sale).await.is_completed());
    }
    let letter = first_letter(&system, Service::Item).await;
    assert_eq!(letter["reason"], "exhausted");
    assert_eq!(letter["attempts"], 5);
    assert_eq!(letter["orderId"], json!(poisoned));
    assert_eq!(letter["type"], "inventory.reserved");
    let error = letter["error"].as_str().unwrap();
    assert!(error.contains("seven is poison"), "{error}");

    let failed = replay(&system, Service::Item, &letter).await.expect(200);
    assert_eq!(failed.body["outcome"], "failed", "the cause is not mended");
    assert_eq!(failed.body["state"], "open");
    stock.run("DROP TRIGGER poison");
    let replayed = replay(&system, Service::Item, &letter).await.expect(200);
    assert_eq!(replayed.body["outcome"], "changed");
    assert_eq!(replayed.body["to"], "Reserved");
    assert_eq!(replayed.body["said"], json!(["item.reserved"]));
    assert!(system.ended(poisoned).await.is_completed());
    system.settled_despite_dead_letters().await;

    let letter = show(&system, Service::Item, 1).await;
    assert_eq!(
        (&letter["state"], &letter["attempts"]),
        (&json!("replayed"), &json!(6))
    );
    let outcomes: Vec<_> = letter["trail"].as_array().unwrap().iter().collect();
    assert_eq!(outcomes.len(), 2, "what failed is in the trail, too");
    assert_eq!(outcomes[0]["by"], "ann");
    assert_eq!(outcomes[1]["outcome"], "changed to Reserved");
    let story = format!("order.id={poisoned}");
    let log = system.log(Service::Item);
    let line = log
        .lines()
        .find(|line| line.contains("a dead letter, replayed)"));
    assert!(line.is_some_and(|line| line.contains(&story)), "{line:?}");
}

#[tokio::test]
async fn what_could_not_be_decoded_goes_on_when_a_newer_build_can() {
    let system = without_repeats().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    system.kill(Service::User);
    let order = system.order(sale).await;
    let key = stream(0, EventType::OrderCreated);
    let read = async || {
        let entries: Vec<(String, Vec<String>)> =
            system.redis().ask(&format!("XRANGE {key} - +")).await;
        entries.into_iter().next().ok_or("it is empty")
    };
    let (entry, fields) = eventually("the event is published", PATIENCE, read).await;
    system
        .redis()
        .ask::<i64>(&format!("XDEL {key} {entry}"))
        .await;
    // A field that this build does not know must not get lost on the way to one that does.
    let newer = fields[1].replace("order.created:1", "order.created:2");
    let newer = newer.replacen('{', r#"{"colour":"red","#, 1);
    system.plant(EventType::OrderCreated, "event", &newer).await;
    system.restart(Service::User).await;

    let letter = first_letter(&system, Service::User).await;
    assert_eq!(letter["reason"], "undecodable");
    assert_eq!(
        letter["type"], "order.created",
        "that is what its stream carries"
    );
    assert_eq!(
        (&letter["form"], &letter["event"]),
        (&json!("text"), &json!(newer))
    );
    let failed = replay(&system, Service::User, &letter).await.expect(200);
    assert_eq!(failed.body["outcome"], "undecodable");
    assert_eq!(failed.body["attempts"], 2);

    // There is no newer build to be had here; so the event becomes one that this build knows.
    let path = system.file(Service::User);
    path.run("UPDATE dead_letters SET event = replace(event, 'created:2', 'created:1')");
    let replayed = replay(&system, Service::User, &letter).await.expect(200);
    assert_eq!(replayed.body["to"], "Reserved");
    assert_eq!(replayed.body["orderId"], json!(order), "now it can be read");
    assert!(system.ended(order).await.is_completed());
    system.settled_despite_dead_letters().await;
}

#[tokio::test]
async fn what_came_too_early_changes_nothing_when_it_is_replayed_too_late() {
    let system = System::start().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    system.freeze(Service::User);
    let order = system.order(sale).await;
    system
        .forge(settled(EventType::NotificationSent, order, 0))
        .await;
    let letter = first_letter(&system, Service::Order).await;
    assert_eq!(letter["reason"], "impossible");
    let failed = replay(&system, Service::Order, &letter).await.expect(200);
    assert_eq!(
        failed.body["outcome"], "impossible",
        "it still is too early"
    );
    system.thaw(Service::User);
    assert!(system.ended(order).await.is_completed());
    system.until_closed().await;
    let before = system.file(Service::Order).contents();
    let replayed = replay(&system, Service::Order, &letter).await.expect(200);
    assert_eq!(replayed.body["outcome"], "nothingChanged");
    assert_eq!(replayed.body["state"], "replayed");
    assert_eq!(system.file(Service::Order).contents(), before);
    system.settled_despite_dead_letters().await;
}

#[tokio::test]
async fn a_discarded_event_is_not_applied_and_is_not_forgotten() {
    // Nothing is trimmed, so that it can be delivered again.
    let system = System::with()
        .set_for_all("SAGA__BUS__TRIM_MS", 60_000)
        .start()
        .await;
    let poison = envelope(settled(EventType::PaymentProcessed, OrderId::new(), 0));
    system
        .plant(EventType::PaymentProcessed, "event", &poison)
        .await;
    let letter = first_letter(&system, Service::Item).await;
    let gone = discard(
        &system,
        Service::Item,
        &letter["id"],
        "?reason=forged&by=bob",
    )
    .await;
    assert_eq!(gone.expect(200).body["state"], "discarded");

    assert!(open_letters(&system, Service::Item).await.is_empty());
    let items = system.at(Service::Item);
    let listed = items.all::<Value>("/dead-letters?state=discarded", "deadLetters");
    assert_eq!(listed.await.len(), 1);
    let shown = show(&system, Service::Item, 1).await;
    assert_eq!(shown["event"], json!(poison), "the evidence stays");
    let trail = shown["trail"].as_array().unwrap();
    assert_eq!(trail.len(), 1);
    for (field, value) in [("act", "discard"), ("reason", "forged"), ("by", "bob")] {
        assert_eq!(trail[0][field], value);
    }
    // The entry delivered again is the same dead letter, and stays discarded.
    let key = stream(0, EventType::PaymentProcessed);
    system
        .redis()
        .ask::<String>(&format!("XGROUP SETID {key} item-svc 0"))
        .await;
    let ask = async || {
        let log = system.log(Service::Item);
        let times = log.matches("dead letter: nothing changed").count();
        if times == 2 { Ok(()) } else { Err(times) }
    };
    eventually("it is delivered again", PATIENCE, ask).await;
    assert!(open_letters(&system, Service::Item).await.is_empty());
    assert_eq!(show(&system, Service::Item, 1).await, shown);
    system.settled_despite_dead_letters().await;
}

#[tokio::test]
async fn not_a_byte_of_what_cannot_be_read_is_lost() {
    let system = System::start().await;
    let bytes = b"{\"name\":\"\xeb\xb0\xa9\xff\\u0041\"}";
    system.plant(EventType::OrderCreated, "event", bytes).await;
    let letter = first_letter(&system, Service::User).await;
    assert_eq!(letter["form"], "escaped");
    assert_eq!(letter["event"], r#"{"name":"방\xff\\u0041"}"#);
    system.plant(EventType::PaymentFailed, "other", bytes).await;
    let letter = first_letter(&system, Service::Item).await;
    assert_eq!(letter["form"], "fields");
    let fields: Vec<String> = serde_json::from_str(letter["event"].as_str().unwrap()).unwrap();
    assert_eq!(fields, ["other", r#"{"name":"방\xff\\u0041"}"#]);
    system.settled_despite_dead_letters().await;
}
