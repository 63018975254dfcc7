//! Requests that must be refused: each with a 4xx as `application/problem+json`, and without a
//! trace in any book.

mod bodies;
mod fields;
mod paths;

use std::collections::BTreeMap;

use e2e_tests::{Answer, Sale, System};
use reqwest::Method;
use saga_events::{ItemId, MAX_MONEY, OrderId, Service, UserId};
use serde_json::Value;

/// A request, and the status codes that it may be refused with.
pub struct Bad {
    service: Service,
    method: Method,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    refused: &'static [u16],
}

/// Bad JSON, a missing field, a wrong type, a number out of its range.
const MALFORMED: &[u16] = &[400, 422];

/// What there is in the system, for paths that lead somewhere.
pub struct Shop {
    user: UserId,
    item: ItemId,
    /// Costs as much as anything can.
    dear: ItemId,
    /// Completed.
    order: OrderId,
}

impl Bad {
    fn new(
        service: Service,
        method: Method,
        path: impl Into<String>,
        refused: &'static [u16],
    ) -> Self {
        let (path, headers, body) = (path.into(), Vec::new(), Vec::new());
        Self {
            service,
            method,
            path,
            headers,
            body,
            refused,
        }
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn json(self, body: impl Into<Vec<u8>>) -> Self {
        self.header("Content-Type", "application/json").body(body)
    }

    fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    fn describe(&self) -> String {
        let body = String::from_utf8_lossy(&self.body);
        let body: String = body.chars().take(120).collect();
        format!(
            "{} {} {} {:?} {body}",
            self.service, self.method, self.path, self.headers
        )
    }

    async fn send(&self, system: &System) -> Result<Answer, String> {
        let client = system.at(self.service);
        let mut request = client.request(self.method.clone(), &self.path);
        for (name, value) in &self.headers {
            request = request.header(*name, value.as_bytes());
        }
        client
            .try_send(request.body(self.body.clone()))
            .await
            .map_err(|error| format!("{error:?}"))
    }
}

/// What is wrong with the answer; `None`: it is a proper refusal.
fn flaw(bad: &Bad, answer: &Answer) -> Option<String> {
    let Answer { status, body, .. } = answer;
    if !bad.refused.contains(status) {
        return Some(format!("answered {status}, not {:?}: {body}", bad.refused));
    }
    if answer.header("content-type") != "application/problem+json" {
        return Some(format!("content type {:?}", answer.header("content-type")));
    }
    for name in ["type", "title", "detail", "instance", "code", "requestId"] {
        if body[name].as_str().is_none_or(str::is_empty) {
            return Some(format!("{name} is missing: {body}"));
        }
    }
    let path = bad.path.split('?').next().unwrap();
    let code = body["code"].as_str().unwrap();
    if body["status"] != *status
        || body["instance"] != path
        || body["requestId"] != answer.header("x-request-id")
        || !code.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    {
        return Some(format!(
            "status, instance, requestId or code do not fit: {body}"
        ));
    }
    let errors = body["errors"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let named = |error: &Value| error["field"].is_string() && error["message"].is_string();
    if !errors.iter().all(named) || (*status == 422 && errors.is_empty()) {
        return Some(format!("errors do not name the field: {body}"));
    }
    if *status == 405 && answer.header("allow").is_empty() {
        return Some("405 without Allow".to_owned());
    }
    None
}

/// The rows of all tables of all services.
fn rows(system: &System) -> BTreeMap<(Service, String), i64> {
    let of = |service| {
        let tables = system.file(service).rows();
        tables
            .into_iter()
            .map(move |(table, rows)| ((service, table), rows))
    };
    Service::ALL.into_iter().flat_map(of).collect()
}

#[tokio::test]
async fn bad_requests_are_refused_as_problems_and_leave_no_trace() {
    let system = System::start().await;
    let (user, item) = (system.user(1_000_000).await, system.item(100, 100).await);
    let order = system.buy(Sale::of(user, item)).await.id;
    let dear = system.item(MAX_MONEY, 10).await;
    let shop = Shop {
        user,
        item,
        dear,
        order,
    };
    let books = system.settled().await;
    let stored = rows(&system);

    let table: Vec<Bad> = [
        bodies::table(&shop),
        fields::table(&shop),
        paths::table(&shop),
    ]
    .into_iter()
    .flatten()
    .collect();
    assert!(table.len() >= 200, "only {} bad requests", table.len());
    let mut flaws = Vec::new();
    for bad in &table {
        let flaw = match bad.send(&system).await {
            Ok(answer) => flaw(bad, &answer),
            Err(error) => Some(error),
        };
        flaws.extend(flaw.map(|flaw| format!("{}\n    {flaw}", bad.describe())));
    }
    assert!(
        flaws.is_empty(),
        "{} of {}:\n{}",
        flaws.len(),
        table.len(),
        flaws.join("\n")
    );

    assert_eq!(rows(&system), stored, "nothing is stored");
    let now = system.settled().await;
    assert_eq!((now.accounts, now.items), (books.accounts, books.items));
    assert_eq!(
        (now.inventories, now.orders),
        (books.inventories, books.orders)
    );
    for service in Service::ALL {
        assert!(
            !system.log(service).contains("ERROR"),
            "{service} takes a refusal for its fault"
        );
    }
}
