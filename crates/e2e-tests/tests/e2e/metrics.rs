//! `GET /metrics`: the figures are right, the documents name them all, labels are bounded, and a
//! scrape is answered whoever is away.

use std::collections::BTreeMap;

use e2e_tests::{PATIENCE, Sale, Scraped, System, eventually, settled};
use reqwest::Method;
use saga_events::{EventType, OrderId, Service, UserId};
use serde_json::json;

/// What a series must be: its name, its labels, its value.
type Expected = (&'static str, &'static [(&'static str, &'static str)], f64);

/// How often a step changed something, by the event that made it.
type Steps = &'static [(&'static str, f64)];

/// What is the same at every service when nothing is under way and nothing went wrong.
const QUIET: &[Expected] = &[
    ("saga_redis_up", &[], 1.0),
    ("saga_storage_up", &[], 1.0),
    ("saga_build_info", &[], 1.0),
    ("saga_alarm_cells_total", &[], 0.0),
    ("saga_dead_letters_total", &[], 0.0),
    ("saga_dead_letters_open", &[], 0.0),
    ("saga_step_retries_total", &[], 0.0),
    ("saga_stream_lost_entries_total", &[], 0.0),
    ("saga_outbox_unpublished_rows", &[], 0.0),
    ("saga_outbox_oldest_seconds", &[], 0.0),
    ("saga_consumer_lag_entries", &[], 0.0),
    ("saga_consumer_oldest_seconds", &[], 0.0),
    ("saga_writer_waiting_jobs", &[], 0.0),
    ("saga_writer_refused_batches_total", &[], 0.0),
    ("saga_reader_connections", &[], 4.0),
    ("saga_reader_waiting_queries", &[], 0.0),
    ("saga_http_faults_total", &[], 0.0),
];

/// What is not as expected.
fn differing(scraped: &Scraped, expected: &[Expected]) -> Vec<String> {
    let differs = |(name, labels, value): &Expected| {
        let is = scraped.sum(name, labels);
        (is != Some(*value)).then(|| format!("{name} {labels:?} is {is:?}, not {value}"))
    };
    expected.iter().filter_map(differs).collect()
}

/// Waits until a service's figures are so: some are counted a moment after what they tell, and what
/// Redis knows is asked for once a second.
async fn until(system: &System, service: Service, expected: &[Expected]) -> Scraped {
    let ask = async || {
        let scraped = system.scrape(service).await;
        let differing = differing(&scraped, expected);
        if differing.is_empty() {
            Ok(scraped)
        } else {
            Err(differing.join("; "))
        }
    };
    eventually(&format!("{service}'s figures are right"), PATIENCE, ask).await
}

/// The steps that changed something, by the event that made them.
fn changed(scraped: &Scraped) -> BTreeMap<&str, f64> {
    let types = scraped.values_of("saga_steps_total", "type");
    let count = |event_type| {
        let labels = [("type", event_type), ("outcome", "changed")];
        (
            event_type,
            scraped.sum("saga_steps_total", &labels).unwrap(),
        )
    };
    types
        .into_iter()
        .map(count)
        .filter(|(_, count)| *count > 0.0)
        .collect()
}

/// Three purchases complete, one buyer is too poor, one payment is declined.
async fn buy_five_times(system: &System) {
    let item = system.item(1_000, 10).await;
    let rich = Sale::of(system.user(10_000).await, item);
    for _ in 0..3 {
        assert!(system.buy(rich).await.is_completed());
    }
    let poor = Sale::of(system.user(10).await, item);
    assert!(!system.buy(poor).await.is_completed());
    system.set_gateway(json!({"approvalRate": 0.0})).await;
    assert!(!system.buy(rich).await.is_completed());
    system.settled().await;
    system.at(Service::Order).get("/audit").await.expect(200);
}

#[tokio::test]
async fn the_figures_of_all_six_are_what_happened() {
    let system = System::start().await;
    buy_five_times(&system).await;

    let order: &[Expected] = &[
        ("saga_purchases_begun_total", &[], 5.0),
        ("saga_purchases_total", &[], 5.0),
        ("saga_purchases_total", &[("outcome", "COMPLETED")], 3.0),
        (
            "saga_purchases_total",
            &[("reason", "INSUFFICIENT_BALANCE")],
            1.0,
        ),
        (
            "saga_purchases_total",
            &[("reason", "PAYMENT_DECLINED")],
            1.0,
        ),
        (
            "saga_purchase_seconds_count",
            &[("outcome", "COMPLETED")],
            3.0,
        ),
        (
            "saga_purchase_seconds_count",
            &[("outcome", "CANCELLED")],
            2.0,
        ),
        ("saga_audits_total", &[], 1.0),
        ("saga_audit_violations", &[], 0.0),
        ("saga_open_purchases", &[], 0.0),
        ("saga_open_oldest_seconds", &[], 0.0),
        (
            "saga_http_requests_total",
            &[("method", "POST"), ("route", "/orders"), ("status", "201")],
            5.0,
        ),
    ];
    let payment: &[Expected] = &[
        ("saga_gateway_calls_total", &[("outcome", "approved")], 3.0),
        ("saga_gateway_calls_total", &[("outcome", "declined")], 1.0),
        ("saga_gateway_unknown_payments", &[], 0.0),
    ];
    use Service::{Inventory, Item, Notify, Order, Payment, User};
    let steps: [(Service, &[Expected], Steps); 6] = [
        (
            Order,
            order,
            &[
                ("notification.sent", 5.0),
                ("payment.confirmed", 3.0),
                ("payment.reservation.failed", 1.0),
                ("payment.rollback", 1.0),
            ],
        ),
        (
            User,
            &[],
            &[
                ("inventory.confirmed", 3.0),
                ("inventory.rollback", 1.0),
                ("order.created", 5.0),
            ],
        ),
        (
            Inventory,
            &[],
            &[
                ("item.deducted", 3.0),
                ("item.restored", 1.0),
                ("payment.reserved", 4.0),
            ],
        ),
        (
            Item,
            &[],
            &[
                ("inventory.reserved", 4.0),
                ("payment.failed", 1.0),
                ("payment.processed", 3.0),
            ],
        ),
        (Payment, payment, &[("item.reserved", 4.0)]),
        (
            Notify,
            &[],
            &[("order.cancelled", 2.0), ("order.completed", 3.0)],
        ),
    ];
    for (service, own, steps) in steps {
        let expected = [QUIET, own].concat();
        let scraped = until(&system, service, &expected).await;
        assert_eq!(
            changed(&scraped),
            steps.iter().copied().collect(),
            "{service}"
        );
        let sum = |name| {
            scraped
                .sum(name, &[])
                .unwrap_or_else(|| panic!("{service} has no {name}"))
        };
        assert_eq!(
            sum("saga_steps_total"),
            sum("saga_step_seconds_count"),
            "{service}"
        );
        assert_eq!(
            sum("saga_outbox_rows_total"),
            sum("saga_outbox_published_total"),
            "{service}"
        );
        // A batch's commit is counted a moment before its jobs are; chores run at any time.
        let (commits, jobs) = (
            sum("saga_writer_commits_total"),
            sum("saga_writer_jobs_total"),
        );
        assert!(
            0.0 < commits && commits <= jobs + 1.0,
            "{service}: {commits} commits of {jobs} jobs"
        );
        assert!(sum("saga_writer_commit_seconds_sum") > 0.0, "{service}");
        assert!(sum("saga_writer_busy_seconds_total") > 0.0, "{service}");
        assert!(
            sum("saga_database_bytes") + sum("saga_wal_bytes") > 4096.0,
            "{service}"
        );
        if cfg!(target_os = "linux") {
            assert!(sum("process_resident_memory_bytes") > 1e6, "{service}");
            assert!(sum("process_start_time_seconds") > 1.7e9, "{service}");
            assert!(sum("process_open_fds") > 3.0, "{service}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_is_an_alarm_and_a_dead_letter() {
    let system = System::start().await;
    system
        .forge(settled(EventType::PaymentProcessed, OrderId::new(), 0))
        .await;
    system
        .plant(EventType::PaymentProcessed, "event", "no event")
        .await;
    system.until_dead_letters(Service::Item, 2).await;
    let expected: &[Expected] = &[
        ("saga_alarm_cells_total", &[], 1.0),
        (
            "saga_steps_total",
            &[("type", "payment.processed"), ("outcome", "impossible")],
            1.0,
        ),
        ("saga_dead_letters_total", &[("reason", "impossible")], 1.0),
        ("saga_dead_letters_total", &[("reason", "undecodable")], 1.0),
        ("saga_dead_letters_total", &[("reason", "exhausted")], 0.0),
        ("saga_dead_letters_open", &[], 2.0),
        ("saga_consumer_lag_entries", &[], 0.0),
    ];
    until(&system, Service::Item, expected).await;
}

#[tokio::test]
async fn a_thousand_different_requests_make_no_series_more() {
    let system = System::start().await;
    let client = system.at(Service::Order);
    let ask = async |n: usize| {
        let id = UserId::new();
        for path in [
            format!("/orders/{id}"),
            format!("/nowhere/{n}"),
            format!("/user/{id}/orders"),
        ] {
            client.get(&path).await;
        }
        client
            .post(
                "/orders",
                &json!({"userId": id, "itemId": id, "quantity": n + 1}),
            )
            .await;
        let method = Method::from_bytes(format!("M{n}").as_bytes()).unwrap();
        client.send(client.request(method, "/orders")).await;
    };
    ask(0).await;
    // The scrape is a request, too, and Redis may answer one too late.
    let complete: &[Expected] = &[("saga_redis_up", &[], 1.0)];
    until(&system, Service::Order, complete).await;
    let before = until(&system, Service::Order, complete).await;
    for n in 1..=200 {
        ask(n).await;
    }
    let after = until(&system, Service::Order, complete).await;
    let asked = |scraped: &Scraped, route| {
        scraped
            .sum("saga_http_requests_total", &[("route", route)])
            .unwrap()
    };
    for route in ["/orders/{id}", "unknown", "/user/{id}/orders"] {
        assert_eq!(
            asked(&after, route) - asked(&before, route),
            200.0,
            "{route}"
        );
        let measured = after.sum("saga_http_request_seconds_count", &[("route", route)]);
        assert_eq!(measured, Some(asked(&after, route)), "{route}");
    }
    assert_eq!(asked(&after, "/orders") - asked(&before, "/orders"), 400.0);
    assert_eq!(after.len(), before.len());
}

#[tokio::test]
async fn a_scrape_is_answered_while_redis_is_away() {
    let system = System::start().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 10).await);
    system.redis().kill();
    let order = system.order(sale).await;

    let away: &[Expected] = &[
        ("saga_redis_up", &[], 0.0),
        ("saga_storage_up", &[], 1.0),
        ("saga_open_purchases", &[], 1.0),
        ("saga_outbox_unpublished_rows", &[], 1.0),
    ];
    let scraped = until(&system, Service::Order, away).await;
    for unknown in ["saga_consumer_lag_entries", "saga_consumer_oldest_seconds"] {
        assert!(
            scraped.families.contains_key(unknown),
            "{unknown} is told of"
        );
        assert_eq!(
            scraped.sum(unknown, &[]),
            None,
            "{unknown} is not known, which is not zero"
        );
    }
    let age = async || {
        let scraped = system.scrape(Service::Order).await;
        let age = |name| scraped.sum(name, &[]).unwrap();
        let ages = [
            age("saga_outbox_oldest_seconds"),
            age("saga_open_oldest_seconds"),
        ];
        ages.iter()
            .all(|age| *age > 0.0)
            .then_some(())
            .ok_or(format!("{ages:?}"))
    };
    eventually("what waits grows older", PATIENCE, age).await;

    system.redis().start().await;
    assert!(system.ended(order).await.is_completed());
    system.settled().await;
    for service in Service::ALL {
        until(&system, service, QUIET).await;
    }
}

#[tokio::test]
async fn the_readmes_name_every_metric_and_no_others() {
    let system = System::start().await;
    buy_five_times(&system).await;
    let shared = listed("svc-chassis");
    for service in Service::ALL {
        let expected: BTreeMap<_, _> = shared
            .clone()
            .into_iter()
            .chain(listed(service.as_str()))
            .collect();
        let scraped = system.scrape(service).await;
        let found = scraped.families.iter().map(|(name, family)| {
            let labels: Vec<_> = family
                .labels
                .iter()
                .map(|label| format!("`{label}`"))
                .collect();
            assert!(!family.help.is_empty(), "{name} has no help");
            (
                name.clone(),
                [family.kind.clone(), labels.join(", "), family.help.clone()],
            )
        });
        assert_eq!(found.collect::<BTreeMap<_, _>>(), expected, "{service}");
    }
}

/// The rows below "Metrics" in a crate's README: name, then type, labels and what it tells.
fn listed(name: &str) -> BTreeMap<String, [String; 3]> {
    let readme = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .join(name)
        .join("README.md");
    let readme = std::fs::read_to_string(readme).unwrap();
    let section = readme.split("\n## Metrics\n").nth(1).unwrap_or_default();
    let section = section.split("\n## ").next().unwrap_or_default();
    let row = |line: &str| {
        let cells: Vec<_> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [metric, kind, labels, help] = cells[..] else {
            return None;
        };
        let metric = metric.strip_prefix('`')?.strip_suffix('`')?;
        Some((metric.to_owned(), [kind, labels, help].map(str::to_owned)))
    };
    section.lines().filter_map(row).collect()
}
