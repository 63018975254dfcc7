#![doc = include_str!("../README.md")]

// In the order in which a purchase passes through: a request or an event comes in …
pub mod http;
// … becomes an input to the order: decided, stored, said …
pub mod advance;
pub mod saga;
pub mod schema;
pub mod store;
// … and is looked after until it has ended.
pub mod patience;
pub mod sweep;
// Whether it went as it should is looked at afterwards.
pub mod conformance;

// What requests need beside the database.
pub mod figures;
pub mod gather;
pub mod live;
pub mod load;
pub mod lookout;
pub mod names;
pub mod overview;
pub mod peers;
pub mod prices;
pub mod ring;
pub mod seen;
pub mod waiting;
pub mod watched;

pub mod config;

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use diesel::prelude::*;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use saga_audit::Auditor;
use saga_events::{Event, OrderId};
use svc_chassis::audit::{Accounts, Asked};
use svc_chassis::config::Services;
use svc_chassis::http::Routes;
use svc_chassis::metrics::Measures;
use svc_chassis::{Chassis, Error, Outcome, SagaRow, Service, Task, Tx};

use tokio::sync::Mutex;
use utoipa::OpenApi as _;

use crate::config::OrderConfig;
use crate::live::Live;
use crate::lookout::{Ends, Lookout};
use crate::names::Names;
use crate::overview::{Overview, Taken};
use crate::peers::Peers;
use crate::saga::Input;

/// The migrations of the orders table.
pub const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// order-svc: the initiator of the purchase saga, and the door for callers.
pub struct OrderSvc {
    config: OrderConfig,
    live: Arc<Live>,
    peers: Peers,
    /// Behind a lock: an audit reads much, so there is one at a time.
    auditor: Mutex<Auditor>,
    overview: Overview,
    names: Names,
    /// Taken by the lookout when it begins.
    ends: std::sync::Mutex<Option<Ends>>,
}

impl OrderSvc {
    /// With nothing in memory yet, and the other services at these addresses.
    ///
    /// # Errors
    /// The HTTP client cannot be built.
    pub fn new(config: OrderConfig, services: Services) -> anyhow::Result<Self> {
        let auditor = Auditor::new(|service| services.url(service).to_owned())?;
        let peers = Peers::new(services)?;
        let (lookout, ends) = Lookout::new();
        let live = Arc::new(Live::new(&config, peers.clone(), lookout));
        let overview = Overview::new(peers.clone());
        let names = Names::new(peers.clone());
        Ok(Self {
            config,
            live,
            peers,
            auditor: Mutex::new(auditor),
            overview,
            names,
            ends: std::sync::Mutex::new(Some(ends)),
        })
    }

    /// Where the lab is, if there may be one.
    fn lab_origin(&self, chassis: &Chassis) -> Option<&str> {
        let configured = Some(self.config.lab_origin.as_str());
        configured.filter(|origin| chassis.settings.demo && !origin.is_empty())
    }

    /// The whole system, as it is now or was so long ago at most.
    async fn picture(&self, chassis: &Chassis, fresh: Duration) -> Result<Arc<Taken>, Error> {
        let lab = self.lab_origin(chassis);
        let of = (&*self.live, chassis, lab);
        self.overview.picture(of, fresh).await
    }

    /// What it keeps in memory beside the database.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }
}

impl Service for OrderSvc {
    const ME: saga_events::Service = saga_events::Service::Order;
    const ABOUT: &'static str =
        "Starts purchases, keeps their state, repeats until each has ended.";
    const SECTION: &'static str = "order";
    const DEFAULTS: &'static str = include_str!("defaults.toml");
    type Config = OrderConfig;

    fn migrations() -> Vec<EmbeddedMigrations> {
        vec![MIGRATIONS]
    }

    fn open(chassis: &Chassis, config: OrderConfig) -> anyhow::Result<Self> {
        let services = Services {
            order: chassis.settings.http.own_url(),
            ..chassis.settings.services.clone()
        };
        Self::new(config, services)
    }

    fn step(&self, tx: &mut Tx<'_>, event: &Event) -> Result<Outcome, Error> {
        let input = Input::Message(&event.message);
        match store::find(tx.conn(), event.order_id())? {
            Some(stored) => Ok(advance::advance(tx, &self.live, stored, input, Some(event))?.1),
            None => Ok(match saga::step(None, input) {
                Ok(_) => Outcome::Duplicate,
                Err(impossible) => Outcome::Impossible(impossible.to_string()),
            }),
        }
    }

    fn saga(conn: &mut SqliteConnection, order: OrderId) -> QueryResult<Option<SagaRow>> {
        store::saga(conn, order)
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

    fn measures(&self) -> Vec<Arc<dyn Measures>> {
        vec![self.live.figures.clone()]
    }

    fn look(&self, conn: &mut SqliteConnection) -> QueryResult<()> {
        self.live.figures.look(conn)
    }

    fn routes(routes: &mut Routes<'_>) {
        http::routes(routes);
    }

    fn api() -> utoipa::openapi::OpenApi {
        http::Api::openapi()
    }

    fn tasks(self: &Arc<Self>, chassis: &Chassis) -> Vec<Task> {
        let sweep = sweep::Sweep::new(&self.config, self.live.clone(), chassis.clone());
        let watched = self.live.watched.clone().listen(chassis.clone());
        let every = self.config.conformance();
        let (live, peers) = (self.live.clone(), self.peers.clone());
        let conformance = conformance::watch(every, live, peers, chassis.clone());
        let mut tasks = vec![
            Task::new("sweep", sweep.run()),
            Task::new("tap", watched),
            Task::new("conformance", conformance),
        ];
        let ends = self
            .ends
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(ends) = ends {
            let lookout = self.live.lookout.clone();
            let lookout = lookout.run(self.clone(), chassis.clone(), ends);
            tasks.push(Task::new("lookout", lookout));
        }
        tasks
    }
}
