//! The screen: what item-svc does for a purchase, and how it undoes that. Pure; when it is called
//! and what is said before and after is the table of [`svc_chassis::participant`].
//!
//! | | available | held | sold | then says |
//! |---|---|---|---|---|
//! | do: [`reserve`](Participant::reserve) | − quantity | + quantity | | `item.reserved` |
//! | keep: [`confirm`](Participant::confirm) | | − quantity | + quantity | `item.deducted` |
//! | undo: [`compensate`](Participant::compensate) | + quantity | − quantity | | `item.restored` |

#![deny(clippy::wildcard_enum_match_arm)]

use saga_events::{Amount, EventType, Purchase, ReasonCode, Service};
use svc_chassis::participant::{Hold, Participant, Wire};

/// item-svc's part in the purchase saga: a hold on stock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ItemSaga;

/// An item's price and stock, as they stand when a step looks. Stock is counted in pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Item {
    /// What one costs.
    pub price: Amount,
    /// Free to be bought.
    pub available: i64,
    /// Held for purchases under way.
    pub held: i64,
    /// Sold.
    pub sold: i64,
    /// No longer sold.
    pub withdrawn: bool,
}

/// What happens to an item's stock, in pieces to be added. The three always add up to zero: stock
/// moves, it neither appears nor vanishes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Change {
    /// To what is free to be bought.
    pub available: i64,
    /// To what is held.
    pub held: i64,
    /// To what is sold.
    pub sold: i64,
}

impl Participant for ItemSaga {
    type Book = Item;
    type Change = Change;

    const WIRE: Wire = Wire {
        me: Service::Item,
        reserve_on: EventType::InventoryReserved,
        reserved: &[EventType::ItemReserved],
        refused: |_| EventType::ItemReservationFailed,
        confirm_on: EventType::PaymentProcessed,
        confirmed: EventType::ItemDeducted,
        compensate_on: &[EventType::PaymentFailed],
        released: EventType::ItemRestored,
    };

    /// Do: holds the quantity, if the item is sold, at the quoted price, and there is enough of it.
    fn reserve(item: Option<&Item>, purchase: &Purchase) -> Result<(i64, Change), ReasonCode> {
        let quantity = purchase.quantity.get();
        let item = item.ok_or(ReasonCode::ItemNotFound)?;
        if item.withdrawn {
            return Err(ReasonCode::ItemWithdrawn);
        }
        if item.price != purchase.unit_price {
            return Err(ReasonCode::PriceChanged);
        }
        if item.available < quantity {
            return Err(ReasonCode::OutOfStock);
        }
        let change = Change {
            available: -quantity,
            held: quantity,
            sold: 0,
        };
        Ok((quantity, change))
    }

    /// Keep: what was held is sold, whatever became of the item's price meanwhile.
    fn confirm(_: Option<&Item>, hold: &Hold) -> Change {
        Change {
            available: 0,
            held: -hold.held,
            sold: hold.held,
        }
    }

    /// Undo – the compensating transaction: what was held goes back to the available stock.
    fn compensate(hold: &Hold) -> Change {
        Change {
            available: hold.held,
            held: -hold.held,
            sold: 0,
        }
    }
}

#[cfg(test)]
mod tests;
