//! Audits a running system over HTTP. It only reads, in pages, a few at a time, so that a busy
//! system hardly notices.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use saga_events::{OrderId, Service, Timestamp};
use tokio::task::JoinSet;

use crate::client::{Client, IDS, PAGE, Read};
use crate::judge::{Audit, Judge, LOOKS, Look, Rounds};
use crate::report::{Report, SagaRow};

/// Batches of purchases that are read at the same time.
const AT_A_TIME: usize = 4;

/// Which purchases are looked at one by one, and compared with the journals. Sums are always over all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The open ones, and those that some service said something about lately.
    Recent {
        /// How far back.
        within: Duration,
        /// How many of each service's latest, at most 10,000, and how many open ones.
        most: usize,
    },
    /// Every one.
    All,
}

impl Scope {
    /// What changed within this time, as far as these are 2,000 purchases.
    pub const fn recent(within: Duration) -> Self {
        Self::Recent {
            within,
            most: 2_000,
        }
    }
}

impl Default for Scope {
    /// The last five minutes.
    fn default() -> Self {
        Self::recent(Duration::from_secs(300))
    }
}

/// Audits six services.
#[derive(Debug, Clone)]
pub struct Auditor {
    client: Client,
}

/// Some purchases to be read at every service.
#[derive(Debug, Clone)]
enum Batch {
    /// These.
    Orders(Vec<OrderId>),
    /// All above the first and up to the second; the last range has no end, so that what only one
    /// service knows is found there, too. The driver's rows begin it.
    Range(Option<OrderId>, Option<OrderId>),
}

impl Auditor {
    /// Of the services at these base URLs.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(base: impl Fn(Service) -> String) -> Result<Self, reqwest::Error> {
        Ok(Self {
            client: Client::new(base)?,
        })
    }

    /// Waits so long for an answer: reports read whole tables, and millions of rows take a while.
    #[must_use]
    pub fn waiting(mut self, patience: Duration) -> Self {
        self.client.patience = patience;
        self
    }

    /// Reads everybody and judges. Where a sum does not hold, all purchases are read to name those
    /// that make the difference.
    pub async fn audit(&self, scope: Scope) -> Audit {
        let audit = self.pass(scope).await;
        let unnamed = |audit: &Audit| {
            let mut sums = audit.violations().filter(|check| {
                check.orders.is_empty() && crate::sums::SUMS.iter().any(|sum| sum.id == check.id)
            });
            sums.next().is_some()
        };
        if scope != Scope::All && unnamed(&audit) {
            return self.pass(Scope::All).await;
        }
        audit
    }

    /// Reads the purchases alone, which costs little however many there are; for the rest it takes
    /// what an earlier audit said (see [`Judge::glance`]).
    pub async fn glance(&self, scope: Scope, earlier: Option<&Audit>) -> Audit {
        let judge = self.purchases(scope, BTreeSet::new()).await;
        judge.glance(earlier)
    }

    async fn pass(&self, scope: Scope) -> Audit {
        let since = match scope {
            Scope::All => None,
            Scope::Recent { within, .. } => Some(Timestamp::now().minus(within)),
        };
        let before = self.reports(Read::Checks { since }).await;
        let silent = |service: &Service| !before.iter().any(|report| report.service == *service);
        let silent = Service::ALL.into_iter().filter(silent).collect();
        let judge = self.purchases(scope, silent).await;
        let mut rounds = Rounds::new(before);
        rounds.add(self.reports(Read::Totals).await);
        while let Some(wait) = rounds.in_doubt() {
            tokio::time::sleep(wait).await;
            rounds.add(self.reports(Read::Totals).await);
        }
        judge.conclude(&rounds)
    }

    /// What the purchases show, read at all services but those that do not answer.
    async fn purchases(&self, scope: Scope, silent: BTreeSet<Service>) -> Judge {
        let mut pass = Pass {
            client: self.client.clone(),
            missing: Arc::new(Mutex::new(silent)),
            judge: Judge::default(),
            running: JoinSet::new(),
        };
        match scope {
            Scope::All => pass.read_all().await,
            Scope::Recent { within, most } => pass.read_recent(within, most).await,
        }
        pass.finish().await
    }

    async fn reports(&self, read: Read) -> Vec<Report> {
        let mut asked = JoinSet::new();
        for service in Service::ALL {
            let client = self.client.clone();
            asked.spawn(async move { client.report(service, read).await });
        }
        let mut reports: Vec<Report> = asked.join_all().await.into_iter().flatten().collect();
        reports.sort_by_key(|report| report.service);
        reports
    }
}

/// One pass over the purchases.
struct Pass {
    client: Client,
    missing: Arc<Mutex<BTreeSet<Service>>>,
    judge: Judge,
    running: JoinSet<Vec<Look>>,
}

impl Pass {
    fn miss(&self, service: Service) {
        lock(&self.missing).insert(service);
    }

    fn present(&self) -> Vec<Service> {
        let missing = lock(&self.missing);
        let is_there = |service: &Service| !missing.contains(service);
        Service::ALL.into_iter().filter(is_there).collect()
    }

    /// Walks along the ids of the first service that answers, which is order-svc unless it is
    /// away.
    async fn read_all(&mut self) {
        let Some(driver) = self.present().first().copied() else {
            return;
        };
        let mut after = None;
        loop {
            let Some(rows) = self.client.page(driver, after, None).await else {
                return self.miss(driver);
            };
            let until = rows
                .last()
                .filter(|_| rows.len() >= PAGE)
                .map(|row| row.order_id);
            let first = Look {
                service: driver,
                rows: rows.into_iter().map(|row| (row.order_id, row)).collect(),
            };
            self.start(Batch::Range(after, until), vec![first]).await;
            match until {
                Some(until) => after = Some(until),
                None => return,
            }
        }
    }

    async fn read_recent(&mut self, within: Duration, most: usize) {
        let since = Timestamp::now().minus(within);
        let mut orders = BTreeSet::new();
        for service in self.present() {
            match self.client.changed(service, since, most).await {
                Some(rows) => orders.extend(rows.into_iter().map(|row| row.order_id)),
                None => self.miss(service),
            }
        }
        for state in ["PENDING", "CANCELLING"] {
            if self.present().contains(&Service::Order) {
                orders.extend(self.open(state, most).await);
            }
        }
        let orders: Vec<OrderId> = orders.into_iter().collect();
        for some in orders.chunks(IDS) {
            self.start(Batch::Orders(some.to_vec()), Vec::new()).await;
        }
    }

    /// The oldest orders in this state.
    async fn open(&self, state: &str, most: usize) -> Vec<OrderId> {
        let mut orders: Vec<OrderId> = Vec::new();
        while orders.len() < most {
            let after = orders.last().copied();
            let Some(rows) = self.client.page(Service::Order, after, Some(state)).await else {
                self.miss(Service::Order);
                break;
            };
            let is_last = rows.len() < PAGE;
            orders.extend(rows.into_iter().map(|row| row.order_id));
            if is_last {
                break;
            }
        }
        orders
    }

    /// Reads a batch beside the others, once there are not too many.
    async fn start(&mut self, batch: Batch, looks: Vec<Look>) {
        while self.running.len() >= AT_A_TIME {
            self.take_one().await;
        }
        let (client, missing) = (self.client.clone(), self.missing.clone());
        self.running.spawn(read(client, missing, batch, looks));
    }

    /// Once everything is read.
    async fn finish(mut self) -> Judge {
        while !self.running.is_empty() {
            self.take_one().await;
        }
        let missing = std::mem::take(&mut *lock(&self.missing));
        missing
            .into_iter()
            .for_each(|service| self.judge.miss(service));
        self.judge
    }

    async fn take_one(&mut self) {
        if let Some(Ok(looks)) = self.running.join_next().await {
            self.judge.look(&looks);
        }
    }
}

/// Reads a batch at every service that answers, there and back, one after the other: the laws live
/// on the order.
async fn read(
    client: Client,
    missing: Arc<Mutex<BTreeSet<Service>>>,
    batch: Batch,
    mut looks: Vec<Look>,
) -> Vec<Look> {
    let begun = looks.first().map(|look| look.service);
    let rest = usize::from(begun == LOOKS.first().copied());
    for service in LOOKS.into_iter().skip(rest) {
        if lock(&missing).contains(&service) {
            continue;
        }
        let rows = match &batch {
            Batch::Orders(orders) => client.of_orders(service, orders).await,
            Batch::Range(after, until) => range(&client, service, *after, *until).await,
        };
        match rows {
            Some(rows) => looks.push(Look {
                service,
                rows: rows.into_iter().map(|row| (row.order_id, row)).collect(),
            }),
            None => {
                lock(&missing).insert(service);
            }
        }
    }
    looks
}

/// A service's rows above one id and up to another.
async fn range(
    client: &Client,
    service: Service,
    mut after: Option<OrderId>,
    until: Option<OrderId>,
) -> Option<Vec<SagaRow>> {
    let mut found = BTreeMap::new();
    loop {
        let rows = client.page(service, after, None).await?;
        let last = rows.last().map(|row| row.order_id);
        let is_last = rows.len() < PAGE || (until.is_some() && last >= until);
        let inside = rows
            .into_iter()
            .filter(|row| until.is_none_or(|until| row.order_id <= until));
        found.extend(inside.map(|row| (row.order_id, row)));
        if is_last {
            return Some(found.into_values().collect());
        }
        after = last;
    }
}

fn lock(missing: &Mutex<BTreeSet<Service>>) -> std::sync::MutexGuard<'_, BTreeSet<Service>> {
    missing.lock().unwrap_or_else(PoisonError::into_inner)
}
