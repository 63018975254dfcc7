//! `GET /` and `GET /ui/…`: the page to watch purchases, from the binary. It loads nothing that is not
//! its own and writes no markup, and the browser is told to see to both.

use std::sync::LazyLock;

use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, ETAG, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::{HttpRequest, HttpResponse, web};
use rust_embed::Embed;
use svc_chassis::http::{Problem, Routes, resource};
use svc_chassis::{Chassis, Error};
use uuid::Uuid;

use super::etag::is_known;
use crate::OrderSvc;

/// The page's files.
#[derive(Embed)]
#[folder = "ui/"]
struct Files;

const INDEX: &str = "index.html";
/// Where the index names the page that it belongs to.
const PAGE: &str = "{{page}}";

pub fn routes(routes: &mut Routes<'_>) {
    resource("/").get(index).register(routes);
    resource("/ui/{file:.*}").get(asset).register(routes);
}

/// Names all files of the page: another name, another page.
pub fn page() -> &'static str {
    static NAME: LazyLock<String> = LazyLock::new(|| {
        let mut names: Vec<_> = Files::iter().collect();
        names.sort_unstable();
        let mut all = Vec::new();
        for name in names {
            all.extend_from_slice(name.as_bytes());
            all.extend(hash(&name).unwrap_or_default());
        }
        Uuid::new_v5(&Uuid::NAMESPACE_URL, &all)
            .simple()
            .to_string()
    });
    &NAME
}

fn hash(name: &str) -> Option<[u8; 32]> {
    Some(Files::get(name)?.metadata.sha256_hash())
}

/// The page to watch purchases
#[utoipa::path(
    get, path = "/", operation_id = "getPage", tag = "page",
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html", headers(("ETag" = String))),
        (status = 304, description = "It is still what the caller has"),
    ),
)]
async fn index(
    request: HttpRequest,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    Ok(file(INDEX, &request, &svc, &chassis)?)
}

/// A file of the page
#[utoipa::path(
    get, path = "/ui/{file}", operation_id = "getAsset", tag = "page",
    params(("file" = String, Path, description = "Its name, with its folder")),
    responses(
        (status = 200, description = "The file", body = String, content_type = "text/javascript", headers(("ETag" = String))),
        (status = 304, description = "It is still what the caller has"),
        (status = 404, description = "`NO_SUCH_PATH`"),
    ),
)]
async fn asset(
    request: HttpRequest,
    svc: web::Data<OrderSvc>,
    chassis: web::Data<Chassis>,
) -> Result<HttpResponse, Error> {
    let name = request.match_info().get("file").unwrap_or_default();
    Ok(file(name, &request, &svc, &chassis)?)
}

fn file(
    name: &str,
    request: &HttpRequest,
    svc: &OrderSvc,
    chassis: &Chassis,
) -> Result<HttpResponse, Problem> {
    let found = Files::get(name)
        .ok_or_else(|| Problem::not_found("NO_SUCH_PATH", format!("path {}", request.path())))?;
    let bytes = match name {
        INDEX => String::from_utf8_lossy(&found.data)
            .replace(PAGE, page())
            .into_bytes(),
        _ => found.data.into_owned(),
    };
    // The index names the page, so it is another one when any other file is.
    let tag = match name {
        INDEX => format!("\"{}\"", page()),
        _ => format!("\"{}\"", hex(&found.metadata.sha256_hash()[..16])),
    };
    let mut answer = if is_known(request.headers(), &tag) {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer
        .insert_header((ETAG, tag.clone()))
        .insert_header((CACHE_CONTROL, "no-cache"))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .insert_header((CONTENT_SECURITY_POLICY, policy(svc.lab_origin(chassis))));
    if is_known(request.headers(), &tag) {
        return Ok(answer.finish());
    }
    Ok(answer.content_type(content_type(name)).body(bytes))
}

fn policy(lab: Option<&str>) -> String {
    let lab = lab.map_or_else(String::new, |origin| format!(" {origin}"));
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'{lab}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
         require-trusted-types-for 'script'; trusted-types 'none'"
    )
}

fn content_type(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some(_) | None => "application/octet-stream",
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn the_index_has_a_place_for_the_name_of_the_page() {
        let index = Files::get(INDEX).unwrap();
        let text = String::from_utf8(index.data.into_owned()).unwrap();
        assert_eq!(text.matches(PAGE).count(), 1);
        assert_eq!(page().len(), 32);
    }

    #[test]
    fn every_file_is_of_a_kind_that_browsers_know() {
        for name in Files::iter() {
            assert_ne!(content_type(&name), "application/octet-stream", "{name}");
        }
    }

    #[test]
    fn only_the_page_itself_and_the_lab_are_spoken_to() {
        assert!(policy(None).contains("connect-src 'self';"));
        let policy = policy(Some("http://127.0.0.1:3010"));
        assert!(policy.contains("connect-src 'self' http://127.0.0.1:3010;"));
    }
}
