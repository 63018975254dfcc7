//! Starting, refusing to start, and ending.

use std::process::Output;
use std::time::Instant;

use e2e_tests::{PATIENCE, Sale, System, eventually, together};
use saga_events::Service;

/// Runs a service's binary to its end.
fn run(system: &System, service: Service, arguments: &[&str], set: &[(&str, &str)]) -> Output {
    let mut command = system.command(service);
    command.args(arguments).envs(set.iter().copied());
    command.output().unwrap()
}

#[tokio::test]
async fn a_configuration_that_cannot_work_ends_with_status_2_and_one_line_that_names_the_key() {
    use Service::{Inventory, Item, Notify, Order, Payment, User};
    let system = System::with().stopped();
    let cases = [
        (Order, "PORT", "many", "port"),
        (User, "PORT", "70000", "port"),
        (User, "REDIS_URL", "http://127.0.0.1:1", "bus.url"),
        (
            Inventory,
            "DATABASE_URL",
            "postgres://somewhere",
            "database.url",
        ),
        (Item, "LOG_FORMAT", "poems", "log.format"),
        (Notify, "RUST_LOG", "a=b=c", "log.filter"),
        (Item, "SAGA__HTTP__PROT", "1", "prot"),
        (
            Order,
            "OTEL_EXPORTER_OTLP_ENDPOINT",
            "https://127.0.0.1:4318",
            "OTEL_EXPORTER_OTLP_ENDPOINT",
        ),
        (
            Item,
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "jaeger:4318",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        ),
        (
            User,
            "OTEL_EXPORTER_OTLP_PROTOCOL",
            "grpc",
            "OTEL_EXPORTER_OTLP_PROTOCOL",
        ),
        (
            Notify,
            "OTEL_TRACES_SAMPLER",
            "sometimes",
            "OTEL_TRACES_SAMPLER",
        ),
        (Item, "SAGA__BUS__PARTITIONS", "0", "bus.partitions"),
        (User, "SAGA__DATABASE__BATCH", "0", "database.batch"),
        (Notify, "SAGA__SERVICES__USER", "here", "services.user"),
        (Notify, "SAGA__DEMO", "perhaps", "demo"),
        (Order, "SAGA__ORDER__DEADLINE_MS", "0", "order.deadline_ms"),
        (Order, "SAGA__ORDER__DEADLIEN_MS", "1000", "deadlien_ms"),
        (Order, "SAGA__ORDER__MAX_OPEN", "-1", "order.max_open"),
        (
            Item,
            "SAGA__RETENTION__JOURNAL_S",
            "0",
            "retention.journal_s",
        ),
        (
            Order,
            "SAGA__RETENTION__JOURNAL_S",
            "119",
            "retention.journal_s",
        ),
        (
            User,
            "SAGA__RETENTION__IDEMPOTENCY_KEYS_S",
            "0",
            "retention.idempotency_keys_s",
        ),
        (
            Payment,
            "SAGA__GATEWAY__APPROVAL_RATE",
            "1.5",
            "gateway.approval_rate",
        ),
        (
            Payment,
            "SAGA__GATEWAY__OUTAGE",
            "sometimes",
            "gateway.outage",
        ),
        (
            Payment,
            "SAGA__GATEWAY__LATENCY_MIN_MS",
            "9",
            "gateway.latency",
        ),
    ];
    for (service, key, value, named) in cases {
        for arguments in [&[] as &[&str], &["check-config"]] {
            let ended = run(&system, service, arguments, &[(key, value)]);
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(
                ended.status.code(),
                Some(2),
                "{service} with {key}={value} said {said:?}"
            );
            assert_eq!(
                said.lines().count(),
                1,
                "{service} with {key}={value} said {said:?}"
            );
            assert!(
                said.contains(named),
                "{service} with {key}={value} said {said:?}"
            );
        }
    }
    let files = std::fs::read_dir(system.folder()).unwrap().count();
    assert_eq!(files, 0, "nothing was started, nothing was made");
}

#[tokio::test]
async fn a_configuration_file_is_read_and_its_mistakes_are_named() {
    let system = System::with().stopped();
    let path = system.folder().join("order.toml");
    let check = |text: &str| {
        std::fs::write(&path, text).unwrap();
        run(
            &system,
            Service::Order,
            &["--config", path.to_str().unwrap(), "check-config"],
            &[],
        )
    };
    assert_eq!(
        check("[order]\ndeadline_ms = 30000\n").status.code(),
        Some(0)
    );
    for bad in [
        "[order]\ndeadline_ms = 0\n",
        "[ordre]\n",
        "not toml at all",
        "[order]\nx = 1\n",
    ] {
        let ended = check(bad);
        let said = String::from_utf8(ended.stderr).unwrap();
        assert_eq!(
            (ended.status.code(), said.lines().count()),
            (Some(2), 1),
            "{bad:?}: {said:?}"
        );
    }
    let missing = run(
        &system,
        Service::Order,
        &["--config", "nowhere.toml", "check-config"],
        &[],
    );
    assert_eq!(missing.status.code(), Some(2));
}

#[tokio::test]
async fn every_binary_tells_its_version_and_how_it_is_used() {
    let system = System::with().stopped();
    for service in Service::ALL {
        for argument in ["--version", "--help"] {
            let ended = run(&system, service, &[argument], &[]);
            let said = String::from_utf8(ended.stdout).unwrap();
            assert!(
                ended.status.success() && said.contains(service.as_str()),
                "{said:?}"
            );
        }
        let ended = run(&system, service, &["dance"], &[]);
        assert_eq!(ended.status.code(), Some(2), "{service} does not dance");
    }
}

#[tokio::test]
async fn a_port_that_is_taken_or_a_file_that_cannot_be_is_one_clear_line() {
    let system = System::with().stopped();
    for service in Service::ALL {
        let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        for set in [
            ("PORT", port.as_str()),
            ("DATABASE_URL", "sqlite:/proc/no/such/place.db"),
        ] {
            let ended = run(&system, service, &[], &[set]);
            let said = String::from_utf8(ended.stderr).unwrap();
            assert_eq!(
                (ended.status.code(), said.lines().count()),
                (Some(1), 1),
                "{set:?}: {said:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_file_that_is_no_database_is_one_clear_line() {
    let system = System::with().stopped();
    let url = format!("sqlite:{}", system.folder().join("letter.db").display());
    std::fs::write(
        system.folder().join("letter.db"),
        "Dear database, ".repeat(1000),
    )
    .unwrap();
    let ended = run(&system, Service::User, &[], &[("DATABASE_URL", &url)]);
    let said = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(
        (ended.status.code(), said.lines().count()),
        (Some(1), 1),
        "{said:?}"
    );
    assert!(said.contains("letter.db"), "{said:?}");
}

#[tokio::test]
async fn migrate_makes_the_tables_and_healthcheck_asks_the_running_service() {
    let system = System::with().stopped();
    for service in Service::ALL {
        assert!(run(&system, service, &["migrate"], &[]).status.success());
        assert!(system.file(service).rows().contains_key("outbox"));
        assert_eq!(
            run(&system, service, &["healthcheck"], &[]).status.code(),
            Some(1)
        );
    }
    system.redis().start().await;
    for service in Service::ALL {
        system.restart(service).await;
        assert_eq!(
            run(&system, service, &["healthcheck"], &[]).status.code(),
            Some(0)
        );
        assert_eq!(
            run(&system, service, &["migrate"], &[]).status.code(),
            Some(1),
            "in use"
        );
    }
}

#[tokio::test]
async fn sigterm_drains_within_ten_seconds_and_ends_with_status_0() {
    let system = System::with().repeating_quickly().start().await;
    let (user, item) = (system.user(100_000).await, system.item(10, 10_000).await);
    let purchases = together((0..40).map(async |index| {
        system
            .order_whatever_happens(Sale::of(user, item), &format!("{index}"))
            .await
    }));
    let ending = async {
        for service in Service::ALL {
            let began = Instant::now();
            let status = system.terminate(service).await;
            assert_eq!(status.code(), Some(0), "{service}");
            assert!(
                began.elapsed().as_secs() < 10,
                "{service} took {:?}",
                began.elapsed()
            );
            system.restart(service).await;
        }
    };
    tokio::join!(purchases, ending);
    assert_eq!(system.settled().await.orders.len(), 40);
}

#[tokio::test]
async fn sigterm_does_not_wait_as_long_as_a_caller_would() {
    let system = System::start().await;
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    system.buy(sale).await;
    system.freeze(Service::User);
    let client = system.at(Service::Order);
    let request = client
        .request(reqwest::Method::POST, "/orders")
        .json(&sale.body());
    let waiting = client.try_send(request.header("Prefer", "wait=30"));
    let ending = async {
        let made = async || {
            let orders = system
                .file(Service::Order)
                .number("SELECT count(*) AS number FROM orders");
            if orders == 2 {
                Ok(())
            } else {
                Err("not made yet")
            }
        };
        eventually("the order is made", PATIENCE, made).await;
        let began = Instant::now();
        assert_eq!(system.terminate(Service::Order).await.code(), Some(0));
        began.elapsed()
    };
    let (answer, took) = tokio::join!(waiting, ending);
    assert!(took.as_secs() < 10, "it took {took:?}");
    let answer = answer.expect("the request in hand is answered").expect(201);
    assert_eq!(answer.field::<String>("status"), "PENDING");

    system.thaw(Service::User);
    system.restart(Service::Order).await;
    system.settled().await;
}

#[tokio::test]
async fn sigterm_without_redis_drains_too() {
    let system = System::start().await;
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    system.redis().kill();
    let order = system.order(sale).await;
    for service in Service::ALL {
        let began = Instant::now();
        assert_eq!(system.terminate(service).await.code(), Some(0), "{service}");
        assert!(
            began.elapsed().as_secs() < 10,
            "{service} took {:?}",
            began.elapsed()
        );
    }
    system.redis().start().await;
    for service in Service::ALL {
        system.restart(service).await;
    }
    assert!(system.ended(order).await.is_completed());
    system.settled().await;
}

#[tokio::test]
async fn every_service_logs_one_line_an_event_with_the_same_fields() {
    for format in ["human", "json"] {
        let system = System::with()
            .set_for_all("LOG_FORMAT", format)
            .start()
            .await;
        let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
        let order = system.buy(sale).await;
        system.settled().await;
        for service in Service::ALL {
            let logged = async || {
                let log = system.log(service);
                let about = log
                    .lines()
                    .filter(|line| line.contains(&order.id.to_string()));
                let lines: Vec<_> = about.map(str::to_owned).collect();
                if lines.is_empty() {
                    Err(log)
                } else {
                    Ok(lines)
                }
            };
            for line in eventually("the order is logged", PATIENCE, logged).await {
                assert!(line.contains(service.as_str()), "{line}");
                assert!(line.contains("order.id"), "{line}");
                if format == "json" {
                    let json: serde_json::Value = serde_json::from_str(&line).unwrap();
                    assert_eq!(json["order.id"], order.id.to_string());
                } else {
                    assert!(line[..27].ends_with('Z'), "the time comes first: {line}");
                }
            }
        }
    }
}
