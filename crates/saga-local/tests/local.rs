//! Real processes: the six binaries have to be built, and `redis-server` to be on the path.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use saga_events::bus::stream;
use saga_events::{EventType, Service};
use saga_local::{
    Error, PATIENCE, Part, Process, Proxy, RedisServer, Signal, System, eventually, free_port,
};
use tempfile::TempDir;

/// Holds an error to one line with all of this in it.
#[track_caller]
fn tells(error: &Error, all: &[&str]) {
    let line = error.to_string();
    assert_eq!(line.lines().count(), 1, "{line}");
    all.iter()
        .for_each(|what| assert!(line.contains(what), "{line:?} lacks {what:?}"));
}

/// Does a process of this id exist?
fn exists(pid: u32) -> bool {
    let asked = Command::new("kill").args(["-0", &pid.to_string()]).output();
    asked.unwrap().status.success()
}

async fn is_ready(system: &System, service: Service) -> bool {
    let url = format!("{}/health/ready", system.url(service));
    reqwest::get(url)
        .await
        .is_ok_and(|answer| answer.status() == 200)
}

fn sleeper(folder: &Path) -> Process {
    let mut command = Command::new("sleep");
    command.arg("600");
    Process::start("sleeper", command, &folder.join("sleeper.log")).unwrap()
}

#[tokio::test]
async fn all_six_are_ready_and_ready_again_after_a_kill() {
    // Spawned: whoever has a runtime of several threads can wait for it.
    let system = tokio::spawn(System::with().start()).await.unwrap().unwrap();
    for service in Service::ALL {
        assert!(is_ready(&system, service).await, "{service}");
    }
    let before = system.pid(Service::User).unwrap();
    system.kill(Service::User);
    assert!(!exists(before) && !is_ready(&system, Service::User).await);
    assert_eq!(system.pid(Service::User), None);

    system.restart(Service::User).await.unwrap();
    assert!(is_ready(&system, Service::User).await);
    assert_ne!(system.pid(Service::User), Some(before));
    assert_eq!(system.ended_by_itself(Service::User).unwrap(), None);
    let ended = system.terminate(Service::User).await.unwrap();
    assert!(ended.success(), "{ended}");
    tells(
        &system.freeze(Service::User).unwrap_err(),
        &["user-svc does not run"],
    );
    let log = std::fs::read_to_string(system.log(Service::User)).unwrap();
    assert!(!log.is_empty() && system.file(Service::User).is_file());
}

#[tokio::test]
async fn nothing_is_left_of_a_dropped_system() {
    let system = System::with().with_a_network().start().await.unwrap();
    let folder = system.folder().to_owned();
    let redis = system.redis().clone();
    let services = Service::ALL.map(|service| system.pid(service).unwrap());
    let pids = [services.as_slice(), &[redis.pid().unwrap()]].concat();
    assert!(pids.iter().all(|pid| exists(*pid)) && folder.is_dir());
    drop(system);
    assert!(!pids.iter().any(|pid| exists(*pid)), "of {pids:?}");
    assert!(!folder.exists());
}

#[tokio::test]
async fn a_folder_of_the_callers_own_stays_with_its_files() {
    let folder = TempDir::new().unwrap();
    let own = folder.path().join("made").join("for it");
    drop(System::with().files_in(&own).start().await.unwrap());
    for service in Service::ALL {
        assert!(own.join(format!("{service}.db")).is_file(), "{service}");
    }
}

#[tokio::test]
async fn a_binary_that_is_not_built_is_told_with_the_command_that_builds_it() {
    let empty = TempDir::new().unwrap();
    let system = System::with().binaries_in(empty.path()).stopped().unwrap();
    let error = system.launch(Service::Order).unwrap_err();
    let path = empty.path().join("order-svc");
    let command = "`cargo build --release --workspace`";
    tells(
        &error,
        &["order-svc is not built", path.to_str().unwrap(), command],
    );
    assert_eq!(system.pid(Service::Order), None);
}

#[tokio::test]
async fn a_service_that_ends_at_its_start_is_told_with_its_last_line_and_its_log() {
    let folder = TempDir::new().unwrap();
    let system = System::with()
        .files_in(folder.path())
        .set(Service::Item, "LOG_FORMAT", "poems");
    let error = system.start().await.unwrap_err();
    let log = folder.path().join("item-svc.log");
    tells(
        &error,
        &[
            "item-svc ended at its start",
            "log.format",
            log.to_str().unwrap(),
        ],
    );
}

#[tokio::test]
async fn a_redis_that_ends_at_its_start_is_told_with_its_log() {
    let folder = TempDir::new().unwrap();
    let redis = RedisServer::in_folder(folder.path()).unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", redis.port())).unwrap();
    let error = redis.start().await.unwrap_err();
    tells(
        &error,
        &[
            "redis-server ended at its start",
            redis.log().to_str().unwrap(),
        ],
    );
    drop(taken);
    redis.start().await.unwrap();
}

#[tokio::test]
async fn redis_runs_as_it_ships_and_keeps_its_data_unless_told_not_to() {
    let folder = TempDir::new().unwrap();
    let lasting = RedisServer::in_folder(folder.path()).unwrap();
    let forgetful = TempDir::new().unwrap();
    let forgetful = RedisServer::in_folder(forgetful.path())
        .unwrap()
        .without_persistence();
    for (redis, kept) in [(lasting, 1), (forgetful, 0)] {
        redis.start().await.unwrap();
        redis.ask::<()>(&["SET", "key", "value"]).await.unwrap();
        let (_, size): (String, u64) = redis
            .ask(&["CONFIG", "GET", "auto-aof-rewrite-min-size"])
            .await
            .unwrap();
        assert_eq!(size, 512 << 20);
        redis.kill();
        assert_eq!(redis.pid(), None);
        redis.start().await.unwrap();
        assert_eq!(redis.ask::<u32>(&["EXISTS", "key"]).await.unwrap(), kept);
    }
}

#[tokio::test]
async fn a_process_is_signalled_and_waited_for_and_gone_when_it_is_dropped() {
    let folder = TempDir::new().unwrap();
    let mut process = sleeper(folder.path());
    let error = process.wait(Duration::from_millis(1)).await.unwrap_err();
    tells(
        &error,
        &["sleeper does not end", "it still runs", "sleeper.log"],
    );
    process.send(Signal::Stop).unwrap();
    process.send(Signal::Cont).unwrap();
    assert_eq!(process.ended().unwrap(), None);
    process.send(Signal::Term).unwrap();
    let ended = process.wait(PATIENCE).await.unwrap();
    assert_eq!(ended.code(), None, "ended by a signal: {ended}");
    tells(
        &process.send(Signal::Term).unwrap_err(),
        &["sleeper does not run"],
    );

    let process = sleeper(folder.path());
    let pid = process.pid();
    assert!(exists(pid));
    drop(process);
    assert!(!exists(pid));
}

#[test]
fn a_program_that_is_not_there_does_not_start() {
    let folder = TempDir::new().unwrap();
    let command = Command::new(folder.path().join("nothing"));
    let error = Process::start("nothing", command, &folder.path().join("nothing.log"));
    tells(&error.unwrap_err(), &["nothing does not start"]);
}

#[test]
fn a_network_needs_a_runtime_and_is_missed_where_it_is_not() {
    tells(
        &Proxy::to(free_port().unwrap()).unwrap_err(),
        &["cannot be listened on"],
    );
    let system = System::with().stopped().unwrap();
    tells(
        &system.network(Service::Item).unwrap_err(),
        &["item-svc is connected"],
    );
}

#[test]
fn no_port_is_given_twice() {
    let ports: Vec<u16> = (0..100).map(|_| free_port().unwrap()).collect();
    let different: std::collections::BTreeSet<_> = ports.iter().collect();
    assert_eq!(different.len(), ports.len());
}

#[tokio::test]
async fn ports_are_of_ones_choice_and_one_that_is_taken_is_told() {
    // Each call gives the next one that is free, so that a row of six is soon found.
    let row = || {
        let first = free_port().unwrap();
        let is_free = |step| std::net::TcpListener::bind(("127.0.0.1", first + step)).is_ok();
        (0..6).all(is_free).then_some(first)
    };
    let first = (0..100).find_map(|_| row()).unwrap();
    let system = System::with().ports_from(first).stopped().unwrap();
    for (service, step) in Service::ALL.into_iter().zip(0..) {
        assert_eq!(system.port(service), first + step);
    }
    let _taken = std::net::TcpListener::bind(("127.0.0.1", first + 3)).unwrap();
    let error = System::with().ports_from(first).stopped().unwrap_err();
    let port = (first + 3).to_string();
    tells(&error, &[&port, "item-svc", "is taken"]);
}

#[tokio::test]
async fn a_redis_forgets_goes_back_and_says_again() {
    let folder = TempDir::new().unwrap();
    let redis = RedisServer::in_folder(folder.path()).unwrap();
    tells(&redis.truncate(10).unwrap_err(), &["appendonlydir"]);
    redis.start().await.unwrap();
    let (event_type, item) = (EventType::InventoryReserved, Service::Item);
    let key = stream(0, event_type);
    // No stream, no group: nothing to rewind and nothing to say again.
    redis.rewind(item).await.unwrap();
    redis.say_again(event_type, |_| {}).await.unwrap();

    for text in ["one", "two"] {
        let words = ["XADD", &key, "*", "event", text];
        redis.ask::<String>(&words).await.unwrap();
    }
    let words = ["XGROUP", "CREATE", &key, item.as_str(), "$"];
    redis.ask::<()>(&words).await.unwrap();
    redis
        .say_again(event_type, |entries| entries.reverse())
        .await
        .unwrap();
    let entries: Vec<(String, Vec<String>)> = redis.ask(&["XRANGE", &key, "-", "+"]).await.unwrap();
    let texts: Vec<&str> = entries.iter().map(|(_, fields)| &*fields[1]).collect();
    assert_eq!(texts, ["one", "two", "two", "one"]);

    let unread = async || {
        let words = [
            "XREADGROUP",
            "GROUP",
            item.as_str(),
            "me",
            "STREAMS",
            &key,
            ">",
        ];
        let read: redis::Value = redis.ask(&words).await.unwrap();
        format!("{read:?}").matches("event").count()
    };
    assert_eq!(unread().await, 2);
    redis.rewind(item).await.unwrap();
    assert_eq!(unread().await, 4);

    redis.kill();
    redis.truncate(100).unwrap();
    redis.start().await.unwrap();
    assert_eq!(redis.ask::<u64>(&["DBSIZE"]).await.unwrap(), 0);
    redis.be_full(true).await.unwrap();
    let refused = redis.ask::<()>(&["SET", "key", "value"]).await;
    assert!(refused.unwrap_err().to_string().contains("OOM"));
    redis.be_full(false).await.unwrap();
    redis.ask::<()>(&["SET", "key", "value"]).await.unwrap();
    redis.flush().await.unwrap();
    assert_eq!(redis.ask::<u64>(&["DBSIZE"]).await.unwrap(), 0);
}

#[tokio::test]
async fn every_part_is_ended_and_started_alike() {
    let system = System::with().start().await.unwrap();
    for part in [Part::Service(Service::Notify), Part::Redis] {
        assert_eq!(part.as_str().parse(), Ok(part));
        assert!(system.part_is_ready(part).await);
        let before = system.part_pid(part).unwrap();
        system.signal_part(part, Signal::Term).unwrap();
        let ended = async || system.part_ended(part).unwrap().ok_or("it still runs");
        eventually(PATIENCE, ended).await.unwrap();
        system.launch_part(part).unwrap();
        let ready = async || system.part_is_ready(part).await.then_some(()).ok_or(());
        eventually(PATIENCE, ready).await.unwrap();
        assert_ne!(system.part_pid(part), Some(before));
        system.kill_part(part);
        assert!(!system.part_is_ready(part).await && system.part_pid(part).is_none());
        tells(
            &system.signal_part(part, Signal::Cont).unwrap_err(),
            &["does not run"],
        );
    }
    assert!("mail-svc".parse::<Part>().unwrap_err().contains("redis"));
}
