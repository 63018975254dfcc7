//! What a run works on: the system, and who may do something to which part of it at the moment.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use reqwest::Method;
use saga_events::Service;
use tokio::sync::{Mutex, MutexGuard, watch};

use super::market::Market;
use super::record::Record;
use crate::{Builder, System};

/// After a start a service answers within this time, on a loaded machine too.
const ALIVE: Duration = Duration::from_secs(30);
/// The share of the payments that the gateway approves.
pub const APPROVAL_RATE: f64 = 0.9;
/// How often it is looked whether a service ended that should run.
const LOOK: Duration = Duration::from_millis(50);

/// The system under chaos.
#[derive(Debug)]
pub struct Scene {
    /// The six services and Redis.
    pub system: System,
    /// Who buys what.
    pub market: Market,
    /// What happened.
    pub record: Record,
    /// The run's seed.
    pub seed: u64,
    /// Set when the run is over for good: nobody tries any longer.
    pub over: watch::Sender<bool>,
    processes: BTreeMap<Service, Mutex<()>>,
    networks: BTreeMap<Service, Mutex<()>>,
    redis: Mutex<()>,
}

impl Scene {
    /// A running system that keeps its files in this folder, with buyers and items, nothing bad yet.
    pub async fn set(seed: u64, folder: &Path) -> Self {
        let system = configured(folder).start().await;
        let market = Market::open(&system).await;
        let locks = || Service::ALL.map(|service| (service, Mutex::default()));
        Self {
            system,
            market,
            record: Record::default(),
            seed,
            over: watch::Sender::new(false),
            processes: locks().into(),
            networks: locks().into(),
            redis: Mutex::default(),
        }
    }

    /// The right to do something to a service's process; it runs until then, and must run after.
    pub async fn process(&self, service: Service) -> MutexGuard<'_, ()> {
        self.processes[&service].lock().await
    }

    /// The right to change the network between a service and Redis.
    pub async fn network(&self, service: Service) -> MutexGuard<'_, ()> {
        self.networks[&service].lock().await
    }

    /// The right to do something to Redis; it runs until then, and must run after.
    pub async fn redis(&self) -> MutexGuard<'_, ()> {
        self.redis.lock().await
    }

    /// Starts a service and waits until it answers, be it ready or not.
    pub async fn start(&self, service: Service) {
        self.system.launch(service);
        let client = self.system.at(service);
        let ask = async || {
            client
                .try_send(client.request(Method::GET, "/health/live"))
                .await
        };
        if saga_local::eventually(ALIVE, ask).await.is_err() {
            let what = format!("{service} does not answer within {ALIVE:?} of its start");
            self.record.violation(what);
        }
    }

    /// Looks all the while whether a service has ended by itself; starts it again, so that the run
    /// goes on.
    pub async fn watch_services(&self) {
        loop {
            tokio::time::sleep(LOOK).await;
            for service in Service::ALL {
                // Who holds the right has ended it.
                let Ok(_right) = self.processes[&service].try_lock() else {
                    continue;
                };
                if let Some(status) = self.system.ended_by_itself(service) {
                    let what = format!("{service} ended by itself: {status}");
                    self.record.violation(what);
                    self.start(service).await;
                }
            }
        }
    }

    /// Where the system keeps what it writes.
    pub fn folder(&self) -> &Path {
        self.system.folder()
    }
}

/// Impatient, so that a run is over soon: it repeats quickly, some orders miss their deadline, and
/// the gateway declines some.
fn configured(folder: &Path) -> Builder {
    System::with_files_in(folder)
        .repeating_quickly()
        .with_a_network()
        .set(Service::Order, "SAGA__ORDER__DEADLINE_MS", 8_000)
        .set(
            Service::Payment,
            "SAGA__GATEWAY__APPROVAL_RATE",
            APPROVAL_RATE,
        )
}
