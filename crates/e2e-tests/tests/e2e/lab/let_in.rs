//! Who may press the buttons.

use e2e_tests::Client;
use reqwest::header::{AUTHORIZATION, HOST, ORIGIN};

use super::*;

#[tokio::test]
async fn who_has_no_token_or_comes_from_elsewhere_is_refused_and_does_nothing() {
    let lab = Lab::start().await;
    let (page, own) = (lab.page().to_owned(), lab.stranger().base().to_owned());
    let host = own.trim_start_matches("http://").to_owned();
    let bearer = format!("Bearer {}", lab.token());
    let wrong = format!("Bearer {}", "0".repeat(32));
    let page_by_name = page.replace("127.0.0.1", "localhost");
    let cases = [
        (&*host, None, None, "NO_TOKEN"),
        (&host, None, Some(&*wrong), "NO_TOKEN"),
        (&host, Some(&*page), None, "NO_TOKEN"),
        ("lab.example", None, Some(&bearer), "FOREIGN_HOST"),
        (
            &host,
            Some("http://evil.example"),
            Some(&bearer),
            "FOREIGN_ORIGIN",
        ),
        (&host, Some(&own), Some(&bearer), "FOREIGN_ORIGIN"),
        (&host, Some("null"), Some(&bearer), "FOREIGN_ORIGIN"),
    ];
    for (host, origin, authorization, code) in cases {
        for (method, path) in [
            (Method::GET, "/lab"),
            (Method::GET, "/lab/live"),
            (Method::PUT, "/lab/traffic"),
            (Method::GET, "/model"),
        ] {
            let mut request = lab.stranger().request(method, path).header(HOST, host);
            request = request.json(&json!({"perSecond": 50}));
            for (name, value) in [(ORIGIN, origin), (AUTHORIZATION, authorization)] {
                if let Some(value) = value {
                    request = request.header(name, value);
                }
            }
            let answer = lab.stranger().send(request).await.expect(403);
            assert_eq!(answer.body["code"], code, "{path}: {}", answer.body);
            assert_eq!(answer.body["instance"], path);
        }
    }
    assert_eq!(lab.picture().await["traffic"]["perSecond"], 0);

    // The page knows where its lab is, and may talk to it.
    let order_svc = Client::new(page.rsplit(':').next().unwrap().parse().unwrap());
    let system = order_svc.get("/system").await.expect(200).body;
    assert_eq!(system["labOrigin"], own);
    let policy = order_svc.get("/").await.expect(200);
    let policy = policy.header("content-security-policy");
    let connect = format!("connect-src 'self' {own};");
    assert!(policy.contains(&connect), "{policy}");

    for origin in [&page, &page_by_name] {
        let request = lab.request(Method::GET, "/lab").header(ORIGIN, origin);
        let answer = lab.stranger().send(request).await.expect(200);
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        assert_eq!(answer.header("vary"), "Origin");
        let asked = lab.stranger().request(Method::OPTIONS, "/lab/faults");
        let asked = asked.header(ORIGIN, origin);
        let asked = asked.header("Access-Control-Request-Method", "DELETE");
        let answer = lab.stranger().send(asked).await.expect(204);
        assert_eq!(answer.header("access-control-allow-origin"), origin);
        let methods = answer.header("access-control-allow-methods");
        assert_eq!(methods, "GET, POST, PUT, DELETE");
        let headers = answer.header("access-control-allow-headers");
        assert_eq!(headers, "authorization, content-type");
    }
    let asked = lab.stranger().request(Method::OPTIONS, "/lab/faults");
    let asked = asked.header(ORIGIN, "http://evil.example");
    let asked = asked.header("Access-Control-Request-Method", "DELETE");
    let answer = lab.stranger().send(asked).await.expect(403);
    assert!(!answer.headers.contains_key("access-control-allow-origin"));
}
