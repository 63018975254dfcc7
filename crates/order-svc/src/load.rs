//! Overload: new orders are refused rather than queued without bound. What is counted here comes
//! from commits; what is in hand but not committed yet is counted on top.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use actix_web::http::StatusCode;
use svc_chassis::http::Problem;

use crate::config::OrderConfig;

/// How much there is to do. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Load(Arc<Counts>);

#[derive(Debug)]
struct Counts {
    max_open: i64,
    max_outbox: i64,
    open: AtomicI64,
    entering: AtomicI64,
    last_seq: AtomicI64,
}

/// The place of an order that is being made; it is free again when this is left or dropped, however
/// the request ends.
pub struct Place {
    load: Load,
    left: AtomicBool,
}

impl Load {
    /// Nothing to do yet, with the limits as configured.
    pub fn new(config: &OrderConfig) -> Self {
        let (max_open, max_outbox) = (config.max_open, config.max_outbox);
        let zero = || AtomicI64::new(0);
        Self(Arc::new(Counts {
            max_open,
            max_outbox,
            open: zero(),
            entering: zero(),
            last_seq: zero(),
        }))
    }

    /// Takes a place for a new order. `published`: the last row of the outbox that is published.
    ///
    /// # Errors
    /// 503 with `Retry-After` when too much is open or unpublished.
    pub fn enter(&self, published: i64) -> Result<Place, Problem> {
        let Counts {
            max_open,
            max_outbox,
            open,
            entering,
            last_seq,
        } = &*self.0;
        if last_seq.load(Ordering::Relaxed) - published >= *max_outbox {
            return Err(overloaded(
                "events are published more slowly than they are made",
            ));
        }
        // Counted before it is compared: two requests never take the last place.
        let place = Place {
            load: self.clone(),
            left: AtomicBool::new(false),
        };
        let ahead = entering.fetch_add(1, Ordering::Relaxed) + open.load(Ordering::Relaxed);
        if ahead >= *max_open {
            return Err(overloaded("too many purchases are under way"));
        }
        Ok(place)
    }

    /// What the database says, at the start.
    pub fn set(&self, open: i64, last_seq: i64) {
        self.0.open.store(open, Ordering::Relaxed);
        self.said(last_seq);
    }

    /// An order has begun.
    pub fn begun(&self) {
        self.0.open.fetch_add(1, Ordering::Relaxed);
    }

    /// An order is final.
    pub fn ended(&self) {
        self.0.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// The outbox has a row of this number.
    pub fn said(&self, seq: i64) {
        self.0.last_seq.fetch_max(seq, Ordering::Relaxed);
    }

    /// How many orders are not final.
    pub fn open(&self) -> i64 {
        self.0.open.load(Ordering::Relaxed)
    }
}

impl Place {
    /// The order is made, and counted as such.
    pub fn leave(&self) {
        if !self.left.swap(true, Ordering::Relaxed) {
            self.load.0.entering.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

fn overloaded(why: &str) -> Problem {
    Problem::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "OVERLOADED",
        format!("{why}; try again soon"),
    )
    .with_retry_after(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn load() -> Load {
        let (max_open, max_outbox) = (2, 10);
        let zero = || AtomicI64::new(0);
        Load(Arc::new(Counts {
            max_open,
            max_outbox,
            open: zero(),
            entering: zero(),
            last_seq: zero(),
        }))
    }

    #[test]
    fn a_place_is_taken_by_the_request_first_and_by_the_order_then() {
        let load = load();
        let (first, second) = (load.enter(0).unwrap(), load.enter(0).unwrap());
        let refused = load.enter(0).err().unwrap();
        assert_eq!(
            (refused.status().as_u16(), refused.code()),
            (503, "OVERLOADED")
        );
        // One request fails, the other makes an order.
        drop(first);
        load.begun();
        second.leave();
        assert!(load.enter(0).is_ok(), "counted once");
        drop(second);
        let third = load.enter(0).unwrap();
        assert!(load.enter(0).is_err());
        drop(third);
        load.ended();
        assert_eq!(load.open(), 0);
        assert!(load.enter(0).is_ok());
    }

    #[test]
    fn new_orders_wait_until_the_outbox_drains() {
        let load = load();
        load.set(0, 110);
        assert!(load.enter(100).is_err());
        assert!(load.enter(101).is_ok());
        load.said(111);
        assert!(load.enter(101).is_err());
    }
}
