//! What an instance of a service counts and measures, and how `GET /metrics` tells it.
//!
//! Counting is adding to a number that is already at hand: no lock, no allocation and no look-up of
//! labels where events pass. Labels are written only when somebody asks (`page`, `scrape`), and what
//! only Redis or the database knows is asked for then, too (`look`). Every label has a bounded set of
//! values: no id, no path, nothing that a caller chooses.
//!
//! Nothing is global: six services in one process count apart.

mod batches;
mod counter;
mod histogram;
mod look;
mod os_process;
mod page;
mod requests;
mod scrape;
mod steps;
mod streams;

pub use counter::Counter;
pub use histogram::Histogram;
pub use page::{Measures, Page};

pub(crate) use batches::{Batches, Turn};
pub(crate) use look::Looks;
pub(crate) use requests::{Method, Route};
pub(crate) use scrape::Scrape;
pub(crate) use steps::Steps;
pub(crate) use streams::Streams;

use std::sync::Arc;

use requests::Requests;
use saga_events::Service;

/// What all services count alike, but for what the writer counts itself. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Metrics {
    pub(crate) steps: Arc<Steps>,
    pub(crate) requests: Arc<Requests>,
    pub(crate) streams: Arc<Streams>,
}

impl Metrics {
    pub(crate) fn new(service: Service) -> Self {
        Self {
            steps: Arc::new(Steps::new(service)),
            requests: Arc::default(),
            streams: Arc::new(Streams::new(service)),
        }
    }

    /// An Impossible cell was met where no event is at fault: nothing changed, and somebody should
    /// look.
    pub fn alarm(&self) {
        self.steps.alarms.add(1);
    }
}
