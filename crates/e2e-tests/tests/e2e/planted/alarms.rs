//! No false alarm: an audit that cries wolf is switched off.

use e2e_tests::{Process, Sale, System, together};
use saga_events::Service;
use serde_json::{Value, json};

/// Unless the environment asks for more: `PASSES=1000`.
const PASSES: usize = 200;

/// Some purchases at a time: good ones, refused ones of each kind, declined and cancelled ones.
async fn buy_some(system: &System, sales: &[Sale]) {
    let orders = sales.iter().map(|sale| system.order(*sale));
    let orders = together(orders).await;
    let cancelled = orders.iter().step_by(5).map(|order| system.cancel(*order));
    for answer in together(cancelled).await {
        assert!([200, 202, 409].contains(&answer.status), "{answer:?}");
    }
    // The others go on while the next ones begin.
    system.ended(orders[1]).await;
}

/// What a pass complains about, if it does.
fn alarm(audit: &Value) -> Option<String> {
    let checks = audit["checks"].as_array().unwrap().iter();
    let violated: Vec<_> = checks
        .filter(|check| check["state"] == "violated")
        .collect();
    let (missing, overdue) = (&audit["missing"], &audit["overdue"]);
    let is_calm = violated.is_empty() && [missing, overdue].iter().all(|list| **list == json!([]));
    (!is_calm).then(|| format!("violated {violated:?}, missing {missing}, overdue {overdue}"))
}

#[tokio::test]
async fn live_passes_under_load_give_no_false_alarm() {
    let passes = std::env::var("PASSES").map_or(PASSES, |number| number.parse().unwrap());
    let system = System::start().await;
    system.set_gateway(json!({"approvalRate": 0.7})).await;
    let (rich, poor) = (system.user(100_000_000).await, system.user(1_000).await);
    let plenty = system.item(10, 1_000_000).await;
    let scarce = system.item(10, 20).await;
    let crowded = system.user(100_000_000).await;
    system.set_capacity(crowded, 0).await;
    let sale = Sale::of(rich, plenty);
    let sales: Vec<Sale> = (0..16)
        .map(|number| match number {
            3 => Sale {
                item: scarce,
                ..sale
            },
            7 => Sale { user: poor, ..sale },
            11 => Sale {
                user: crowded,
                ..sale
            },
            number => Sale {
                quantity: 1 + number,
                ..sale
            },
        })
        .collect();

    // What ended long ago changes no more, and would make each pass slower than the one before.
    let mut command = system.sagactl_command(&["audit", "--json", "--within=5", "--passes"]);
    command.arg(passes.to_string());
    let told = system.folder().join("audit.jsonl");
    let mut auditor = Process::start("sagactl", command, &told);
    let ended = loop {
        buy_some(&system, &sales).await;
        if let Some(ended) = auditor.ended() {
            break ended;
        }
    };
    let told = std::fs::read_to_string(told).unwrap();
    let audits: Vec<Value> = told
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}")))
        .collect();
    let alarms: Vec<String> = audits.iter().filter_map(alarm).collect();
    assert!(ended.success(), "{ended}: {alarms:?}");
    assert_eq!(audits.len(), passes);
    let busy = audits
        .iter()
        .filter(|audit| audit["quiet"] == false)
        .count();
    assert!(
        busy * 10 >= passes * 9,
        "only {busy} of {passes} had something under way"
    );
    let read: u64 = audits
        .iter()
        .filter_map(|audit| audit["purchases"].as_u64())
        .sum();
    assert!(
        read > 10 * passes as u64,
        "only {read} purchases were looked at"
    );

    system.until_closed().await;
    let quiet = system
        .sagactl(&["audit", "--all", "--json"])
        .expect(0)
        .json();
    assert_eq!(quiet["quiet"], true, "{quiet}");
    let open = quiet["checks"].as_array().unwrap().iter();
    let open: Vec<_> = open.filter(|check| check["state"] != "holds").collect();
    assert!(open.is_empty(), "once quiet all can be judged: {open:?}");
    assert!(system.log(Service::Order).contains("CANCELLED"));
}
