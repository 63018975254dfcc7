//! The proof that a service's OpenAPI document tells of what it answers to, and of nothing else.

use std::collections::BTreeSet;
use std::path::Path;

use actix_web::App;
use serde_json::Value;
use utoipa::openapi::OpenApi;

use crate::http::{Routes, document, own, shared_document, shared_routes};
use crate::service::Service;

/// Every route is in the document and the other way round; operations have names of their own, and
/// what they refer to is there. The service's own part is kept as `openapi.json` in this folder.
///
/// # Panics
/// Where it is not so.
#[allow(clippy::unwrap_used)]
pub fn documented<S: Service>(folder: &str) {
    let json = serde_json::to_value(document::<S>()).unwrap();
    assert_eq!(json["openapi"], "3.1.0");
    let paths = json["paths"].as_object().unwrap();
    let told = paths.iter().flat_map(|(path, methods)| {
        let methods = methods.as_object().unwrap().keys();
        methods.map(move |method| (path.clone(), method.to_uppercase()))
    });
    let told: BTreeSet<(String, String)> = told.collect();
    assert_eq!(told, routes_of::<S>(), "told, registered");

    let operations = paths.values().flat_map(|path| path.as_object().unwrap());
    let names = operations.map(|(_, operation)| operation["operationId"].as_str().unwrap());
    let mut names: Vec<&str> = names.collect();
    names.sort_unstable();
    for pair in names.windows(2) {
        assert_ne!(pair[0], pair[1], "two operations of one name");
    }

    let schemas = &json["components"]["schemas"];
    for reference in json.to_string().split("\"#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas[name].is_object(), "{name} is not described");
    }
    // The service's own come first: one of the same name would describe what the others answer.
    let shared = serde_json::to_value(shared_document()).unwrap();
    for (name, schema) in shared["components"]["schemas"].as_object().unwrap() {
        assert_eq!(&schemas[name], schema, "two schemas of the name {name}");
    }
    kept(&own::<S>(), folder);
}

/// As [`documented`], of the part that all services share.
///
/// # Panics
/// Where it is not the one that is kept.
pub fn shared_is_kept(folder: &str) {
    kept(&shared_document(), folder);
}

/// The document is the one in the file, so that a change of the API is seen where changes are read;
/// with `UPDATE=1` in the environment the file is written.
#[allow(clippy::unwrap_used)]
fn kept(document: &OpenApi, folder: &str) {
    let path = Path::new(folder).join("openapi.json");
    let today = serde_json::to_value(document).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        let text = serde_json::to_string_pretty(&today).unwrap() + "\n";
        std::fs::write(&path, text).unwrap();
    }
    let kept: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let path = path.display();
    assert!(
        kept == today,
        "{path} is not today's document: run this test with UPDATE=1 and read the difference"
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
        // A parameter that takes the rest of a path is told as one like any other.
        .map(|(path, method)| (path.replace(":.*}", "}"), method))
        .collect()
}
