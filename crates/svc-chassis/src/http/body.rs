//! Reading requests strictly: what is not understood is refused, with the field's name.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, web};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_json::error::Category;
use std::future::Future;
use std::pin::Pin;
use utoipa::IntoParams;

use super::Problem;
use crate::error::Error;

/// The largest body that is read.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// A JSON body. The type should `deny_unknown_fields`, and its fields' types check their ranges.
#[derive(Debug)]
pub struct Body<T> {
    /// What was asked for.
    pub value: T,
    /// The parsed body as it came: what an idempotency key is compared by.
    pub json: Value,
}

impl<T: DeserializeOwned> FromRequest for Body<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self, Error>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let is_json = request
            .headers()
            .get(actix_web::http::header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"));
        let mut payload = payload.take();
        let declared = request
            .headers()
            .get(actix_web::http::header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        Box::pin(async move {
            if !is_json {
                let detail = "send the body as Content-Type: application/json";
                let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
                return Err(Problem::new(status, "UNSUPPORTED_MEDIA_TYPE", detail).into());
            }
            let bytes = read(&mut payload, declared).await?;
            Ok(parse(&bytes)?)
        })
    }
}

async fn read(payload: &mut Payload, declared: Option<usize>) -> Result<Vec<u8>, Problem> {
    let too_large = || {
        let detail = format!("a body may have {MAX_BODY_BYTES} bytes");
        Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", detail)
    };
    if declared.is_some_and(|length| length > MAX_BODY_BYTES) {
        return Err(too_large());
    }
    let mut bytes = Vec::with_capacity(declared.unwrap_or(256));
    while let Some(chunk) = next_chunk(payload).await {
        let chunk = chunk.map_err(|error| Problem::malformed("body", error))?;
        if bytes.len() + chunk.len() > MAX_BODY_BYTES {
            return Err(too_large());
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

async fn next_chunk(
    payload: &mut Payload,
) -> Option<Result<web::Bytes, actix_web::error::PayloadError>> {
    std::future::poll_fn(|cx| futures_core::Stream::poll_next(Pin::new(&mut *payload), cx)).await
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<Body<T>, Problem> {
    // Parsed as JSON first: a duplicate or unknown field is then one of a body that is well-formed.
    let json: Value = serde_json::from_slice(bytes).map_err(|error| not_json(&error))?;
    if !json.is_object() {
        // serde would read an array as the fields in their order.
        return Err(Problem::malformed("body", "must be a JSON object"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let field = if path == "." { "body".to_owned() } else { path };
        match error.inner().classify() {
            Category::Data => Problem::invalid(
                named_in(error.inner()).unwrap_or(field),
                reason(error.inner()),
            ),
            Category::Io | Category::Syntax | Category::Eof => not_json(error.inner()),
        }
    })?;
    Ok(Body { value, json })
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::malformed("body", format!("is not JSON that can be read: {error}"))
}

/// The field that serde names in its message but not in its path: a missing or an unknown one.
fn named_in(error: &impl ToString) -> Option<String> {
    let text = error.to_string();
    let rest = ["missing field `", "unknown field `", "duplicate field `"]
        .iter()
        .find_map(|start| text.strip_prefix(start))?;
    Some(rest.split('`').next()?.to_owned())
}

/// serde's words without the position, which means little to a caller who sent one line.
fn reason(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ")
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// A query string. The type should `deny_unknown_fields`.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Error;
    type Future = std::future::Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let pairs = form_urlencoded::parse(request.query_string().as_bytes());
        let parsed = serde_path_to_error::deserialize(serde_urlencoded::Deserializer::new(pairs));
        let parsed = parsed.map(Self).map_err(|error| {
            let path = error.path().to_string();
            let field = named_in(error.inner()).unwrap_or(if path == "." {
                "query".to_owned()
            } else {
                path
            });
            Problem::malformed(field, error.inner()).into()
        });
        std::future::ready(parsed)
    }
}

/// `?limit=&cursor=`: a page of a list. A cursor is opaque to callers; it is the last row's id.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct Page {
    /// How many rows, 1 to 100; 100 unless given.
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<i64>,
    /// The `nextCursor` of the page before.
    #[param(format = Uuid)]
    pub cursor: Option<String>,
}

/// Reads the id in a path's `{id}` (or another name).
///
/// # Errors
/// 400 that names it when it is no UUID.
pub fn id_in_path<Id: std::str::FromStr>(request: &HttpRequest, name: &str) -> Result<Id, Problem> {
    let text = request.match_info().get(name).unwrap_or_default();
    text.parse()
        .map_err(|_| Problem::malformed(name, "must be a UUID"))
}
