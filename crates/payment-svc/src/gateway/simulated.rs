//! The simulated gateway: behaves like a bank across a network. It has a book of its own, answers
//! the same key with the same answer for ever, survives a crash of payment-svc, can be slow, and
//! can be away in three ways. A real gateway implements the same trait.

mod behaviour;
mod book;

pub use behaviour::{Behaviour, Kind, LatencyMs, Outage, Rate, Seed};
pub use book::{BOOK, statement};

use std::future;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use saga_events::OrderId;
use tokio::sync::watch;

use super::{Authorization, Charge, Gateway, Unknown};
use crate::saga::Answer;
use book::Book;

/// A bank that lives in this process but shares nothing with payment-svc: no table, no transaction.
pub struct Simulated {
    book: Book,
    behaviour: watch::Sender<Behaviour>,
    /// Counts the calls: each draws its own latency.
    calls: AtomicU64,
}

impl Simulated {
    /// Opens (and where needed makes) the bank's book at this path.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(book: &Path, behaviour: Behaviour) -> anyhow::Result<Self> {
        let book = Book::open(book)?;
        Ok(Self {
            book,
            behaviour: watch::Sender::new(behaviour),
            calls: AtomicU64::new(0),
        })
    }

    /// How it behaves now.
    pub fn behaviour(&self) -> Behaviour {
        self.behaviour.borrow().clone()
    }

    /// How it behaves from now on, until the process ends. Answers that are in the book stay.
    pub fn behave(&self, behaviour: Behaviour) {
        self.behaviour.send_replace(behaviour);
    }

    /// Works on a charge as a bank does: whoever asked may hang up meanwhile, it goes on.
    async fn charge(
        &self,
        charge: Charge,
        behaviour: &Behaviour,
    ) -> Result<Authorization, Unknown> {
        let (book, latency) = (self.book.clone(), self.draw_latency(behaviour));
        let if_new = decide(behaviour, charge.order_id);
        let work = tokio::spawn(async move {
            if !latency.is_zero() {
                tokio::time::sleep(latency).await;
            }
            book.charge(charge, if_new).await
        });
        work.await
            .unwrap_or_else(|error| Err(Unknown::Failed(error.to_string())))
    }

    fn draw_latency(&self, behaviour: &Behaviour) -> Duration {
        let (min, max) = (
            behaviour.latency_min_ms.get(),
            behaviour.latency_max_ms.get(),
        );
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        let share = share_of(mix(mix(behaviour.seed.get()) ^ call));
        Duration::from_millis(min) + Duration::from_millis(max.saturating_sub(min)).mul_f64(share)
    }
}

impl Gateway for Simulated {
    async fn authorize(&self, charge: Charge) -> Result<Authorization, Unknown> {
        let behaviour = self.behaviour();
        match behaviour.outage {
            Outage::None => self.charge(charge, &behaviour).await,
            Outage::Refuse => Err(Unknown::Refused),
            Outage::Timeout => future::pending().await,
            Outage::TimeoutAfterCharge => {
                self.charge(charge, &behaviour).await?;
                future::pending().await
            }
        }
    }

    /// Reads the book, without the time that a decision takes. It is the same network: an outage
    /// is one for this call, too.
    async fn look_up(&self, order_id: OrderId) -> Result<Option<Authorization>, Unknown> {
        match self.behaviour().outage {
            Outage::None => self.book.look_up(order_id).await,
            Outage::Refuse => Err(Unknown::Refused),
            Outage::Timeout | Outage::TimeoutAfterCharge => future::pending().await,
        }
    }

    async fn statement(
        &self,
        after: Option<OrderId>,
        limit: usize,
    ) -> Result<Vec<Charge>, Unknown> {
        match self.behaviour().outage {
            Outage::None => self.book.statement(after, limit).await,
            Outage::Refuse => Err(Unknown::Refused),
            Outage::Timeout | Outage::TimeoutAfterCharge => future::pending().await,
        }
    }
}

/// The answer to a new key: a pure function of seed and order id against the approval rate.
fn decide(behaviour: &Behaviour, order_id: OrderId) -> Answer {
    let (high, low) = order_id.uuid().as_u64_pair();
    let share = share_of(mix(mix(mix(behaviour.seed.get()) ^ high) ^ low));
    // The share is below 1: a rate of 1 approves all, a rate of 0 none.
    if share < behaviour.approval_rate.get() {
        Answer::Approved
    } else {
        Answer::Declined
    }
}

/// `SplitMix64`'s finalizer: every bit of the input decides every bit of the output. Spelled out,
/// because the answers must stay the same over every version of a library.
const fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// From 0 up to, but not including, 1: the 53 bits that a float keeps exactly.
#[allow(clippy::cast_precision_loss)] // 53 bits fit
fn share_of(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

#[cfg(test)]
mod tests;
