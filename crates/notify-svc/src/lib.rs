#![doc = include_str!("../README.md")]

// In the order in which a notification passes through them.
mod config;
mod http;
pub mod saga;
pub mod schema;
pub mod store;

pub mod channels;
pub mod letter;

use std::sync::Arc;

use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use saga_events::{Event, OrderId};
use svc_chassis::audit::{Accounts, Asked};
use svc_chassis::http::Routes;
use svc_chassis::{Chassis, Error, Outcome, SagaRow, Service, Tx};
use tokio::sync::watch;
use utoipa::OpenApi as _;

use channels::{Channel, Inbox, Log};

pub use config::Config;

/// notify-svc.
pub struct NotifySvc {
    channels: Arc<[Box<dyn Channel>]>,
    /// Their names, as rows keep them.
    names: String,
    /// Somebody was told: for streams.
    news: watch::Sender<()>,
}

impl NotifySvc {
    /// With the channels that are switched on.
    pub fn new(config: &Config) -> Self {
        let mut channels: Vec<Box<dyn Channel>> = vec![Box::new(Inbox)];
        if config.log {
            channels.push(Box::new(Log));
        }
        let names: Vec<&str> = channels.iter().map(|channel| channel.name()).collect();
        Self {
            names: names.join(","),
            channels: channels.into(),
            news: watch::Sender::new(()),
        }
    }
}

impl Service for NotifySvc {
    const ME: saga_events::Service = saga_events::Service::Notify;
    const ABOUT: &'static str = "Tells the buyer how the purchase ended";
    const SECTION: &'static str = "notify";
    const DEFAULTS: &'static str = include_str!("defaults.toml");
    type Config = Config;

    fn migrations() -> Vec<EmbeddedMigrations> {
        const OWN: EmbeddedMigrations = embed_migrations!();
        vec![OWN]
    }

    fn open(_: &Chassis, config: Config) -> anyhow::Result<Self> {
        Ok(Self::new(&config))
    }

    fn step(&self, tx: &mut Tx<'_>, event: &Event) -> Result<Outcome, Error> {
        let (outcome, letter) = store::apply(tx, event, &self.names)?;
        if let Some(letter) = letter {
            let (channels, news) = (self.channels.clone(), self.news.clone());
            tx.after_commit(move || {
                channels.iter().for_each(|channel| channel.deliver(&letter));
                news.send_replace(());
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

    fn routes(routes: &mut Routes<'_>) {
        http::routes(routes);
    }

    fn api() -> utoipa::openapi::OpenApi {
        http::Api::openapi()
    }
}
