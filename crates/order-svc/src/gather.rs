//! Reads what a timeline is made of: the six services' journals of one purchase, and why what comes
//! next may be late. Whoever does not answer is missing, and the rest is told all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use saga_events::bus::{partition_of, stream};
use saga_events::{OrderId, Service, Timestamp};
use saga_timeline::expected::{Expected, expected};
use saga_timeline::{Journal, Letter, Sources, Timeline, Told};
use serde::Deserialize;
use svc_chassis::{Chassis, Error, journal};

use crate::OrderSvc;
use crate::peers::Peers;
use crate::store::StoredOrder;

/// The longest path has fewer causes one after the other: so often may a purchase go on while it is
/// read.
const MOST_ROUNDS: usize = 16;
/// Redis may take so long to say how far a consumer is behind.
const REDIS: Duration = Duration::from_secs(1);

/// Reads purchases. One that did not answer is not asked again: so a list of purchases does not wait
/// for it once for each.
#[derive(Clone)]
pub struct Gatherer {
    chassis: Chassis,
    peers: Peers,
    away: Arc<Mutex<BTreeSet<Service>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Letters {
    dead_letters: Vec<Letter>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Payment {
    unknown_since: Option<Timestamp>,
}

impl Gatherer {
    /// For one request.
    pub fn new(chassis: &Chassis, peers: &Peers) -> Self {
        Self {
            chassis: chassis.clone(),
            peers: peers.clone(),
            away: Arc::default(),
        }
    }

    /// The timeline of an order, as it is now.
    ///
    /// # Errors
    /// order-svc's own database's.
    pub async fn timeline(&self, stored: &StoredOrder) -> Result<Timeline, Error> {
        Ok(Timeline::of(&self.sources(stored).await?))
    }

    async fn sources(&self, stored: &StoredOrder) -> Result<Sources, Error> {
        let order = stored.id();
        let mut told = BTreeMap::new();
        self.read(order, Service::ALL, &mut told).await?;
        let mut sources = Sources::of(order, told, Timestamp::now());
        for _ in 0..MOST_ROUNDS {
            let again = sources.to_read_again();
            let before = sources.told.clone();
            self.read(order, again, &mut sources.told).await?;
            if sources.told == before {
                break;
            }
        }
        sources.closed = stored.order.told;
        sources.next_repeat_at = stored.due_at;
        sources.now = Timestamp::now();
        let expected = expected(&sources);
        self.explain(&mut sources, &expected).await;
        Ok(sources)
    }

    /// Reads these, one beside the other.
    async fn read(
        &self,
        order: OrderId,
        services: impl IntoIterator<Item = Service>,
        told: &mut BTreeMap<Service, Told>,
    ) -> Result<(), Error> {
        let read = services.into_iter().map(|service| async move {
            let told = match service {
                Service::Order => match journal::of::<OrderSvc>(&self.chassis, order).await? {
                    Some(journal) => Told::Journal(journal),
                    None => Told::Nothing,
                },
                other => self.of_peer(other, order).await,
            };
            Ok::<_, Error>((service, told))
        });
        for read in join_all(read).await {
            let (service, answer) = read?;
            told.insert(service, answer);
        }
        Ok(())
    }

    async fn of_peer(&self, service: Service, order: OrderId) -> Told {
        if self.is_away(service) {
            return Told::Missing;
        }
        let path = format!("/sagas/{order}");
        match self.peers.get::<Journal>(service, &path).await {
            Ok(Some(journal)) => Told::Journal(journal),
            Ok(None) => Told::Nothing,
            Err(_) => {
                self.away
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .insert(service);
                Told::Missing
            }
        }
    }

    fn is_away(&self, service: Service) -> bool {
        self.away
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .contains(&service)
    }

    /// Asks what may explain that these do not come. Who does not answer now explains nothing.
    async fn explain(&self, sources: &mut Sources, expected: &[Expected]) {
        let order = sources.order_id;
        for due in expected {
            if self.is_away(due.from) {
                continue;
            }
            if due.from == Service::Payment && sources.journal(Service::Payment).is_some() {
                let path = format!("/payments/{order}");
                let payment = self.peers.get::<Payment>(due.from, &path).await;
                let payment = payment.ok().flatten();
                sources.gateway_unknown_since = payment.and_then(|payment| payment.unknown_since);
            }
            let path = format!("/dead-letters?orderId={order}&limit=1");
            let letters = self.peers.get::<Letters>(due.from, &path).await;
            let letters = letters.ok().flatten().map(|letters| letters.dead_letters);
            if let Some(letter) = letters.and_then(|letters| letters.into_iter().next()) {
                sources.dead_letters.insert(due.from, letter);
            }
            let config = self.chassis.bus.config();
            let stream = stream(partition_of(order, config.partitions), due.answers);
            let behind = self.chassis.bus.backlog(&stream, due.from);
            match tokio::time::timeout(REDIS, behind).await {
                Ok(Ok(behind)) => drop(sources.behind.insert(due.from, behind)),
                Ok(Err(_)) | Err(_) => sources.redis_up = false,
            }
        }
    }
}
