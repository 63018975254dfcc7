//! HTTP, as a caller of the services sees it.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Longer than any `Prefer: wait`; shorter than a test's patience.
const TIMEOUT: Duration = Duration::from_secs(40);

/// Talks to one service.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

/// What a service answered.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body as JSON; `null` where it is none.
    pub body: Value,
    /// What was asked, for failures.
    asked: String,
}

impl Client {
    /// A client of the service that listens here.
    pub fn new(port: u16) -> Self {
        let builder = reqwest::Client::builder()
            .no_proxy()
            .timeout(TIMEOUT)
            .pool_idle_timeout(saga_audit::IDLE);
        Self {
            http: builder.build().unwrap(),
            base: format!("http://127.0.0.1:{port}"),
        }
    }

    /// Where it talks to: `http://127.0.0.1:port`.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A request to be completed and given to [`Client::send`].
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.http.request(method, format!("{}{path}", self.base))
    }

    /// Sends a request. `Err`: nobody answered.
    ///
    /// # Errors
    /// The connection's: refused, broken, timed out.
    pub async fn try_send(&self, request: RequestBuilder) -> Result<Answer, reqwest::Error> {
        let (client, request) = request.build_split();
        let request = request?;
        let asked = format!("{} {}", request.method(), request.url());
        let response = client.execute(request).await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await?;
        let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        Ok(Answer {
            status,
            headers,
            body,
            asked,
        })
    }

    /// Sends a request that must be answered.
    pub async fn send(&self, request: RequestBuilder) -> Answer {
        self.try_send(request)
            .await
            .unwrap_or_else(|error| panic!("no answer: {error:?}"))
    }

    /// `GET`.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(self.request(Method::GET, path)).await
    }

    /// `GET` of what is no JSON; answered with 200.
    pub async fn text(&self, path: &str) -> String {
        let answer = self.request(Method::GET, path).send().await;
        let answer = answer.and_then(reqwest::Response::error_for_status);
        let answer = answer.unwrap_or_else(|error| panic!("{path}: {error:?}"));
        answer
            .text()
            .await
            .unwrap_or_else(|error| panic!("{path}: {error:?}"))
    }

    /// `POST` of a JSON body.
    pub async fn post(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::POST, path).json(body)).await
    }

    /// `POST` without a body.
    pub async fn post_empty(&self, path: &str) -> Answer {
        self.send(self.request(Method::POST, path)).await
    }

    /// `PUT` of a JSON body.
    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PUT, path).json(body)).await
    }

    /// `PATCH` of a JSON body.
    pub async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.send(self.request(Method::PATCH, path).json(body))
            .await
    }

    /// All rows of a paged list: `{name: […], nextCursor?}`.
    pub async fn all<T: DeserializeOwned>(&self, path: &str, name: &str) -> Vec<T> {
        let mut rows = Vec::new();
        let mut cursor = String::new();
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = self
                .get(&format!("{path}{separator}limit=100{cursor}"))
                .await
                .expect(200);
            let next = page.body["nextCursor"]
                .as_str()
                .map(|next| format!("&cursor={next}"));
            rows.extend(page.field::<Vec<T>>(name));
            match next {
                None => return rows,
                Some(next) => {
                    assert_ne!(next, cursor, "{path}: the cursor does not move");
                    cursor = next;
                }
            }
        }
    }
}

impl Answer {
    /// Holds the answer to this status.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        let Self { asked, body, .. } = &self;
        assert_eq!(
            self.status, status,
            "{asked} was answered {} {body}",
            self.status
        );
        self
    }

    /// The body as a typed value.
    #[track_caller]
    pub fn json<T: DeserializeOwned>(&self) -> T {
        let read = serde_json::from_value(self.body.clone());
        read.unwrap_or_else(|error| panic!("{} answered {}: {error}", self.asked, self.body))
    }

    /// One field of the body as a typed value.
    #[track_caller]
    pub fn field<T: DeserializeOwned>(&self, name: &str) -> T {
        let read = serde_json::from_value(self.body[name].clone());
        read.unwrap_or_else(|error| {
            panic!("{} answered {}: {name}: {error}", self.asked, self.body)
        })
    }

    /// A header's text; empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
    }
}
