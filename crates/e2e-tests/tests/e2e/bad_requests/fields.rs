//! Fields that are missing, of the wrong type, out of their range, or that do not fit what there is.

use reqwest::Method;
use saga_events::{ItemId, MAX_MONEY, Service, UserId};
use serde_json::{Value, json};

use super::bodies::{Call, calls};
use super::{Bad, Shop};

pub fn table(shop: &Shop) -> Vec<Bad> {
    let mut bad: Vec<Bad> = calls(shop).iter().flat_map(bad_fields).collect();
    bad.extend(bad_keys(shop));
    bad.extend(misfits(shop));
    bad
}

/// Each field of a good body: left out where it must be there, and with values that it cannot have.
fn bad_fields(call: &Call) -> Vec<Bad> {
    let mut bad = Vec::new();
    for name in call.body.as_object().unwrap().keys() {
        if is_required(call, name) {
            let mut body = call.body.clone();
            body.as_object_mut().unwrap().remove(name);
            bad.push(call.with(body.to_string()));
        }
        // As texts: not every bad number has a value in JSON's own types.
        for value in bad_values(name) {
            let mut body = call.body.clone();
            body[name] = json!("HERE");
            bad.push(call.with(body.to_string().replace("\"HERE\"", &value)));
        }
    }
    bad
}

fn is_required(call: &Call, name: &str) -> bool {
    name != "balance" && call.method != Method::PATCH
}

fn bad_values(name: &str) -> Vec<String> {
    let not_numbers = [
        "null",
        "true",
        "\"1\"",
        "1.5",
        "1e3",
        "[1]",
        "{}",
        "-1",
        "99999999999999999999",
    ];
    let numbers = |out_of_range: &[i64]| {
        let out_of_range = out_of_range.iter().map(i64::to_string);
        not_numbers
            .into_iter()
            .map(str::to_owned)
            .chain(out_of_range)
            .collect()
    };
    let texts = |bad: &[&str]| bad.iter().map(|text| (*text).to_owned()).collect();
    match name {
        "userId" | "itemId" => texts(&[
            "null",
            "1",
            "\"\"",
            "\"me\"",
            "[]",
            "{}",
            "\"00000000-0000-0000-0000-00000000000\"",
            "\"zzzzzzzz-0000-7000-8000-000000000000\"",
            "\"../../etc/passwd\"",
            "\"' OR 1=1 --\"",
        ]),
        "quantity" => numbers(&[0, MAX_MONEY + 1, i64::MIN]),
        "amount" | "price" => numbers(&[0, MAX_MONEY + 1, i64::MAX, i64::MIN]),
        "balance" | "stock" => numbers(&[MAX_MONEY + 1, i64::MIN]),
        "capacity" => numbers(&[10_001, i64::MAX]),
        "username" | "name" => {
            let too_long = format!("\"{}\"", "x".repeat(101));
            texts(&[
                "null",
                "1",
                "[]",
                "{}",
                "\"\"",
                "\"tab\\tbed\"",
                "\"\\u0000\"",
                "\"a\\nb\"",
                &too_long,
            ])
        }
        "approvalRate" => texts(&["null", "\"1\"", "-0.1", "1.01", "1e9", "[]", "true"]),
        "latencyMinMs" | "latencyMaxMs" => texts(&["null", "\"1\"", "-1", "1.5", "[]"]),
        "outage" => texts(&["null", "1", "\"\"", "\"sometimes\"", "\"NONE\"", "[]"]),
        "seed" => texts(&["null", "\"1\"", "1.5", "[]"]),
        "kind" => texts(&["null", "1", "\"real\"", "[]"]),
        other => panic!("no bad values for {other}"),
    }
}

/// `Idempotency-Key`: 1 to 255 printable ASCII characters.
fn bad_keys(shop: &Shop) -> Vec<Bad> {
    let keyed = calls(shop)
        .into_iter()
        .filter(|call| call.method == Method::POST);
    let keys = ["", &"k".repeat(256), "schlüssel", "tab\tbed", "열쇠"].map(str::to_owned);
    keyed
        .flat_map(|call| {
            keys.clone().map(|key| {
                call.with(call.body.to_string())
                    .header("Idempotency-Key", key)
            })
        })
        .collect()
}

/// Well-formed, but not for what there is.
fn misfits(shop: &Shop) -> Vec<Bad> {
    let Shop {
        user,
        item,
        dear,
        order,
    } = shop;
    let (nobody, nothing) = (UserId::new(), ItemId::new());
    let post = |service, path: String, body: Value, refused| {
        Bad::new(service, Method::POST, path, refused).json(body.to_string())
    };
    let mut bad = vec![
        // Two of them cost more than there can be.
        post(
            Service::Order,
            "/orders".into(),
            json!({"userId": user, "itemId": dear, "quantity": 2}),
            &[422],
        ),
        post(
            Service::Order,
            "/orders".into(),
            json!({"userId": user, "itemId": nothing, "quantity": 1}),
            &[404],
        ),
        post(
            Service::User,
            format!("/users/{nobody}/deposits"),
            json!({"amount": 1}),
            &[404],
        ),
        post(
            Service::User,
            format!("/users/{user}/deposits"),
            json!({"amount": MAX_MONEY}),
            &[409, 422],
        ),
        post(
            Service::Item,
            format!("/items/{nothing}/restock"),
            json!({"quantity": 1}),
            &[404],
        ),
        post(
            Service::Item,
            format!("/items/{item}/restock"),
            json!({"quantity": MAX_MONEY}),
            &[409, 422],
        ),
        Bad::new(
            Service::Item,
            Method::PATCH,
            format!("/items/{nothing}"),
            &[404],
        )
        .json("{\"price\":1}"),
        Bad::new(
            Service::Inventory,
            Method::PUT,
            format!("/inventories/{user}"),
            &[409],
        )
        .json("{\"capacity\":0}"),
        Bad::new(
            Service::Order,
            Method::POST,
            format!("/orders/{order}/cancel"),
            &[409],
        ),
        Bad::new(
            Service::Order,
            Method::POST,
            format!("/orders/{nobody}/cancel"),
            &[404],
        ),
        Bad::new(
            Service::User,
            Method::POST,
            format!("/users/{nobody}/deactivate"),
            &[404],
        ),
        Bad::new(
            Service::User,
            Method::POST,
            format!("/users/{nobody}/activate"),
            &[404],
        ),
        Bad::new(
            Service::Item,
            Method::POST,
            format!("/items/{nothing}/withdraw"),
            &[404],
        ),
    ];
    let latencies = json!({
        "kind": "simulated", "approvalRate": 1.0, "latencyMinMs": 2, "latencyMaxMs": 1,
        "outage": "none", "seed": 1
    });
    bad.push(
        Bad::new(Service::Payment, Method::PUT, "/gateway", &[422]).json(latencies.to_string()),
    );
    bad
}
