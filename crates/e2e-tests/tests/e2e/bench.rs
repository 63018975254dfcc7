//! `sagactl bench`, small: every figure is there, the audit is clean, nothing is left behind. How
//! large the figures are is nothing that a test can know.

use std::path::Path;
use std::process::Command;

use e2e_tests::{PATIENCE, Process, Signal, System, Told, binary, eventually};
use saga_events::Service;
use serde_json::{Value, json};
use tempfile::TempDir;

const SMALL: [&str; 6] = ["--warm-up", "1", "--users", "20", "--items", "5"];

/// Runs a bench of its own system, whose files go below this folder.
fn bench(folder: &Path, words: &[&str]) -> Told {
    Told::of(command(folder, words))
}

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(binary("sagactl"));
    command
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("TMPDIR", folder)
        .args(["bench", "--json", "-"])
        .args(SMALL)
        .args(words);
    command
}

/// The processes that were told of this folder, or work in it.
fn processes_of(folder: &Path) -> Vec<String> {
    let name = folder.to_str().unwrap();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let told = processes.filter(|process| {
        let of = |what| std::fs::read(process.path().join(what)).unwrap_or_default();
        let text = [of("cmdline"), of("environ")].concat();
        // Redis writes a title of its own over both.
        let place = std::fs::read_link(process.path().join("cwd"));
        String::from_utf8_lossy(&text).contains(name)
            || place.is_ok_and(|place| place.starts_with(folder))
    });
    told.map(|process| process.file_name().into_string().unwrap())
        .collect()
}

/// What a machine lacks on which tests run beside each other.
fn is_about_the_machine(lacking: &Value) -> bool {
    let text = lacking.as_str().unwrap();
    let about = ["in memory", "other programs", "half its speed"];
    about.iter().any(|words| text.contains(words))
}

fn assert_left_nothing(folder: &Path) {
    let left: Vec<_> = std::fs::read_dir(folder).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    assert_eq!(processes_of(folder), Vec::<String>::new());
}

#[track_caller]
fn assert_positive(of: &Value, pointers: &[&str]) {
    for pointer in pointers {
        let figure = of.pointer(pointer).and_then(Value::as_f64);
        assert!(
            figure.is_some_and(|figure| figure > 0.0),
            "{pointer}: {of:#}"
        );
    }
}

#[test]
fn a_bench_of_its_own_system_has_every_figure_and_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    let words = ["--seconds", "1", "--only", "closed-64,open-20,floor"];
    // Ten times as many as are in flight: the first ones end all at once.
    let words: Vec<&str> = words.into_iter().chain(["--orders", "5000"]).collect();
    let report = bench(folder.path(), &words).expect(0).json();

    assert_eq!(report["audit"]["clean"], true, "{report:#}");
    assert_eq!(report["audit"]["faults"], json!([]));
    let lacking = report["lacking"].as_array().unwrap();
    assert!(lacking.iter().all(is_about_the_machine), "{lacking:?}");
    assert_positive(&report, &["/machine/cores", "/audit/purchases"]);
    let slow = report["slowShare"].as_f64().unwrap();
    assert!((0.0..0.5).contains(&slow), "{slow}");
    assert_eq!(report["settings"]["ownSystem"], true);

    let [closed, open] = [0, 1].map(|number| &report["system"][number]);
    assert_eq!(
        (&closed["name"], &open["name"]),
        (&json!("closed-64"), &json!("open-20"))
    );
    let (long, floor) = (&report["long"]["run"], &report["floor"][0]);
    for run in [closed, open, long] {
        assert_eq!(run["unexpected"], json!({}));
        assert_positive(run, &["/latencyMs/p50", "/latencyMs/p99", "/latencyMs/max"]);
    }
    assert_positive(open, &["/driverLateMs/p50"]);
    for run in [closed, open, long, floor] {
        assert_positive(
            run,
            &["/completed", "/completedPerSecond", "/endedPerSecond"],
        );
        assert_positive(
            &run["cost"],
            &["/cpuMsTotal", "/redisCalls/xadd", "/redisCalls/publish"],
        );
        let services = Service::ALL.map(Service::as_str);
        for name in services.into_iter().chain(["redis", "driver"]) {
            assert_positive(&run["cost"]["memoryMib"], &[&format!("/{name}")]);
            assert!(run["cost"]["cpuMs"][name].is_number(), "{name}: {run:#}");
        }
        for name in services {
            assert_positive(&run["cost"]["fsyncs"], &[&format!("/{name}")]);
            assert_positive(&run["cost"]["batch"], &[&format!("/{name}")]);
        }
    }
    let ratio = &report["ratios"][0];
    assert_eq!(ratio["inFlight"], 64);
    assert_positive(ratio, &["/throughput", "/cpu"]);
    assert_eq!(report["long"]["tenths"].as_array().unwrap().len(), 10);
    let long = ["/lastToFirst", "/newPerSecond", "/lastToNew"];
    assert_positive(&report["long"], &long);
    let figure = |pointer| report["long"].pointer(pointer).unwrap().as_f64().unwrap();
    let ratio = figure("/tenths/9") / figure("/newPerSecond");
    assert!((ratio - figure("/lastToNew")).abs() < 1e-9, "{ratio}");

    assert_left_nothing(folder.path());
}

#[tokio::test]
async fn a_bench_that_is_interrupted_leaves_nothing() {
    let folder = TempDir::new().unwrap();
    // First while the system is driven, then while the floor is.
    for (load, processes) in [("closed-8", 8), ("floor", 15)] {
        let words = ["--seconds", "600", "--only", load];
        let log = TempDir::new().unwrap();
        let log = log.path().join("sagactl.log");
        let mut bench = Process::start("sagactl", command(folder.path(), &words), &log);
        let runs = async || match processes_of(folder.path()).len() {
            running if running >= processes => Ok(()),
            running => Err(format!("{running} processes run")),
        };
        eventually("all is started", PATIENCE, runs).await;
        bench.send(Signal::Term);
        let status = bench.wait(PATIENCE).await;
        let said = std::fs::read_to_string(&log).unwrap();
        assert_eq!(
            (status.code(), said.as_str()),
            (Some(1), "sagactl: interrupted\n")
        );
        assert_left_nothing(folder.path());
    }
}

#[test]
fn the_floor_says_on_the_bus_what_the_system_says() {
    let folder = TempDir::new().unwrap();
    let told = bench(
        folder.path(),
        &["--seconds", "4", "--only", "closed-8,floor"],
    );
    let report = told.expect(0).json();
    for command in ["xadd", "publish"] {
        // What was under way at either end of the time makes them differ a little.
        for run in [&report["system"][0], &report["floor"][0]] {
            let calls = run["cost"]["redisCalls"][command].as_f64().unwrap();
            assert!((10.5..11.5).contains(&calls), "{command}: {calls}");
        }
    }
}

// The test waits for a bench for so long that connections end meanwhile: somebody has to notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn a_purchase_that_ends_as_it_must_not_fails_the_bench() {
    let system = System::start().await;
    let gateway = system.at(Service::Payment).get("/gateway").await.body;
    let words = ["bench", "--running", "--json", "-", "--only", "open-20"];
    let words = words.into_iter().chain(["--seconds", "1"]).chain(SMALL);
    let words: Vec<&str> = words.collect();
    let report = system.sagactl(&words).expect(0).json();
    assert_eq!(report["settings"]["ownSystem"], false);
    let redis = report["lacking"][0].as_str().unwrap();
    assert!(redis.contains("--redis"), "{redis}");

    let items = system.at(Service::Item).get("/items").await.body;
    for item in items["items"].as_array().unwrap() {
        let path = format!("/items/{}/withdraw", item["id"].as_str().unwrap());
        system.at(Service::Item).post(&path, &json!({})).await;
    }
    let report = system.sagactl(&words).expect(1).json();
    let run = &report["system"][0];
    assert_positive(run, &["/unexpected/CANCELLED for ITEM_WITHDRAWN"]);
    assert_eq!(run["completed"], 0);
    assert_eq!(report["audit"]["clean"], true, "{report:#}");

    let after = system.at(Service::Payment).get("/gateway").await.body;
    assert_eq!(gateway, after, "the gateway is what it was");
}

#[test]
fn what_cannot_be_measured_is_told_before_anything_starts() {
    let folder = TempDir::new().unwrap();
    for (words, code, says) in [
        (
            ["--only", "open"],
            1,
            "open is none of closed-N, open-N, floor",
        ),
        (["--compare", "nowhere.json"], 1, "nowhere.json"),
        (["--redis", "redis://127.0.0.1:1"], 64, "--running"),
    ] {
        let told = bench(folder.path(), &words).expect(code);
        assert!(told.err.contains(says), "{}", told.err);
    }
}
