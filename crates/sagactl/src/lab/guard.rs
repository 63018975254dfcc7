//! Who is let in: a caller with the token, that asked for this very machine, and if it is a page, for
//! the page of this lab's order-svc. A browser lets any site send requests to 127.0.0.1; what it cannot
//! forge are `Host` and `Origin`, and what no other site knows is the token.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{HttpResponse, web};
use svc_chassis::http::Problem;

use super::token::Token;

/// What a page may send.
const METHODS: &str = "GET, POST, PUT, DELETE";
const HEADERS: &str = "authorization, content-type";
/// How long a browser need not ask again whether it may, in seconds.
const MAX_AGE: &str = "600";

/// Knows whom to let in.
#[derive(Clone)]
pub struct Guard {
    token: Token,
    hosts: [String; 3],
    origins: [String; 3],
}

impl Guard {
    /// For a lab on this port, and a page on that one.
    pub fn new(token: Token, lab: u16, page: u16) -> Self {
        let names = ["127.0.0.1", "localhost", "[::1]"];
        Self {
            token,
            hosts: names.map(|name| format!("{name}:{lab}")),
            origins: names.map(|name| format!("http://{name}:{page}")),
        }
    }

    /// The secret.
    pub fn token(&self) -> &str {
        self.token.as_str()
    }

    fn hold(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let forbidden = |code, detail: String| Problem::new(StatusCode::FORBIDDEN, code, detail);
        if !self.is_own_host(headers) {
            let [host, ..] = &self.hosts;
            let detail = format!("the Host header must name this machine: ask http://{host}");
            return Err(forbidden("FOREIGN_HOST", detail));
        }
        if headers.contains_key(header::ORIGIN) && self.own_origin(headers).is_none() {
            let [origin, ..] = &self.origins;
            let detail = format!("only the page at {origin} may ask");
            return Err(forbidden("FOREIGN_ORIGIN", detail));
        }
        let given = text(headers, header::AUTHORIZATION);
        let given = given.and_then(|text| text.strip_prefix("Bearer "));
        if !given.is_some_and(|given| self.token.is(given)) {
            let detail =
                "send `Authorization: Bearer TOKEN`; the lab printed the token at its start";
            return Err(forbidden("NO_TOKEN", detail.to_owned()));
        }
        Ok(())
    }

    fn is_own_host(&self, headers: &HeaderMap) -> bool {
        let host = text(headers, header::HOST);
        host.is_some_and(|host| self.hosts.iter().any(|own| own.eq_ignore_ascii_case(host)))
    }

    fn own_origin(&self, headers: &HeaderMap) -> Option<HeaderValue> {
        let origin = text(headers, header::ORIGIN)?;
        let own = self.origins.iter().find(|own| *own == origin)?;
        HeaderValue::from_str(own).ok()
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

/// The inner middleware: nothing is done for who is not let in.
///
/// # Errors
/// What the lab's calls could not answer; nothing.
pub async fn check(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let held = match request.app_data::<web::Data<Guard>>() {
        Some(guard) => guard.hold(request.headers()),
        None => Err(Problem::unavailable("the lab", "it has no guard")),
    };
    match held {
        Ok(()) => next
            .call(request)
            .await
            .map(ServiceResponse::map_into_boxed_body),
        Err(problem) => Ok(request.error_response(problem)),
    }
}

/// The outer middleware: lets the browser ask for the page, and lets the page read the answer, a
/// refusal, too.
///
/// # Errors
/// What the lab's calls could not answer; nothing.
pub async fn share(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, actix_web::Error> {
    let guard = request.app_data::<web::Data<Guard>>().cloned();
    let guard = guard.filter(|guard| guard.is_own_host(request.headers()));
    let origin = guard.and_then(|guard| guard.own_origin(request.headers()));
    let may_it = request
        .headers()
        .contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut answer = if origin.is_some() && may_it && request.method() == Method::OPTIONS {
        let allowed = HttpResponse::NoContent()
            .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, METHODS))
            .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS))
            .insert_header((header::ACCESS_CONTROL_MAX_AGE, MAX_AGE))
            .finish();
        request.into_response(allowed)
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let headers = answer.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    Ok(answer)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn who_lacks_one_of_three_is_not_let_in() {
        let guard = Guard::new(Token::new().unwrap(), 3010, 3000);
        let token = format!("Bearer {}", guard.token());
        let (page, lab) = ("http://localhost:3000", "127.0.0.1:3010");
        let cases = [
            (Some(lab), None, &*token, Ok(())),
            (Some("LOCALHOST:3010"), Some(page), &token, Ok(())),
            (
                Some("[::1]:3010"),
                Some("http://[::1]:3000"),
                &token,
                Ok(()),
            ),
            (None, None, &token, Err("FOREIGN_HOST")),
            (Some("evil.example:3010"), None, &token, Err("FOREIGN_HOST")),
            (Some("127.0.0.1"), None, &token, Err("FOREIGN_HOST")),
            (Some("127.0.0.1:3000"), None, &token, Err("FOREIGN_HOST")),
            (Some(lab), Some("null"), &token, Err("FOREIGN_ORIGIN")),
            (
                Some(lab),
                Some("https://localhost:3000"),
                &token,
                Err("FOREIGN_ORIGIN"),
            ),
            (
                Some(lab),
                Some("http://localhost:3010"),
                &token,
                Err("FOREIGN_ORIGIN"),
            ),
            (
                Some(lab),
                Some("http://localhost:3000.evil"),
                &token,
                Err("FOREIGN_ORIGIN"),
            ),
            (Some(lab), Some(page), "", Err("NO_TOKEN")),
            (Some(lab), Some(page), guard.token(), Err("NO_TOKEN")),
            (Some(lab), Some(page), "Bearer ", Err("NO_TOKEN")),
        ];
        for (host, origin, authorization, expected) in cases {
            let mut headers = HeaderMap::new();
            let given = [
                (header::HOST, host),
                (header::ORIGIN, origin),
                (header::AUTHORIZATION, Some(authorization)),
            ];
            for (name, value) in given {
                if let Some(value) = value {
                    headers.insert(name, HeaderValue::from_str(value).unwrap());
                }
            }
            let held = guard.hold(&headers);
            let held = held.as_ref().map(drop).map_err(Problem::code);
            assert_eq!(held, expected, "{host:?} {origin:?} {authorization:?}");
        }
    }
}
