//! Paths that lead nowhere, methods that they do not answer to, queries that cannot be read.

use reqwest::Method;
use saga_events::{OrderId, Service};

use super::{Bad, Shop};

/// Every path of the API with its methods; `{}` stands for an id.
const PATHS: &[(Service, &str, &[&str])] = &[
    (Service::Order, "/orders", &["GET", "POST"]),
    (Service::Order, "/orders/{}", &["GET"]),
    (Service::Order, "/orders/{}/cancel", &["POST"]),
    (Service::Order, "/user/{}/balance", &["GET"]),
    (Service::Order, "/user/{}/inventory", &["GET"]),
    (Service::Order, "/user/{}/orders", &["GET"]),
    (Service::Order, "/items", &["GET"]),
    (Service::Order, "/setup-test-data", &["POST"]),
    (Service::User, "/users", &["GET", "POST"]),
    (Service::User, "/users/{}", &["GET", "PUT"]),
    (Service::User, "/users/{}/balance", &["GET"]),
    (Service::User, "/users/{}/deposits", &["POST"]),
    (Service::User, "/users/{}/holds", &["GET"]),
    (Service::User, "/users/{}/deactivate", &["POST"]),
    (Service::User, "/users/{}/activate", &["POST"]),
    (Service::Inventory, "/inventories/{}", &["GET", "PUT"]),
    (Service::Item, "/items", &["GET", "POST"]),
    (Service::Item, "/items/{}", &["GET", "PUT", "PATCH"]),
    (Service::Item, "/items/{}/restock", &["POST"]),
    (Service::Item, "/items/{}/withdraw", &["POST"]),
    (Service::Payment, "/payments", &["GET"]),
    (Service::Payment, "/payments/{}", &["GET"]),
    (Service::Payment, "/gateway", &["GET", "PUT"]),
    (Service::Notify, "/notifications", &["GET"]),
];
/// What every service has.
const SHARED: &[(&str, &[&str])] = &[
    ("/health/live", &["GET"]),
    ("/health/ready", &["GET"]),
    ("/sagas", &["GET"]),
    ("/sagas/{}", &["GET"]),
];
const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

pub fn table(shop: &Shop) -> Vec<Bad> {
    let mut bad = Vec::new();
    let shared = Service::ALL.into_iter().flat_map(|service| {
        SHARED
            .iter()
            .map(move |(path, methods)| (service, *path, *methods))
    });
    let paths: Vec<_> = PATHS.iter().copied().chain(shared).collect();
    for (service, path, methods) in &paths {
        let known = path.replace("{}", &shop.user.to_string());
        for method in METHODS
            .into_iter()
            .filter(|method| !methods.contains(method))
        {
            bad.push(Bad::new(*service, method_of(method), &*known, &[405]));
        }
        if path.contains("{}") {
            bad.extend(malformed_ids(*service, path, methods));
        }
        if path.ends_with("cancel") || path.ends_with("activate") || path.ends_with("withdraw") {
            let foreign = Bad::new(*service, Method::POST, &*known, &[403]);
            bad.push(foreign.header("Origin", "http://evil.example"));
            let foreign = Bad::new(*service, Method::POST, &*known, &[403]);
            bad.push(foreign.header("Host", "evil.example:3000"));
        }
    }
    bad.extend(unknown_paths());
    bad.extend(unknown_things());
    bad.extend(bad_queries());
    bad
}

fn malformed_ids(service: Service, path: &str, methods: &[&str]) -> Vec<Bad> {
    let ids = [
        "1",
        "me",
        "00000000-0000-0000-0000-00000000000g",
        "%27%20OR%201=1",
        "%00",
        "%F0%9F%8D%95",
    ];
    let method = method_of(methods[0]);
    let bad = |id| Bad::new(service, method.clone(), path.replace("{}", id), &[400, 422]);
    let mut bad: Vec<Bad> = ids.map(bad).into();
    // A PUT or POST that would do something if the id were one.
    for request in &mut bad {
        if *methods == ["POST"] {
            request
                .headers
                .push(("Content-Type", "application/json".into()));
            request.body = match path.rsplit('/').next() {
                Some("deposits") => b"{\"amount\":1}".into(),
                Some("restock") => b"{\"quantity\":1}".into(),
                _ => Vec::new(),
            };
        }
    }
    bad
}

fn unknown_paths() -> Vec<Bad> {
    let paths = [
        "/",
        "/nothing",
        "/orders/",
        "//orders",
        "/users/x/y/z",
        "/admin",
        "/.env",
        "/health",
        "/Items",
    ];
    let paths = Service::ALL
        .into_iter()
        .flat_map(|service| paths.map(|path| (service, path)));
    // order-svc has the page there.
    let paths = paths.filter(|known| *known != (Service::Order, "/"));
    let get = |(service, path): (_, &str)| Bad::new(service, Method::GET, path, &[404]);
    let post = |service| Bad::new(service, Method::POST, "/nothing", &[404]).json("{}");
    paths.map(get).chain(Service::ALL.map(post)).collect()
}

fn unknown_things() -> Vec<Bad> {
    let unknown = OrderId::new();
    let mut bad: Vec<Bad> = [
        (Service::Order, format!("/orders/{unknown}")),
        (Service::Order, format!("/user/{unknown}/balance")),
        (Service::User, format!("/users/{unknown}")),
        (Service::User, format!("/users/{unknown}/balance")),
        (Service::User, format!("/users/{unknown}/holds")),
        (Service::Item, format!("/items/{unknown}")),
        (Service::Payment, format!("/payments/{unknown}")),
    ]
    .into_iter()
    .map(|(service, path)| Bad::new(service, Method::GET, path, &[404]))
    .collect();
    bad.extend(
        Service::ALL
            .map(|service| Bad::new(service, Method::GET, format!("/sagas/{unknown}"), &[404])),
    );
    bad
}

fn bad_queries() -> Vec<Bad> {
    let lists = [
        (Service::Order, "/orders"),
        (Service::User, "/users"),
        (Service::Payment, "/payments"),
        (Service::Notify, "/notifications"),
        (Service::Item, "/items"),
    ];
    let of_all = [
        "limit=0",
        "limit=-1",
        "limit=101",
        "limit=ten",
        "limit=",
        "limit=1e1",
        "surprise=1",
        "cursor=nonsense!",
        "limit=1&limit=2",
        "limit=99999999999999999999",
    ];
    let of_one = [
        (Service::Order, "/orders", "status=DONE"),
        (Service::Order, "/orders", "status=pending"),
        (Service::Order, "/orders", "userId=me"),
        (Service::Order, "/orders", "olderThan=soon"),
        (Service::Order, "/orders", "olderThan=-5s"),
        (Service::Order, "/orders", "olderThan=10"),
        (Service::Item, "/items", "ids=sword"),
        (Service::Item, "/items", "ids="),
        (
            Service::Item,
            "/items",
            "ids=00000000-0000-7000-8000-000000000000&limit=1",
        ),
        (Service::Payment, "/payments", "state=Paid"),
        (Service::Notify, "/notifications", "userId=1"),
    ];
    let sagas = ["after=me", "limit=0", "limit=1001", "limit=x", "surprise=1"];
    let of_all = lists
        .into_iter()
        .flat_map(|(service, path)| of_all.map(|query| (service, path, query)));
    let of_sagas = Service::ALL
        .into_iter()
        .flat_map(|service| sagas.map(|query| (service, "/sagas", query)));
    let all = of_all.chain(of_one).chain(of_sagas);
    all.map(|(service, path, query)| {
        Bad::new(service, Method::GET, format!("{path}?{query}"), &[400, 422])
    })
    .collect()
}

fn method_of(name: &str) -> Method {
    Method::from_bytes(name.as_bytes()).unwrap()
}
