//! What no path understands as a body, whatever its fields are.

use reqwest::Method;
use saga_events::{Service, UserId};
use serde_json::json;

use super::{Bad, MALFORMED, Shop};

/// A call that takes a JSON body, with a body that it would take.
pub struct Call {
    /// Whose it is.
    pub service: Service,
    /// `POST`, `PUT` or `PATCH`.
    pub method: Method,
    /// Where.
    pub path: String,
    /// Good.
    pub body: serde_json::Value,
}

impl Call {
    /// The call with another body.
    pub fn with(&self, body: impl Into<Vec<u8>>) -> Bad {
        Bad::new(self.service, self.method.clone(), &*self.path, MALFORMED).json(body)
    }
}

/// Every call of the system that takes a body.
pub fn calls(shop: &Shop) -> Vec<Call> {
    let Shop { user, item, .. } = shop;
    let (new_user, new_item) = (UserId::new(), saga_events::ItemId::new());
    let gateway = json!({
        "kind": "simulated", "approvalRate": 1.0, "latencyMinMs": 0, "latencyMaxMs": 0,
        "outage": "none", "seed": 1
    });
    let calls = [
        (
            Service::Order,
            "POST",
            "/orders".into(),
            json!({"userId": user, "itemId": item, "quantity": 1}),
        ),
        (
            Service::User,
            "POST",
            "/users".into(),
            json!({"username": "new", "balance": 1}),
        ),
        (
            Service::User,
            "PUT",
            format!("/users/{new_user}"),
            json!({"username": "new", "balance": 1}),
        ),
        (
            Service::User,
            "POST",
            format!("/users/{user}/deposits"),
            json!({"amount": 1}),
        ),
        (
            Service::Inventory,
            "PUT",
            format!("/inventories/{user}"),
            json!({"capacity": 30}),
        ),
        (
            Service::Item,
            "POST",
            "/items".into(),
            json!({"name": "new", "price": 1, "stock": 1}),
        ),
        (
            Service::Item,
            "PUT",
            format!("/items/{new_item}"),
            json!({"name": "new", "price": 1, "stock": 1}),
        ),
        (
            Service::Item,
            "PATCH",
            format!("/items/{item}"),
            json!({"price": 2}),
        ),
        (
            Service::Item,
            "POST",
            format!("/items/{item}/restock"),
            json!({"quantity": 1}),
        ),
        (Service::Payment, "PUT", "/gateway".into(), gateway),
    ];
    let call = |(service, method, path, body): (_, &str, _, _)| Call {
        service,
        method: Method::from_bytes(method.as_bytes()).unwrap(),
        path,
        body,
    };
    calls.map(call).into()
}

pub fn table(shop: &Shop) -> Vec<Bad> {
    calls(shop).iter().flat_map(bad_bodies).collect()
}

fn bad_bodies(call: &Call) -> Vec<Bad> {
    let good = call.body.to_string();
    let with_unknown = good.replacen('{', "{\"surprise\":1,", 1);
    let deep = format!("{}{}", "[".repeat(10_000), "]".repeat(10_000));
    let deep_field = good.replacen('{', &format!("{{\"surprise\":{deep},"), 1);
    // What serde would read as the fields in their order.
    let values: Vec<_> = call.body.as_object().unwrap().values().collect();
    let array = serde_json::to_string(&values).unwrap();
    let (name, _) = call.body.as_object().unwrap().iter().next().unwrap();
    let twice = good.replacen('{', &format!("{{\"{name}\":{},", call.body[name]), 1);
    let mut bad: Vec<Bad> = [
        "",
        " ",
        "{",
        "null",
        "true",
        "42",
        "\"text\"",
        "[]",
        "not json",
        &good[..good.len() - 1],
        &format!("{good} and more"),
        &format!("[{good}]"),
        &with_unknown,
        &deep,
        &deep_field,
        &array,
        &twice,
    ]
    .into_iter()
    .map(|body| call.with(body))
    .collect();
    bad.push(call.with([&b"{\"\xff\":1,"[..], &good.as_bytes()[1..]].concat()));
    bad.push(Bad {
        refused: &[413],
        ..call.with(padded(&good, 64 * 1024 + 1))
    });
    bad.push(Bad {
        refused: &[413],
        ..call.with(padded(&good, 1024 * 1024))
    });
    for media_type in [
        "text/plain",
        "application/xml",
        "application/x-www-form-urlencoded",
        "json",
    ] {
        let plain = Bad::new(call.service, call.method.clone(), &*call.path, &[415]);
        bad.push(plain.header("Content-Type", media_type).body(good.clone()));
    }
    bad.push(Bad::new(call.service, call.method.clone(), &*call.path, &[415]).body(good.clone()));
    // Good in all but where it comes from.
    for origin in [
        "http://evil.example",
        "null",
        "http://127.0.0.1:1",
        "https://127.0.0.1",
    ] {
        bad.push(
            Bad {
                refused: &[403],
                ..call.with(good.clone())
            }
            .header("Origin", origin),
        );
    }
    bad
}

/// The same JSON in so many bytes.
fn padded(json: &str, bytes: usize) -> String {
    format!("{json}{}", " ".repeat(bytes - json.len()))
}
