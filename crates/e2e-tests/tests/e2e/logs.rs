//! Logs stay what they are, whatever a caller sends: a line an event, no control characters, nobody's
//! name; and the lines of six services tell one story.

use e2e_tests::{Sale, System, Told, eventually};
use reqwest::Method;
use saga_events::Service;
use serde_json::{Value, json};

/// A name that would write a line of its own, colour it, and turn it around.
const NAME: &str = "Kim\u{9b}31m\u{202e} Minsu\r\n2026-01-01T00:00:00.000000Z ERROR FORGED";
/// What is left of it, whatever was escaped.
const PERSON: &str = "Minsu";

#[tokio::test]
async fn what_a_caller_sends_breaks_no_line_and_colours_none() {
    for format in ["human", "json"] {
        let builder = System::with().set_for_all("LOG_FORMAT", format);
        let system = builder.set_for_all("RUST_LOG", "debug").start().await;
        let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
        let client = system.at(Service::Order);
        for evil in [
            "/orders/%0d%0aFORGED%20line",
            "/orders/%1b%5b31mFORGED",
            "/orders/%C2%9b31mFORGED",
            "/%0aFORGED",
        ] {
            let request = client.request(Method::GET, evil);
            let request = request.header("X-Request-Id", "FORGED\tid");
            let answer = client.send(request).await;
            assert!(
                (400..500).contains(&answer.status),
                "{evil}: {}",
                answer.status
            );
        }
        let body = "{\"userId\":\"\\r\\nFORGED \\u001b[31m\",\"itemId\":1,\"quantity\":1}";
        let request = client.request(Method::POST, "/orders").body(body);
        client
            .send(request.header("Content-Type", "application/json"))
            .await;
        name_somebody(&system).await;
        assert!(system.buy(sale).await.is_completed());
        system.until_logged(Service::Order, "COMPLETED").await;

        for service in Service::ALL {
            let log = whole_log(&system, service).await;
            assert!(!log.contains(PERSON), "{service}: {log}");
            for line in log.lines() {
                assert!(!line.starts_with("FORGED"), "{line}");
                assert!(!line.chars().any(char::is_control), "{line:?}");
                assert!(!line.contains('\u{202e}'), "{line:?}");
                if format == "json" {
                    serde_json::from_str::<Value>(line).unwrap();
                }
            }
        }
    }
}

/// Puts a person's name wherever one may be put, and where none may be.
async fn name_somebody(system: &System) {
    let user = system.at(Service::User);
    for body in [
        json!({"username": NAME, "balance": 1}),
        json!({"username": "Minsu", "balance": 1}),
        json!({"username": "Minsu", "balance": "Minsu"}),
        json!({"username": ["Minsu"], "balance": 1}),
        json!({"username": "Minsu".repeat(1_000), "balance": 1}),
        json!({"Minsu": 1}),
    ] {
        user.send(user.request(Method::POST, "/users").json(&body))
            .await;
    }
    let item = system.at(Service::Item);
    let body = json!({"name": NAME, "price": 1, "stock": 1});
    item.send(item.request(Method::POST, "/items").json(&body))
        .await;
}

/// What a service has logged, when no line is being written.
async fn whole_log(system: &System, service: Service) -> String {
    let logged = async || match system.log(service) {
        log if log.ends_with('\n') => Ok(log),
        _ => Err("a line is being written"),
    };
    eventually("the log is whole", e2e_tests::PATIENCE, logged).await
}

/// Whose line it is, and what happened.
fn story(told: &Told) -> Vec<(String, String)> {
    let line = |line: &str| {
        let json = serde_json::from_str::<Value>(line).ok();
        json.map_or_else(
            || {
                let text = |from: usize, to: usize| line[from..to].trim().to_owned();
                let what = line[48..].split(" order.id=").next().unwrap();
                (text(34, 48), what.trim().to_owned())
            },
            |json| {
                let text = |name: &str| json[name].as_str().unwrap().to_owned();
                (text("service"), text("message"))
            },
        )
    };
    told.out.lines().map(line).collect()
}

const COMPLETED: [(&str, &str); 12] = [
    ("order-svc", "PENDING"),
    ("user-svc", "Reserved"),
    ("inventory-svc", "Reserved"),
    ("item-svc", "Reserved"),
    ("payment-svc", "Authorizing"),
    ("payment-svc", "Processed"),
    ("item-svc", "Confirmed"),
    ("inventory-svc", "Confirmed"),
    ("user-svc", "Confirmed"),
    ("order-svc", "COMPLETED"),
    ("notify-svc", "Completed"),
    ("order-svc", "closed"),
];

#[tokio::test]
async fn six_logs_are_one_story_of_causes_and_effects() {
    // Half of them for people, half for machines; none with the buyer's letter in it.
    let system = System::with()
        .set(Service::User, "LOG_FORMAT", "json")
        .set(Service::Item, "LOG_FORMAT", "json")
        .set(Service::Notify, "LOG_FORMAT", "json")
        .set(Service::Notify, "SAGA__NOTIFY__LOG", false)
        .start()
        .await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 10).await);
    let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
    let client = system.at(Service::Order);
    let request = client
        .request(Method::POST, "/orders")
        .header("Prefer", "wait=20")
        .header("X-Request-Id", "the-request")
        .header("traceparent", format!("00-{trace}-00f067aa0ba902b7-01"))
        .json(&sale.body());
    let answer = client.send(request).await;
    let order = answer.field::<String>("id");
    assert!(system.buy(sale).await.is_completed(), "another purchase");

    let files = Service::ALL.map(|service| system.folder().join(format!("{service}.log")));
    // In whatever order the files are named.
    let named: Vec<String> = files
        .iter()
        .rev()
        .map(|path| path.display().to_string())
        .collect();
    let words = [
        vec!["logs", "--order", &order],
        named.iter().map(String::as_str).collect(),
    ];
    let expected = COMPLETED.map(|(service, what)| (service.to_owned(), what.to_owned()));
    // A service says what it has committed, and the next may be quicker than its log.
    let tell = async || {
        let told = system.sagactl(&words.concat()).expect(0);
        match story(&told) == expected {
            true => Ok(told),
            false => Err(told.out),
        }
    };
    let told = eventually("six logs are one story", e2e_tests::PATIENCE, tell).await;
    for line in told.out.lines() {
        assert!(line.contains(trace), "its trace: {line}");
        assert!(
            line.contains("event.id") && line.contains("attempt"),
            "{line}"
        );
    }
    let of_the_request = told.out.lines().filter(|line| line.contains("the-request"));
    assert_eq!(of_the_request.count(), 1, "{}", told.out);

    // A clock that is a minute late puts no effect before its cause.
    let late = system.folder().join("late.log");
    let log = system.log(Service::Payment);
    std::fs::write(&late, log.lines().map(a_minute_earlier).collect::<String>()).unwrap();
    let words = named
        .iter()
        .map(|path| match path.ends_with("payment-svc.log") {
            true => late.to_str().unwrap(),
            false => path.as_str(),
        });
    let words: Vec<&str> = ["logs", "--order", &order]
        .into_iter()
        .chain(words)
        .collect();
    assert_eq!(story(&system.sagactl(&words).expect(0)), expected);

    let nobodys = "01a20c1e-0000-7000-8000-000000000001";
    let words = ["logs", "--order", nobodys, &named[0]];
    assert!(
        system
            .sagactl(&words)
            .expect(1)
            .err
            .contains("no log names order")
    );
}

/// The line with a time a minute earlier.
fn a_minute_earlier(line: &str) -> String {
    let minute: u32 = line[14..16].parse().unwrap();
    let hour: u32 = line[11..13].parse().unwrap();
    let minutes = (hour * 60 + minute).saturating_sub(1);
    format!(
        "{}{:02}:{:02}{}\n",
        &line[..11],
        minutes / 60,
        minutes % 60,
        &line[16..]
    )
}
