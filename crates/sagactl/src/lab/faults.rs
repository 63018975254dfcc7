//! The faults that are on: how each strikes, and when it is healed. What is done to processes, network
//! and Redis is saga-local's, the same that chaos does.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use saga_events::{Service, Timestamp};
use saga_local::{Fields, Network, Part};
use serde::Serialize;
use svc_chassis::http::Problem;
use tokio::sync::watch;
use tokio::time::sleep;

use super::kind::{Kind, Strike};
use super::parts::{Parts, State};

/// How often it is looked whose time is over.
const LOOK: Duration = Duration::from_millis(50);

/// A fault, as it is told.
#[derive(Debug, Clone, Serialize)]
pub struct Fault {
    /// Counted from 1.
    pub id: u64,
    pub kind: Kind,
    /// What it strikes; all, where it is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target: Option<&'static str>,
    pub since: Timestamp,
    /// When it is healed; missing where it is over already, or has to be healed by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

struct On {
    fault: Fault,
    strike: Strike,
    /// By a clock that nobody sets.
    heals_at: Option<Instant>,
}

/// Those that are on.
pub struct Faults {
    parts: Arc<Parts>,
    changed: watch::Sender<u64>,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    last: u64,
    on: BTreeMap<u64, On>,
}

impl Known {
    fn new_fault(&mut self, kind: Kind, target: Option<&'static str>) -> Fault {
        self.last += 1;
        Fault {
            id: self.last,
            kind,
            target,
            since: Timestamp::now(),
            until: None,
        }
    }
}

impl Faults {
    /// None yet.
    pub fn of(parts: Arc<Parts>, changed: watch::Sender<u64>) -> Self {
        Self {
            parts,
            changed,
            known: Mutex::default(),
        }
    }

    /// Those that are on, the oldest first.
    pub fn on(&self) -> Vec<Fault> {
        let known = self.known();
        known.on.values().map(|on| on.fault.clone()).collect()
    }

    /// Whether the network of a service is cut.
    pub fn cuts(&self, service: Service) -> bool {
        let network = Strike::Network(service);
        self.known().on.values().any(|on| on.strike == network)
    }

    /// Lets a fault strike. `heals_after`: none, it stays until it is healed by hand; of those that
    /// strike at once it means nothing.
    ///
    /// # Errors
    /// 409 where its target has such a fault already or is not there; 503 where Redis does not answer.
    pub async fn strike(
        &self,
        kind: Kind,
        strike: Strike,
        heals_after: Option<Duration>,
    ) -> Result<Fault, Problem> {
        let fault = match strike {
            Strike::Process(_) | Strike::Network(_) => {
                self.strike_for(kind, strike, heals_after)?
            }
            Strike::Redis | Strike::Streams(_) => {
                self.strike_redis(kind, strike).await?;
                let target = match strike {
                    Strike::Streams(service) => service.map(Service::as_str),
                    _ => None,
                };
                self.known().new_fault(kind, target)
            }
        };
        self.has_changed();
        Ok(fault)
    }

    fn strike_for(
        &self,
        kind: Kind,
        strike: Strike,
        heals_after: Option<Duration>,
    ) -> Result<Fault, Problem> {
        let mut known = self.known();
        if let Some(on) = known.on.values().find(|on| on.strike == strike) {
            let Fault { id, target, .. } = on.fault;
            let detail = format!(
                "{} has a fault already: DELETE /lab/faults/{id} heals it",
                target.unwrap_or_default()
            );
            return Err(Problem::conflict("HAS_A_FAULT", detail));
        }
        let gone = |error: saga_local::Error| Problem::conflict("NOT_RUNNING", error.to_string());
        let target = match (kind, strike) {
            (Kind::Stop, Strike::Process(part)) => {
                self.parts.stop(part).map_err(gone)?;
                part.as_str()
            }
            (Kind::Pause, Strike::Process(part)) => {
                self.parts.pause(part).map_err(gone)?;
                part.as_str()
            }
            (_, Strike::Process(part)) => {
                self.parts.kill(part);
                part.as_str()
            }
            (_, Strike::Network(service)) => {
                self.set_network(service, Network::Cut);
                service.as_str()
            }
            (_, Strike::Redis | Strike::Streams(_)) => Part::Redis.as_str(),
        };
        let mut fault = known.new_fault(kind, Some(target));
        fault.until = heals_after.map(|after| fault.since.plus(after));
        let on = On {
            fault: fault.clone(),
            strike,
            heals_at: heals_after.map(|after| Instant::now() + after),
        };
        known.on.insert(fault.id, on);
        Ok(fault)
    }

    /// What is over at once.
    async fn strike_redis(&self, kind: Kind, strike: Strike) -> Result<(), Problem> {
        let state = self.parts.state(Part::Redis);
        if state != State::Running {
            let detail = format!("redis is {state}, and this needs it running: heal it before");
            return Err(Problem::conflict("REDIS_AWAY", detail));
        }
        let redis = self.parts.system().redis();
        let services = match strike {
            Strike::Streams(Some(service)) => vec![service],
            _ => Service::ALL.to_vec(),
        };
        let struck = async {
            if kind == Kind::Flushall {
                return redis.flush().await;
            }
            let shuffled = |entries: &mut Vec<Fields>| fastrand::shuffle(entries);
            for service in services {
                if kind == Kind::Rewind {
                    redis.rewind(service).await?;
                    continue;
                }
                for event_type in service.consumes() {
                    match kind {
                        Kind::Shuffle => redis.say_again(event_type, shuffled).await?,
                        _ => redis.say_again(event_type, |_| {}).await?,
                    }
                }
            }
            Ok(())
        };
        let struck = struck.await;
        struck.map_err(|error| Problem::unavailable("redis", error))
    }

    /// Heals one; true: there was such a one.
    pub fn heal(&self, id: u64) -> bool {
        let mut known = self.known();
        let healed = known.on.remove(&id);
        if let Some(on) = &healed {
            self.undo(on);
        }
        drop(known);
        self.has_changed();
        healed.is_some()
    }

    /// Heals all.
    pub fn heal_all(&self) {
        let mut known = self.known();
        for on in std::mem::take(&mut known.on).values() {
            self.undo(on);
        }
        drop(known);
        self.has_changed();
    }

    /// Heals each when its time is over, for ever. To heal takes no time: who starts slowly holds up
    /// nobody.
    pub async fn heal_in_time(&self) {
        loop {
            sleep(LOOK).await;
            let due: Vec<u64> = {
                let (known, now) = (self.known(), Instant::now());
                let is_due = |on: &On| on.heals_at.is_some_and(|at| at <= now);
                let due = known.on.iter().filter(|(_, on)| is_due(on));
                due.map(|(id, _)| *id).collect()
            };
            for id in due {
                self.heal(id);
            }
        }
    }

    fn undo(&self, on: &On) {
        match (on.fault.kind, on.strike) {
            (Kind::Pause, Strike::Process(part)) => self.parts.go_on(part),
            (_, Strike::Process(part)) => self.parts.start(part),
            (_, Strike::Network(service)) => self.set_network(service, Network::Up),
            (_, Strike::Redis | Strike::Streams(_)) => {}
        }
    }

    fn set_network(&self, service: Service, network: Network) {
        // The lab's system has one for each.
        if let Ok(proxy) = self.parts.system().network(service) {
            proxy.set(network);
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has_changed(&self) {
        self.changed.send_modify(|count| *count += 1);
    }
}
