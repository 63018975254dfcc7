//! The proof that a service's OpenAPI document tells of what it answers to, and of nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use actix_web::App;

use crate::http::{Routes, document, shared_routes};
use crate::service::Service;

/// Every route is in the document and the other way round; operations have names of their own, and
/// what they refer to is there. The document is the one in this file, so that a change of the API is
/// seen where changes are read; with `UPDATE=1` in the environment the file is written.
///
/// # Panics
/// Where it is not so.
#[allow(clippy::unwrap_used, clippy::panic)]
pub fn documented<S: Service>(kept: &Path) {
    let document = document::<S>();
    let json = serde_json::to_value(&document).unwrap();
    assert_eq!(json["openapi"], "3.1.0");
    let told: BTreeSet<(String, String)> = json["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, methods)| {
            let methods = methods.as_object().unwrap().keys();
            methods.map(move |method| (path.clone(), method.to_uppercase()))
        })
        .collect();
    assert_eq!(told, routes_of::<S>(), "told, registered");

    let operations = json["paths"].as_object().unwrap().values();
    let operations = operations.flat_map(|methods| methods.as_object().unwrap().values());
    let mut names: Vec<&str> = operations
        .map(|operation| operation["operationId"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1], "two operations of one name");
    }

    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    for reference in text.split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        let found = &json["components"]["schemas"][name];
        assert!(found.is_object(), "{name} is referred to and not there");
    }
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(kept, &text).unwrap();
    }
    let kept_text = std::fs::read_to_string(kept).unwrap_or_default();
    assert!(
        kept_text == text,
        "{} is not today's document: run this test with UPDATE=1, and read the difference",
        kept.display()
    );
}

/// The routes as they are registered, without the files of the page that shows the document.
fn routes_of<S: Service>() -> BTreeSet<(String, String)> {
    let mut known = BTreeSet::new();
    App::new().configure(|app| {
        let mut routes = Routes::new(app);
        S::routes(&mut routes);
        shared_routes::<S>(&mut routes);
        known = routes.known();
    });
    known
        .into_iter()
        .filter(|(path, _)| *path != "/docs/{file:.*}")
        .map(|(path, method)| (path.to_owned(), method))
        .collect()
}
