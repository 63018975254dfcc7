//! `GET /live`: what is shown to everybody who watches.

use std::collections::BTreeMap;

use e2e_tests::{COMPLETED, PATIENCE, Sale, Stage, System, eventually, together};
use saga_events::{OrderId, Service};
use serde_json::{Value, json};

use crate::stream::{Frame, Stream};

const GROUPS: [&str; 6] = ["money", "stock", "room", "captured", "paid", "told"];

async fn with_sale() -> (System, Sale) {
    let system = System::start().await;
    let sale = Sale::of(system.user(10_000).await, system.item(10, 1_000).await);
    (system, sale)
}

/// The next frame of this kind that is as it should be.
async fn until(stream: &mut Stream, event: &str, is: impl Fn(&Value) -> bool) -> Frame {
    loop {
        let frame = stream.next().await.expect("another frame");
        if frame.event == event && is(&frame.data) {
            return frame;
        }
    }
}

#[tokio::test]
async fn ticks_count_exactly_what_is_said() {
    let (system, sale) = with_sale().await;
    let mut stream = Stream::open(&system, "/live", None).await;
    let first = until(&mut stream, "tick", |_| true).await.data;
    assert_eq!(
        (&first["perMs"], &first["perEvent"]),
        (&json!(0), &json!({}))
    );
    assert_eq!(first["services"].as_array().unwrap().len(), 6);
    // As many as an inventory has slots: while the first is not bought, each holds one.
    const BOUGHT: u64 = 20;
    let bought = together((0..BOUGHT).map(|_| system.buy(sale))).await;
    assert!(bought.iter().all(|order| order.is_completed()));
    let (mut said, mut count) = (BTreeMap::<String, u64>::new(), 0);
    while count < BOUGHT * COMPLETED.len() as u64 {
        let tick = until(&mut stream, "tick", |_| true).await.data;
        assert!(tick["perMs"].as_u64() > Some(0));
        for (name, times) in tick["perEvent"].as_object().unwrap() {
            *said.entry(name.clone()).or_default() += times.as_u64().unwrap();
            count += times.as_u64().unwrap();
        }
    }
    let each = COMPLETED.iter().map(|name| ((*name).to_owned(), BOUGHT));
    assert_eq!(said, each.collect());
}

#[tokio::test]
async fn a_purchase_is_shown_step_by_step() {
    let (system, sale) = with_sale().await;
    let mut stream = Stream::open(&system, "/live", None).await;
    until(&mut stream, "tick", |_| true).await;
    let order = system.buy(sale).await.id;
    let mut steps = Vec::new();
    while steps
        .last()
        .is_none_or(|step: &Value| step["closed"] != true)
    {
        steps.push(until(&mut stream, "step", |_| true).await.data);
    }
    let types = steps.iter().map(|step| step["type"].as_str().unwrap());
    assert_eq!(types.collect::<Vec<_>>(), COMPLETED);
    for (n, step) in (1..).zip(&steps) {
        assert_eq!((&step["n"], &step["orderId"]), (&json!(n), &json!(order)));
    }
    assert_eq!(steps[0]["effect"], "begun");
    assert_eq!(steps[1]["because"], 1);
}

#[tokio::test]
async fn a_purchase_that_is_slow_is_shown_as_far_as_it_has_come() {
    let (system, sale) = with_sale().await;
    let mut stream = Stream::open(&system, "/live", None).await;
    until(&mut stream, "tick", |_| true).await;
    let stage = Stage::Before(Service::Inventory);
    let order = stage.halt(&system, sale).await;
    let of_order = |step: &Value| step["orderId"] == json!(order);
    let mut types = Vec::new();
    for _ in 0..3 {
        let step = until(&mut stream, "step", of_order).await.data;
        assert!(step.get("closed").is_none(), "{step}");
        types.push(step["type"].as_str().unwrap().to_owned());
    }
    stage.resume(&system).await;
    loop {
        let step = until(&mut stream, "step", of_order).await.data;
        types.push(step["type"].as_str().unwrap().to_owned());
        if step["closed"] == true {
            break;
        }
    }
    types.dedup();
    let mut known = types.iter();
    let all = COMPLETED.iter().all(|name| known.any(|seen| seen == name));
    assert!(all, "{types:?}");
}

#[tokio::test]
async fn audits_are_told_and_a_violation_is_named_with_its_order() {
    let (system, sale) = with_sale().await;
    let order = system.buy(sale).await.id;
    system.until_closed().await;
    system.settled().await;
    let mut stream = Stream::open(&system, "/live", None).await;
    let quiet = until(&mut stream, "audit", |audit| audit["quiet"] == true)
        .await
        .data;
    assert_eq!(quiet["ok"], true, "{quiet}");
    let groups = quiet["groups"].as_array().unwrap();
    let names: Vec<&str> = groups
        .iter()
        .map(|group| group["group"].as_str().unwrap())
        .collect();
    assert_eq!(names, GROUPS);
    assert!(
        groups.iter().all(|group| group["state"] == "holds"),
        "{quiet}"
    );

    let violated = violate(&system, order, &mut stream).await;
    assert!(!violated["violations"].as_array().unwrap().is_empty());
}

/// Gives back the item of a purchase that is paid; what is told of it.
async fn violate(system: &System, order: OrderId, stream: &mut Stream) -> Value {
    let hex = order.uuid().simple();
    let sql = format!("UPDATE holds SET state = 'Released' WHERE order_id = x'{hex}'");
    let unchecked = "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;";
    system
        .file(Service::Item)
        .run(&format!("{unchecked} {sql}"));
    let violated = until(stream, "audit", |audit| audit["ok"] == false)
        .await
        .data;
    let groups = violated["groups"].as_array().unwrap();
    let named = groups.iter().any(|group| {
        group["state"] == "violated" && group["orders"].to_string().contains(&order.to_string())
    });
    assert!(named, "{violated}");
    violated
}

#[tokio::test]
async fn while_purchases_are_under_way_they_are_looked_at_and_sums_wait() {
    let (system, sale) = with_sale().await;
    let order = system.buy(sale).await.id;
    Stage::Authorizing.halt(&system, sale).await;
    let mut stream = Stream::open(&system, "/live", None).await;
    let looked_at = |audit: &Value| audit["purchases"] == 2;
    let audit = until(&mut stream, "audit", looked_at).await.data;
    assert_eq!(
        (&audit["ok"], &audit["quiet"], &audit["inFlight"]),
        (&json!(true), &json!(false), &json!(1)),
        "{audit}"
    );
    let groups = audit["groups"].as_array().unwrap();
    for group in groups.iter().filter(|group| group["group"] != "captured") {
        assert_eq!(group["state"], "inFlight", "{audit}");
    }
    let violated = violate(&system, order, &mut stream).await;
    assert_eq!(violated["quiet"], false);
}

#[tokio::test]
async fn every_law_of_a_running_system_is_in_a_group() {
    let (system, sale) = with_sale().await;
    system.buy(sale).await;
    let audit = system.at(Service::Order).get("/audit?all=true").await.body;
    let checks = audit["checks"].as_array().unwrap();
    assert!(checks.len() > 40);
    for check in checks {
        let id = check["id"].as_str().unwrap();
        assert!(saga_audit::Group::lists(id), "{id} is in no group");
    }
}

#[tokio::test]
async fn who_comes_back_goes_on_and_who_is_new_is_shown_at_once_how_it_is() {
    let (system, _) = with_sale().await;
    let mut stream = Stream::open(&system, "/live", None).await;
    let first = until(&mut stream, "tick", |_| true).await;
    let second = until(&mut stream, "tick", |_| true).await;
    let mut again = Stream::open(&system, "/live", Some(&first.id)).await;
    let same = until(&mut again, "tick", |_| true).await;
    assert_eq!(
        (same.id, same.data["at"].clone()),
        (second.id, second.data["at"].clone())
    );
    let mut new = Stream::open(&system, "/live", None).await;
    assert_eq!(new.next().await.unwrap().event, "tick");
    // What is not known here is no reason to be turned away.
    let mut stranger = Stream::open(&system, "/live", Some("nonsense")).await;
    until(&mut stranger, "tick", |_| true).await;
    drop((stream, again, new));
    assert!(system.terminate(Service::Order).await.success());
    while stranger.next().await.is_some() {}
}

#[tokio::test]
async fn there_are_places_for_64_who_watch() {
    let (system, _) = with_sale().await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(Stream::open(&system, "/live", None).await);
    }
    let refused = Stream::ask(&system, "/live", None).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    system.at(Service::Order).get("/system").await.expect(200);
    streams.pop();
    eventually("a place is free again", PATIENCE, async || {
        let status = Stream::ask(&system, "/live", None).await.status();
        if status == 200 { Ok(()) } else { Err(status) }
    })
    .await;
}
