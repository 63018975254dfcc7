//! The step on a real database file: row, effect and answers are one transaction, and nothing
//! happens twice.
#![allow(clippy::unwrap_used)]

use saga_events::{
    Amount, Event, EventType, ItemId, Money, OrderId, Purchase, Quantity, ReasonCode, Timestamp,
    UserId,
};
use svc_chassis::Service;
use svc_chassis::participant::State;
use svc_chassis::testing::Bench;
use svc_chassis::testing::steps::{self, Participating, changed};
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
        Self::reserve_for(purchase)
    }

    /// Available and held.
    fn money(&mut self) -> (i64, i64) {
        let user = store::user(self.bench.conn(), self.user).unwrap();
        (user.balance.get(), user.held.get())
    }
}

impl Participating for Bank {
    type Saga = UserSaga;
    type Seen = (i64, i64);

    fn bench(&mut self) -> &mut Bench {
        &mut self.bench
    }

    fn restarted(self) -> Self {
        drop(self.bench);
        let bench = Bench::open(self.folder.path(), &UserSvc::migrations()).unwrap();
        Self { bench, ..self }
    }

    fn seen(&mut self) -> Self::Seen {
        self.money()
    }

    fn reserve_one(&self) -> Event {
        self.reserve(300)
    }
}

svc_chassis::prove_every_step!(Bank::with_balance(1000));

#[test]
fn a_paid_purchase_is_captured() {
    let mut bank = Bank::with_balance(1000);
    let reserve = bank.reserve(300);
    assert_eq!(bank.step(&reserve), changed(State::Reserved, &RESERVED));
    assert_eq!(bank.money(), (700, 300));
    let captured = changed(State::Confirmed, &[EventType::PaymentConfirmed]);
    assert_eq!(bank.step(&Bank::confirm(&reserve)), captured);
    assert_eq!(bank.money(), (700, 0));
}

#[test]
fn a_failed_purchase_is_given_back() {
    let mut bank = Bank::with_balance(1000);
    let reserve = bank.reserve(300);
    bank.step(&reserve);
    let given_back = changed(State::Released, &[EventType::PaymentRollback]);
    assert_eq!(bank.step(&Bank::compensate(&reserve)), given_back);
    assert_eq!(bank.money(), (1000, 0));
}

#[test]
fn what_is_given_back_is_the_hold_and_not_the_old_balance() {
    let mut bank = Bank::with_balance(1000);
    let (first, second) = (bank.reserve(300), bank.reserve(400));
    bank.step(&first);
    bank.step(&second);
    bank.step(&Bank::compensate(&first));
    assert_eq!(bank.money(), (600, 400));
    bank.step(&Bank::confirm(&second));
    assert_eq!(bank.money(), (600, 0));
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
    bank.step(&Bank::confirm(&before));
    assert_eq!(bank.money(), (700, 0));
}

#[test]
fn of_two_orders_with_money_for_one_the_second_is_refused_for_ever() {
    let enough_for_one = Bank::with_balance(500);
    let reason = ReasonCode::InsufficientBalance;
    let says = EventType::PaymentReservationFailed;
    steps::a_refusal_stands_when_there_is_enough_again(enough_for_one, reason, says);
}
