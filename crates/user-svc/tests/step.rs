//! The step on a real database file: row, effect and answers are one transaction, and nothing
//! happens twice.
#![allow(clippy::unwrap_used)]

use saga_events::{
    Amount, Event, EventType, Failure, ItemId, Message, Money, OrderId, Payload, Purchase,
    Quantity, Reason, ReasonCode, Settled, Timestamp, UserId,
};
use svc_chassis::participant::{State, apply, hold_of};
use svc_chassis::testing::Bench;
use svc_chassis::{Error, Outcome, Service, outbox};
use tempfile::TempDir;
use user_svc::UserSvc;
use user_svc::saga::UserSaga;
use user_svc::store::{self, NewUser};

const RESERVED: [EventType; 2] = [EventType::UserValidated, EventType::PaymentReserved];

struct Bank {
    bench: Bench,
    user: UserId,
    folder: TempDir,
}

impl Bank {
    fn with_balance(balance: i64) -> Self {
        let folder = TempDir::new().unwrap();
        let mut bench = Bench::open(folder.path(), &UserSvc::migrations()).unwrap();
        let user = UserId::new();
        let new = NewUser {
            username: "ada".to_owned(),
            balance: Money::new(balance).unwrap(),
        };
        bench.write(|tx| store::create(tx, user, &new)).unwrap();
        Self {
            bench,
            user,
            folder,
        }
    }

    /// The process was killed and starts again on the same file.
    fn restarted(self) -> Self {
        drop(self.bench);
        let bench = Bench::open(self.folder.path(), &UserSvc::migrations()).unwrap();
        Self { bench, ..self }
    }

    /// `order.created` of a new order for this much.
    fn reserve(&self, total: i64) -> Event {
        let total_amount = Amount::new(total).unwrap();
        let purchase = Purchase {
            order_id: OrderId::new(),
            user_id: self.user,
            item_id: ItemId::new(),
            quantity: Quantity::MIN,
            unit_price: total_amount,
            total_amount,
            deadline: Timestamp::now(),
        };
        event(EventType::OrderCreated, Payload::Purchase(purchase))
    }

    /// The outcome, and what was said.
    fn step(&mut self, event: &Event) -> (Outcome, Vec<EventType>) {
        let applied = self.bench.write(|tx| apply::<UserSaga>(tx, event));
        let (outcome, said) = applied.unwrap();
        assert!(said.iter().all(|said| said.causation_id == Some(event.id)));
        (outcome, said.iter().map(Event::event_type).collect())
    }

    /// Available and held.
    fn money(&mut self) -> (i64, i64) {
        let user = store::user(self.bench.conn(), self.user).unwrap();
        (user.balance.get(), user.held.get())
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
    event(EventType::InventoryConfirmed, payload)
}

fn compensate(order_id: OrderId) -> Event {
    let reason = Reason {
        reason_code: ReasonCode::OutOfStock,
        failed_step: saga_events::Service::Item,
    };
    let payload = Payload::Failure(Failure { order_id, reason });
    event(EventType::InventoryRollback, payload)
}

fn repeated(event: &Event, attempt: u32) -> Event {
    let mut event = event.clone();
    event.message.attempt = attempt;
    event
}

fn changed(state: State, said: &[EventType]) -> (Outcome, Vec<EventType>) {
    (Outcome::Changed(state.as_str()), said.to_vec())
}

fn silent() -> (Outcome, Vec<EventType>) {
    (Outcome::Duplicate, vec![])
}

#[test]
fn a_paid_purchase_is_captured() {
    let mut bank = Bank::with_balance(1000);
    let reserve = bank.reserve(300);
    assert_eq!(bank.step(&reserve), changed(State::Reserved, &RESERVED));
    assert_eq!(bank.money(), (700, 300));
    let captured = changed(State::Confirmed, &[EventType::PaymentConfirmed]);
    assert_eq!(bank.step(&confirm(reserve.order_id())), captured);
    assert_eq!(bank.money(), (700, 0));
}

#[test]
fn a_failed_purchase_is_given_back() {
    let mut bank = Bank::with_balance(1000);
    let reserve = bank.reserve(300);
    bank.step(&reserve);
    let given_back = changed(State::Released, &[EventType::PaymentRollback]);
    assert_eq!(bank.step(&compensate(reserve.order_id())), given_back);
    assert_eq!(bank.money(), (1000, 0));
}

#[test]
fn what_is_given_back_is_the_hold_and_not_the_old_balance() {
    let mut bank = Bank::with_balance(1000);
    let (first, second) = (bank.reserve(300), bank.reserve(400));
    bank.step(&first);
    bank.step(&second);
    bank.step(&compensate(first.order_id()));
    assert_eq!(bank.money(), (600, 400));
    bank.step(&confirm(second.order_id()));
    assert_eq!(bank.money(), (600, 0));
}

#[test]
fn a_duplicate_is_silent_and_a_repeat_is_answered_and_neither_has_an_effect() {
    let mut bank = Bank::with_balance(1000);
    let reserve = bank.reserve(300);
    let confirm = confirm(reserve.order_id());
    for (event, answers, money) in [
        (&reserve, RESERVED.as_slice(), (700, 300)),
        (&confirm, &[EventType::PaymentConfirmed], (700, 0)),
    ] {
        bank.step(event);
        assert_eq!(bank.step(event), silent());
        let repeat = repeated(event, 1);
        let answered = (Outcome::Repeated, answers.to_vec());
        assert_eq!(bank.step(&repeat), answered);
        assert_eq!(bank.step(&repeat), silent());
        assert_eq!(bank.money(), money);
    }
}

#[test]
fn an_event_read_again_after_a_crash_before_its_acknowledgement_has_no_second_effect() {
    let mut bank = Bank::with_balance(1000);
    let reserve = bank.reserve(300);
    bank.step(&reserve);
    let mut bank = bank.restarted();
    assert_eq!(bank.step(&reserve), silent());
    let compensate = compensate(reserve.order_id());
    bank.step(&compensate);
    let mut bank = bank.restarted();
    assert_eq!(bank.step(&compensate), silent());
    assert_eq!(bank.money(), (1000, 0));
}

#[test]
fn an_error_after_the_step_leaves_neither_row_nor_effect_nor_event() {
    let mut bank = Bank::with_balance(1000);
    let reserve = bank.reserve(300);
    let failed = bank.bench.write(|tx| {
        apply::<UserSaga>(tx, &reserve)?;
        Err::<(), _>(Error::internal("the disk went away"))
    });
    assert!(failed.is_err());
    let order_id = reserve.order_id();
    assert_eq!(hold_of(bank.bench.conn(), order_id).unwrap(), None);
    assert_eq!(outbox::of_order(bank.bench.conn(), order_id).unwrap(), []);
    assert_eq!(bank.money(), (1000, 0));
    assert_eq!(bank.step(&reserve), changed(State::Reserved, &RESERVED));
}

#[test]
fn a_reserve_that_comes_after_its_undo_does_nothing() {
    let mut bank = Bank::with_balance(1000);
    let reserve = bank.reserve(300);
    let tombstone = changed(State::Released, &[EventType::PaymentRollback]);
    assert_eq!(bank.step(&compensate(reserve.order_id())), tombstone);
    assert_eq!(bank.step(&reserve), silent());
    let answered = (Outcome::Repeated, vec![EventType::PaymentRollback]);
    assert_eq!(bank.step(&repeated(&reserve, 1)), answered);
    assert_eq!(bank.money(), (1000, 0));
}

#[test]
fn a_confirmation_of_what_was_never_held_is_impossible_and_changes_nothing() {
    let mut bank = Bank::with_balance(1000);
    let confirm = confirm(OrderId::new());
    let why = "impossible: inventory.confirmed in state –".to_owned();
    let impossible = (Outcome::Impossible(why), vec![]);
    assert_eq!(bank.step(&confirm), impossible);
    let hold = hold_of(bank.bench.conn(), confirm.order_id()).unwrap();
    assert_eq!(hold, None);
}

#[test]
fn of_two_orders_with_money_for_one_the_second_is_refused_for_ever() {
    let mut bank = Bank::with_balance(500);
    let (first, second) = (bank.reserve(300), bank.reserve(300));
    bank.step(&first);
    let refused = changed(State::Refused, &[EventType::PaymentReservationFailed]);
    assert_eq!(bank.step(&second), refused);
    bank.step(&compensate(first.order_id()));
    // There is money again, but a refusal is a decision: whoever hears of it counts on it.
    let again = (Outcome::Repeated, vec![EventType::PaymentReservationFailed]);
    assert_eq!(bank.step(&repeated(&second, 1)), again);
    let hold = hold_of(bank.bench.conn(), second.order_id()).unwrap();
    let hold = hold.unwrap();
    assert_eq!((hold.state, hold.held), (State::Refused, 0));
    let reason_code = hold.reason.unwrap().reason_code;
    assert_eq!(reason_code, ReasonCode::InsufficientBalance);
    assert_eq!(bank.money(), (500, 0));
}

#[test]
fn a_deactivated_buyer_is_refused_and_keeps_what_was_held() {
    let mut bank = Bank::with_balance(1000);
    let (before, after) = (bank.reserve(300), bank.reserve(300));
    bank.step(&before);
    let user = bank.user;
    bank.bench
        .write(|tx| store::set_active(tx, user, false))
        .unwrap();
    let refused = changed(State::Refused, &[EventType::UserValidationFailed]);
    assert_eq!(bank.step(&after), refused);
    bank.step(&confirm(before.order_id()));
    assert_eq!(bank.money(), (700, 0));
}
