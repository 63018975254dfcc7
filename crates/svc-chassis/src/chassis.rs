//! What the parts of a service work with.

use std::sync::Arc;
use std::time::Duration;

use diesel::sqlite::SqliteConnection;
use saga_events::Timestamp;
use saga_events::bus::Bus;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Settings;
use crate::database::Readers;
use crate::http::Hosts;
use crate::http::sse::Places;
use crate::metrics::Metrics;
use crate::outbox;
use crate::relay::Published;
use crate::traces::Traces;
use crate::writer::{Health, Writer};

/// A dependency, by its name, and what is wrong with it.
pub(crate) type Checked = (&'static str, Result<(), String>);

/// What the parts of a service work with. Cheap to clone.
#[derive(Clone)]
pub struct Chassis {
    /// The one writer of the database.
    pub writer: Writer,
    /// Connections that only read.
    pub readers: Readers,
    /// Redis.
    pub bus: Bus,
    /// How far the outbox is published.
    pub published: Published,
    /// The configuration that all services share.
    pub settings: Arc<Settings>,
    /// Cancelled when the service is to end.
    pub shutdown: CancellationToken,
    /// What this instance counts.
    pub metrics: Metrics,
    /// Where spans of traces go.
    pub traces: Traces,
    /// The places for clients of its streams.
    pub places: Places,
    /// When this process began to work.
    pub since: Timestamp,
    pub(crate) hosts: Arc<Hosts>,
    pub(crate) health: watch::Receiver<Health>,
}

impl Chassis {
    /// The dependencies, each with what is wrong with it.
    pub(crate) async fn readiness(&self) -> Vec<Checked> {
        let database = async {
            let count = |conn: &mut SqliteConnection| Ok(crate::dead_letters::count(conn)?);
            let read = self.readers.read(count).await;
            read.map(drop).map_err(|error| error.to_string())
        };
        let redis = async {
            let ping = tokio::time::timeout(Duration::from_secs(1), self.bus.ping()).await;
            let answer = ping.map_err(|_| "no answer".to_owned());
            answer.and_then(|answer| answer.map_err(|error| error.to_string()))
        };
        let (database, redis) = tokio::join!(database, redis);
        self.judged(database, redis)
    }

    /// The same, of what was found of the database and of Redis.
    pub(crate) fn judged(
        &self,
        database: Result<(), String>,
        redis: Result<(), String>,
    ) -> Vec<Checked> {
        let storage = match &*self.health.borrow() {
            Health::Good => Ok(()),
            Health::Storage(why) => Err(why.clone()),
        };
        let running = if self.shutdown.is_cancelled() {
            Err("shutting down".to_owned())
        } else {
            Ok(())
        };
        vec![
            ("database", storage.and(database)),
            ("redis", redis),
            ("shutdown", running),
        ]
    }

    /// While nothing can be stored, tries a harmless write now and then: without traffic nobody
    /// else would notice that the disk is mended.
    pub(crate) async fn heal_storage(mut self) -> anyhow::Result<()> {
        loop {
            let ill = tokio::select! {
                () = self.shutdown.cancelled() => return Ok(()),
                ill = self.health.wait_for(|health| *health != Health::Good) => ill.is_ok(),
            };
            if !ill {
                // The writer has ended, and says so itself.
                self.shutdown.cancelled().await;
                return Ok(());
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
            let seq = self.published.seq();
            let _ = self
                .writer
                .write(move |tx| Ok(outbox::set_published(tx.conn(), seq)?))
                .await;
        }
    }
}
