#![doc = include_str!("../README.md")]

pub mod config;
mod http;
pub mod saga;
mod schema;
pub mod store;

use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use saga_events::{Event, OrderId};
use svc_chassis::audit::{Accounts, Asked};
use svc_chassis::http::Routes;
use svc_chassis::{Chassis, Error, Outcome, SagaRow, Service, Tx, participant};
use utoipa::OpenApi as _;

use crate::config::Config;
use crate::saga::ItemSaga;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!();

/// The service: what it says to the chassis.
#[derive(Debug)]
pub struct ItemSvc;

impl Service for ItemSvc {
    const ME: saga_events::Service = saga_events::Service::Item;
    const ABOUT: &'static str = "The catalogue, prices and stock; holds stock for purchases.";
    const SECTION: &'static str = "item";
    const DEFAULTS: &'static str = config::DEFAULTS;
    type Config = Config;

    fn migrations() -> Vec<EmbeddedMigrations> {
        vec![participant::MIGRATIONS, MIGRATIONS]
    }

    fn open(_: &Chassis, Config {}: Config) -> anyhow::Result<Self> {
        Ok(Self)
    }

    fn step(&self, tx: &mut Tx<'_>, event: &Event) -> Result<Outcome, Error> {
        participant::apply::<ItemSaga>(tx, event)
    }

    fn saga(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<Option<SagaRow>> {
        participant::saga_of(conn, order)
    }

    fn sagas(
        conn: &mut SqliteConnection,
        after: Option<OrderId>,
        state: Option<&str>,
        limit: i64,
    ) -> QueryResult<Vec<SagaRow>> {
        participant::sagas(conn, after, state, limit)
    }

    fn is_over(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<bool> {
        participant::is_over(conn, order)
    }

    fn audit(conn: &mut SqliteConnection, asked: &Asked) -> QueryResult<Accounts> {
        store::audit::accounts(conn, asked)
    }

    fn routes(routes: &mut Routes<'_>) {
        http::routes(routes);
    }

    fn api() -> utoipa::openapi::OpenApi {
        http::Api::openapi()
    }
}
