//! `GET /orders/{id}/events`, `GET /events`, `GET /notifications/stream`: what is said arrives, in
//! order, can be resumed, and ends. And what `sagactl watch` makes of it.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use e2e_tests::{COMPLETED, PATIENCE, Sale, Stage, System, eventually};
use saga_events::{OrderId, Service};

use crate::stream::{Frame, Stream};

fn types(frames: &[Frame]) -> Vec<&str> {
    frames.iter().map(|frame| frame.event.as_str()).collect()
}

async fn with_sale() -> (System, Sale) {
    let system = System::start().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    (system, sale)
}

#[tokio::test]
async fn one_purchase_is_told_from_its_beginning_and_the_stream_ends_with_it() {
    let (system, sale) = with_sale().await;
    let stage = Stage::Before(Service::Inventory);
    let order = stage.halt(&system, sale).await;
    let path = format!("/orders/{order}/events");
    let mut stream = Stream::open(&system, &path, None).await;
    let past = stream.take(3).await;
    assert_eq!(types(&past), COMPLETED[..3]);
    stage.resume(&system).await;
    let live = stream.rest().await;
    assert_eq!(types(&live), COMPLETED[3..]);
    for (n, frame) in (1..).zip(past.iter().chain(&live)) {
        assert_eq!(frame.data["n"], n);
        assert_eq!(frame.data["type"], frame.event);
    }

    // Whoever comes back gets the rest, wherever the connection was lost.
    let whole: Vec<&Frame> = past.iter().chain(&live).collect();
    for at in [0, 2, 5, 9] {
        let again = Stream::open(&system, &path, Some(&whole[at].id)).await;
        assert_eq!(types(&again.rest().await), COMPLETED[at + 1..], "{at}");
    }
    let by_query = format!("{path}?lastEventId={}", whole[8].id);
    let again = Stream::open(&system, &by_query, None).await.rest().await;
    assert_eq!(types(&again), COMPLETED[9..]);
    // Whoever has seen all is told not to come back.
    let last = &whole[10].id;
    assert_eq!(Stream::ask(&system, &path, Some(last)).await.status(), 204);
}

#[tokio::test]
async fn a_wrong_question_is_answered_before_a_stream_begins() {
    let (system, sale) = with_sale().await;
    let order = system.buy(sale).await.id;
    let ask = async |path: &str, after| Stream::ask(&system, path, after).await.status().as_u16();
    assert_eq!(
        ask(&format!("/orders/{}/events", OrderId::new()), None).await,
        404
    );
    assert_eq!(ask("/orders/nonsense/events", None).await, 400);
    for wrong in ["nonsense", "1.2.3", "1.2.3.4.5.x"] {
        assert_eq!(
            ask(&format!("/orders/{order}/events"), Some(wrong)).await,
            400,
            "{wrong}"
        );
    }
    assert_eq!(ask("/events?after=1", None).await, 400);
}

#[tokio::test]
async fn all_purchases_are_seen_as_they_happen_and_by_whoever_comes_back() {
    let (system, sale) = with_sale().await;
    let mut stream = watched(&system, sale).await;
    let order = system.buy(sale).await.id;
    let is_of = |frame: &Frame| frame.data["subject"] == order.to_string();
    let mut seen = Vec::new();
    while seen.len() < COMPLETED.len() {
        let frame = stream.next().await.unwrap();
        if is_of(&frame) {
            seen.push(frame);
        }
    }
    let mut sorted = types(&seen);
    sorted.sort_by_key(|name| COMPLETED.iter().position(|known| known == name));
    assert_eq!(sorted, COMPLETED);
    drop(stream);

    let other = system.buy(sale).await.id;
    let mut again = Stream::open(&system, "/events", Some(&seen[6].id)).await;
    let (mut rest, mut of_other) = (Vec::new(), Vec::new());
    while of_other.len() < COMPLETED.len() {
        let frame = again.next().await.unwrap();
        assert_ne!(frame.event, "missed");
        if is_of(&frame) {
            rest.push(frame);
        } else if frame.data["subject"] == other.to_string() {
            of_other.push(frame);
        }
    }
    assert_eq!(types(&rest), types(&seen)[7..]);
    // A number of another life means nothing: something may have been missed.
    let mut stranger = Stream::open(&system, "/events", Some("0198-3")).await;
    assert_eq!(stranger.next().await.unwrap().event, "missed");
}

/// A stream of all purchases that is known to be live: the tap is opened only now.
async fn watched(system: &System, sale: Sale) -> Stream {
    let mut stream = Stream::open(system, "/events", None).await;
    let buy = async {
        loop {
            system.buy(sale).await;
        }
    };
    tokio::select! {
        frame = stream.next() => drop(frame.expect("a frame")),
        () = buy => {}
    }
    stream
}

#[tokio::test]
async fn a_redis_that_was_away_is_told_and_the_stream_goes_on() {
    let (system, sale) = with_sale().await;
    let mut stream = watched(&system, sale).await;
    system.redis().kill();
    system.redis().start().await;
    let order = system.buy(sale).await.id;
    let (mut missed, mut heard) = (false, false);
    while !(missed && heard) {
        // What is said before the tap is open again is what is missed, so buy on.
        let frame = stream.next();
        let buy = async {
            loop {
                system.buy(sale).await;
            }
        };
        let frame = tokio::select! {
            frame = frame => frame.unwrap(),
            () = buy => unreachable!(),
        };
        missed |= frame.event == "missed";
        heard |= missed && frame.event == "order.created";
    }
    let told = Stream::open(&system, &format!("/orders/{order}/events"), None).await;
    assert!(types(&told.rest().await).contains(&"notification.sent"));
}

#[tokio::test]
async fn there_are_places_for_64_and_one_that_is_left_is_free_again() {
    let (system, _) = with_sale().await;
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(Stream::open(&system, "/events", None).await);
    }
    let refused = Stream::ask(&system, "/events", None).await;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    streams.pop();
    let again = async || {
        let answer = Stream::ask(&system, "/events", None).await;
        if answer.status() == 200 {
            Ok(answer)
        } else {
            Err(answer.status())
        }
    };
    eventually("a place is free again", PATIENCE, again).await;
}

#[tokio::test]
async fn a_service_that_ends_ends_its_streams() {
    let (system, sale) = with_sale().await;
    let order = Stage::Before(Service::Inventory).halt(&system, sale).await;
    let all = Stream::open(&system, "/events", None).await;
    let mut one = Stream::open(&system, &format!("/orders/{order}/events"), None).await;
    one.take(3).await;
    assert!(system.terminate(Service::Order).await.success());
    all.rest().await;
    assert!(one.rest().await.is_empty());
}

#[tokio::test]
async fn the_tool_follows_one_purchase_to_its_end_and_all_until_it_is_stopped() {
    let (system, sale) = with_sale().await;
    let order = system.buy(sale).await.id;
    let shown = system.sagactl(&["watch", &order.to_string()]).expect(0).out;
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(lines.len(), COMPLETED.len(), "{shown}");
    for (line, name) in lines.iter().zip(COMPLETED) {
        assert!(
            line.contains(name) && line.contains(&order.to_string()),
            "{line}"
        );
    }
    system
        .sagactl(&["watch", &OrderId::new().to_string()])
        .expect(1);

    let mut command = system.sagactl_command(&["watch"]);
    let mut tool = command.stdout(Stdio::piped()).spawn().unwrap();
    let out = BufReader::new(tool.stdout.take().unwrap());
    let first = tokio::task::spawn_blocking(move || out.lines().next().unwrap().unwrap());
    let buy = async {
        loop {
            system.buy(sale).await;
        }
    };
    let line = tokio::select! {
        line = first => line.unwrap(),
        () = buy => unreachable!(),
    };
    assert!(COMPLETED.iter().any(|name| line.contains(name)), "{line}");
    tool.kill().unwrap();
    tool.wait().unwrap();
}

#[tokio::test]
async fn notifications_are_seen_as_they_are_told_and_by_whoever_comes_back() {
    let (system, sale) = with_sale().await;
    let before = system.buy(sale).await.id;
    system
        .until_state(Service::Notify, before, "Completed")
        .await;
    let open = async |path: &str, after: Option<&str>| {
        Stream::of(
            path,
            Stream::ask_of(Service::Notify, &system, path, after).await,
        )
    };
    let mut all = open("/notifications/stream", None).await;
    let path = format!("/notifications/stream?userId={}", sale.user);
    let mut of_user = open(&path, None).await;
    let other = Sale::of(system.user(1_000).await, sale.item);
    let orders = [system.buy(other).await.id, system.buy(sale).await.id];
    let told = all.take(2).await;
    let told_of = |frame: &Frame| frame.data["orderId"].as_str().unwrap().to_owned();
    assert_eq!(
        told.iter().map(told_of).collect::<Vec<_>>(),
        orders.map(|id| id.to_string())
    );
    assert_eq!(types(&told), ["Completed", "Completed"]);
    assert_eq!(told_of(&of_user.take(1).await[0]), orders[1].to_string());

    let mut again = open("/notifications/stream", Some(&told[0].id)).await;
    assert_eq!(told_of(&again.take(1).await[0]), orders[1].to_string());
    let mut from_the_first = open("/notifications/stream?lastEventId=0", None).await;
    assert_eq!(
        told_of(&from_the_first.take(3).await[0]),
        before.to_string()
    );
    let wrong = Stream::ask_of(Service::Notify, &system, "/notifications/stream", Some("x")).await;
    assert_eq!(wrong.status(), 400);
}
