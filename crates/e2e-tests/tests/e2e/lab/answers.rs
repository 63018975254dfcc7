//! What is refused, and what the model says.

use super::*;

#[tokio::test]
async fn what_cannot_be_done_is_refused_by_the_fields_name() {
    let lab = Lab::start().await;
    let faults = "/lab/faults";
    for (method, path, body, status, field) in [
        (
            Method::POST,
            faults,
            json!({"kind": "explode"}),
            422,
            "kind",
        ),
        (
            Method::POST,
            faults,
            json!({"target": "redis"}),
            422,
            "kind",
        ),
        (Method::POST, faults, json!({"kind": "kill"}), 422, "target"),
        (
            Method::POST,
            faults,
            json!({"kind": "kill", "target": "all"}),
            422,
            "target",
        ),
        (
            Method::POST,
            faults,
            json!({"kind": "cut", "target": "redis"}),
            422,
            "target",
        ),
        (
            Method::POST,
            faults,
            json!({"kind": "rewind", "target": "redis"}),
            422,
            "target",
        ),
        (
            Method::POST,
            faults,
            json!({"kind": "flushall", "target": "item-svc"}),
            422,
            "target",
        ),
        (
            Method::POST,
            faults,
            json!({"kind": "kill", "target": 1}),
            422,
            "target",
        ),
        (
            Method::POST,
            faults,
            json!({"kind": "kill", "target": "redis", "seconds": -1}),
            422,
            "seconds",
        ),
        (
            Method::POST,
            faults,
            json!({"kind": "kill", "target": "redis", "seconds": 3601}),
            422,
            "seconds",
        ),
        (
            Method::POST,
            faults,
            json!({"kind": "kill", "target": "redis", "for": 1}),
            422,
            "for",
        ),
        (
            Method::PUT,
            "/lab/traffic",
            json!({"perSecond": 51}),
            422,
            "perSecond",
        ),
        (
            Method::PUT,
            "/lab/traffic",
            json!({"perSecond": 0.5}),
            422,
            "perSecond",
        ),
        (Method::PUT, "/lab/traffic", json!({}), 422, "perSecond"),
        (
            Method::PUT,
            "/lab/gateway",
            json!({"outage": "off"}),
            422,
            "outage",
        ),
        (
            Method::PUT,
            "/lab/gateway",
            json!({"approvalRate": 2}),
            422,
            "approvalRate",
        ),
        (
            Method::PUT,
            "/lab/gateway",
            json!({"latency": 2}),
            422,
            "latency",
        ),
        (
            Method::POST,
            "/lab/purchases",
            json!({"itemId": "sword"}),
            422,
            "itemId",
        ),
        (
            Method::POST,
            "/lab/purchases",
            json!({"quantity": 1}),
            422,
            "itemId",
        ),
        (
            Method::GET,
            "/model?without=luck",
            json!({}),
            422,
            "without",
        ),
        (Method::GET, "/model?what=luck", json!({}), 400, "what"),
        (Method::DELETE, "/lab/faults/first", json!({}), 400, "id"),
    ] {
        let answer = lab.call(method, path, Some(&body)).await.expect(status);
        assert_eq!(
            answer.body["errors"][0]["field"], field,
            "{body}: {}",
            answer.body
        );
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    let item = &lab.picture().await["items"][0]["id"];
    let body = json!({"itemId": item, "quantity": 0});
    let refused = lab.post("/lab/purchases", &body).await.expect(422);
    assert_eq!(refused.body["errors"][0]["field"], "quantity");
    let nothing = json!({"itemId": OrderId::new()});
    let refused = lab.post("/lab/purchases", &nothing).await.expect(404);
    assert_eq!(refused.body["code"], "ITEM_NOT_FOUND");
    let picture = lab.picture().await;
    assert!(all_run(&picture) && answered(&picture) == 0, "{picture}");
}

#[tokio::test]
async fn the_model_says_what_its_readme_says() {
    let lab = Lab::start().await;
    let known = lab.get("/model/shortcuts").await.expect(200).body;
    let known = known["shortcuts"].as_array().unwrap();
    assert_eq!(known.len(), 17);
    let readme = include_str!("../../../../saga-model/README.md");
    for shortcut in known {
        let name = shortcut["name"].as_str().unwrap();
        assert!(
            shortcut["about"].as_str().unwrap().ends_with('.'),
            "{shortcut}"
        );
        let row = readme
            .lines()
            .find(|line| line.starts_with(&format!("| `{name}` |")));
        let cells: Vec<&str> = row.unwrap().split('|').map(str::trim).collect();
        let path = format!("/model?without={name}");
        let report = lab.get(&path).await.expect(200).body;
        let verdict = report["verdict"].as_str().unwrap();
        assert!(cells[2].starts_with(verdict), "{name}: {report}");
        let steps = report["steps"].as_array().unwrap().len();
        assert_eq!(steps, cells[3].parse().unwrap_or(0), "{name}: {report}");
    }
    let nothing_off = lab.get("/model").await.expect(200).body;
    assert_eq!(nothing_off["verdict"], "safe");
    assert_eq!(lab.get("/model?without=").await.body, nothing_off);
    let both = lab.get("/model?without=no-repeats,ack-before-commit").await;
    assert_eq!(both.expect(200).body["verdict"], "stuck");
}
