//! What the edge counts about requests.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use super::{Counter, Histogram, Measures, Page};

/// Statuses that nobody but the service is at fault for. That it is not ready (503) or has no room
/// on its disk (507) is told otherwise.
const FAULTS: [u16; 4] = [500, 501, 502, 504];

/// A path as it is registered, `/orders/{id}`, which the edge finds at the request: what a caller
/// asks for is never a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route(pub &'static str);

impl Route {
    /// Of all requests to paths that are not registered.
    pub const UNKNOWN: Self = Self("unknown");
}

/// A request's method, where it is one of those that anybody uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Method(&'static str);

impl Method {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        self.0
    }
}

impl From<&actix_web::http::Method> for Method {
    fn from(method: &actix_web::http::Method) -> Self {
        const KNOWN: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let known = KNOWN.into_iter().find(|known| *known == method.as_str());
        Self(known.unwrap_or("OTHER"))
    }
}

/// The figures of all routes that were asked so far.
#[derive(Debug, Default)]
pub(crate) struct Requests(RwLock<BTreeMap<Route, Requested>>);

#[derive(Debug)]
struct Requested {
    answers: BTreeMap<(Method, u16), Counter>,
    seconds: Histogram,
}

impl Default for Requested {
    fn default() -> Self {
        Self {
            answers: BTreeMap::new(),
            seconds: Histogram::of_seconds(),
        }
    }
}

impl Requests {
    /// A request was answered with this status, so long after it came.
    pub fn answered(&self, route: Route, method: Method, status: u16, took: Duration) {
        let count = |requested: &Requested| {
            let counter = requested.answers.get(&(method, status))?;
            counter.add(1);
            requested.seconds.took(took);
            Some(())
        };
        let routes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if routes.get(&route).and_then(count).is_some() {
            return;
        }
        drop(routes);
        // The first of its kind.
        let mut routes = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let requested = routes.entry(route).or_default();
        requested.answers.entry((method, status)).or_default();
        count(requested);
    }
}

impl Measures for Requests {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let routes = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let statuses: Vec<_> = routes
            .iter()
            .flat_map(|(route, requested)| {
                let answers = requested.answers.iter();
                answers.map(move |((method, status), count)| {
                    (method, route, status.to_string(), count)
                })
            })
            .collect();
        let answers = statuses.iter().map(|(method, route, status, count)| {
            let labels = [("method", method.0), ("route", route.0), ("status", status)];
            (labels, count.get())
        });
        let help = "Requests answered, by the path as it is registered";
        page.counters("saga_http_requests_total", help, answers)?;
        let faults = routes.values().flat_map(|requested| &requested.answers);
        let faults = faults.filter(|((_, status), _)| FAULTS.contains(status));
        let help = "Requests answered with a fault of the service's own: 500, 501, 502, 504. Zero from the \
                    start, so that the first one is seen as an increase";
        page.counter(
            "saga_http_faults_total",
            help,
            faults.map(|(_, count)| count.get()).sum(),
        )?;
        let seconds = routes.iter();
        let seconds = seconds.map(|(route, requested)| ([("route", route.0)], &requested.seconds));
        let help = "How long requests took to be answered, with the time that they asked to wait";
        page.histograms("saga_http_request_seconds", help, seconds)
    }
}
