//! `GET /openapi.json` and `GET /docs/` of all six services, as they are served; and schemathesis, which
//! asks for everything that the documents promise and for what they forbid.
//!
//! That one needs `schemathesis` on the path, as `scripts/test` provides it. Where it is missing the
//! test says so on the terminal, and proves nothing.

use std::path::Path;
use std::process::Command;

use e2e_tests::{System, has};
use reqwest::Method;
use saga_events::Service;

#[tokio::test]
async fn every_service_tells_what_it_answers_to() {
    let system = System::start().await;
    for service in Service::ALL {
        let document = system.at(service).get("/openapi.json").await.expect(200);
        assert_eq!(document.body["openapi"], "3.1.0");
        assert_eq!(document.body["info"]["title"], service.as_str());
        assert!(document.body["paths"]["/sagas/{orderId}"]["get"].is_object());
    }
}

/// The page needs nothing that the service does not have: no network, no other origin.
#[tokio::test]
async fn the_page_comes_whole_from_the_service() {
    let system = System::start().await;
    let page = |path: String| {
        let request = system.at(Service::Item).request(Method::GET, &path);
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            let policy = answer.headers()["content-security-policy"].clone();
            let policy = policy.to_str().unwrap().to_owned();
            assert!(
                policy.starts_with("default-src 'none'; script-src 'self'; connect-src 'self'")
            );
            answer.text().await.unwrap()
        }
    };
    // The client follows the redirect to /docs/.
    let first = page("/docs".to_owned()).await;
    assert_eq!(page("/docs/".to_owned()).await, first);
    let of_attribute = |name: &str| {
        let opening = format!("{name}=\"");
        let values = first.split(&opening).skip(1);
        let values = values.map(|rest| rest.split('"').next().unwrap().to_owned());
        values.collect::<Vec<_>>()
    };
    let files = [of_attribute("src"), of_attribute("href")].concat();
    assert!(files.len() >= 5, "{files:?}");
    for file in files {
        assert!(!file.contains("//"), "{file} is somebody else's");
        page(format!("/docs/{}", file.trim_start_matches("./"))).await;
    }
    let shown = page("/docs/swagger-initializer.js".to_owned()).await;
    assert!(
        shown.contains("../openapi.json") && !shown.contains("http"),
        "{shown}"
    );

    let missing = system.at(Service::Item).get("/docs/nothing.js").await;
    assert_eq!(missing.expect(404).body["code"], "NO_SUCH_PATH");
}

/// Streams do not end, so whoever waits for their end learns nothing; `live.rs` and `lookout.rs` read them.
const ENDLESS: &str = "^/(events|live|notifications/stream)$";

#[tokio::test]
async fn schemathesis_finds_nothing() {
    if !has(
        "schemathesis",
        "the documents are not held against what the services answer",
    ) {
        return;
    }
    let system = System::start().await;
    // Something to read: a buyer, items, one purchase.
    let data = system
        .at(Service::Order)
        .post("/setup-test-data", &serde_json::json!({}))
        .await;
    let data = &data.expect(200).body["data"];
    let order = serde_json::json!({
        "userId": data["user"]["id"], "itemId": data["items"][0]["id"], "quantity": 1,
    });
    system
        .at(Service::Order)
        .post("/orders", &order)
        .await
        .expect(201);
    let config = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemathesis.toml");
    for service in Service::ALL {
        let url = format!("{}/openapi.json", system.at(service).base());
        let mut run = Command::new("schemathesis");
        run.arg("--config-file").arg(&config).args(["run", &url]);
        run.args(["--max-examples", "12", "--exclude-path-regex", ENDLESS]);
        // Where it may leave what it remembers from one run to the next.
        let found = run.current_dir(system.folder()).output().unwrap();
        assert!(
            found.status.success(),
            "{service}:\n{}{}",
            String::from_utf8_lossy(&found.stdout),
            String::from_utf8_lossy(&found.stderr),
        );
    }
}
