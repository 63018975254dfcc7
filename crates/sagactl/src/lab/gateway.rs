//! The simulated gateway's controls: what payment-svc says of them, and what the lab sets.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use actix_web::http::StatusCode;
use reqwest::Method;
use saga_events::Service;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use svc_chassis::http::Problem;
use tokio::time::{sleep, timeout};

use super::Lab;

const PATH: &str = "/gateway";
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(500);
/// Who does not answer by then is away.
const ANSWER: Duration = Duration::from_millis(400);

/// What payment-svc said last.
#[derive(Default)]
pub struct Gateway(Mutex<Option<Shown>>);

/// As much of it as the lab shows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Shown {
    approval_rate: f64,
    outage: String,
}

/// What is to be otherwise. payment-svc knows what it may be.
#[derive(Debug, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wanted {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    approval_rate: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    outage: Option<Value>,
}

impl Gateway {
    /// None: payment-svc is away.
    pub fn shown(&self) -> Option<Shown> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn show(&self, shown: Option<Shown>) -> bool {
        let mut before = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let differs = *before != shown;
        *before = shown;
        differs
    }
}

impl Lab {
    /// Looks at it all the while: payment-svc makes it what it was when it starts anew.
    pub async fn look_at_the_gateway(&self) {
        loop {
            let asked = timeout(ANSWER, self.client.get(Service::Payment, PATH)).await;
            if self.gateway.show(asked.ok().and_then(Result::ok)) {
                self.has_changed();
            }
            sleep(PAUSE).await;
        }
    }

    /// Lets it behave otherwise. Returns what payment-svc answers, be it a refusal.
    ///
    /// # Errors
    /// payment-svc does not answer.
    pub async fn set_gateway(&self, wanted: &Wanted) -> Result<(StatusCode, Value), Problem> {
        let found = self.ask(Service::Payment, Method::GET, PATH, None).await?;
        let (status, Value::Object(mut settings)) = found else {
            return Err(Problem::unavailable("payment-svc", "no settings came"));
        };
        if !status.is_success() {
            return Ok((status, Value::Object(settings)));
        }
        let wanted = serde_json::to_value(wanted).unwrap_or_default();
        let wanted: Map<String, Value> = wanted.as_object().cloned().unwrap_or_default();
        settings.extend(wanted);
        let body = Value::Object(settings);
        let (status, answer) = self
            .ask(Service::Payment, Method::PUT, PATH, Some(&body))
            .await?;
        if !status.is_success() {
            return Ok((status, answer));
        }
        let shown: Option<Shown> = serde_json::from_value(answer).ok();
        let body = serde_json::to_value(&shown).unwrap_or_default();
        self.gateway.show(shown);
        self.has_changed();
        Ok((status, body))
    }

    /// Ends its outage.
    ///
    /// # Errors
    /// payment-svc does not answer, or refuses.
    pub async fn gateway_is_well(&self) -> Result<(), Problem> {
        let wanted = Wanted {
            approval_rate: None,
            outage: Some("none".into()),
        };
        match self.set_gateway(&wanted).await? {
            (status, _) if status.is_success() => Ok(()),
            (status, answer) => {
                let why = format!("PUT {PATH} was answered {status}: {answer}");
                Err(Problem::unavailable("the gateway", why))
            }
        }
    }

    /// Asks a service for something; any answer is one.
    ///
    /// # Errors
    /// 503: it is away.
    pub async fn ask(
        &self,
        service: Service,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), Problem> {
        let answered = self.client.ask(service, method, path, body).await;
        let (status, body) = answered.map_err(|why| Problem::unavailable(service.as_str(), why))?;
        let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
        Ok((status, body))
    }
}
