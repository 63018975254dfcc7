//! `GET /system`, `GET /contract`, `GET /status`: one picture of the six, whoever of them is away.

use std::time::{Duration, Instant};

use e2e_tests::{PATIENCE, Sale, System, eventually};
use saga_events::{LINE, Service};
use serde_json::Value;

use crate::stream::Stream;

/// How a service is on a picture.
fn of(picture: &Value, service: Service) -> Value {
    let services = picture["services"].as_array().unwrap();
    let mut services = services.iter();
    let found = services.find(|seen| seen["name"] == service.as_str());
    found.unwrap().clone()
}

async fn picture(system: &System) -> Value {
    system
        .at(Service::Order)
        .get("/system")
        .await
        .expect(200)
        .body
}

/// Waits until a service is up, or ready, or not; answers how it is then.
async fn until(system: &System, service: Service, (up, ready): (bool, bool)) -> Value {
    let what = format!("{service} is up {up}, ready {ready}");
    eventually(&what, PATIENCE, async || {
        let seen = of(&picture(system).await, service);
        if seen["up"] == up && seen["ready"] == ready {
            return Ok(seen);
        }
        Err(seen)
    })
    .await
}

#[tokio::test]
async fn the_system_is_told_as_it_is_and_since_when() {
    let system = System::start().await;
    let well = picture(&system).await;
    assert_eq!(well["services"].as_array().unwrap().len(), 6);
    for service in Service::ALL {
        let seen = of(&well, service);
        assert_eq!((&seen["up"], &seen["ready"]), (&true.into(), &true.into()));
        assert_eq!(seen["deadLetters"], 0, "{seen}");
        assert!(seen.get("error").is_none(), "{seen}");
    }
    assert_eq!(well["redis"]["up"], true);
    assert_eq!((&well["demo"], &well["open"]), (&true.into(), &0.into()));
    assert!(well.get("labOrigin").is_none());

    system.kill(Service::Item);
    let down = until(&system, Service::Item, (false, false)).await;
    assert!(
        down["error"].as_str().unwrap().contains("refused"),
        "{down}"
    );
    let later = until(&system, Service::Item, (false, false)).await;
    assert_eq!(down["since"], later["since"], "it is still down");
    let other = of(&picture(&system).await, Service::User);
    assert_eq!(other["since"], of(&well, Service::User)["since"]);

    system.restart(Service::Item).await;
    let up = until(&system, Service::Item, (true, true)).await;
    assert!(up["since"].as_str() > down["since"].as_str(), "{up}");
}

#[tokio::test]
async fn a_service_that_is_frozen_does_not_hold_up_the_picture() {
    let system = System::start().await;
    picture(&system).await;
    system.freeze(Service::Payment);
    until(&system, Service::Payment, (false, false)).await;
    // Not the one that is kept for a moment.
    tokio::time::sleep(Duration::from_millis(450)).await;
    let began = Instant::now();
    let seen = of(&picture(&system).await, Service::Payment);
    assert!(began.elapsed() < Duration::from_millis(1_500));
    assert!(seen["error"].as_str().unwrap().contains("400ms"), "{seen}");
    system.thaw(Service::Payment);
    until(&system, Service::Payment, (true, true)).await;
}

#[tokio::test]
async fn redis_that_is_away_is_told_and_what_waits_for_it() {
    let system = System::start().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    picture(&system).await;
    system.redis().kill();
    let ill = until(&system, Service::User, (true, false)).await;
    assert!(ill["error"].as_str().unwrap().contains("redis"), "{ill}");
    assert!(ill.get("lag").is_none(), "{ill}");
    let order = system.order(sale).await;
    eventually("what waits is told", PATIENCE, async || {
        let seen = picture(&system).await;
        let waits = seen["unpublished"] == 1
            && seen["open"] == 1
            && seen["redis"]["up"] == false
            && seen["oldestOpenMs"].as_u64() > Some(0)
            && of(&seen, Service::Order)["outboxAgeMs"].as_u64() > Some(0);
        if waits { Ok(()) } else { Err(seen) }
    })
    .await;
    system.redis().start().await;
    system.ended(order).await;
    eventually("nothing waits", PATIENCE, async || {
        let seen = picture(&system).await;
        let well = seen["unpublished"] == 0 && seen["redis"]["up"] == true;
        if well { Ok(()) } else { Err(seen) }
    })
    .await;
}

#[tokio::test]
async fn nobody_is_asked_while_nobody_watches() {
    let system = System::start().await;
    let asked = async || {
        let scraped = system.scrape(Service::Item).await;
        let route = [("route", "/status")];
        scraped
            .sum("saga_http_requests_total", &route)
            .unwrap_or(0.0)
    };
    let mut stream = Stream::open(&system, "/live", None).await;
    stream.take(3).await;
    assert!(asked().await > 0.0);
    drop(stream);
    // It ends within moments, and stays so: two ticks' time without a question.
    eventually("the looking ends", PATIENCE, async || {
        let before = asked().await;
        tokio::time::sleep(Duration::from_millis(1_200)).await;
        let after = asked().await;
        if before == after { Ok(()) } else { Err(after) }
    })
    .await;
}

#[tokio::test]
async fn the_contract_is_the_line() {
    let system = System::start().await;
    let contract = system
        .at(Service::Order)
        .get("/contract")
        .await
        .expect(200)
        .body;
    let events = contract["events"].as_array().unwrap();
    assert_eq!(events.len(), LINE.len());
    assert_eq!(events[0]["type"], "order.created");
    assert_eq!(events[0]["phase"], "begin");
    for (service, place) in Service::ALL
        .iter()
        .zip(contract["services"].as_array().unwrap())
    {
        let base = system.at(*service).base();
        assert!(base.ends_with(&place["port"].to_string()), "{place}");
    }
}

#[tokio::test]
async fn a_status_counts_what_was_said() {
    let system = System::start().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    for _ in 0..3 {
        assert!(system.buy(sale).await.is_completed());
    }
    let status = system
        .at(Service::Item)
        .get("/status")
        .await
        .expect(200)
        .body;
    assert_eq!(status["said"]["item.reserved"], 3, "{status}");
    assert_eq!(status["said"]["item.deducted"], 3, "{status}");
    assert_eq!(status["said"]["item.restored"], 0, "{status}");
    assert_eq!(
        (&status["ready"], &status["redisUp"]),
        (&true.into(), &true.into())
    );
}
