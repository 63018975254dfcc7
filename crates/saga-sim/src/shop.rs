//! Who buys what: users, items and purchases of a run, so few that they contend for money, room and
//! stock.

use order_svc::advance::NewPurchase;
use saga_events::{Amount, ItemId, Money, OrderId, Quantity, Timestamp, Units, UserId};
use uuid::Uuid;

use crate::dice::Dice;

/// The users and items of a run.
#[derive(Debug)]
pub struct Shop {
    /// Who may buy.
    pub users: Vec<UserId>,
    /// What is sold, and what it costs as order-svc last heard.
    pub items: Vec<(ItemId, Amount)>,
}

impl Shop {
    /// One to four of each.
    pub fn draw(dice: &mut Dice) -> Self {
        let (users, items) = (dice.between(1, 4), dice.between(1, 4));
        Self {
            users: (0..users)
                .map(|_| UserId::from_uuid(any_id(dice)))
                .collect(),
            items: (0..items)
                .map(|_| (ItemId::from_uuid(any_id(dice)), price(dice)))
                .collect(),
        }
    }

    /// A new purchase, begun at this time: by somebody, of something, now and then of somebody or
    /// something that does not exist.
    pub fn purchase(&self, dice: &mut Dice, now: Timestamp) -> NewPurchase {
        let (item_id, unit_price) = match dice.below(40) {
            0 => (ItemId::from_uuid(any_id(dice)), price(dice)),
            _ => dice.pick(&self.items),
        };
        let user_id = match dice.below(40) {
            0 => UserId::from_uuid(any_id(dice)),
            _ => dice.pick(&self.users),
        };
        let quantity = quantity(dice);
        NewPurchase {
            order_id: order_id(dice, now),
            user_id,
            item_id,
            quantity,
            unit_price,
            total_amount: unit_price.times(quantity).unwrap_or(unit_price),
        }
    }
}

/// A balance that a few purchases use up.
pub fn balance(dice: &mut Dice) -> Money {
    Money::new(dice.between(0, 10_000)).unwrap_or(Money::MIN)
}

/// A stock that a few purchases use up.
pub fn stock(dice: &mut Dice) -> Units {
    Units::new(dice.between(0, 60)).unwrap_or(Units::MIN)
}

/// A price.
pub fn price(dice: &mut Dice) -> Amount {
    Amount::new(dice.between(1, 300)).unwrap_or(Amount::MIN)
}

/// A deposit.
pub fn deposit(dice: &mut Dice) -> Amount {
    Amount::new(dice.between(1, 2_000)).unwrap_or(Amount::MIN)
}

/// An order's id: UUID v7, as order-svc makes them.
pub fn order_id(dice: &mut Dice, now: Timestamp) -> OrderId {
    let millis = u64::try_from(now.micros() / 1000).unwrap_or(0);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&dice.bits().to_le_bytes());
    random[8..].copy_from_slice(&dice.bits().to_le_bytes()[..2]);
    OrderId::from_uuid(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
}

fn quantity(dice: &mut Dice) -> Quantity {
    Quantity::new(dice.between(1, 4)).unwrap_or(Quantity::MIN)
}

fn any_id(dice: &mut Dice) -> Uuid {
    Uuid::from_u64_pair(dice.bits(), dice.bits())
}
