//! Who buys what: rich and poor buyers, cramped inventories, scarce and withdrawn items, strangers.

use std::time::Duration;

use saga_events::{ItemId, Service, UserId};
use uuid::Uuid;

use super::dice::Dice;
use crate::{Sale, System};

/// Buyers and items of a run.
#[derive(Debug, Clone)]
pub struct Market {
    rich: Vec<UserId>,
    /// Enough for a few purchases.
    pub poor: Vec<UserId>,
    /// Two slots each.
    cramped: Vec<UserId>,
    inactive: UserId,
    stranger: UserId,
    plenty: Vec<ItemId>,
    /// Some are withdrawn in the course of a run.
    pub doomed: Vec<ItemId>,
    /// Stock for a few purchases.
    pub scarce: Vec<ItemId>,
}

/// One purchase, as it is planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shopping {
    /// Who buys what.
    pub sale: Sale,
    /// Asks for the final state in the same call.
    pub waits: bool,
    /// Cancels so long after the order was taken.
    pub cancels: Option<Duration>,
    /// Asks once more under the same key.
    pub asks_again: bool,
}

impl Market {
    /// Fills a system.
    pub async fn open(system: &System) -> Self {
        let mut rich = Vec::new();
        for _ in 0..40 {
            rich.push(system.user(1_000_000_000).await);
        }
        let mut poor = Vec::new();
        for _ in 0..6 {
            poor.push(system.user(500).await);
        }
        let mut cramped = Vec::new();
        for _ in 0..4 {
            let user = system.user(1_000_000_000).await;
            system.set_capacity(user, 2).await;
            cramped.push(user);
        }
        for user in rich.iter().chain(&poor) {
            system.set_capacity(*user, 100).await;
        }
        let inactive = system.user(1_000).await;
        let path = format!("/users/{inactive}/deactivate");
        system.at(Service::User).post_empty(&path).await.expect(200);
        let mut items = Vec::new();
        for price in 1..=20 {
            items.push(system.item(price * 10, 1_000_000).await);
        }
        let mut scarce = Vec::new();
        for _ in 0..3 {
            scarce.push(system.item(100, 20).await);
        }
        Self {
            rich,
            poor,
            cramped,
            inactive,
            stranger: UserId::from_uuid(Uuid::from_u128(1)),
            doomed: items.split_off(16),
            plenty: items,
            scarce,
        }
    }

    /// The `number`th purchase of a run.
    pub fn shopping(&self, seed: u64, number: usize) -> Shopping {
        let dice = &mut Dice::new(seed, 1_000 + number as u64);
        let user = match dice.below(100) {
            0..3 => self.stranger,
            3..5 => self.inactive,
            5..12 => dice.one_of(&self.poor),
            12..20 => dice.one_of(&self.cramped),
            _ => dice.one_of(&self.rich),
        };
        let item = match dice.below(100) {
            0..8 => dice.one_of(&self.scarce),
            8..20 => dice.one_of(&self.doomed),
            _ => dice.one_of(&self.plenty),
        };
        let quantity = 1 + i64::from(dice.percent(30));
        Shopping {
            sale: Sale {
                user,
                item,
                quantity,
            },
            waits: dice.percent(20),
            cancels: dice.percent(8).then(|| dice.millis(0, 200)),
            asks_again: dice.percent(10),
        }
    }

    /// An item of the whole shop.
    pub fn any_item(&self, number: usize) -> ItemId {
        self.plenty[number % self.plenty.len()]
    }
}
