//! `/system/dead-letters`: those of all services in one place.

use e2e_tests::{System, failure, settled};
use reqwest::Method;
use saga_events::{EventType, OrderId, Service};
use serde_json::json;

async fn with_letters() -> System {
    let system = System::start().await;
    system.plant(EventType::OrderCreated, "event", "{").await;
    system.plant(EventType::OrderCreated, "event", "[").await;
    system
        .forge(settled(EventType::ItemDeducted, OrderId::new(), 0))
        .await;
    system.until_dead_letters(Service::User, 2).await;
    system.until_dead_letters(Service::Inventory, 1).await;
    system
}

#[tokio::test]
async fn the_letters_of_all_are_listed_and_grouped() {
    let system = with_letters().await;
    let door = system.at(Service::Order);
    let all = door.get("/system/dead-letters").await.expect(200).body;
    assert_eq!(all["deadLetters"].as_array().unwrap().len(), 3, "{all}");
    assert_eq!(all["missing"], json!([]));
    let groups = all["groups"].as_array().unwrap();
    let of_user = groups
        .iter()
        .find(|group| group["service"] == "user-svc")
        .unwrap();
    assert_eq!(
        (&of_user["reason"], &of_user["count"]),
        (&json!("undecodable"), &json!(2))
    );
    let some = door
        .get("/system/dead-letters?service=inventory-svc")
        .await
        .expect(200)
        .body;
    assert_eq!(some["deadLetters"][0]["service"], "inventory-svc");
    assert_eq!(some["deadLetters"].as_array().unwrap().len(), 1);
    let typed = door
        .get("/system/dead-letters?type=item.deducted")
        .await
        .expect(200)
        .body;
    assert_eq!(typed["deadLetters"].as_array().unwrap().len(), 1, "{typed}");
    system.kill(Service::User);
    let rest = door.get("/system/dead-letters").await.expect(200).body;
    assert_eq!(rest["missing"], json!(["user-svc"]));
    assert_eq!(rest["deadLetters"].as_array().unwrap().len(), 1);
    let gone = door
        .get("/system/dead-letters/user-svc/1")
        .await
        .expect(503);
    assert!(
        gone.body["detail"].as_str().unwrap().contains("user-svc"),
        "{}",
        gone.body
    );
}

#[tokio::test]
async fn a_letter_is_shown_tried_and_discarded_through_the_door() {
    let system = with_letters().await;
    let door = system.at(Service::Order);
    let shown = door
        .get("/system/dead-letters/user-svc/1")
        .await
        .expect(200)
        .body;
    assert_eq!(
        shown,
        system.at(Service::User).get("/dead-letters/1").await.body
    );
    let replay = "/system/dead-letters/user-svc/1/replay";
    let why = json!({"reason": "looking", "by": "me"});
    let tried = door
        .post(&format!("{replay}?dryRun=true"), &why)
        .await
        .expect(200)
        .body;
    assert_eq!(
        (&tried["dryRun"], &tried["outcome"]),
        (&json!(true), &json!("undecodable"))
    );
    let unreasoned = door.post(replay, &json!({})).await.expect(422).body;
    assert_eq!(unreasoned["errors"][0]["field"], "reason", "{unreasoned}");
    let nowhere = door
        .post("/system/dead-letters/user-svc/99/replay", &why)
        .await
        .expect(404);
    assert_eq!(nowhere.body["code"], "DEAD_LETTER_NOT_FOUND");
    let stranger = door
        .get("/system/dead-letters/shop-svc/1")
        .await
        .expect(400);
    assert_eq!(stranger.body["errors"][0]["field"], "service");

    let path = "/system/dead-letters/user-svc/1?reason=half%20a%20letter&by=me";
    let gone = door
        .send(door.request(Method::DELETE, path))
        .await
        .expect(200)
        .body;
    assert_eq!(gone["state"], "discarded", "{gone}");
    let again = door
        .send(door.request(Method::DELETE, path))
        .await
        .expect(409)
        .body;
    assert_eq!(again["code"], "NOT_OPEN");
}

#[tokio::test]
async fn all_letters_of_a_kind_are_tried_at_once() {
    let system = with_letters().await;
    let door = system.at(Service::Order);
    let path = "/system/dead-letters/replay";
    let all = json!({"dryRun": true, "reason": "looking"});
    let tried = door.post(path, &all).await.expect(200).body;
    assert_eq!(
        (&tried["failed"], &tried["replayed"]),
        (&json!(3), &json!(0)),
        "{tried}"
    );
    let of_user = json!({"service": "user-svc", "reason": "again"});
    let tried = door.post(path, &of_user).await.expect(200).body;
    let results = tried["results"].as_array().unwrap();
    assert!(
        results.iter().all(|result| result["service"] == "user-svc"),
        "{tried}"
    );
    assert_eq!(results.len(), 2);
    door.post(path, &json!({"dryRun": true})).await.expect(422);
    // One that is well-formed and cannot come true stays.
    system
        .forge(failure(EventType::PaymentRollback, OrderId::new(), 0))
        .await;
    system.until_dead_letters(Service::Order, 1).await;
    let typed = json!({"type": "payment.rollback", "reason": "again"});
    let tried = door.post(path, &typed).await.expect(200).body;
    assert_eq!(tried["results"][0]["service"], "order-svc", "{tried}");
    assert_eq!(tried["results"][0]["outcome"], "impossible");
}
