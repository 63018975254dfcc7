//! Nothing outlives the lab, and nothing starts that could not go on.

use std::net::TcpListener;

use e2e_tests::{Signal, Told, free_port};
use tempfile::TempDir;

use super::*;

/// The ids of the seven.
fn processes_of(picture: &Value) -> Vec<u64> {
    let pid = |name: &&str| process_of(picture, name)["pid"].as_u64();
    PARTS.iter().filter_map(pid).collect()
}

fn exists(pid: u64) -> bool {
    std::path::Path::new(&format!("/proc/{pid}")).exists()
}

#[tokio::test]
async fn a_lab_that_is_asked_to_end_ends_all_it_has_started_and_removes_its_files() {
    for signal in [Signal::Term, Signal::Int] {
        let mut lab = Lab::start().await;
        lab.put("/lab/traffic", &json!({"perSecond": 20}))
            .await
            .expect(200);
        let flowing = lab.until("traffic", SOON, |picture| answered(picture) > 0);
        let picture = flowing.await.unwrap();
        let (pids, files) = (processes_of(&picture), lab.files());
        assert!(pids.len() == PARTS.len() && pids.iter().all(|pid| exists(*pid)));
        assert!(files.join("order-svc.db").is_file());
        for target in ["item-svc", "redis"] {
            let body = json!({"kind": "pause", "target": target, "seconds": 0});
            lab.post("/lab/faults", &body).await.expect(201);
        }
        let body = json!({"kind": "cut", "target": "user-svc", "seconds": 0});
        lab.post("/lab/faults", &body).await.expect(201);
        let stream = lab.request(Method::GET, "/lab/live").send().await.unwrap();

        lab.send(signal);
        let status = lab.wait().await;
        assert_eq!(status.code(), Some(0), "{}", lab.said());
        let left: Vec<_> = pids.iter().filter(|pid| exists(**pid)).collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(!files.exists());
        let rest = tokio::time::timeout(SOON, stream.bytes()).await;
        assert!(rest.is_ok(), "the stream has ended");
    }
}

#[tokio::test]
async fn files_that_are_asked_for_stay_and_a_lab_goes_on_with_them() {
    let folder = TempDir::new().unwrap();
    let kept = folder.path().join("kept");
    let words = ["--files", kept.to_str().unwrap()];
    for _ in 0..2 {
        let mut lab = Lab::start_with(&words).await;
        assert_eq!(lab.files(), kept);
        let item = lab.picture().await["items"][0]["id"].clone();
        let bought = lab.post("/lab/purchases", &json!({"itemId": item})).await;
        bought.expect(201);
        assert_nothing_is_lost(&lab).await;
        lab.send(Signal::Term);
        assert!(lab.wait().await.success());
        assert!(kept.join("item-svc.log").is_file());
    }
    let orders =
        File::at(kept.join("order-svc.db")).number("SELECT count(*) AS number FROM orders");
    assert_eq!(orders, 2);
}

#[test]
fn a_port_that_is_taken_is_said_before_anything_starts() {
    let folder = TempDir::new().unwrap();
    let first = free_port();
    for (step, whose) in [(3, "item-svc"), (10, "the lab")] {
        let port = first + step;
        let Ok(_taken) = TcpListener::bind(("127.0.0.1", port)) else {
            panic!("{port} is taken by somebody else");
        };
        let command = Lab::command(folder.path(), &["--ports", &first.to_string()]);
        let told = Told::of(command).expect(1);
        assert_eq!(
            (told.err.lines().count(), &*told.out),
            (1, ""),
            "{}",
            told.err
        );
        for what in [&port.to_string(), whose, "scripts/down", "--ports"] {
            assert!(told.err.contains(what), "{what}: {}", told.err);
        }
    }
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}

#[test]
fn a_start_that_fails_midway_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let mut command = Lab::command(folder.path(), &["--ports", "0"]);
    // Nowhere, where no redis-server is.
    command.env("PATH", folder.path());
    let told = Told::of(command).expect(1);
    assert!(
        told.err.contains("redis-server does not start"),
        "{}",
        told.err
    );
    assert_eq!(folder.path().read_dir().unwrap().count(), 0);
}
