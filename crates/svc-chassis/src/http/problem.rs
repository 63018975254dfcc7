//! RFC 9457 `application/problem+json`: what every error answer looks like.

use std::borrow::Cow;
use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{Error, Fault};

/// What an error answer is.
pub(super) const CONTENT_TYPE: &str = "application/problem+json";

/// An error answer. Its `detail` is for the caller; what is wrong inside goes to the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    status: StatusCode,
    code: Cow<'static, str>,
    detail: String,
    fields: Vec<(String, String)>,
    retry_after_s: Option<u32>,
    cause: Option<String>,
}

impl Problem {
    /// A problem with a stable, machine-readable code in capitals and a sentence for the caller.
    pub fn new(
        status: StatusCode,
        code: impl Into<Cow<'static, str>>,
        detail: impl Into<String>,
    ) -> Self {
        let (code, detail) = (code.into(), detail.into());
        Self {
            status,
            code,
            detail,
            fields: Vec::new(),
            retry_after_s: None,
            cause: None,
        }
    }

    /// 404: there is no such thing.
    pub fn not_found(code: &'static str, what: impl fmt::Display) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, format!("there is no {what}"))
    }

    /// 409: not in the state it is in.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 422: one field of the request is not acceptable.
    pub fn invalid(field: impl Into<String>, message: impl fmt::Display) -> Self {
        let field = field.into();
        Self::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "INVALID",
            format!("{field}: {message}"),
        )
        .with_field(field, message)
    }

    /// 400: the request cannot be read; names the field where there is one.
    pub fn malformed(field: impl Into<String>, message: impl fmt::Display) -> Self {
        let field = field.into();
        Self::new(
            StatusCode::BAD_REQUEST,
            "MALFORMED",
            format!("{field}: {message}"),
        )
        .with_field(field, message)
    }

    /// 503 with `Retry-After`: something this service needs is away.
    pub fn unavailable(what: &str, cause: impl fmt::Display) -> Self {
        let detail = format!("{what} is not available; try again");
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", detail)
            .with_retry_after(1)
            .with_cause(cause)
    }

    /// Adds a field to `errors`.
    #[must_use]
    pub fn with_field(mut self, field: impl Into<String>, message: impl fmt::Display) -> Self {
        self.fields.push((field.into(), message.to_string()));
        self
    }

    /// Says when trying again may help, in seconds.
    #[must_use]
    pub fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }

    /// Keeps the cause for the log; it is never sent.
    #[must_use]
    pub fn with_cause(mut self, cause: impl fmt::Display) -> Self {
        self.cause = Some(cause.to_string());
        self
    }

    /// The complete answer to a request for this path under this id.
    pub(crate) fn response_for(&self, path: &str, request_id: &str) -> HttpResponse {
        self.response(Some((path, request_id)))
    }

    fn response(&self, request: Option<(&str, &str)>) -> HttpResponse {
        let error = |(field, message): &(String, String)| WrongField {
            field: field.clone(),
            message: message.clone(),
        };
        let (path, request_id) = request.unzip();
        let body = ProblemBody {
            r#type: format!("urn:saga:problem:{}", self.code),
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: &self.code,
            instance: path,
            request_id,
            errors: self.fields.iter().map(error).collect(),
        };
        let mut response = HttpResponse::build(self.status);
        response.content_type(CONTENT_TYPE);
        if let Some(seconds) = self.retry_after_s {
            response.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds)));
        }
        response.body(serde_json::to_string(&body).unwrap_or_default())
    }

    /// The status code.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// The machine-readable code.
    pub fn code(&self) -> &str {
        &self.code
    }
}

/// Why a request was not answered as it asked for. RFC 9457.
#[derive(Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Problem)]
pub(super) struct ProblemBody<'a> {
    /// `urn:saga:problem:` and the code.
    r#type: String,
    /// The status in words.
    title: &'a str,
    /// The status code.
    #[schema(minimum = 400, maximum = 599)]
    status: u16,
    /// A sentence for people: what is wrong, and what would not be.
    detail: &'a str,
    /// For machines: stable, in capitals.
    code: &'a str,
    /// The path that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    /// The request's id, under which the service's log has the cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    /// What is wrong with which field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<WrongField>,
}

/// What is wrong with a field.
#[derive(Serialize, ToSchema)]
struct WrongField {
    /// Its name, as it is spelled in the request.
    field: String,
    /// What is wrong, and what would not be.
    message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.status.as_u16(), self.code, self.detail)?;
        match &self.cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Problem {}

/// The answer, as far as it is known here: the request's id and path are added on the way out.
impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.status
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.response(None);
        response.extensions_mut().insert(self.clone());
        response
    }
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        let detail = |text: &str| text.to_owned();
        match (error, error.fault()) {
            (Error::Problem(problem), _) => problem.clone(),
            (Error::Database(diesel::result::Error::NotFound), _) => {
                Self::not_found("NOT_FOUND", "such thing")
            }
            (_, Fault::Storage) => Self::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "STORAGE",
                detail("the service cannot store anything at the moment; nothing was changed"),
            )
            .with_retry_after(5)
            .with_cause(error),
            (_, Fault::Own | Fault::Fatal) => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "INTERNAL",
                detail("the service failed; its log has the cause under this request id"),
            )
            .with_cause(error),
        }
    }
}

impl ResponseError for Error {
    fn status_code(&self) -> StatusCode {
        Problem::from(self).status
    }

    fn error_response(&self) -> HttpResponse {
        Problem::from(self).error_response()
    }
}
