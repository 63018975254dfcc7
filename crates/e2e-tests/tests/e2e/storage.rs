//! Files that are locked, that cannot be written, that are damaged. (Power cuts, failing syncs and
//! full disks: `tests/disk`.)

use std::process::Command;
use std::time::{Duration, Instant};

use e2e_tests::{PATIENCE, Sale, System, eventually};
use saga_events::Service;
use serde_json::json;

#[tokio::test]
async fn a_file_that_is_locked_for_three_seconds_delays_writes_and_no_reads() {
    let system = System::start().await;
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    for service in [Service::Order, Service::User] {
        let locked = system.file(service).lock();
        let reads = async {
            let (begin, mut reads) = (Instant::now(), 0);
            while begin.elapsed() < Duration::from_secs(3) {
                system.account(sale.user).await;
                let orders = system.at(Service::Order).get("/orders").await.expect(200);
                assert!(orders.body["orders"].is_array());
                // Its writer waits, and with it the relay's connection to Redis, which is no fault of Redis.
                system.at(service).get("/health/ready").await.expect(200);
                reads += 1;
            }
            drop(locked);
            reads
        };
        let (order, reads) = tokio::join!(system.buy(sale), reads);
        assert!(order.is_completed(), "{service} was locked");
        assert!(reads > 100, "{reads} reads while {service} was locked");
    }
    let books = system.settled().await;
    assert_eq!(books.completed().count(), 2);
    for service in Service::ALL {
        assert_eq!(system.file(service).dead_letters(), []);
    }
}

#[tokio::test]
async fn a_file_that_stays_locked_turns_readiness_red_and_is_no_events_fault() {
    let system = System::start().await;
    let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
    let user = system.at(Service::User);
    let locked = system.file(Service::User).lock();
    let order = system.order(sale).await;
    let is_red = async || {
        let ready = user.get("/health/ready").await;
        if ready.status == 503 {
            Ok(ready.body)
        } else {
            Err("it is ready")
        }
    };
    let problem = eventually("user-svc is not ready", PATIENCE, is_red).await;
    assert_eq!(problem["errors"][0]["field"], "database", "{problem}");
    let deposit = format!("/users/{}/deposits", sale.user);
    let refused = user.post(&deposit, &json!({"amount": 1})).await.expect(507);
    assert!(!refused.header("retry-after").is_empty());
    assert_eq!(system.look_at(order).await.status, "PENDING");

    drop(locked);
    assert!(system.ended(order).await.is_completed());
    system.wait_ready(Service::User).await;
    system.settled().await;
    assert_eq!(system.file(Service::User).dead_letters(), []);
}

/// A file that may not grow any more is no full disk: SQLite takes it for an I/O error.
#[tokio::test]
async fn an_io_error_ends_the_service_with_one_line_and_a_restart_finds_what_was_answered() {
    let system = System::start().await;
    let user = system.user(0).await;
    system.terminate(Service::User).await;
    let limited = {
        let mut shell = Command::new("sh");
        let command = system.command(Service::User);
        // 512 bytes or 1 KiB each, as the shell likes it; the signal would end the process first.
        shell
            .args(["-c", "trap '' XFSZ; ulimit -f 500; exec \"$0\""])
            .arg(command.get_program());
        shell
            .env_clear()
            .current_dir(command.get_current_dir().unwrap());
        shell.envs(
            command
                .get_envs()
                .filter_map(|(key, value)| Some((key, value?))),
        );
        shell
    };
    system.launch_as(Service::User, limited);
    system.wait_ready(Service::User).await;

    let client = system.at(Service::User);
    let deposit = async || {
        let path = format!("/users/{user}/deposits");
        let request = client
            .request(reqwest::Method::POST, &path)
            .json(&json!({"amount": 1}));
        match client.try_send(request).await {
            Ok(answer) if answer.status == 201 => system.note_deposit(user, 1),
            Ok(answer) => assert!(answer.status >= 500, "{}", answer.body),
            Err(_) => {}
        }
    };
    let ended = eventually("user-svc ends", PATIENCE, async || {
        for _ in 0..50 {
            deposit().await;
        }
        system.ended_by_itself(Service::User).ok_or("it still runs")
    });
    assert_eq!(ended.await.code(), Some(1));
    let log = system.log(Service::User);
    let last = log.lines().last().unwrap();
    assert!(
        last.contains("the writer failed") && last.contains("disk I/O error"),
        "{last}"
    );

    system.restart(Service::User).await;
    let sale = Sale::of(user, system.item(1, 1).await);
    assert!(system.buy(sale).await.is_completed());
    system.settled().await;
}

/// Does something to a file's bytes.
type Damage<'a> = &'a dyn Fn(&mut Vec<u8>);

#[tokio::test]
async fn a_damaged_file_is_refused_with_one_line_and_left_as_it_is() {
    let system = System::start().await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 100).await);
    for _ in 0..20 {
        system.buy(sale).await;
    }
    system.settled().await;
    for service in Service::ALL {
        system.terminate(service).await;
        let whole = std::fs::read(system.file(service).path()).unwrap();
        let damaged = system.folder().join("damaged.db");
        let page = 4096;
        // The file's name, the root of all tables, a page in the middle, and the end cut off.
        let damages: [Damage<'_>; 4] = [
            &|bytes| bytes[3] ^= 0xff,
            &|bytes| bytes[100] ^= 0xff,
            &|bytes| {
                let middle = bytes.len() / page / 2 * page;
                bytes[middle..middle + 512].fill(0x5a);
            },
            &|bytes| bytes.truncate(bytes.len() - page),
        ];
        for (number, damage) in damages.iter().enumerate() {
            let mut bytes = whole.clone();
            damage(&mut bytes);
            std::fs::write(&damaged, &bytes).unwrap();
            let mut command = system.command(service);
            command.env("DATABASE_URL", format!("sqlite:{}", damaged.display()));
            let ended = command.output().unwrap();
            let said = String::from_utf8(ended.stderr).unwrap();
            let what = format!("damage {number} to {service}: {said:?}");
            assert_eq!(
                (ended.status.code(), said.lines().count()),
                (Some(1), 1),
                "{what}"
            );
            for word in ["database.url", "damaged.db", "damaged", "backup"] {
                assert!(said.contains(word), "{what} lacks {word}");
            }
            assert_eq!(std::fs::read(&damaged).unwrap(), bytes, "{what}");
        }
        system.restart(service).await;
    }
    assert!(system.buy(sale).await.is_completed());
    system.settled().await;
}
