//! The screen: what user-svc does for a purchase, and how it undoes that. Pure; when it is called
//! and what is said before and after is the table of [`svc_chassis::participant`].
//!
//! | | available | held | captured | then says |
//! |---|---|---|---|---|
//! | do: [`reserve`](Participant::reserve) | − amount | + amount | | `user.validated`, `payment.reserved` |
//! | keep: [`confirm`](Participant::confirm) | | − amount | + amount | `payment.confirmed` |
//! | undo: [`compensate`](Participant::compensate) | + amount | − amount | | `payment.rollback` |

#![deny(clippy::wildcard_enum_match_arm)]

use saga_events::{EventType, Purchase, ReasonCode, Service};
use svc_chassis::participant::{Hold, Participant, Wire};

/// user-svc's part in the purchase saga: a hold on the buyer's balance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UserSaga;

/// A buyer's money, as it stands when a step looks; in the currency's minor unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Account {
    /// May buy.
    pub active: bool,
    /// Free to be spent.
    pub available: i64,
    /// Held for purchases under way.
    pub held: i64,
    /// Spent on purchases that completed.
    pub captured: i64,
}

/// What happens to a buyer's money, in amounts to be added. The three always add up to zero: money
/// moves, it neither appears nor vanishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Change {
    /// To what is free to be spent.
    pub available: i64,
    /// To what is held.
    pub held: i64,
    /// To what is spent.
    pub captured: i64,
}

impl Participant for UserSaga {
    type Book = Account;
    type Change = Change;

    const WIRE: Wire = Wire {
        me: Service::User,
        reserve_on: EventType::OrderCreated,
        reserved: &[EventType::UserValidated, EventType::PaymentReserved],
        refused,
        confirm_on: EventType::InventoryConfirmed,
        confirmed: EventType::PaymentConfirmed,
        compensate_on: &[
            EventType::InventoryReservationFailed,
            EventType::InventoryRollback,
        ],
        released: EventType::PaymentRollback,
    };

    /// Do: holds the total, if the buyer is known and active, and has enough.
    fn reserve(
        account: Option<&Account>,
        purchase: &Purchase,
    ) -> Result<(i64, Change), ReasonCode> {
        let amount = purchase.total_amount.get();
        let account = account.ok_or(ReasonCode::UserNotFound)?;
        if !account.active {
            return Err(ReasonCode::UserInactive);
        }
        if account.available < amount {
            return Err(ReasonCode::InsufficientBalance);
        }
        let change = Change {
            available: -amount,
            held: amount,
            captured: 0,
        };
        Ok((amount, change))
    }

    /// Keep: what was held is spent, whatever became of the buyer meanwhile.
    fn confirm(_: Option<&Account>, hold: &Hold) -> Change {
        Change {
            available: 0,
            held: -hold.held,
            captured: hold.held,
        }
    }

    /// Undo – the compensating transaction: what was held goes back to the available balance.
    fn compensate(hold: &Hold) -> Change {
        Change {
            available: hold.held,
            held: -hold.held,
            captured: 0,
        }
    }
}

/// Too little money is a failed reservation; all else that user-svc refuses is a failed validation.
fn refused(reason: ReasonCode) -> EventType {
    if reason == ReasonCode::InsufficientBalance {
        EventType::PaymentReservationFailed
    } else {
        EventType::UserValidationFailed
    }
}

#[cfg(test)]
mod tests;
