//! The six services as the simulator runs them: their own steps, with somebody who looks at the row
//! before and after each, lets a step fail now and then, and can break one on purpose.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use diesel::prelude::*;
use diesel_migrations::EmbeddedMigrations;
use inventory_svc::InventorySvc;
use item_svc::ItemSvc;
use notify_svc::NotifySvc;
use order_svc::OrderSvc;
use payment_svc::PaymentSvc;
use saga_events::{Event, EventId, OrderId};
use saga_model::world::Row;
use svc_chassis::audit::{Accounts, Asked};
use svc_chassis::http::Routes;
use svc_chassis::{Chassis, Error, Outcome, SagaRow, Service, Tx, participant};
use user_svc::UserSvc;

use crate::wrong::Wrong;

/// A service whose row can be looked at as the model knows it.
pub trait Stage: Service {
    /// The row of an order.
    ///
    /// # Errors
    /// The database's.
    fn row(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<Option<Row>>;
}

impl Stage for OrderSvc {
    fn row(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<Option<Row>> {
        let stored = order_svc::store::find(conn, order)?;
        Ok(stored.map(|stored| Row::Order(stored.order)))
    }
}

macro_rules! participants {
    ($($service:ty)*) => {
        $(impl Stage for $service {
            fn row(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<Option<Row>> {
                Ok(participant::hold_of(conn, order)?.map(Row::Hold))
            }
        })*
    };
}

participants! { UserSvc InventorySvc ItemSvc }

impl Stage for PaymentSvc {
    fn row(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<Option<Row>> {
        let shown = payment_svc::store::payment_of(conn, order)?;
        Ok(shown.map(|shown| Row::Payment(shown.payment)))
    }
}

impl Stage for NotifySvc {
    fn row(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<Option<Row>> {
        let told = notify_svc::store::notification_of(conn, order)?;
        Ok(told.map(Row::Notification))
    }
}

/// What a committed step did to a row.
#[derive(Debug, Clone)]
pub struct Note {
    /// Whose row.
    pub service: saga_events::Service,
    /// Of which order.
    pub order: OrderId,
    /// The input.
    pub column: &'static str,
    /// The event's cause, where it was an event.
    pub cause: Option<EventId>,
    /// The row before.
    pub before: Option<Row>,
    /// The row after.
    pub after: Option<Row>,
    /// What the step said that it did.
    pub outcome: Outcome,
}

/// What the steps of one service leave for the simulator, and what it leaves for them.
#[derive(Debug, Clone, Default)]
pub struct Watch(Arc<Mutex<Watching>>);

#[derive(Debug, Default)]
struct Watching {
    notes: Vec<Note>,
    /// How often the step of an event is yet to fail.
    failing: BTreeMap<EventId, u32>,
}

impl Watch {
    /// What was committed since it was asked for last.
    pub fn notes(&self) -> Vec<Note> {
        std::mem::take(&mut self.lock().notes)
    }

    /// Lets the step of an event fail so often.
    pub fn let_fail(&self, event: EventId, times: u32) {
        self.lock().failing.insert(event, times);
    }

    /// No step fails any more.
    pub fn let_all_pass(&self) {
        self.lock().failing.clear();
    }

    /// Notes what `run` does to a row, once that is committed.
    ///
    /// # Errors
    /// The job's own.
    pub fn noting<S: Stage, T>(
        &self,
        tx: &mut Tx<'_>,
        order: OrderId,
        run: impl FnOnce(&mut Tx<'_>) -> Result<T, Error>,
        tell: impl FnOnce(&T) -> Option<(&'static str, Option<EventId>, Outcome)>,
    ) -> Result<T, Error> {
        let before = S::row(tx.conn(), order)?;
        let done = run(tx)?;
        if let Some((column, cause, outcome)) = tell(&done) {
            let note = Note {
                service: S::ME,
                order,
                column,
                cause,
                before,
                after: S::row(tx.conn(), order)?,
                outcome,
            };
            let watch = self.clone();
            tx.after_commit(move || watch.lock().notes.push(note));
        }
        Ok(done)
    }

    fn fails(&self, event: EventId) -> bool {
        match self.lock().failing.get_mut(&event) {
            Some(times) if *times > 0 => {
                *times -= 1;
                true
            }
            Some(_) | None => false,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Watching> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A service that is looked at.
pub struct Watched<S> {
    inner: S,
    watch: Watch,
    wrong: Option<Wrong>,
}

impl<S> Watched<S> {
    /// Looks at this service, and breaks it where something is to be wrong.
    pub const fn new(inner: S, watch: Watch, wrong: Option<Wrong>) -> Self {
        Self {
            inner,
            watch,
            wrong,
        }
    }

    /// The service itself.
    pub const fn inner(&self) -> &S {
        &self.inner
    }
}

impl<S: Stage> Service for Watched<S> {
    const ME: saga_events::Service = S::ME;
    const ABOUT: &'static str = S::ABOUT;
    const SECTION: &'static str = S::SECTION;
    const DEFAULTS: &'static str = S::DEFAULTS;
    type Config = S::Config;

    fn migrations() -> Vec<EmbeddedMigrations> {
        S::migrations()
    }

    fn open(chassis: &Chassis, config: S::Config) -> anyhow::Result<Self> {
        let inner = S::open(chassis, config)?;
        Ok(Self::new(inner, Watch::default(), None))
    }

    fn step(&self, tx: &mut Tx<'_>, event: &Event) -> Result<Outcome, Error> {
        let take = |tx: &mut Tx<'_>| {
            let outcome = match self.wrong {
                None => self.inner.step(tx, event)?,
                Some(wrong) => wrong.step::<S>(tx, event, |tx| self.inner.step(tx, event))?,
            };
            // It fails when its effect is already in the transaction.
            if self.watch.fails(event.id) {
                return Err(Error::internal(
                    "this step fails because the simulator says so",
                ));
            }
            Ok(outcome)
        };
        let column = event.event_type().as_str();
        self.watch
            .noting::<S, _>(tx, event.order_id(), take, |outcome| {
                Some((column, event.causation_id, outcome.clone()))
            })
    }

    fn saga(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<Option<SagaRow>> {
        S::saga(conn, order)
    }

    fn sagas(
        conn: &mut SqliteConnection,
        after: Option<OrderId>,
        state: Option<&str>,
        limit: i64,
    ) -> QueryResult<Vec<SagaRow>> {
        S::sagas(conn, after, state, limit)
    }

    fn is_over(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<bool> {
        S::is_over(conn, order)
    }

    fn audit(conn: &mut SqliteConnection, asked: &Asked) -> QueryResult<Accounts> {
        S::audit(conn, asked)
    }

    fn routes(routes: &mut Routes<'_>) {
        S::routes(routes);
    }

    fn api() -> utoipa::openapi::OpenApi {
        S::api()
    }
}
