//! The step on a real database file: row, effect and answers are one transaction, and nothing
//! happens twice.
#![allow(clippy::unwrap_used)]

use inventory_svc::InventorySvc;
use inventory_svc::saga::InventorySaga;
use inventory_svc::store;
use saga_events::{
    Amount, Event, EventType, ItemId, OrderId, Purchase, Quantity, ReasonCode, Timestamp, UserId,
};
use svc_chassis::Service;
use svc_chassis::participant::State;
use svc_chassis::testing::Bench;
use svc_chassis::testing::steps::{self, Participating, changed};
use tempfile::TempDir;

struct Bag {
    bench: Bench,
    user: UserId,
    folder: TempDir,
}

impl Bag {
    fn of_slots(capacity: i64) -> Self {
        let folder = TempDir::new().unwrap();
        let migrations = InventorySvc::migrations();
        let mut bench = Bench::open(folder.path(), &migrations).unwrap();
        let user = UserId::new();
        let set = bench.write(|tx| store::set_capacity(tx, user, capacity));
        set.unwrap();
        Self {
            bench,
            user,
            folder,
        }
    }

    /// `payment.reserved` of a new order of three of this item.
    fn reserve(&self, item_id: ItemId) -> Event {
        let purchase = Purchase {
            order_id: OrderId::new(),
            user_id: self.user,
            item_id,
            quantity: Quantity::new(3).unwrap(),
            unit_price: Amount::new(100).unwrap(),
            total_amount: Amount::new(300).unwrap(),
            deadline: Timestamp::now(),
        };
        Self::reserve_for(purchase)
    }

    /// Used slots, held slots, and the quantities owned.
    fn room(&mut self) -> (i64, i64, Vec<i64>) {
        let bag = store::inventory(self.bench.conn(), self.user).unwrap();
        let quantities = bag.items.iter().map(|stack| stack.quantity);
        (bag.used, bag.held, quantities.collect())
    }
}

impl Participating for Bag {
    type Saga = InventorySaga;
    type Seen = (i64, i64, Vec<i64>);

    fn bench(&mut self) -> &mut Bench {
        &mut self.bench
    }

    fn restarted(self) -> Self {
        drop(self.bench);
        let migrations = InventorySvc::migrations();
        let bench = Bench::open(self.folder.path(), &migrations).unwrap();
        Self { bench, ..self }
    }

    fn seen(&mut self) -> Self::Seen {
        self.room()
    }

    fn reserve_one(&self) -> Event {
        self.reserve(ItemId::new())
    }
}

svc_chassis::prove_every_step!(Bag::of_slots(20));

#[test]
fn a_paid_purchase_is_in_the_inventory() {
    let mut bag = Bag::of_slots(20);
    let reserve = bag.reserve(ItemId::new());
    let reserved = changed(State::Reserved, &[EventType::InventoryReserved]);
    assert_eq!(bag.step(&reserve), reserved);
    assert_eq!(bag.room(), (0, 1, vec![]));
    let confirmed = changed(State::Confirmed, &[EventType::InventoryConfirmed]);
    assert_eq!(bag.step(&Bag::confirm(&reserve)), confirmed);
    assert_eq!(bag.room(), (1, 0, vec![3]));
}

#[test]
fn a_failed_purchase_gives_its_slot_back() {
    let mut bag = Bag::of_slots(20);
    let reserve = bag.reserve(ItemId::new());
    bag.step(&reserve);
    let released = changed(State::Released, &[EventType::InventoryRollback]);
    assert_eq!(bag.step(&Bag::compensate(&reserve)), released);
    assert_eq!(bag.room(), (0, 0, vec![]));
}

#[test]
fn a_user_that_nobody_announced_gets_its_inventory_with_its_first_purchase() {
    let mut bag = Bag::of_slots(0);
    bag.user = UserId::new();
    let reserve = bag.reserve(ItemId::new());
    let reserved = changed(State::Reserved, &[EventType::InventoryReserved]);
    assert_eq!(bag.step(&reserve), reserved);
    assert_eq!(bag.room(), (0, 1, vec![]));
    let inventory = store::inventory(bag.bench.conn(), bag.user).unwrap();
    assert_eq!(inventory.capacity, 20);
}

#[test]
fn more_of_an_owned_item_fits_into_a_full_inventory_and_a_new_item_does_not() {
    let mut bag = Bag::of_slots(1);
    let item = ItemId::new();
    for quantities in [vec![3], vec![6]] {
        let reserve = bag.reserve(item);
        bag.step(&reserve);
        bag.step(&Bag::confirm(&reserve));
        assert_eq!(bag.room(), (1, 0, quantities));
    }
    let refused = changed(State::Refused, &[EventType::InventoryReservationFailed]);
    let reserve = bag.reserve(ItemId::new());
    assert_eq!(bag.step(&reserve), refused);
    assert_eq!(bag.room(), (1, 0, vec![6]));
}

#[test]
fn two_concurrent_purchases_of_a_new_item_end_in_one_slot() {
    let mut bag = Bag::of_slots(20);
    let item = ItemId::new();
    let (first, second) = (bag.reserve(item), bag.reserve(item));
    bag.step(&first);
    bag.step(&second);
    assert_eq!(bag.room(), (0, 2, vec![]));
    bag.step(&Bag::confirm(&second));
    assert_eq!(bag.room(), (1, 1, vec![3]));
    bag.step(&Bag::confirm(&first));
    assert_eq!(bag.room(), (1, 0, vec![6]));
}

#[test]
fn held_slots_count_and_a_refusal_stands_when_there_is_room_again() {
    let enough_for_one = Bag::of_slots(1);
    let reason = ReasonCode::InventoryFull;
    let says = EventType::InventoryReservationFailed;
    steps::a_refusal_stands_when_there_is_enough_again(enough_for_one, reason, says);
}
