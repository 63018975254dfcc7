//! The other services, over HTTP: for prices and for the answers that are composed of theirs.
//! A purchase itself never depends on such a call.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Method, RequestBuilder, StatusCode};
use saga_events::Service;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use svc_chassis::config::Services;
use svc_chassis::http::Problem;

/// A service that runs answers a connection at once, however busy it is.
const CONNECT: Duration = Duration::from_millis(500);
/// The longest a whole call may take.
const TOTAL: Duration = Duration::from_secs(2);

/// Where the other services are. Cheap to clone.
#[derive(Clone)]
pub struct Peers {
    client: reqwest::Client,
    services: Arc<Services>,
}

impl Peers {
    /// Connections are made when they are needed.
    ///
    /// # Errors
    /// The client cannot be built.
    pub fn new(services: Services) -> anyhow::Result<Self> {
        // The other services are neighbours: what the environment says about proxies is not meant
        // for them.
        let client = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(saga_audit::IDLE)
            .timeout(TOTAL);
        Ok(Self {
            client: client.build()?,
            services: Arc::new(services),
        })
    }

    /// Reads something; `None`: it does not exist.
    ///
    /// # Errors
    /// 503 with `Retry-After` that names the service.
    pub async fn get<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
    ) -> Result<Option<T>, Problem> {
        call(service, self.client.get(self.url(service, path))).await
    }

    /// Makes something unless it exists; answers with it as it is.
    ///
    /// # Errors
    /// As [`Peers::get`].
    pub async fn put<T: DeserializeOwned>(
        &self,
        service: Service,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Problem> {
        let made = call(service, self.client.put(self.url(service, path)).json(body)).await?;
        made.ok_or_else(|| Problem::unavailable(service.as_str(), format!("PUT {path}: 404")))
    }

    /// Asks for something, and takes the answer as it is.
    ///
    /// # Errors
    /// Why there was none, in a few words.
    pub async fn ask(
        &self,
        service: Service,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, String> {
        let mut request = self.client.request(method, self.url(service, path));
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| cause(&error))?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(|error| cause(&error))?;
        Ok(Reply {
            status,
            body: body.into(),
        })
    }

    /// Where a service is: its base URL.
    pub fn base(&self, service: Service) -> &str {
        self.services.url(service).trim_end_matches('/')
    }

    fn url(&self, service: Service, path: &str) -> String {
        format!("{}{path}", self.base(service))
    }
}

/// What a service has answered, whatever that is.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status code.
    pub status: StatusCode,
    /// What it says.
    pub body: Vec<u8>,
}

impl Reply {
    /// Whether it did what it was asked for.
    pub fn is_success(&self) -> bool {
        self.status.is_success()
    }

    /// What it says, read as this.
    ///
    /// # Errors
    /// It is not that.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// What it says of a problem, for people.
    pub fn detail(&self) -> String {
        let problem: Option<Value> = self.json().ok();
        let detail = problem.and_then(|problem| Some(problem["detail"].as_str()?.to_owned()));
        detail.unwrap_or_else(|| format!("answers {}", self.status))
    }
}

async fn call<T: DeserializeOwned>(
    service: Service,
    request: RequestBuilder,
) -> Result<Option<T>, Problem> {
    let away = |error: reqwest::Error| Problem::unavailable(service.as_str(), chain(&error));
    let answer = request.send().await.map_err(away)?;
    if answer.status() == StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let answer = answer.error_for_status().map_err(away)?;
    answer.json().await.map(Some).map_err(away)
}

/// reqwest's own text says only that it failed; its sources say why.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}

/// The last of the sources: why, without where.
fn cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}
