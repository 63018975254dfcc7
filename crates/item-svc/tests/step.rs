//! The step on a real database file: row, effect and answers are one transaction, and nothing
//! happens twice.
#![allow(clippy::unwrap_used)]

use item_svc::ItemSvc;
use item_svc::saga::ItemSaga;
use item_svc::store::{self, NewItem};
use saga_events::{
    Amount, Event, EventType, ItemId, OrderId, Purchase, Quantity, ReasonCode, Timestamp, Units,
    UserId,
};
use svc_chassis::Service;
use svc_chassis::participant::State;
use svc_chassis::testing::Bench;
use svc_chassis::testing::steps::{self, Participating, changed};
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
        Self::reserve_for(purchase)
    }

    /// Available, held, sold.
    fn stock(&mut self) -> (i64, i64, i64) {
        let item = store::item(self.bench.conn(), self.item).unwrap();
        (item.stock.get(), item.held.get(), item.sold.get())
    }
}

impl Participating for Shop {
    type Saga = ItemSaga;
    type Seen = (i64, i64, i64);

    fn bench(&mut self) -> &mut Bench {
        &mut self.bench
    }

    fn restarted(self) -> Self {
        drop(self.bench);
        let bench = Bench::open(self.folder.path(), &ItemSvc::migrations()).unwrap();
        Self { bench, ..self }
    }

    fn seen(&mut self) -> Self::Seen {
        self.stock()
    }

    fn reserve_one(&self) -> Event {
        self.reserve(3)
    }
}

svc_chassis::prove_every_step!(Shop::with_stock(10));

#[test]
fn a_paid_purchase_is_sold() {
    let mut shop = Shop::with_stock(10);
    let reserve = shop.reserve(3);
    assert_eq!(
        shop.step(&reserve),
        changed(State::Reserved, &[EventType::ItemReserved])
    );
    assert_eq!(shop.stock(), (7, 3, 0));
    let sold = changed(State::Confirmed, &[EventType::ItemDeducted]);
    assert_eq!(shop.step(&Shop::confirm(&reserve)), sold);
    assert_eq!(shop.stock(), (7, 0, 3));
}

#[test]
fn a_failed_purchase_is_given_back() {
    let mut shop = Shop::with_stock(10);
    let reserve = shop.reserve(3);
    shop.step(&reserve);
    let given_back = changed(State::Released, &[EventType::ItemRestored]);
    assert_eq!(shop.step(&Shop::compensate(&reserve)), given_back);
    assert_eq!(shop.stock(), (10, 0, 0));
}

#[test]
fn what_is_given_back_is_the_hold_and_not_the_old_stock() {
    let mut shop = Shop::with_stock(10);
    let (first, second) = (shop.reserve(3), shop.reserve(4));
    shop.step(&first);
    shop.step(&second);
    shop.step(&Shop::compensate(&first));
    assert_eq!(shop.stock(), (6, 4, 0));
    shop.step(&Shop::confirm(&second));
    assert_eq!(shop.stock(), (6, 0, 4));
}

#[test]
fn of_two_orders_with_stock_for_one_the_second_is_refused_for_ever() {
    let enough_for_one = Shop::with_stock(5);
    let reason = ReasonCode::OutOfStock;
    let says = EventType::ItemReservationFailed;
    steps::a_refusal_stands_when_there_is_enough_again(enough_for_one, reason, says);
}
