//! `sagactl lab`: who is let in, each button, the witness, the model, and that nothing is left of it.

use std::process::Command;
use std::time::Duration;

use e2e_tests::{File, LEAST_AUDITS, Lab, PARTS, PATIENCE, press, process_of};
use reqwest::Method;
use saga_events::OrderId;
use serde_json::{Value, json};

mod answers;
mod ends;
mod let_in;

/// Soon, on a loaded machine too.
const SOON: Duration = Duration::from_secs(20);

fn state<'a>(picture: &'a Value, name: &str) -> &'a Value {
    &process_of(picture, name)["state"]
}

fn all_run(picture: &Value) -> bool {
    let is_up = |link: &Value| link["state"] == "up";
    PARTS.iter().all(|name| state(picture, name) == "running")
        && picture["links"].as_array().unwrap().iter().all(is_up)
        && picture["faults"] == json!([])
}

fn answered(picture: &Value) -> u64 {
    picture["witness"]["answered"].as_u64().unwrap()
}

/// Nobody buys any more, all is healed, all orders are final and none is lost.
async fn assert_nothing_is_lost(lab: &Lab) -> Value {
    lab.put("/lab/traffic", &json!({"perSecond": 0}))
        .await
        .expect(200);
    assert!(lab.heal_all().await);
    let none_open = |picture: &Value| picture["witness"]["open"] == 0;
    let picture = lab
        .until("all are final", PATIENCE, none_open)
        .await
        .unwrap();
    let witness = &picture["witness"];
    let of = |name: &str| witness[name].as_u64().unwrap();
    assert_eq!((of("lost"), &witness["lostOrders"]), (0, &json!([])));
    assert_eq!(of("answered"), of("completed") + of("cancelled"));
    assert!(all_run(&picture), "{picture}");
    picture
}

#[tokio::test]
async fn each_fault_strikes_is_seen_and_heals_and_nothing_is_lost() {
    let lab = Lab::start().await;
    lab.put("/lab/traffic", &json!({"perSecond": 20}))
        .await
        .expect(200);
    let flowing = lab.until("traffic", SOON, |picture| answered(picture) > 0);
    flowing.await.unwrap();
    for (kind, target, seen) in [
        ("kill", "item-svc", "killed"),
        ("kill", "redis", "killed"),
        ("stop", "payment-svc", "stopped"),
        ("stop", "redis", "stopped"),
        ("pause", "user-svc", "paused"),
        ("pause", "redis", "paused"),
        ("pause", "order-svc", "paused"),
    ] {
        let body = json!({"kind": kind, "target": target, "seconds": 1});
        let fault = lab.post("/lab/faults", &body).await.expect(201).body;
        assert!(fault["until"].as_str() > fault["since"].as_str(), "{fault}");
        let picture = lab.picture().await;
        assert_eq!(state(&picture, target), seen, "{kind}");
        assert_eq!(picture["faults"], json!([fault]));
        let has_pid = process_of(&picture, target)["pid"].is_number();
        assert_eq!(has_pid, kind == "pause", "{kind} {target}");
        let again = json!({"kind": "pause", "target": target});
        let refused = lab.post("/lab/faults", &again).await.expect(409);
        assert_eq!(refused.body["code"], "HAS_A_FAULT");
        // In time, not by hand.
        lab.until(kind, SOON, all_run).await.unwrap();
    }

    let body = json!({"kind": "cut", "target": "inventory-svc", "seconds": 0});
    let cut = lab.post("/lab/faults", &body).await.expect(201).body;
    assert!(cut.get("until").is_none(), "{cut}");
    let picture = lab.picture().await;
    let link = json!({"service": "inventory-svc", "state": "cut"});
    assert!(picture["links"].as_array().unwrap().contains(&link));
    assert_eq!(state(&picture, "inventory-svc"), "running");
    lab.post("/lab/faults", &body).await.expect(409);
    let path = format!("/lab/faults/{}", cut["id"]);
    lab.call(Method::DELETE, &path, None).await.expect(204);
    lab.call(Method::DELETE, &path, None).await.expect(404);
    assert!(all_run(&lab.picture().await));

    for kind in ["flushall", "duplicate", "shuffle", "rewind"] {
        for target in [None, Some("item-svc")] {
            if kind == "flushall" && target.is_some() {
                continue;
            }
            let mut body = json!({"kind": kind});
            if let Some(target) = target {
                body["target"] = target.into();
            }
            let fault = lab.post("/lab/faults", &body).await.expect(201).body;
            assert_eq!(fault["target"].as_str(), target, "{fault}");
            assert!(fault.get("until").is_none(), "{fault}");
        }
    }
    assert_eq!(lab.picture().await["faults"], json!([]));
    let picture = assert_nothing_is_lost(&lab).await;
    assert!(answered(&picture) > 50, "{picture}");
}

#[tokio::test]
async fn all_seven_are_killed_at_once_and_one_button_brings_them_back() {
    let lab = Lab::start().await;
    lab.put("/lab/traffic", &json!({"perSecond": 50}))
        .await
        .expect(200);
    let flowing = lab.until("traffic", SOON, |picture| answered(picture) > 50);
    let before = flowing.await.unwrap();
    for target in PARTS {
        let body = json!({"kind": "kill", "target": target, "seconds": 0});
        lab.post("/lab/faults", &body).await.expect(201);
    }
    let picture = lab.picture().await;
    assert!(PARTS.iter().all(|name| state(&picture, name) == "killed"));
    assert_eq!(picture["faults"].as_array().unwrap().len(), PARTS.len());
    let gone = lab.until("payment-svc away", SOON, |picture| {
        picture.get("gateway").is_none()
    });
    gone.await.unwrap();
    let item = &picture["items"][0]["id"];
    let refused = lab.post("/lab/purchases", &json!({"itemId": item})).await;
    assert_eq!(refused.expect(503).body["code"], "UNAVAILABLE");
    lab.post("/lab/faults", &json!({"kind": "flushall"}))
        .await
        .expect(409);

    assert!(lab.heal_all().await);
    let picture = lab.picture().await;
    assert!(all_run(&picture), "{picture}");
    for name in PARTS {
        let pid = |picture| process_of(picture, name)["pid"].clone();
        assert_ne!(pid(&picture), pid(&before), "{name}");
    }
    assert_nothing_is_lost(&lab).await;
}

#[tokio::test]
async fn the_gateway_is_away_after_charging_and_heal_all_makes_it_well() {
    let lab = Lab::start().await;
    let body = json!({"outage": "timeoutAfterCharge"});
    let shown = lab.put("/lab/gateway", &body).await.expect(200).body;
    assert_eq!(
        shown,
        json!({"approvalRate": 0.9, "outage": "timeoutAfterCharge"})
    );
    assert_eq!(lab.picture().await["gateway"], shown);
    let half = lab.put("/lab/gateway", &json!({"approvalRate": 0.5})).await;
    assert_eq!(half.expect(200).body["outage"], "timeoutAfterCharge");
    let picture = lab.picture().await;
    for item in picture["items"].as_array().unwrap() {
        let body = json!({"itemId": item["id"], "quantity": 2});
        let order = lab.post("/lab/purchases", &body).await.expect(201).body;
        assert_eq!(
            (&order["itemId"], &order["quantity"]),
            (&item["id"], &json!(2))
        );
        let buyers = picture["buyers"].as_array().unwrap();
        assert!(buyers.iter().any(|buyer| buyer["id"] == order["userId"]));
    }
    let witness = &lab.picture().await["witness"];
    assert_eq!(
        (&witness["answered"], &witness["open"]),
        (&json!(3), &json!(3))
    );
    let picture = assert_nothing_is_lost(&lab).await;
    assert_eq!(
        picture["gateway"],
        json!({"approvalRate": 0.5, "outage": "none"})
    );
}

#[tokio::test]
async fn an_order_that_is_gone_from_order_svc_is_lost_and_named() {
    let lab = Lab::start().await;
    let item = lab.picture().await["items"][0]["id"].clone();
    let order = lab.post("/lab/purchases", &json!({"itemId": item})).await;
    let order: OrderId = order.expect(201).field("id");
    let ended = lab.until("final", SOON, |picture| picture["witness"]["open"] == 0);
    ended.await.unwrap();
    let stop = json!({"kind": "stop", "target": "order-svc", "seconds": 0});
    lab.post("/lab/faults", &stop).await.expect(201);
    let file = File::at(lab.files().join("order-svc.db"));
    file.run(&format!(
        "DELETE FROM orders WHERE order_id = x'{}'",
        order.uuid().simple()
    ));
    assert!(lab.heal_all().await);
    let lost = lab.until("lost", SOON, |picture| picture["witness"]["lost"] == 1);
    let witness = lost.await.unwrap()["witness"].clone();
    assert_eq!(witness["lostOrders"], json!([order]));
    assert_eq!(
        (&witness["answered"], &witness["open"]),
        (&json!(1), &json!(0))
    );
}

#[tokio::test]
async fn who_ends_by_itself_is_seen_and_started_again_and_pictures_come_at_once() {
    let lab = Lab::start().await;
    let answer = lab.request(Method::GET, "/lab/live").send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut answer = answer;
    let mut read = String::new();
    let before = process_of(&lab.picture().await, "notify-svc")["pid"]
        .as_u64()
        .unwrap();
    let mut kill = Command::new("kill");
    let killed = kill.args(["-9", &before.to_string()]).status();
    assert!(killed.unwrap().success());
    let seen = async {
        while !read.contains(r#""name":"notify-svc","port""#) {
            let chunk = answer.chunk().await.unwrap().expect("the stream goes on");
            read.push_str(&String::from_utf8_lossy(&chunk));
        }
    };
    tokio::time::timeout(SOON, seen)
        .await
        .expect("a picture in which it is killed");
    assert!(read.starts_with("retry: ") && read.contains("\nevent: lab\ndata: {"));
    let picture = lab.until("it runs again", SOON, all_run).await.unwrap();
    assert_ne!(process_of(&picture, "notify-svc")["pid"], before);
    assert!(
        lab.said()
            .contains("notify-svc ended by itself with signal: 9")
    );
}

#[tokio::test]
async fn buttons_pressed_at_random_lose_nothing() {
    let seed = std::env::var("SEED")
        .ok()
        .and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| u64::from(std::process::id()));
    let lab = Lab::start().await;
    let pressed = press(&lab, seed, Duration::from_secs(30)).await;
    assert!(pressed.violations.is_empty(), "seed {seed}: {pressed:#?}");
    let buttons: usize = pressed.buttons.values().sum();
    assert!(
        buttons > 30 && pressed.audits.0 >= LEAST_AUDITS,
        "{pressed:#?}"
    );
    assert!(
        pressed.witness["answered"].as_u64().unwrap() > 20,
        "{pressed:#?}"
    );
}
