//! Answers a scrape: everything that was counted, and what only Redis or the database knows.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, text};
use prometheus_client::registry::Registry;
use saga_events::Timestamp;
use saga_events::bus::Pending;

use super::look::{Looks, Seen, Stored};
use super::os_process::OsProcess;
use super::{Measures, Page};
use crate::chassis::Chassis;
use crate::error::Error;
use crate::service::Service;
use crate::writer::Health;

/// What is asked for at a scrape is asked for again only after this.
const FRESH: Duration = Duration::from_secs(1);

/// Answers scrapes of one instance of a service.
pub(crate) struct Scrape<S> {
    looks: Arc<Looks<S>>,
    state: Arc<State>,
    registry: Registry,
}

/// The state of the instance as it was looked at last.
struct State {
    chassis: Chassis,
    database: PathBuf,
    seen: RwLock<Option<Seen>>,
}

/// Something to tell, as the registry takes it.
#[derive(Debug)]
struct Collected(Arc<dyn Measures>);

impl Collector for Collected {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        self.0.write(&mut Page::new(encoder))
    }
}

impl<S: Service> Scrape<S> {
    /// Of the service that works with this chassis on this file.
    pub fn new(service: &S, chassis: Chassis, looks: Arc<Looks<S>>, database: &Path) -> Self {
        let state = Arc::new(State {
            chassis,
            database: database.to_owned(),
            seen: RwLock::default(),
        });
        let metrics = &state.chassis.metrics;
        let mut all: Vec<Arc<dyn Measures>> = service.measures();
        all.extend([
            metrics.steps.clone() as Arc<dyn Measures>,
            metrics.requests.clone(),
            metrics.streams.clone(),
            state.chassis.writer.batches().clone(),
            state.clone(),
            Arc::new(OsProcess),
        ]);
        // On every series, so that rules and dashboards need no labels from who scrapes.
        let me = ("service".into(), S::ME.as_str().into());
        let mut registry = Registry::with_labels([me].into_iter());
        for measures in all {
            registry.register_collector(Box::new(Collected(measures)));
        }
        Self {
            looks,
            state,
            registry,
        }
    }

    /// The page, in the text format of OpenMetrics. It is answered also while Redis is away, and
    /// while the database cannot be read.
    ///
    /// # Errors
    /// None that can be met: writing to a string does not fail.
    pub async fn page(&self) -> Result<String, Error> {
        let seen = self.looks.seen(FRESH).await;
        *self
            .state
            .seen
            .write()
            .unwrap_or_else(PoisonError::into_inner) = Some(seen);
        let mut page = String::new();
        text::encode(&mut page, &self.registry).map_err(Error::internal)?;
        Ok(page)
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State").finish_non_exhaustive()
    }
}

impl Measures for State {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let seen = self.seen.read().unwrap_or_else(PoisonError::into_inner);
        let seen = seen.clone();
        let pending = seen.as_ref().and_then(|seen| seen.pending.clone().ok());
        let stored = seen.and_then(|seen| seen.stored.ok());
        let help = "Which build this is";
        page.info(
            "saga_build_info",
            help,
            [("version", env!("CARGO_PKG_VERSION"))],
        )?;
        self.write_outbox(page, stored)?;
        self.write_bus(page, pending)?;
        self.write_database(page, stored)
    }
}

impl State {
    fn write_outbox(&self, page: &mut Page<'_>, stored: Option<Stored>) -> fmt::Result {
        // In this order: what is said in between counts as published at most once.
        let published = self.chassis.published.seq();
        let said = self.chassis.writer.batches().last_seq().max(published);
        let help =
            "Events said, by the number of the last row of the outbox: goes on after a restart";
        page.counter("saga_outbox_rows_total", help, count(said))?;
        let help =
            "Events that Redis has taken, by the number of the last row: goes on after a restart";
        page.counter("saga_outbox_published_total", help, count(published))?;
        let help = "Events said that Redis has not taken yet";
        page.gauge(
            "saga_outbox_unpublished_rows",
            help,
            Some(number(said - published)),
        )?;
        let now = Timestamp::now();
        let oldest = stored.map(|stored| stored.unpublished_since);
        let oldest = oldest.map(|since| since.map_or(0.0, |since| now.since(since).as_secs_f64()));
        let help = "Age of the oldest event that Redis has not taken yet; 0: there is none";
        page.gauge("saga_outbox_oldest_seconds", help, oldest)
    }

    fn write_bus(&self, page: &mut Page<'_>, pending: Option<Pending>) -> fmt::Result {
        let up = if pending.is_some() { 1.0 } else { 0.0 };
        let help = "Whether Redis answers this service: 1 or 0";
        page.gauge("saga_redis_up", help, Some(up))?;
        let help = "Entries not read or not acknowledged; missing while Redis is away";
        let entries =
            pending.map(|pending| f64::from(u32::try_from(pending.entries).unwrap_or(u32::MAX)));
        page.gauge("saga_consumer_lag_entries", help, entries)?;
        let help = "Age of the oldest entry that is not acknowledged; 0: there is none; \
                    missing while Redis is away";
        let oldest = pending.map(|pending| pending.oldest.unwrap_or_default().as_secs_f64());
        page.gauge("saga_consumer_oldest_seconds", help, oldest)
    }

    fn write_database(&self, page: &mut Page<'_>, stored: Option<Stored>) -> fmt::Result {
        let Chassis {
            readers,
            writer,
            health,
            ..
        } = &self.chassis;
        let help = "Dead letters that nobody has replayed or discarded";
        page.gauge(
            "saga_dead_letters_open",
            help,
            stored.map(|stored| number(stored.dead_letters)),
        )?;
        let up = if *health.borrow() == Health::Good {
            1.0
        } else {
            0.0
        };
        let help = "Whether commits succeed: 0 while the disk is full or the file locked";
        page.gauge("saga_storage_up", help, Some(up))?;
        let waiting = f64::from(u32::try_from(writer.waiting()).unwrap_or(u32::MAX));
        page.gauge(
            "saga_writer_waiting_jobs",
            "Jobs that wait for the writer",
            Some(waiting),
        )?;
        let pool = readers.state();
        let help = "Connections that only read";
        page.gauge("saga_reader_connections", help, Some(pool.size.into()))?;
        let help = "Connections that only read and are in use";
        page.gauge(
            "saga_reader_connections_in_use",
            help,
            Some(pool.in_use.into()),
        )?;
        let help = "Queries that wait for a connection";
        page.gauge(
            "saga_reader_waiting_queries",
            help,
            Some(number(pool.waiting)),
        )?;
        let help = "Size of the database file";
        page.gauge("saga_database_bytes", help, size(&self.database))?;
        let mut log = self.database.clone().into_os_string();
        log.push("-wal");
        let help = "Size of the file of the write-ahead log";
        page.gauge("saga_wal_bytes", help, size(Path::new(&log)))
    }
}

fn size(path: &Path) -> Option<f64> {
    #[expect(clippy::cast_precision_loss)]
    let bytes = std::fs::metadata(path).ok()?.len() as f64;
    Some(bytes)
}

#[expect(clippy::cast_precision_loss)]
fn number(value: i64) -> f64 {
    value as f64
}

fn count(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}
