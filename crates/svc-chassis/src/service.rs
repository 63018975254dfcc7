//! What a service has to say to the chassis.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use diesel::prelude::*;
use diesel_migrations::EmbeddedMigrations;
use saga_audit::SagaRow;
use saga_events::{Event, OrderId};
use serde::de::DeserializeOwned;

use crate::audit::{Accounts, Asked, Beyond};
use crate::chassis::Chassis;
use crate::config::Validate;
use crate::error::Error;
use crate::http::Routes;
use crate::metrics::Measures;
use crate::writer::Tx;

/// One of the six. Everything else (configuration, telemetry, HTTP, writer, outbox, relay,
/// consumer, dead letters, shutdown) is the chassis'.
pub trait Service: Send + Sync + Sized + 'static {
    /// Who it is: its name, port, subscriptions.
    const ME: saga_events::Service;
    /// One sentence for `--help`.
    const ABOUT: &'static str;
    /// The name of its own section of the configuration, and that section's defaults as TOML.
    const SECTION: &'static str;
    /// `[order]\ndeadline_ms = 60000` and so on, commented.
    const DEFAULTS: &'static str;
    /// Its own section, with `deny_unknown_fields`.
    type Config: DeserializeOwned + Validate + Clone + Send + Sync + 'static;

    /// The migrations of its own tables, oldest first; the chassis' come before.
    fn migrations() -> Vec<EmbeddedMigrations>;

    /// Makes the service. The database is open and migrated; nothing runs yet.
    ///
    /// # Errors
    /// What keeps it from starting, in one line.
    fn open(chassis: &Chassis, config: Self::Config) -> anyhow::Result<Self>;

    /// Applies one event that this service consumes, inside the writer's transaction. May run
    /// again for the same event after its transaction was undone: it keeps no state of its own.
    ///
    /// # Errors
    /// Technical ones only: the event is tried again, and is a dead letter after some tries. A
    /// business refusal is an outgoing message.
    fn step(&self, tx: &mut Tx<'_>, event: &Event) -> Result<Outcome, Error>;

    /// Where it stands with a purchase.
    ///
    /// # Errors
    /// The database's.
    fn saga(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<Option<SagaRow>>;

    /// A page of its rows in order of the order's id.
    ///
    /// # Errors
    /// The database's.
    fn sagas(
        conn: &mut SqliteConnection,
        after: Option<OrderId>,
        state: Option<&str>,
        limit: i64,
    ) -> QueryResult<Vec<SagaRow>>;

    /// Whether a purchase is over here: its row will never change again, and has nothing to say of its
    /// own accord. What was said about it may then be pruned from the journal: the row alone
    /// answers whoever asks again.
    ///
    /// # Errors
    /// The database's.
    fn is_over(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<bool>;

    /// What its own tables add up to, and the laws that it can judge alone. Called in one read
    /// transaction.
    ///
    /// # Errors
    /// The database's.
    fn audit(conn: &mut SqliteConnection, asked: &Asked) -> QueryResult<Accounts>;

    /// What an audit compares with something that is not in its database.
    fn audit_beyond(&self, _: &Chassis, _: &Asked) -> impl Future<Output = Beyond> + Send {
        std::future::ready(Beyond::default())
    }

    /// What it counts beside what all services count, for `GET /metrics`.
    fn measures(&self) -> Vec<Arc<dyn Measures>> {
        Vec::new()
    }

    /// Brings up to date what of that only the database knows: called before a scrape or a status,
    /// a few times a second at most, in a read transaction.
    ///
    /// # Errors
    /// The database's.
    fn look(&self, _conn: &mut SqliteConnection) -> QueryResult<()> {
        Ok(())
    }

    /// Its routes; the shared ones are there already. Handlers take `web::Data<Self>` and
    /// `web::Data<Chassis>`.
    fn routes(routes: &mut Routes<'_>);

    /// What its routes take and answer, for `GET /openapi.json`.
    fn api() -> utoipa::openapi::OpenApi;

    /// What it runs beside HTTP and the consumer. A task that ends before shutdown ends the
    /// service: it names what failed.
    fn tasks(self: &Arc<Self>, _chassis: &Chassis) -> Vec<Task> {
        Vec::new()
    }
}

/// Something a service runs until [`Chassis::shutdown`] is cancelled.
pub struct Task {
    /// What the log calls it.
    pub name: &'static str,
    /// The task; an error ends the service.
    pub run: Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>,
    /// Whether it runs on the event thread.
    pub(crate) with_events: bool,
}

impl Task {
    /// A named task.
    pub fn new(
        name: &'static str,
        run: impl Future<Output = anyhow::Result<()>> + Send + 'static,
    ) -> Self {
        Self {
            name,
            run: Box::pin(run),
            with_events: false,
        }
    }

    /// Runs it on the event thread: what a commit hands to it, and what it hands to the writer, is there
    /// without waking another thread. It waits for commits, and they for it: it must be quick.
    #[must_use]
    pub fn with_events(self) -> Self {
        Self {
            with_events: true,
            ..self
        }
    }
}

/// What an event did, for the log and for the dead letters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// The state is a new one: its name.
    Changed(&'static str),
    /// The last output was said again: the input carried a higher attempt.
    Repeated,
    /// A plain duplicate: nothing happened.
    Duplicate,
    /// A cell that cannot be reached unless something is broken: nothing changed, the event is a
    /// dead letter, an alarm is raised.
    Impossible(String),
}

impl Outcome {
    /// For machines: the field `outcome` of logs and traces, the label of the metrics.
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Changed(_) => "changed",
            Self::Repeated => "repeated",
            Self::Duplicate => "duplicate",
            Self::Impossible(_) => "impossible",
        }
    }

    /// For people: the new state, or what was done instead.
    pub const fn words(&self) -> &'static str {
        match self {
            Self::Changed(state) => state,
            Self::Repeated => "said again",
            Self::Duplicate => "nothing changed",
            Self::Impossible(_) => "impossible",
        }
    }
}

/// A cell of a state table that cannot be reached unless something is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("impossible: {input} in state {state}")]
pub struct Impossible {
    state: &'static str,
    input: &'static str,
}

impl Impossible {
    /// Of a state (`–` where there is no row) and an input, by their names.
    pub fn new(state: &'static str, input: impl Into<&'static str>) -> Self {
        Self {
            state,
            input: input.into(),
        }
    }
}
