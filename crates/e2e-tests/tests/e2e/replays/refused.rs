//! Requests about dead letters that must be refused, and change nothing.

use e2e_tests::{Answer, System};
use reqwest::Method;
use saga_events::{EventType, Service};
use serde_json::{Value, json};

use super::{discard, first_letter, replay};

async fn post(system: &System, path: &str, body: Value) -> Answer {
    system.at(Service::Item).post(path, &body).await
}

#[tokio::test]
async fn who_acts_must_say_why_and_on_what() {
    let system = System::start().await;
    system.plant(EventType::PaymentFailed, "event", "{").await;
    let letter = first_letter(&system, Service::Item).await;
    let (one, all) = ("/dead-letters/1/replay", "/dead-letters/replay");
    let why = json!({"reason": "x"});

    let bad_bodies = [
        (json!({}), "reason"),
        (json!({"reason": ""}), "reason"),
        (json!({"reason": "  "}), "reason"),
        (json!({"reason": "x".repeat(501)}), "reason"),
        (json!({"reason": "two\nlines"}), "reason"),
        (json!({"reason": 7}), "reason"),
        (json!({"reason": "x", "by": "\u{1b}[31m"}), "by"),
        (json!({"reason": "x", "by": "x".repeat(101)}), "by"),
        (json!({"reason": "x", "why": "y"}), "why"),
    ];
    for (body, field) in bad_bodies {
        for path in [one, all] {
            let refused = post(&system, path, body.clone()).await.expect(422);
            assert_eq!(
                refused.body["errors"][0]["field"], field,
                "{}",
                refused.body
            );
        }
    }
    for query in ["", "?reason=", "?reason=a%0Ab"] {
        let refused = discard(&system, Service::Item, &letter["id"], query).await;
        assert_eq!(refused.expect(422).body["errors"][0]["field"], "reason");
    }

    let bad_paths = [
        ("/dead-letters/x/replay", 400, "id"),
        ("/dead-letters/1/replay?dryRun=perhaps", 400, "dryRun"),
        ("/dead-letters/1/replay?type=payment.failed", 400, "type"),
        ("/dead-letters/replay?type=payment.exploded", 400, "type"),
        ("/dead-letters/replay?limit=101", 400, "limit"),
        ("/dead-letters/replay?limit=0", 400, "limit"),
        ("/dead-letters/replay?cursor=x", 400, "cursor"),
        ("/dead-letters/replay?dryrun=true", 400, "dryrun"),
    ];
    for (path, status, field) in bad_paths {
        let refused = post(&system, path, why.clone()).await.expect(status);
        assert_eq!(
            refused.body["errors"][0]["field"], field,
            "{}",
            refused.body
        );
    }
    let items = system.at(Service::Item);
    for path in [
        "/dead-letters?state=lost",
        "/dead-letters?type=lost",
        "/dead-letters/9223372036854775808",
    ] {
        items.get(path).await.expect(400);
    }
    items.get("/dead-letters/2").await.expect(404);
    items.get("/dead-letters/replay").await.expect(405);
    post(&system, "/dead-letters/2/replay", why.clone())
        .await
        .expect(404);
    discard(&system, Service::Item, &json!(2), "?reason=x")
        .await
        .expect(404);

    for (method, path) in [
        (Method::POST, one),
        (Method::DELETE, "/dead-letters/1?reason=x"),
    ] {
        let request = items.request(method, path).json(&why);
        let request = request.header("Origin", "http://evil.example");
        items.send(request).await.expect(403);
    }
    let untouched = first_letter(&system, Service::Item).await;
    assert_eq!(untouched, letter, "nothing was changed by all this");
}

#[tokio::test]
async fn what_is_settled_cannot_be_settled_again() {
    let system = System::start().await;
    for _ in 0..2 {
        system.plant(EventType::PaymentFailed, "event", "{").await;
    }
    system.until_dead_letters(Service::Item, 2).await;
    let (first, second) = (json!({"id": 1}), json!({"id": 2}));
    // As after an upgrade to a build that knows what it was.
    let text = e2e_tests::envelope(e2e_tests::failure(
        EventType::PaymentFailed,
        saga_events::OrderId::new(),
        0,
    ));
    let sql = format!("UPDATE dead_letters SET event = '{text}' WHERE id = 1");
    system.file(Service::Item).run(&sql);
    let replayed = replay(&system, Service::Item, &first).await.expect(200);
    assert_eq!(replayed.body["outcome"], "changed", "{}", replayed.body);
    discard(&system, Service::Item, &second["id"], "?reason=x")
        .await
        .expect(200);
    for letter in [&first, &second] {
        let again = replay(&system, Service::Item, letter).await.expect(409);
        assert_eq!(again.body["code"], "NOT_OPEN");
        let path = "?reason=y";
        discard(&system, Service::Item, &letter["id"], path)
            .await
            .expect(409);
    }
}
