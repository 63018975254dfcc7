//! The step on a real database file: row, effect and answers are one transaction, and nothing
//! happens twice.
#![allow(clippy::unwrap_used)]

use inventory_svc::InventorySvc;
use inventory_svc::saga::InventorySaga;
use inventory_svc::store;
use saga_events::{
    Amount, Event, EventType, Failure, ItemId, Message, OrderId, Payload, Purchase, Quantity,
    Reason, ReasonCode, Settled, Timestamp, UserId,
};
use svc_chassis::participant::{State, apply, hold_of};
use svc_chassis::testing::Bench;
use svc_chassis::{Error, Outcome, Service, outbox};
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

    /// The process was killed and starts again on the same file.
    fn restarted(self) -> Self {
        drop(self.bench);
        let migrations = InventorySvc::migrations();
        let bench = Bench::open(self.folder.path(), &migrations).unwrap();
        Self { bench, ..self }
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
        event(EventType::PaymentReserved, Payload::Purchase(purchase))
    }

    /// The outcome, and what was said.
    fn step(&mut self, event: &Event) -> (Outcome, Vec<EventType>) {
        let applied = self.bench.write(|tx| apply::<InventorySaga>(tx, event));
        let (outcome, said) = applied.unwrap();
        assert!(said.iter().all(|said| said.causation_id == Some(event.id)));
        (outcome, said.iter().map(Event::event_type).collect())
    }

    /// Used slots, held slots, and the quantities owned.
    fn room(&mut self) -> (i64, i64, Vec<i64>) {
        let bag = store::inventory(self.bench.conn(), self.user).unwrap();
        let quantities = bag.items.iter().map(|stack| stack.quantity);
        (bag.used, bag.held, quantities.collect())
    }
}

fn event(event_type: EventType, payload: Payload) -> Event {
    let message = Message {
        event_type,
        attempt: 0,
        payload,
    };
    Event::new(message, None, None, Timestamp::now())
}

fn confirm(order_id: OrderId) -> Event {
    let payload = Payload::Settled(Settled { order_id });
    event(EventType::ItemDeducted, payload)
}

fn compensate(order_id: OrderId) -> Event {
    let reason = Reason {
        reason_code: ReasonCode::PaymentDeclined,
        failed_step: saga_events::Service::Payment,
    };
    let payload = Payload::Failure(Failure { order_id, reason });
    event(EventType::ItemRestored, payload)
}

fn repeated(event: &Event, attempt: u32) -> Event {
    let mut event = event.clone();
    event.message.attempt = attempt;
    event
}

fn changed(state: State, said: EventType) -> (Outcome, Vec<EventType>) {
    (Outcome::Changed(state.as_str()), vec![said])
}

fn silent() -> (Outcome, Vec<EventType>) {
    (Outcome::Duplicate, vec![])
}

#[test]
fn a_paid_purchase_is_in_the_inventory() {
    let mut bag = Bag::of_slots(20);
    let reserve = bag.reserve(ItemId::new());
    let reserved = changed(State::Reserved, EventType::InventoryReserved);
    assert_eq!(bag.step(&reserve), reserved);
    assert_eq!(bag.room(), (0, 1, vec![]));
    let confirmed = changed(State::Confirmed, EventType::InventoryConfirmed);
    assert_eq!(bag.step(&confirm(reserve.order_id())), confirmed);
    assert_eq!(bag.room(), (1, 0, vec![3]));
}

#[test]
fn a_failed_purchase_gives_its_slot_back() {
    let mut bag = Bag::of_slots(20);
    let reserve = bag.reserve(ItemId::new());
    bag.step(&reserve);
    let released = changed(State::Released, EventType::InventoryRollback);
    assert_eq!(bag.step(&compensate(reserve.order_id())), released);
    assert_eq!(bag.room(), (0, 0, vec![]));
}

#[test]
fn a_user_that_nobody_announced_gets_its_inventory_with_its_first_purchase() {
    let mut bag = Bag::of_slots(0);
    bag.user = UserId::new();
    let reserve = bag.reserve(ItemId::new());
    let reserved = changed(State::Reserved, EventType::InventoryReserved);
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
        bag.step(&confirm(reserve.order_id()));
        assert_eq!(bag.room(), (1, 0, quantities));
    }
    let refused = changed(State::Refused, EventType::InventoryReservationFailed);
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
    bag.step(&confirm(second.order_id()));
    assert_eq!(bag.room(), (1, 1, vec![3]));
    bag.step(&confirm(first.order_id()));
    assert_eq!(bag.room(), (1, 0, vec![6]));
}

#[test]
fn held_slots_count_and_a_refusal_stands_when_there_is_room_again() {
    let mut bag = Bag::of_slots(1);
    let (first, second) = (bag.reserve(ItemId::new()), bag.reserve(ItemId::new()));
    bag.step(&first);
    let refused = changed(State::Refused, EventType::InventoryReservationFailed);
    assert_eq!(bag.step(&second), refused);
    bag.step(&compensate(first.order_id()));
    // A refusal is a decision: whoever hears of it counts on it.
    let again = (
        Outcome::Repeated,
        vec![EventType::InventoryReservationFailed],
    );
    assert_eq!(bag.step(&repeated(&second, 1)), again);
    let hold = hold_of(bag.bench.conn(), second.order_id()).unwrap();
    let reason_code = hold.unwrap().reason.unwrap().reason_code;
    assert_eq!(reason_code, ReasonCode::InventoryFull);
    assert_eq!(bag.room(), (0, 0, vec![]));
}

#[test]
fn a_duplicate_is_silent_and_a_repeat_is_answered_and_neither_has_an_effect() {
    let mut bag = Bag::of_slots(20);
    let reserve = bag.reserve(ItemId::new());
    let confirm = confirm(reserve.order_id());
    for (event, answer, room) in [
        (&reserve, EventType::InventoryReserved, (0, 1, vec![])),
        (&confirm, EventType::InventoryConfirmed, (1, 0, vec![3])),
    ] {
        bag.step(event);
        assert_eq!(bag.step(event), silent());
        let repeat = repeated(event, 1);
        let answered = (Outcome::Repeated, vec![answer]);
        assert_eq!(bag.step(&repeat), answered);
        assert_eq!(bag.step(&repeat), silent());
        assert_eq!(bag.room(), room);
    }
}

#[test]
fn an_event_read_again_after_a_crash_before_its_acknowledgement_has_no_second_effect() {
    let mut bag = Bag::of_slots(20);
    let reserve = bag.reserve(ItemId::new());
    bag.step(&reserve);
    let mut bag = bag.restarted();
    assert_eq!(bag.step(&reserve), silent());
    let confirm = confirm(reserve.order_id());
    bag.step(&confirm);
    let mut bag = bag.restarted();
    assert_eq!(bag.step(&confirm), silent());
    assert_eq!(bag.room(), (1, 0, vec![3]));
}

#[test]
fn an_error_after_the_step_leaves_neither_row_nor_effect_nor_event() {
    let mut bag = Bag::of_slots(20);
    let reserve = bag.reserve(ItemId::new());
    let failed = bag.bench.write(|tx| {
        apply::<InventorySaga>(tx, &reserve)?;
        Err::<(), _>(Error::internal("the disk went away"))
    });
    assert!(failed.is_err());
    let order_id = reserve.order_id();
    assert_eq!(hold_of(bag.bench.conn(), order_id).unwrap(), None);
    assert_eq!(outbox::of_order(bag.bench.conn(), order_id).unwrap(), []);
    assert_eq!(bag.room(), (0, 0, vec![]));
    let reserved = changed(State::Reserved, EventType::InventoryReserved);
    assert_eq!(bag.step(&reserve), reserved);
}

#[test]
fn a_reserve_that_comes_after_its_undo_does_nothing() {
    let mut bag = Bag::of_slots(20);
    let reserve = bag.reserve(ItemId::new());
    let tombstone = changed(State::Released, EventType::InventoryRollback);
    assert_eq!(bag.step(&compensate(reserve.order_id())), tombstone);
    assert_eq!(bag.step(&reserve), silent());
    let answered = (Outcome::Repeated, vec![EventType::InventoryRollback]);
    assert_eq!(bag.step(&repeated(&reserve, 1)), answered);
    assert_eq!(bag.room(), (0, 0, vec![]));
}

#[test]
fn a_confirmation_of_what_was_never_held_is_impossible_and_changes_nothing() {
    let mut bag = Bag::of_slots(20);
    let confirm = confirm(OrderId::new());
    let why = "impossible: item.deducted in state –".to_owned();
    let impossible = (Outcome::Impossible(why), vec![]);
    assert_eq!(bag.step(&confirm), impossible);
    let hold = hold_of(bag.bench.conn(), confirm.order_id()).unwrap();
    assert_eq!(hold, None);
}
