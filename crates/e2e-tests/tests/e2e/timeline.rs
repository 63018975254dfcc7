//! `GET /orders/{id}/timeline`, `…/explain`, `GET /orders?stuck=true`, and what `sagactl order` and
//! `sagactl orders` make of them: purchases that ended, that are under way, and that are stuck, each
//! cause really brought about.

use std::time::Duration;

use e2e_tests::{COMPLETED, PATIENCE, Sale, Stage, System, eventually, settled};
use reqwest::Method;
use saga_events::{EventType, OrderId, Service};
use serde_json::{Value, json};

/// A system and something to buy.
async fn with_sale(system: System) -> (System, Sale) {
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    (system, sale)
}

async fn timeline(system: &System, order: OrderId) -> Value {
    let path = format!("/orders/{order}/timeline");
    system
        .at(Service::Order)
        .get(&path)
        .await
        .expect(200)
        .json()
}

/// `there … | … back, notify`.
fn cells(timeline: &Value) -> String {
    let cells = timeline["cells"].as_array().unwrap();
    let states: Vec<&str> = cells
        .iter()
        .map(|cell| cell["state"].as_str().unwrap())
        .collect();
    format!("{} | {}", states[..5].join(" "), states[5..].join(" "))
}

/// Waits until the timeline is so.
async fn until(
    system: &System,
    order: OrderId,
    what: &str,
    is_so: impl Fn(&Value) -> bool,
) -> Value {
    let look = async || {
        let told = timeline(system, order).await;
        if is_so(&told) { Ok(told) } else { Err(told) }
    };
    eventually(what, PATIENCE, look).await
}

/// Waits until the purchase is stuck for this cause at this service, then holds the list of stuck
/// purchases and the tool to it.
async fn until_stuck(system: &System, order: OrderId, cause: &str, service: Service) -> Value {
    let is_it = |stuck: &Value| stuck["cause"] == cause && stuck["service"] == service.as_str();
    let has_it = |told: &Value| told["stuck"].as_array().unwrap().iter().any(is_it);
    let told = until(system, order, &format!("{cause} at {service}"), has_it).await;
    assert_eq!(told["conformance"]["ok"], true, "{told}");
    let expected = told["expected"].as_array().unwrap();
    assert!(
        expected.iter().any(|due| due["from"] == service.as_str()),
        "{told}"
    );
    let listed = async || {
        let answer = system.at(Service::Order).get("/orders?stuck=true").await;
        let orders: Value = answer.expect(200).json();
        let mut orders = orders["orders"].as_array().unwrap().iter();
        let is_listed = orders.any(|row| row["id"] == json!(order) && has_it(row));
        if is_listed { Ok(()) } else { Err("not listed") }
    };
    eventually("it is listed as stuck", PATIENCE, listed).await;
    let shown = system.sagactl(&["orders", "--stuck"]).expect(0).out;
    assert!(shown.contains(&order.to_string()), "{shown}");
    told
}

#[tokio::test]
async fn a_completed_purchase_is_told_from_its_beginning_to_its_end() {
    let (system, sale) = with_sale(System::start().await).await;
    let order = system.buy(sale).await.id;
    let told = until(&system, order, "the buyer was told", |told| {
        told["expected"] == json!([])
    })
    .await;
    assert_eq!(
        cells(&told),
        "made held held held captured | captured captured captured completed notified"
    );
    assert_eq!(told["order"]["status"], "COMPLETED");
    assert_eq!(told["conformance"], json!({"ok": true, "problems": []}));
    assert_eq!((&told["stuck"], &told["missing"]), (&json!([]), &json!([])));
    let events = told["events"].as_array().unwrap();
    let types: Vec<&str> = events
        .iter()
        .map(|event| event["type"].as_str().unwrap())
        .collect();
    assert_eq!(types, COMPLETED);
    for (n, event) in (1..).zip(events) {
        assert_eq!(event["n"], n);
        if n == 1 {
            assert!(event.get("because").is_none());
            assert_eq!(event["data"]["quantity"], sale.quantity);
        } else {
            let cause = event["because"].as_u64().unwrap();
            assert!(cause < n);
            let cause = &events[usize::try_from(cause).unwrap() - 1];
            assert_eq!(event["causationId"], cause["id"]);
        }
    }
}

#[tokio::test]
async fn a_compensated_purchase_is_told_and_explained_in_two_languages() {
    let (system, sale) = with_sale(System::start().await).await;
    system.set_gateway(json!({"approvalRate": 0.0})).await;
    let order = system.buy(sale).await.id;
    let told = until(&system, order, "the buyer was told", |told| {
        told["expected"] == json!([])
    })
    .await;
    assert_eq!(
        cells(&told),
        "made held held held refused | givenBack givenBack givenBack cancelled notified"
    );
    let explained = async |language: &str| {
        let client = system.at(Service::Order);
        let request = client.request(Method::GET, &format!("/orders/{order}/explain"));
        let answer = client
            .send(request.header("Accept-Language", language))
            .await;
        let answer = answer.expect(200);
        let tag = answer.header("content-language").to_owned();
        (tag, answer.field::<String>("text"))
    };
    let (tag, text) = explained("de, en-GB;q=0.8, ko;q=0.5").await;
    assert_eq!(tag, "en");
    assert!(text.contains("declined the payment"), "{text}");
    assert!(
        text.contains("Stock, room and money are given back."),
        "{text}"
    );
    let (tag, text) = explained("ko-KR, en;q=0.9").await;
    assert_eq!(tag, "ko");
    assert!(text.contains("결제사가 결제를 거절했습니다"), "{text}");
    for other in ["de", "*", "no language at all, ;;;q=x"] {
        assert_eq!(explained(other).await.0, "en", "{other}");
    }

    let shown = system.sagactl(&["order", &order.to_string()]).expect(0).out;
    for part in [
        "CANCELLED",
        "PAYMENT_DECLINED at payment-svc",
        "├ user.validated",
        "given back",
    ] {
        assert!(shown.contains(part), "{part} is in\n{shown}");
    }
    let korean = system
        .sagactl(&["order", &order.to_string(), "--korean"])
        .expect(0)
        .out;
    assert!(korean.contains("취소되었습니다"), "{korean}");
    let json = system
        .sagactl(&["order", &order.to_string(), "--json"])
        .expect(0)
        .json();
    assert_eq!(json["events"], told["events"]);
}

#[tokio::test]
async fn a_service_that_is_down_is_named_and_the_rest_is_told() {
    let (system, sale) = with_sale(System::start().await).await;
    let order = Stage::Before(Service::Inventory).halt(&system, sale).await;
    let told = until_stuck(&system, order, "SERVICE_DOWN", Service::Inventory).await;
    assert_eq!(told["missing"], json!(["inventory-svc"]));
    assert_eq!(
        cells(&told),
        "made held unknown next next | next unknown next next next"
    );
    let stuck = &told["stuck"][0];
    assert!(stuck["nextRepeatAt"].is_string(), "{stuck}");
    let shown = system.sagactl(&["order", &order.to_string()]).expect(3).out;
    assert!(shown.contains("inventory-svc does not answer"), "{shown}");

    system.restart(Service::Inventory).await;
    assert!(system.ended(order).await.is_completed());
    let told = timeline(&system, order).await;
    assert_eq!((&told["stuck"], &told["missing"]), (&json!([]), &json!([])));
}

#[tokio::test]
async fn a_gateway_that_does_not_answer_is_what_the_purchase_waits_for() {
    let (system, sale) = with_sale(System::start().await).await;
    let order = Stage::Authorizing.halt(&system, sale).await;
    let told = until_stuck(&system, order, "GATEWAY_UNKNOWN", Service::Payment).await;
    assert_eq!(
        cells(&told),
        "made held held held asking | next next next next next"
    );
    let payment = system
        .at(Service::Payment)
        .get(&format!("/payments/{order}"))
        .await;
    let since: String = payment.expect(200).field("unknownSince");
    assert_eq!(told["stuck"][0]["since"], since);
    Stage::Authorizing.resume(&system).await;
    assert!(system.ended(order).await.is_completed());
    let payment: Value = system
        .at(Service::Payment)
        .get(&format!("/payments/{order}"))
        .await
        .json();
    assert!(payment.get("unknownSince").is_none(), "{payment}");
}

#[tokio::test]
async fn without_redis_everything_is_told_and_so_is_that() {
    let (system, sale) = with_sale(System::start().await).await;
    let done = system.buy(sale).await.id;
    system.redis().kill();
    let order = system.order(sale).await;
    let told = until_stuck(&system, order, "REDIS_DOWN", Service::User).await;
    assert_eq!(
        cells(&told),
        "made next next next next | next next next next next"
    );
    assert_eq!(
        timeline(&system, done).await["order"]["status"],
        "COMPLETED"
    );
    system.redis().start().await;
    assert!(system.ended(order).await.is_completed());
}

#[tokio::test]
async fn a_service_that_cannot_write_lags() {
    let (system, sale) = with_sale(System::start().await).await;
    let locked = system.file(Service::Item).lock();
    let order = system.order(sale).await;
    let told = until_stuck(&system, order, "LAGGING", Service::Item).await;
    assert_eq!(told["stuck"][0]["behind"], 1);
    drop(locked);
    assert!(system.ended(order).await.is_completed());
}

#[tokio::test]
async fn a_lost_message_is_waited_for_until_the_repeat() {
    let builder = System::with().set(Service::Order, "SAGA__ORDER__FIRST_REPEAT_MS", 6_000);
    let (system, sale) = with_sale(builder.start().await).await;
    let order = Stage::Before(Service::Inventory).halt(&system, sale).await;
    let _: String = system.redis().ask("FLUSHALL").await;
    system.restart(Service::Inventory).await;
    let told = until_stuck(&system, order, "WAITING_REPEAT", Service::Inventory).await;
    assert!(told["stuck"][0]["nextRepeatAt"].is_string(), "{told}");
    assert!(system.ended(order).await.is_completed());
    let told = timeline(&system, order).await;
    let events = told["events"].as_array().unwrap();
    let repeated = events.iter().filter(|event| event["effect"] == "repeated");
    assert!(repeated.count() >= 3, "{told}");
    assert_eq!(told["conformance"]["ok"], true, "{told}");
}

#[tokio::test]
async fn a_purchase_whose_event_is_a_dead_letter_says_so() {
    let builder = System::with().set(Service::Order, "SAGA__ORDER__FIRST_REPEAT_MS", 6_000);
    let (system, sale) = with_sale(builder.start().await).await;
    let order = Stage::Before(Service::Inventory).halt(&system, sale).await;
    // What inventory-svc is to read is lost, and it is told something that cannot be.
    let _: String = system.redis().ask("FLUSHALL").await;
    system
        .forge(settled(EventType::ItemDeducted, order, 0))
        .await;
    system.restart(Service::Inventory).await;
    until_stuck(&system, order, "DEAD_LETTER", Service::Inventory).await;
    let inventory = system.at(Service::Inventory);
    for (of, count) in [(order, 1), (OrderId::new(), 0)] {
        let letters: Value = inventory
            .get(&format!("/dead-letters?orderId={of}"))
            .await
            .expect(200)
            .json();
        assert_eq!(
            letters["deadLetters"].as_array().unwrap().len(),
            count,
            "{letters}"
        );
    }
    inventory
        .get("/dead-letters?orderId=nonsense")
        .await
        .expect(400);
    assert!(system.ended(order).await.is_completed());
}

#[tokio::test]
async fn an_illegal_path_is_told_counted_and_fails_the_tool() {
    let builder = System::with().set(Service::Order, "SAGA__ORDER__CONFORMANCE_MS", 0);
    let (system, sale) = with_sale(builder.start().await).await;
    let order = system.buy(sale).await.id;
    until(&system, order, "the buyer was told", |told| {
        told["expected"] == json!([])
    })
    .await;
    // inventory-svc's journal forgets why it kept the room.
    system.file(Service::Inventory).plant(&format!(
        "DELETE FROM outbox WHERE order_id = x'{}' AND type = 'inventory.confirmed'",
        order.uuid().simple()
    ));
    let told = timeline(&system, order).await;
    let problems: Vec<(&str, &str)> = told["conformance"]["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|problem| {
            (
                problem["code"].as_str().unwrap(),
                problem["service"].as_str().unwrap(),
            )
        })
        .collect();
    assert_eq!(
        problems,
        [
            ("MISSING_CAUSE", "user-svc"),
            ("STATE_MISMATCH", "inventory-svc")
        ]
    );
    let scraped = system.scrape(Service::Order).await;
    for code in ["MISSING_CAUSE", "STATE_MISMATCH"] {
        let counted = scraped.sum("saga_timeline_problems_total", &[("problem", code)]);
        assert_eq!(counted, Some(1.0), "{code}");
    }
    let shown = system.sagactl(&["order", &order.to_string()]).expect(1);
    assert!(
        shown.out.contains("not as the protocol allows"),
        "{}",
        shown.out
    );
}

#[tokio::test]
async fn an_illegal_path_is_found_by_itself_and_listed() {
    let builder = System::with().set(Service::Order, "SAGA__ORDER__CONFORMANCE_MS", 50);
    let (system, sale) = with_sale(builder.start().await).await;
    let fine = system.buy(sale).await.id;
    let followed = async || {
        let told = system.sagactl(&["orders", "--illegal"]);
        let all_fine = "followed 1 times: every purchase went as the protocol allows";
        if told.out.contains(all_fine) {
            Ok(())
        } else {
            Err(told.out)
        }
    };
    eventually("it is followed", PATIENCE, followed).await;

    system.kill(Service::Notify);
    let order = system.buy(sale).await.id;
    system.file(Service::Inventory).plant(&format!(
        "DELETE FROM outbox WHERE order_id = x'{}' AND type = 'inventory.confirmed'",
        order.uuid().simple()
    ));
    system.restart(Service::Notify).await;
    let listed = async || {
        let told = system.sagactl(&["orders", "--illegal"]);
        if told.code == 1 {
            Ok(told.out)
        } else {
            Err(told.out)
        }
    };
    let table = eventually("it is listed", PATIENCE, listed).await;
    assert!(
        table.contains(&order.to_string()) && table.contains("MISSING_CAUSE"),
        "{table}"
    );
    assert!(!table.contains(&fine.to_string()), "{table}");
    let text = "the path of a purchase is not as the protocol allows";
    system.until_logged(Service::Order, text).await;
}

#[tokio::test]
async fn purchases_under_way_conform_at_every_moment() {
    let (system, sale) = with_sale(System::start().await).await;
    for _ in 0..20 {
        let order = system.order(sale).await;
        loop {
            let told = timeline(&system, order).await;
            assert_eq!(told["conformance"]["ok"], true, "{told:#}");
            assert_eq!(told["missing"], json!([]), "{told:#}");
            if told["expected"] == json!([]) {
                break;
            }
        }
    }
}

#[tokio::test]
async fn lists_and_bad_questions() {
    let (system, sale) = with_sale(System::start().await).await;
    let nothing = system.sagactl(&["orders", "--stuck"]).expect(0).out;
    assert_eq!(nothing.trim(), "nothing is stuck");
    let first = system.buy(sale).await.id;
    let second = system.buy(sale).await.id;
    let listed = system
        .sagactl(&["orders", "--limit", "1", "--json"])
        .expect(0)
        .json();
    assert_eq!(listed[0]["id"], json!(second));
    let table = system
        .sagactl(&["orders", "--status", "completed"])
        .expect(0)
        .out;
    assert!(
        table.contains(&first.to_string()) && table.contains("₩10"),
        "{table}"
    );
    let order = system.at(Service::Order);
    let stranger = OrderId::new();
    for path in ["timeline", "explain"] {
        order
            .get(&format!("/orders/{stranger}/{path}"))
            .await
            .expect(404);
        order
            .get(&format!("/orders/nonsense/{path}"))
            .await
            .expect(400);
    }
    order.get("/orders?stuck=perhaps").await.expect(400);
    system.sagactl(&["order", &stranger.to_string()]).expect(1);
    system.sagactl(&["order", "nonsense"]).expect(64);
    tokio::time::timeout(Duration::from_secs(30), order.get("/orders?stuck=true"))
        .await
        .unwrap()
        .expect(200);
}
