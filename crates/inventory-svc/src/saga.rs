//! The screen: what inventory-svc does for a purchase, and how it undoes that. Pure; when it is
//! called and what is said before and after is the table of [`svc_chassis::participant`].
//!
//! | | held slots | used slots | quantity owned | then says |
//! |---|---|---|---|---|
//! | do: [`reserve`](Participant::reserve) | + 1, + 0 if the item is owned | | | `inventory.reserved` |
//! | keep: [`confirm`](Participant::confirm) | − what was held | + 1, + 0 if the item is owned by now | + quantity | `inventory.confirmed` |
//! | undo: [`compensate`](Participant::compensate) | − what was held | | | `inventory.rollback` |

#![deny(clippy::wildcard_enum_match_arm)]

use saga_events::{EventType, Purchase, ReasonCode, Service};
use svc_chassis::participant::{Hold, Participant, Wire};

/// inventory-svc's part in the purchase saga: a hold on room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InventorySaga;

/// A buyer's slots, and the stack of the item to be bought, as they stand when a step looks. A stack
/// of one item takes one slot, whatever its quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shelf {
    /// How many slots there are.
    pub capacity: i64,
    /// Slots with a stack in them.
    pub used: i64,
    /// Slots held for purchases under way.
    pub held: i64,
    /// How many of the item the buyer owns.
    pub owned: i64,
}

/// What happens to a shelf, in numbers to be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Change {
    /// To the slots with a stack in them.
    pub used: i64,
    /// To the slots that are held.
    pub held: i64,
    /// To how many of the item the buyer owns.
    pub owned: i64,
}

/// This service knows no users: whom it never heard of has an empty shelf of 20 slots.
impl Default for Shelf {
    fn default() -> Self {
        Self {
            capacity: 20,
            used: 0,
            held: 0,
            owned: 0,
        }
    }
}

impl Shelf {
    /// One more of the item needs a slot of its own only where there is no stack of it yet.
    fn slots_needed(&self) -> i64 {
        i64::from(self.owned == 0)
    }
}

impl Participant for InventorySaga {
    type Book = Shelf;
    type Change = Change;

    const WIRE: Wire = Wire {
        me: Service::Inventory,
        reserve_on: EventType::PaymentReserved,
        reserved: &[EventType::InventoryReserved],
        refused: |_| EventType::InventoryReservationFailed,
        confirm_on: EventType::ItemDeducted,
        confirmed: EventType::InventoryConfirmed,
        compensate_on: &[EventType::ItemReservationFailed, EventType::ItemRestored],
        released: EventType::InventoryRollback,
    };

    /// Do: holds a free slot, unless the buyer's own stack of the item has room for more.
    fn reserve(shelf: Option<&Shelf>, _: &Purchase) -> Result<(i64, Change), ReasonCode> {
        let shelf = shelf.copied().unwrap_or_default();
        let slots = shelf.slots_needed();
        if shelf.used + shelf.held + slots > shelf.capacity {
            return Err(ReasonCode::InventoryFull);
        }
        let change = Change {
            used: 0,
            held: slots,
            owned: 0,
        };
        Ok((slots, change))
    }

    /// Keep: the quantity goes onto the buyer's stack. Of two concurrent purchases of a new item
    /// both hold a slot: the first one uses it, the second one gives it back.
    fn confirm(shelf: Option<&Shelf>, hold: &Hold) -> Change {
        let shelf = shelf.copied().unwrap_or_default();
        let owned = hold.purchase.map_or(0, |purchase| purchase.quantity.get());
        Change {
            used: shelf.slots_needed(),
            held: -hold.held,
            owned,
        }
    }

    /// Undo – the compensating transaction: a slot that was held is free again.
    fn compensate(hold: &Hold) -> Change {
        Change {
            used: 0,
            held: -hold.held,
            owned: 0,
        }
    }
}

#[cfg(test)]
mod tests;
