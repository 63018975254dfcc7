//! The 23 defects of the project that this one began from, each tried on the running system.

mod carrying;
mod delivering;
mod undoing;

use e2e_tests::System;
use saga_events::{ItemId, UserId};

/// A user with money and an item.
async fn shop(system: &System) -> (UserId, ItemId) {
    (system.user(10_000).await, system.item(100, 100).await)
}
