//! The step on a real database file: row, effect and answers are one transaction, and nothing
//! happens twice.
#![allow(clippy::unwrap_used)]

use item_svc::ItemSvc;
use item_svc::saga::ItemSaga;
use item_svc::store::{self, NewItem};
use saga_events::{
    Amount, Event, EventType, Failure, ItemId, Message, OrderId, Payload, Purchase, Quantity,
    Reason, ReasonCode, Settled, Timestamp, Units, UserId,
};
use svc_chassis::participant::{State, apply, hold_of};
use svc_chassis::testing::Bench;
use svc_chassis::{Error, Outcome, Service, outbox};
use tempfile::TempDir;

const PRICE: i64 = 100;

struct Shop {
    bench: Bench,
    item: ItemId,
    folder: TempDir,
}

impl Shop {
    fn with_stock(stock: i64) -> Self {
        let folder = TempDir::new().unwrap();
        let mut bench = Bench::open(folder.path(), &ItemSvc::migrations()).unwrap();
        let item = ItemId::new();
        let new = NewItem {
            name: "sword".to_owned(),
            description: String::new(),
            price: Amount::new(PRICE).unwrap(),
            stock: Units::new(stock).unwrap(),
        };
        bench.write(|tx| store::create(tx, item, &new)).unwrap();
        Self {
            bench,
            item,
            folder,
        }
    }

    /// The process was killed and starts again on the same file.
    fn restarted(self) -> Self {
        drop(self.bench);
        let bench = Bench::open(self.folder.path(), &ItemSvc::migrations()).unwrap();
        Self { bench, ..self }
    }

    /// `inventory.reserved` of a new order of so many.
    fn reserve(&self, quantity: i64) -> Event {
        let purchase = Purchase {
            order_id: OrderId::new(),
            user_id: UserId::new(),
            item_id: self.item,
            quantity: Quantity::new(quantity).unwrap(),
            unit_price: Amount::new(PRICE).unwrap(),
            total_amount: Amount::new(PRICE * quantity).unwrap(),
            deadline: Timestamp::now(),
        };
        event(EventType::InventoryReserved, Payload::Purchase(purchase))
    }

    /// The outcome, and what was said.
    fn step(&mut self, event: &Event) -> (Outcome, Vec<EventType>) {
        let applied = self.bench.write(|tx| apply::<ItemSaga>(tx, event));
        let (outcome, said) = applied.unwrap();
        assert!(said.iter().all(|said| said.causation_id == Some(event.id)));
        (outcome, said.iter().map(Event::event_type).collect())
    }

    /// Available, held, sold.
    fn stock(&mut self) -> (i64, i64, i64) {
        let item = store::item(self.bench.conn(), self.item).unwrap();
        (item.stock.get(), item.held.get(), item.sold.get())
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
    event(EventType::PaymentProcessed, payload)
}

fn compensate(order_id: OrderId) -> Event {
    let reason = Reason {
        reason_code: ReasonCode::PaymentDeclined,
        failed_step: saga_events::Service::Payment,
    };
    let payload = Payload::Failure(Failure { order_id, reason });
    event(EventType::PaymentFailed, payload)
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
fn a_paid_purchase_is_sold() {
    let mut shop = Shop::with_stock(10);
    let reserve = shop.reserve(3);
    assert_eq!(
        shop.step(&reserve),
        changed(State::Reserved, EventType::ItemReserved)
    );
    assert_eq!(shop.stock(), (7, 3, 0));
    let sold = changed(State::Confirmed, EventType::ItemDeducted);
    assert_eq!(shop.step(&confirm(reserve.order_id())), sold);
    assert_eq!(shop.stock(), (7, 0, 3));
}

#[test]
fn a_failed_purchase_is_given_back() {
    let mut shop = Shop::with_stock(10);
    let reserve = shop.reserve(3);
    shop.step(&reserve);
    let given_back = changed(State::Released, EventType::ItemRestored);
    assert_eq!(shop.step(&compensate(reserve.order_id())), given_back);
    assert_eq!(shop.stock(), (10, 0, 0));
}

#[test]
fn what_is_given_back_is_the_hold_and_not_the_old_stock() {
    let mut shop = Shop::with_stock(10);
    let (first, second) = (shop.reserve(3), shop.reserve(4));
    shop.step(&first);
    shop.step(&second);
    shop.step(&compensate(first.order_id()));
    assert_eq!(shop.stock(), (6, 4, 0));
    shop.step(&confirm(second.order_id()));
    assert_eq!(shop.stock(), (6, 0, 4));
}

#[test]
fn a_duplicate_is_silent_and_a_repeat_is_answered_and_neither_has_an_effect() {
    let mut shop = Shop::with_stock(10);
    let reserve = shop.reserve(3);
    let confirm = confirm(reserve.order_id());
    for (event, answer, stock) in [
        (&reserve, EventType::ItemReserved, (7, 3, 0)),
        (&confirm, EventType::ItemDeducted, (7, 0, 3)),
    ] {
        shop.step(event);
        assert_eq!(shop.step(event), silent());
        let repeat = repeated(event, 1);
        let answered = (Outcome::Repeated, vec![answer]);
        assert_eq!(shop.step(&repeat), answered);
        assert_eq!(shop.step(&repeat), silent());
        assert_eq!(shop.stock(), stock);
    }
}

#[test]
fn an_event_read_again_after_a_crash_before_its_acknowledgement_has_no_second_effect() {
    let mut shop = Shop::with_stock(10);
    let reserve = shop.reserve(3);
    shop.step(&reserve);
    let mut shop = shop.restarted();
    assert_eq!(shop.step(&reserve), silent());
    let compensate = compensate(reserve.order_id());
    shop.step(&compensate);
    let mut shop = shop.restarted();
    assert_eq!(shop.step(&compensate), silent());
    assert_eq!(shop.stock(), (10, 0, 0));
}

#[test]
fn an_error_after_the_step_leaves_neither_row_nor_effect_nor_event() {
    let mut shop = Shop::with_stock(10);
    let reserve = shop.reserve(3);
    let failed = shop.bench.write(|tx| {
        apply::<ItemSaga>(tx, &reserve)?;
        Err::<(), _>(Error::internal("the disk went away"))
    });
    assert!(failed.is_err());
    let order_id = reserve.order_id();
    assert_eq!(hold_of(shop.bench.conn(), order_id).unwrap(), None);
    assert_eq!(outbox::of_order(shop.bench.conn(), order_id).unwrap(), []);
    assert_eq!(shop.stock(), (10, 0, 0));
    assert_eq!(
        shop.step(&reserve),
        changed(State::Reserved, EventType::ItemReserved)
    );
}

#[test]
fn a_reserve_that_comes_after_its_undo_does_nothing() {
    let mut shop = Shop::with_stock(10);
    let reserve = shop.reserve(3);
    let tombstone = changed(State::Released, EventType::ItemRestored);
    assert_eq!(shop.step(&compensate(reserve.order_id())), tombstone);
    assert_eq!(shop.step(&reserve), silent());
    let answered = (Outcome::Repeated, vec![EventType::ItemRestored]);
    assert_eq!(shop.step(&repeated(&reserve, 1)), answered);
    assert_eq!(shop.stock(), (10, 0, 0));
}

#[test]
fn a_confirmation_of_what_was_never_held_is_impossible_and_changes_nothing() {
    let mut shop = Shop::with_stock(10);
    let confirm = confirm(OrderId::new());
    let why = "impossible: payment.processed in state –".to_owned();
    let impossible = (Outcome::Impossible(why), vec![]);
    assert_eq!(shop.step(&confirm), impossible);
    let hold = hold_of(shop.bench.conn(), confirm.order_id()).unwrap();
    assert_eq!(hold, None);
}

#[test]
fn of_two_orders_with_stock_for_one_the_second_is_refused_for_ever() {
    let mut shop = Shop::with_stock(5);
    let (first, second) = (shop.reserve(3), shop.reserve(3));
    shop.step(&first);
    let refused = changed(State::Refused, EventType::ItemReservationFailed);
    assert_eq!(shop.step(&second), refused);
    shop.step(&compensate(first.order_id()));
    // There is stock again, but a refusal is a decision: whoever hears of it counts on it.
    let again = (Outcome::Repeated, vec![EventType::ItemReservationFailed]);
    assert_eq!(shop.step(&repeated(&second, 1)), again);
    let hold = hold_of(shop.bench.conn(), second.order_id()).unwrap();
    let hold = hold.unwrap();
    assert_eq!((hold.state, hold.held), (State::Refused, 0));
    let reason_code = hold.reason.unwrap().reason_code;
    assert_eq!(reason_code, ReasonCode::OutOfStock);
    assert_eq!(shop.stock(), (5, 0, 0));
}
