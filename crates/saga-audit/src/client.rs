//! The six services over HTTP, as far as an audit reads them.

use std::collections::BTreeMap;
use std::time::Duration;

use saga_events::{OrderId, Service, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::report::{Report, SagaRow};

/// A service that runs answers a connection at once, however busy it is.
const CONNECT: Duration = Duration::from_secs(1);
/// How long a client of the services may keep a connection that it does not use. They close it after
/// five seconds, and a request that is written at that very moment is lost.
pub const IDLE: Duration = Duration::from_secs(2);
/// A report reads whole tables, so it may take a while; a service that hangs must not hold up the
/// audit for ever. This is for some hundred thousand purchases on a machine that has more to do.
const PATIENCE: Duration = Duration::from_secs(20);
/// Rows of a page, the most that a service gives.
pub(crate) const PAGE: usize = 1000;
/// Purchases asked for by their ids at once, the most that a service looks up.
pub(crate) const IDS: usize = 500;

/// Reads the six services. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    /// How long an answer may take.
    pub(crate) patience: Duration,
    bases: BTreeMap<Service, String>,
}

/// What a service is to say about itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Read {
    /// Its totals.
    Totals,
    /// And the laws that it can judge alone, its rows against the journal from then on, or all.
    Checks { since: Option<Timestamp> },
}

#[derive(Deserialize)]
struct Sagas {
    sagas: Vec<SagaRow>,
}

impl Client {
    pub(crate) fn new(base: impl Fn(Service) -> String) -> Result<Self, reqwest::Error> {
        // The services are neighbours: what the environment says about proxies is not meant for
        // them.
        let http = reqwest::Client::builder()
            .no_proxy()
            .connect_timeout(CONNECT)
            .pool_idle_timeout(IDLE)
            .build()?;
        let base = |service| (service, base(service).trim_end_matches('/').to_owned());
        Ok(Self {
            http,
            patience: PATIENCE,
            bases: Service::ALL.into_iter().map(base).collect(),
        })
    }

    /// What a service says about itself; its checks cost it more than its totals. Where it finds a
    /// violation it says so with another status, and the same body.
    pub(crate) async fn report(&self, service: Service, read: Read) -> Option<Report> {
        let path = match read {
            Read::Totals => "/audit?of=self&checks=false".to_owned(),
            Read::Checks { since: None } => "/audit?of=self".to_owned(),
            Read::Checks { since: Some(since) } => format!("/audit?of=self&since={since}"),
        };
        let report: Report = self.get(service, &path).await?;
        (report.service == service).then_some(report)
    }

    /// Its rows of these purchases.
    pub(crate) async fn of_orders(
        &self,
        service: Service,
        orders: &[OrderId],
    ) -> Option<Vec<SagaRow>> {
        let ids: Vec<String> = orders.iter().map(OrderId::to_string).collect();
        let path = format!("/sagas?orders={}", ids.join(","));
        Some(self.get::<Sagas>(service, &path).await?.sagas)
    }

    /// A page of its rows in order of the purchase's id.
    pub(crate) async fn page(
        &self,
        service: Service,
        after: Option<OrderId>,
        state: Option<&str>,
    ) -> Option<Vec<SagaRow>> {
        let mut path = format!("/sagas?limit={PAGE}");
        if let Some(after) = after {
            path.push_str(&format!("&after={after}"));
        }
        if let Some(state) = state {
            path.push_str(&format!("&state={state}"));
        }
        Some(self.get::<Sagas>(service, &path).await?.sagas)
    }

    /// The purchases that it said something about lately, the latest first.
    pub(crate) async fn changed(
        &self,
        service: Service,
        since: Timestamp,
        most: usize,
    ) -> Option<Vec<SagaRow>> {
        let path = format!("/sagas?changedSince={since}&limit={most}");
        Some(self.get::<Sagas>(service, &path).await?.sagas)
    }

    /// `None`: it did not answer, or not as a service of this system does. A lost connection is
    /// tried once more: a service is not away because of one packet.
    async fn get<T: DeserializeOwned>(&self, service: Service, path: &str) -> Option<T> {
        let url = format!("{}{path}", self.bases.get(&service)?);
        // A problem is not what is asked for, so it cannot be taken for an answer.
        let ask = async || {
            let request = self.http.get(&url).timeout(self.patience);
            request.send().await?.json().await
        };
        match ask().await {
            Err(lost) if lost.is_connect() || lost.is_request() && !lost.is_timeout() => {
                ask().await.ok()
            }
            answer => answer.ok(),
        }
    }
}
