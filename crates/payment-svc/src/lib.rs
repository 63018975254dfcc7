#![doc = include_str!("../README.md")]

// In the order in which a payment passes through them.
mod config;
mod http;
pub mod saga;
pub mod schema;
pub mod store;

pub mod ask;
pub mod figures;
pub mod gateway;
mod settle;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context;
use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use saga_events::{Event, OrderId};
use svc_chassis::audit::{Accounts, Asked, Beyond};
use svc_chassis::database::Database;
use svc_chassis::http::Routes;
use svc_chassis::metrics::Measures;
use svc_chassis::{Chassis, Error, Outcome, SagaRow, Service, Task, Tx};
use tokio::sync::mpsc;
use utoipa::OpenApi as _;

use ask::{Asker, Due};
use gateway::simulated::Simulated;
use gateway::statement::{self, PAGE};
use gateway::{Gateway, Unknown};
use settle::Desk;

pub use config::Config;

/// A page of the gateway's statement may take so long.
const STATEMENT: Duration = Duration::from_secs(2);

/// payment-svc.
pub struct PaymentSvc {
    gateway: Arc<Simulated>,
    asker: Arc<Asker<Simulated>>,
    /// Charges to ask the gateway for, from the writer after each commit …
    to_ask: mpsc::UnboundedSender<Due>,
    /// … to the one task that asks, which takes this end when it starts.
    to_be_asked: Mutex<Option<mpsc::UnboundedReceiver<Due>>>,
}

impl PaymentSvc {
    /// With this gateway, whose calls end after this long; at most `max_calls` are open at a time.
    pub fn new(gateway: Arc<Simulated>, timeout: Duration, max_calls: usize) -> Self {
        Self::with(gateway.clone(), Asker::new(gateway, timeout, max_calls))
    }

    fn with(gateway: Arc<Simulated>, asker: Asker<Simulated>) -> Self {
        let (to_ask, to_be_asked) = mpsc::unbounded_channel();
        Self {
            gateway,
            asker: Arc::new(asker),
            to_ask,
            to_be_asked: Mutex::new(Some(to_be_asked)),
        }
    }

    /// The charges to ask the gateway for, each after the commit that makes it necessary; for the
    /// one who asks, so only once.
    pub fn charges(&self) -> Option<mpsc::UnboundedReceiver<Due>> {
        self.to_be_asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl Service for PaymentSvc {
    const ME: saga_events::Service = saga_events::Service::Payment;
    const ABOUT: &'static str = "Asks the gateway: the pivot of every purchase";
    const SECTION: &'static str = "gateway";
    const DEFAULTS: &'static str = include_str!("defaults.toml");
    type Config = Config;

    fn migrations() -> Vec<EmbeddedMigrations> {
        const OWN: EmbeddedMigrations = embed_migrations!();
        vec![OWN]
    }

    fn open(chassis: &Chassis, config: Config) -> anyhow::Result<Self> {
        let database =
            Database::from_url(&chassis.settings.database.url).map_err(anyhow::Error::msg)?;
        let book = config.book(database.path());
        let gateway = Arc::new(Simulated::open(&book, config.behaviour())?);
        let asker = Asker::new(gateway.clone(), config.timeout(), config.max_calls);
        Ok(Self::with(gateway, asker.traced(chassis.traces.clone())))
    }

    fn step(&self, tx: &mut Tx<'_>, event: &Event) -> Result<Outcome, Error> {
        let (outcome, charge) = store::apply(tx, event)?;
        if let Some(charge) = charge {
            let due = Due::new(charge, event.traceparent.as_ref());
            let to_ask = self.to_ask.clone();
            // At shutdown nobody listens; the row says so, and it is asked after the next start.
            tx.after_commit(move || {
                let _ = to_ask.send(due);
            });
        }
        Ok(outcome)
    }

    fn saga(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<Option<SagaRow>> {
        store::saga_of(conn, order)
    }

    fn sagas(
        conn: &mut SqliteConnection,
        after: Option<OrderId>,
        state: Option<&str>,
        limit: i64,
    ) -> QueryResult<Vec<SagaRow>> {
        store::sagas(conn, after, state, limit)
    }

    fn is_over(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<bool> {
        store::is_over(conn, order)
    }

    fn audit(conn: &mut SqliteConnection, asked: &Asked) -> QueryResult<Accounts> {
        store::audit::accounts(conn, asked)
    }

    /// The gateway's own statement.
    async fn audit_beyond(&self, chassis: &Chassis, asked: &Asked) -> Beyond {
        let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
        let payments = |after| {
            let readers = &chassis.readers;
            readers.read(move |conn| Ok(store::audit::stated(conn, after, limit)?))
        };
        let charges = |after| async move {
            let page = self.gateway.statement(after, PAGE);
            // Not the time-out of a charge: this reads many.
            let page = tokio::time::timeout(STATEMENT, page).await;
            page.unwrap_or(Err(Unknown::TimedOut))
        };
        statement::compare(payments, charges, asked.checks).await
    }

    fn measures(&self) -> Vec<Arc<dyn Measures>> {
        vec![self.asker.figures().clone()]
    }

    fn routes(routes: &mut Routes<'_>) {
        http::routes(routes);
    }

    fn api() -> utoipa::openapi::OpenApi {
        http::Api::openapi()
    }

    fn tasks(self: &Arc<Self>, chassis: &Chassis) -> Vec<Task> {
        let desk = Arc::new(Desk::new(self.asker.clone(), chassis.clone()));
        let charges = self.charges();
        let task = Task::new("gateway", async move {
            let charges = charges.context("the task that asks was started twice")?;
            desk.run(charges).await
        });
        vec![task.with_events()]
    }
}
