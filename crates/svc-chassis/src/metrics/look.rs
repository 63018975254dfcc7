//! What only Redis or the database knows of an instance: looked up when somebody asks, and kept for
//! a moment, so that those who ask often cost no more than one.

use std::sync::Arc;
use std::time::Duration;

use saga_events::Timestamp;
use saga_events::bus::Pending;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::chassis::Chassis;
use crate::service::Service;
use crate::{dead_letters, outbox};

/// Redis may take so long to answer. Whoever asks for the status of six services does not wait for
/// a Redis that is frozen.
const REDIS: Duration = Duration::from_millis(300);

/// Looks at one instance of a service.
pub(crate) struct Looks<S> {
    service: Arc<S>,
    chassis: Chassis,
    last: Mutex<Option<(Instant, Seen)>>,
}

/// What was found; an error: there was no answer.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// What waits in Redis for this service.
    pub pending: Result<Pending, String>,
    /// What the database has.
    pub stored: Result<Stored, String>,
}

/// What the database has.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Stored {
    /// Dead letters that nobody has replayed or discarded.
    pub dead_letters: i64,
    /// When the oldest event was said that Redis has not taken yet; `None`: there is none.
    pub unpublished_since: Option<Timestamp>,
}

impl<S: Service> Looks<S> {
    /// At the service that works with this chassis.
    pub fn new(service: Arc<S>, chassis: Chassis) -> Self {
        Self {
            service,
            chassis,
            last: Mutex::default(),
        }
    }

    /// What is seen now, or was a moment ago: so long at most.
    pub async fn seen(&self, fresh: Duration) -> Seen {
        let mut last = self.last.lock().await;
        if let Some((at, seen)) = &*last
            && at.elapsed() < fresh
        {
            return seen.clone();
        }
        let seen = self.look().await;
        *last = Some((Instant::now(), seen.clone()));
        seen
    }

    async fn look(&self) -> Seen {
        let Chassis {
            readers,
            bus,
            published,
            ..
        } = &self.chassis;
        let (service, from) = (self.service.clone(), published.seq() + 1);
        let stored = readers.read(move |conn| {
            service.look(conn)?;
            Ok(Stored {
                dead_letters: dead_letters::count(conn)?,
                unpublished_since: outbox::time_from(conn, from)?,
            })
        });
        let (pending, stored) = tokio::join!(timeout(REDIS, bus.pending()), stored);
        let stored = stored.inspect_err(|error| {
            tracing::warn!(%error, "the database cannot be read; some figures are missing");
        });
        Seen {
            pending: match pending {
                Ok(answer) => answer.map_err(|error| error.to_string()),
                Err(_) => Err("no answer".to_owned()),
            },
            stored: stored.map_err(|error| error.to_string()),
        }
    }
}
