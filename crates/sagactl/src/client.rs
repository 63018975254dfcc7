//! The six services' HTTP APIs, with every failure told in one line.

use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use saga_events::Service;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::exit::Unreachable;
use crate::services::Services;

/// A call that does not wait for a purchase is answered at once; longer is a fault.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// A stream goes on until somebody ends it.
const STREAM_TIMEOUT: Duration = Duration::from_secs(365 * 86_400);
/// What `Prefer: wait` asks for, the most that order-svc grants. Seconds.
const WAIT_S: u64 = 30;

/// Talks to the six services.
pub struct Client {
    http: reqwest::Client,
    services: Services,
}

impl Client {
    /// A client of these services. Opens no connection yet.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(services: Services) -> Result<Self> {
        // No proxy: the services are on this machine or in this cluster.
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(Duration::from_secs(2))
            .pool_idle_timeout(saga_audit::IDLE)
            .timeout(ANSWER_TIMEOUT)
            .build()?;
        Ok(Self { http, services })
    }

    /// `GET`.
    ///
    /// # Errors
    /// No answer, or one that is not a success.
    pub async fn get<T: DeserializeOwned>(&self, service: Service, path: &str) -> Result<T> {
        let request = self.http.get(self.url(service, path));
        self.read(service, path, self.send(service, request).await?)
            .await
    }

    /// `GET` of something that may not be there: 404 is `None`.
    ///
    /// # Errors
    /// No answer, or one that is neither a success nor 404.
    pub async fn find<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
    ) -> Result<Option<T>> {
        let answer = self
            .send(service, self.http.get(self.url(service, path)))
            .await?;
        if answer.status() == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        self.read(service, path, answer).await.map(Some)
    }

    /// `GET` of a text that may not be there: 404 is `None`.
    ///
    /// # Errors
    /// No answer, or one that is neither a success nor 404.
    pub async fn text(&self, service: Service, path: &str) -> Result<Option<String>> {
        let answer = self
            .send(service, self.http.get(self.url(service, path)))
            .await?;
        let status = answer.status();
        if status == StatusCode::NOT_FOUND {
            return Ok(None);
        }
        if !status.is_success() {
            bail!("{service} answered {status} to {path}");
        }
        let text = answer.text().await;
        let broke_off = || format!("{service} broke off at {path}");
        text.with_context(broke_off).map(Some)
    }

    /// Begins to read a stream of Server-Sent Events, after the one with this id. `None`: it has ended.
    ///
    /// # Errors
    /// No answer, or one that is not a success.
    pub async fn stream(
        &self,
        service: Service,
        path: &str,
        after: Option<&str>,
    ) -> Result<Option<Response>> {
        let mut request = self
            .http
            .get(self.url(service, path))
            .timeout(STREAM_TIMEOUT);
        if let Some(after) = after {
            request = request.header("Last-Event-ID", after);
        }
        let answer = self.send(service, request).await?;
        match answer.status() {
            StatusCode::NO_CONTENT => Ok(None),
            StatusCode::OK => Ok(Some(answer)),
            _ => self
                .read::<Value>(service, path, answer)
                .await
                .map(|_| None),
        }
    }

    /// `POST`.
    ///
    /// # Errors
    /// No answer, or one that is not a success.
    pub async fn post<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let request = self.http.post(self.url(service, path)).json(body);
        self.read(service, path, self.send(service, request).await?)
            .await
    }

    /// `POST` that is answered when the purchase is final, or after 30 s with what it is then.
    ///
    /// # Errors
    /// No answer, or one that is not a success.
    pub async fn post_and_wait<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let request = self.http.post(self.url(service, path)).json(body);
        let request = request
            .header("Prefer", format!("wait={WAIT_S}"))
            .timeout(ANSWER_TIMEOUT + Duration::from_secs(WAIT_S));
        self.read(service, path, self.send(service, request).await?)
            .await
    }

    /// `PUT`.
    ///
    /// # Errors
    /// No answer, or one that is not a success.
    pub async fn put<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T> {
        let request = self.http.put(self.url(service, path)).json(body);
        self.read(service, path, self.send(service, request).await?)
            .await
    }

    /// `DELETE`.
    ///
    /// # Errors
    /// No answer, or one that is not a success.
    pub async fn delete<T: DeserializeOwned>(&self, service: Service, path: &str) -> Result<T> {
        let request = self.http.delete(self.url(service, path));
        self.read(service, path, self.send(service, request).await?)
            .await
    }

    /// Any call, whose answer the caller judges: its status and its JSON, `null` where it is none.
    ///
    /// # Errors
    /// No answer.
    pub async fn ask(
        &self,
        service: Service,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(u16, Value)> {
        let mut request = self.http.request(method, self.url(service, path));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = self.send(service, request).await?;
        let status = answer.status().as_u16();
        let broke_off = || Unreachable(format!("{service} broke off at {path}"));
        let body = answer.bytes().await.map_err(|_| broke_off())?;
        Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
    }

    fn url(&self, service: Service, path: &str) -> String {
        format!("{}{path}", self.services.url(service))
    }

    async fn send(&self, service: Service, request: RequestBuilder) -> Result<Response> {
        request.send().await.map_err(|error| {
            let url = self.services.url(service);
            let away = match error {
                error if error.is_builder() => return anyhow!("{service}: {url} is not a URL"),
                error if error.is_timeout() => format!("{service} at {url} answers too slowly"),
                error if error.is_connect() => {
                    format!("{service} does not answer at {url}: is it running?")
                }
                error => format!("{service} at {url} broke off: {error}"),
            };
            Unreachable(away).into()
        })
    }

    async fn read<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
        answer: Response,
    ) -> Result<T> {
        let status = answer.status();
        let body = answer
            .bytes()
            .await
            .with_context(|| format!("{service} broke off at {path}"))?;
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let away = format!("{service} turns {path} away{}", detail(&body));
            return Err(Unreachable(away).into());
        }
        if !status.is_success() {
            bail!("{service} answered {status} to {path}{}", detail(&body));
        }
        serde_json::from_slice(&body)
            .with_context(|| format!("{service} answered {path} with something unexpected"))
    }
}

/// What a problem+json body says, as the end of a sentence; nothing where it says nothing.
fn detail(body: &[u8]) -> String {
    let problem: Value = serde_json::from_slice(body).unwrap_or_default();
    let texts = ["detail", "title"]
        .into_iter()
        .filter_map(|key| problem.get(key)?.as_str());
    texts.take(1).map(|text| format!(": {text}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_is_told_by_its_detail_else_by_its_title() {
        let both = br#"{"title":"Not Found","detail":"The demo is switched off."}"#;
        assert_eq!(detail(both), ": The demo is switched off.");
        assert_eq!(detail(br#"{"title":"Not Found"}"#), ": Not Found");
        assert_eq!(detail(b"<html>"), "");
    }
}
