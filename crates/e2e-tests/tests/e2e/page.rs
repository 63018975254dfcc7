//! The page's own headers, and who may call at all. What is on the page is tried in a browser.

use e2e_tests::System;
use reqwest::Method;
use saga_events::Service;

const LAB: &str = "http://127.0.0.1:3010";

/// The policy that the page comes with, and what the system says of the lab.
async fn told(demo: bool) -> (String, serde_json::Value) {
    let system = System::with()
        .set_for_all("SAGA__DEMO", demo)
        .set(Service::Order, "SAGA__ORDER__LAB_ORIGIN", LAB)
        .start()
        .await;
    let door = system.at(Service::Order);
    let policy = door.get("/").await.expect(200);
    let policy = policy.header("content-security-policy").to_owned();
    (policy, door.get("/system").await.expect(200).body)
}

#[tokio::test]
async fn the_lab_is_named_with_the_demo_only() {
    let (policy, picture) = told(true).await;
    assert!(
        policy.contains(&format!("connect-src 'self' {LAB};")),
        "{policy}"
    );
    assert_eq!(picture["labOrigin"], LAB);
    let (policy, picture) = told(false).await;
    assert!(policy.contains("connect-src 'self';"), "{policy}");
    assert!(picture.get("labOrigin").is_none());
    assert_eq!(picture["demo"], false);
}

#[tokio::test]
async fn the_page_comes_with_its_headers_and_is_not_sent_twice() {
    let system = System::start().await;
    let door = system.at(Service::Order);
    let page = door.get("/").await.expect(200);
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-cache"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
    ] {
        assert_eq!(page.header(name), value);
    }
    let policy = page.header("content-security-policy");
    for part in [
        "default-src 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    ] {
        assert!(policy.contains(part), "{policy}");
    }
    let name = door.get("/system").await.body["page"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(
        door.text("/")
            .await
            .contains(&format!("content=\"{name}\""))
    );
    let again = door
        .request(Method::GET, "/")
        .header("If-None-Match", page.header("etag"));
    let again = door.send(again).await.expect(304);
    assert_eq!(again.header("content-security-policy"), policy);
    assert_eq!(
        door.get("/ui/nothing.js").await.expect(404).body["code"],
        "NO_SUCH_PATH"
    );
    door.get("/ui/../src/lib.rs").await.expect(404);
}

#[tokio::test]
async fn a_call_under_a_name_that_is_not_the_systems_changes_nothing() {
    let names = "shop.example, shop.internal";
    let system = System::with()
        .set_for_all("SAGA__HTTP__NAMES", names)
        .start()
        .await;
    let door = system.at(Service::Order);
    let call = async |host: &str| {
        let request = door
            .request(Method::POST, "/setup-test-data")
            .header("Host", host);
        door.send(request).await
    };
    for host in [
        "evil.example",
        "evil.example:3000",
        "127.0.0.1.evil.example",
    ] {
        let refused = call(host).await.expect(403).body;
        assert_eq!(refused["code"], "FOREIGN_HOST", "{host}");
        assert!(refused["detail"].as_str().unwrap().contains("http.names"));
    }
    for host in [
        "localhost:3000",
        "[::1]:3000",
        "10.0.0.1",
        "shop.example",
        "SHOP.internal:80",
    ] {
        call(host).await.expect(200);
    }
    let read = door
        .request(Method::GET, "/orders")
        .header("Host", "evil.example");
    door.send(read).await.expect(200);
}

#[tokio::test]
async fn a_lab_that_is_not_on_this_machine_is_refused_at_start() {
    let system = System::with().stopped();
    let mut command = system.command(Service::Order);
    command
        .arg("check-config")
        .env("SAGA__ORDER__LAB_ORIGIN", "http://lab.example:3010");
    let told = command.output().unwrap();
    assert!(!told.status.success());
    let text =
        String::from_utf8_lossy(&told.stderr).into_owned() + &String::from_utf8_lossy(&told.stdout);
    assert!(text.contains("order.lab_origin"), "{text}");
}
