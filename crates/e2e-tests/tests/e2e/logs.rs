//! Logs stay what they are, whatever a caller sends: a line an event, no control characters.

use e2e_tests::{Sale, System, eventually};
use reqwest::Method;
use saga_events::Service;

#[tokio::test]
async fn what_a_caller_sends_breaks_no_line_and_colours_none() {
    for format in ["human", "json"] {
        let builder = System::with().set_for_all("LOG_FORMAT", format);
        let system = builder.set_for_all("RUST_LOG", "debug").start().await;
        let sale = Sale::of(system.user(100).await, system.item(10, 10).await);
        let client = system.at(Service::Order);
        for evil in [
            "/orders/%0d%0aFORGED%20line",
            "/orders/%1b%5b31mFORGED",
            "/%0aFORGED",
        ] {
            let request = client.request(Method::GET, evil);
            let request = request.header("X-Request-Id", "FORGED\tid");
            let answer = client.send(request).await;
            assert!(
                (400..500).contains(&answer.status),
                "{evil}: {}",
                answer.status
            );
        }
        let body = "{\"userId\":\"\\r\\nFORGED \\u001b[31m\",\"itemId\":1,\"quantity\":1}";
        let request = client.request(Method::POST, "/orders").body(body);
        client
            .send(request.header("Content-Type", "application/json"))
            .await;
        assert!(system.buy(sale).await.is_completed());
        system.until_logged(Service::Order, "COMPLETED").await;

        let logged = async || match system.log(Service::Order) {
            log if log.ends_with('\n') => Ok(log),
            _ => Err("a line is being written"),
        };
        for line in eventually("the log is whole", e2e_tests::PATIENCE, logged)
            .await
            .lines()
        {
            assert!(!line.starts_with("FORGED"), "{line}");
            assert!(!line.chars().any(char::is_control), "{line:?}");
            if format == "json" {
                serde_json::from_str::<serde_json::Value>(line).unwrap();
            }
        }
    }
}
