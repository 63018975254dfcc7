//! The gateway: who decides whether a buyer can pay. A bank across a network, so every call may
//! end without an answer, and no answer is neither yes nor no.

pub mod simulated;
pub mod statement;

use std::future::Future;

use saga_events::{Amount, OrderId};

use crate::saga::Answer;

/// What the gateway is asked for. The order id is the idempotency key: asked again with the same
/// key, a gateway gives the same answer and charges once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Charge {
    /// The purchase, and the idempotency key.
    pub order_id: OrderId,
    /// How much, in the currency's minor unit.
    pub amount: Amount,
}

/// The gateway's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Yes or no.
    pub answer: Answer,
    /// Under which name the gateway keeps it.
    pub reference: String,
}

/// A call that ended without an answer: the charge may have been made, or not, or be made yet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unknown {
    /// The connection was not made.
    #[error("the gateway refused the connection")]
    Refused,
    /// No answer came in time.
    #[error("the gateway did not answer in time")]
    TimedOut,
    /// The gateway failed while it worked on it.
    #[error("the gateway failed: {0}")]
    Failed(String),
}

/// A payment gateway. Its calls may hang: the caller sets the time limit, and may drop a call
/// without undoing what the gateway does about it. They must not block: they are awaited on the
/// event thread.
pub trait Gateway: Send + Sync + 'static {
    /// Charges the amount, or declines to. Idempotent by the order id.
    ///
    /// # Errors
    /// [`Unknown`]: ask again with the same key.
    fn authorize(
        &self,
        charge: Charge,
    ) -> impl Future<Output = Result<Authorization, Unknown>> + Send;

    /// What was answered to this key. `None` is not a no: an earlier call may be on its way yet.
    ///
    /// # Errors
    /// [`Unknown`]: look again.
    fn look_up(
        &self,
        order_id: OrderId,
    ) -> impl Future<Output = Result<Option<Authorization>, Unknown>> + Send;

    /// A page of its statement: what it has charged, in order of the key, those after this one.
    ///
    /// # Errors
    /// [`Unknown`]: read it later; so is one of a gateway that keeps no statement.
    fn statement(
        &self,
        _after: Option<OrderId>,
        _limit: usize,
    ) -> impl Future<Output = Result<Vec<Charge>, Unknown>> + Send {
        std::future::ready(Err(Unknown::Failed("it keeps no statement".into())))
    }
}
