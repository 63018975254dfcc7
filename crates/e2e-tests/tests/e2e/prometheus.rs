//! A real Prometheus with the configuration, the rules and the dashboard of `deploy/`.
//!
//! Needs `prometheus` and `promtool` on the path, as `scripts/test` provides them. Where they are
//! missing these tests say so on the terminal, and prove nothing.

use std::path::{Path, PathBuf};
use std::process::Command;

use e2e_tests::{Client, PATIENCE, Process, Sale, System, eventually, free_port, has};
use saga_events::Service;
use serde_json::Value;

fn deploy(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../deploy")
        .join(file)
}

const UNTRIED: &str = "the rules of deploy/ are not tried";

fn promtool(arguments: &[&str]) {
    let mut promtool = Command::new("promtool");
    let output = promtool
        .args(arguments)
        .current_dir(deploy(""))
        .output()
        .unwrap();
    let told = [output.stdout, output.stderr].concat();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&told)
    );
}

#[test]
fn promtool_accepts_the_configuration_and_every_rule_is_raised() {
    if has("promtool", UNTRIED) {
        promtool(&["check", "config", "prometheus.yml"]);
        promtool(&["test", "rules", "alerts.test.yml"]);
    }
}

/// Prometheus with the files of `deploy/`, asking this system every second.
async fn prometheus(system: &System) -> (Process, Client) {
    let folder = system.folder().join("prometheus");
    std::fs::create_dir(&folder).unwrap();
    let mut config = std::fs::read_to_string(deploy("prometheus.yml")).unwrap();
    for (from, to) in [
        ("scrape_interval: 5s", "scrape_interval: 1s"),
        ("scrape_timeout: 4s", "scrape_timeout: 1s"),
        ("evaluation_interval: 5s", "evaluation_interval: 1s"),
    ] {
        assert!(config.contains(from), "{from}");
        config = config.replace(from, to);
    }
    for service in Service::ALL {
        let target = format!("{service}:{}", service.port());
        assert!(config.contains(&target), "{target} is asked");
        let address = system.at(service).base().trim_start_matches("http://");
        config = config.replace(&target, address);
    }
    std::fs::write(folder.join("prometheus.yml"), config).unwrap();
    std::fs::copy(deploy("alerts.yml"), folder.join("alerts.yml")).unwrap();
    let port = free_port();
    let mut command = Command::new("prometheus");
    command
        .current_dir(&folder)
        .args(["--config.file=prometheus.yml", "--storage.tsdb.path=data"]);
    command.arg(format!("--web.listen-address=127.0.0.1:{port}"));
    let process = Process::start("prometheus", command, &folder.join("prometheus.log"));
    (process, Client::new(port))
}

/// What Prometheus answers, once it does.
async fn asked(client: &Client, path: &str) -> Result<Value, String> {
    let request = client.request(reqwest::Method::GET, path);
    let answer = client
        .try_send(request)
        .await
        .map_err(|error| error.to_string())?;
    let is_fine = answer.status == 200 && answer.body["status"] == "success";
    if is_fine {
        Ok(answer.body["data"].clone())
    } else {
        Err(format!("{path}: {}", answer.body))
    }
}

async fn query(client: &Client, expression: &str) -> Result<Vec<Value>, String> {
    let encoded: String = expression
        .bytes()
        .map(|byte| format!("%{byte:02X}"))
        .collect();
    let data = asked(client, &format!("/api/v1/query?query={encoded}")).await?;
    Ok(data["result"].as_array().cloned().unwrap_or_default())
}

/// All rules, if each was evaluated without an error.
async fn evaluated(client: &Client) -> Result<Vec<Value>, String> {
    let data = asked(client, "/api/v1/rules").await?;
    let groups = data["groups"].as_array().unwrap();
    let rules: Vec<Value> = groups
        .iter()
        .flat_map(|group| group["rules"].as_array().unwrap().clone())
        .collect();
    match rules.iter().find(|rule| rule["health"] != "ok") {
        Some(rule) => Err(rule.to_string()),
        None => Ok(rules),
    }
}

#[tokio::test]
async fn prometheus_scrapes_all_six_and_evaluates_every_rule_and_every_panel() {
    if !has("prometheus", UNTRIED) {
        return;
    }
    let system = System::start().await;
    let (_prometheus, client) = prometheus(&system).await;
    let sale = Sale::of(system.user(1_000).await, system.item(10, 10).await);
    for _ in 0..3 {
        assert!(system.buy(sale).await.is_completed());
    }
    system.settled().await;

    let all_scraped = async || {
        let data = asked(&client, "/api/v1/targets").await?;
        let targets = data["activeTargets"].as_array().unwrap();
        let up = targets
            .iter()
            .filter(|target| target["health"] == "up" && target["lastError"] == "");
        if up.count() == 6 {
            Ok(())
        } else {
            Err(data.to_string())
        }
    };
    eventually("all six are scraped", PATIENCE, all_scraped).await;
    let counted = async || match query(&client, "sum(saga_purchases_total{outcome=\"COMPLETED\"})")
        .await?[..]
    {
        [ref sum] if sum["value"][1] == "3" => Ok(()),
        ref other => Err(format!("{other:?}")),
    };
    eventually("three purchases are counted", PATIENCE, counted).await;

    let rules = eventually("every rule is evaluated", PATIENCE, async || {
        evaluated(&client).await
    })
    .await;
    assert!(rules.len() >= 20, "{} rules", rules.len());
    let firing: Vec<_> = rules
        .iter()
        .filter(|rule| rule["state"] == "firing")
        .collect();
    assert!(firing.is_empty(), "all is well, but for {firing:?}");
    let dashboard = std::fs::read_to_string(deploy("grafana/dashboards/saga.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().into_iter().flatten());
    let expressions: Vec<_> = targets
        .map(|target| target["expr"].as_str().unwrap())
        .collect();
    assert!(expressions.len() > 40, "{} expressions", expressions.len());
    for expression in expressions {
        let expression = expression.replace("$__rate_interval", "1m");
        query(&client, &expression)
            .await
            .unwrap_or_else(|error| panic!("{expression}: {error}"));
    }

    system.kill(Service::Item);
    let raised = async || {
        let rules = evaluated(&client).await?;
        let down = rules
            .iter()
            .find(|rule| rule["name"] == "SagaServiceDown")
            .unwrap();
        let alerts = down["alerts"].as_array().cloned().unwrap_or_default();
        alerts
            .first()
            .cloned()
            .ok_or("nobody is missed")
            .map_err(str::to_owned)
    };
    let alert = eventually("the service that is away is missed", PATIENCE, raised).await;
    let summary = alert["annotations"]["summary"].as_str().unwrap();
    let address = system
        .at(Service::Item)
        .base()
        .trim_start_matches("http://");
    assert_eq!(summary, format!("{address} does not answer"));
    system.restart(Service::Item).await;
}
