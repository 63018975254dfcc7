//! What tests do with a system: fill it, buy, cancel, ask.

use std::collections::BTreeMap;

use reqwest::Method;
use saga_events::{ItemId, OrderId, Service, UserId};
use serde_json::{Value, json};

use crate::model::{Account, Inventory, Item, Order, Said};
use crate::{Answer, PATIENCE, System, eventually};

/// What a test has put into the system: the left side of the sums.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// Money paid in, by user.
    pub deposits: BTreeMap<UserId, i64>,
    /// Pieces delivered, by item.
    pub supplies: BTreeMap<ItemId, i64>,
}

/// Who buys what, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sale {
    /// The buyer.
    pub user: UserId,
    /// The item.
    pub item: ItemId,
    /// How many.
    pub quantity: i64,
}

impl Sale {
    /// One piece.
    pub fn of(user: UserId, item: ItemId) -> Self {
        Self {
            user,
            item,
            quantity: 1,
        }
    }

    /// The request's body.
    pub fn body(self) -> Value {
        json!({"userId": self.user, "itemId": self.item, "quantity": self.quantity})
    }
}

impl System {
    /// A new user with this balance.
    pub async fn user(&self, balance: i64) -> UserId {
        let body = json!({"username": "buyer", "balance": balance});
        let user = self
            .at(Service::User)
            .post("/users", &body)
            .await
            .expect(201)
            .field("id");
        self.note_deposit(user, balance);
        user
    }

    /// A new item.
    pub async fn item(&self, price: i64, stock: i64) -> ItemId {
        let body = json!({"name": "thing", "price": price, "stock": stock});
        let item = self
            .at(Service::Item)
            .post("/items", &body)
            .await
            .expect(201)
            .field("id");
        self.note_supply(item, stock);
        item
    }

    /// Enters money that the test paid in by itself.
    pub fn note_deposit(&self, user: UserId, amount: i64) {
        *self
            .ledger
            .lock()
            .unwrap()
            .deposits
            .entry(user)
            .or_default() += amount;
    }

    /// Enters pieces that the test delivered by itself.
    pub fn note_supply(&self, item: ItemId, pieces: i64) {
        *self
            .ledger
            .lock()
            .unwrap()
            .supplies
            .entry(item)
            .or_default() += pieces;
    }

    /// Sets how many slots a user has.
    pub async fn set_capacity(&self, user: UserId, capacity: i64) {
        let path = format!("/inventories/{user}");
        self.at(Service::Inventory)
            .put(&path, &json!({"capacity": capacity}))
            .await
            .expect(200);
    }

    /// Orders, and does not wait for the end.
    pub async fn order(&self, sale: Sale) -> OrderId {
        self.at(Service::Order)
            .post("/orders", &sale.body())
            .await
            .expect(201)
            .field("id")
    }

    /// Orders and waits for the end.
    pub async fn buy(&self, sale: Sale) -> Order {
        let order = self.order(sale).await;
        self.ended(order).await
    }

    /// Orders again and again until somebody answers, always with the same key: for tests in which
    /// order-svc is away now and then.
    pub async fn order_whatever_happens(&self, sale: Sale, key: &str) -> OrderId {
        self.make_whatever_happens(Service::Order, "/orders", &sale.body(), key)
            .await
            .field("id")
    }

    /// Posts again and again until it is answered with 201, always with the same key.
    pub async fn make_whatever_happens(
        &self,
        service: Service,
        path: &str,
        body: &Value,
        key: &str,
    ) -> Answer {
        let client = self.at(service);
        let ask = async || {
            let request = client.request(Method::POST, path).json(body);
            let request = request.header("Idempotency-Key", key);
            match client.try_send(request).await {
                Ok(answer) if [409, 503].contains(&answer.status) => Err(answer.body.to_string()),
                Ok(answer) => Ok(answer.expect(201)),
                Err(error) => Err(error.to_string()),
            }
        };
        eventually(&format!("{service} takes {path}"), PATIENCE, ask).await
    }

    /// An order as it is now.
    pub async fn look_at(&self, order: OrderId) -> Order {
        self.at(Service::Order)
            .get(&format!("/orders/{order}"))
            .await
            .expect(200)
            .json()
    }

    /// Waits until an order has this status.
    pub async fn until_status(&self, order: OrderId, status: &str) -> Order {
        let what = format!("order {order} is {status}");
        let ask = async || {
            let order = self.look_at(order).await;
            if order.status == status {
                Ok(order)
            } else {
                Err(format!("it is {}", order.status))
            }
        };
        eventually(&what, PATIENCE, ask).await
    }

    /// Waits until an order is final. order-svc may be away meanwhile.
    pub async fn ended(&self, order: OrderId) -> Order {
        let client = self.at(Service::Order);
        let path = format!("/orders/{order}");
        let ask = async || {
            let request = client
                .request(Method::GET, &path)
                .header("Prefer", "wait=5");
            let answer = client
                .try_send(request)
                .await
                .map_err(|error| error.to_string())?;
            if answer.status != 200 {
                return Err(answer.body.to_string());
            }
            let order: Order = answer.json();
            if order.is_final() {
                Ok(order)
            } else {
                Err(format!("it is {}", order.status))
            }
        };
        eventually(&format!("order {order} ends"), PATIENCE, ask).await
    }

    /// Asks to cancel an order.
    pub async fn cancel(&self, order: OrderId) -> Answer {
        self.at(Service::Order)
            .post_empty(&format!("/orders/{order}/cancel"))
            .await
    }

    /// Changes some of the simulated gateway's settings.
    pub async fn set_gateway(&self, changes: Value) {
        let client = self.at(Service::Payment);
        let mut gateway = client.get("/gateway").await.expect(200).body;
        for (name, value) in changes.as_object().unwrap() {
            gateway[name] = value.clone();
        }
        client.put("/gateway", &gateway).await.expect(200);
    }

    /// A user with the balance.
    pub async fn account(&self, user: UserId) -> Account {
        self.at(Service::User)
            .get(&format!("/users/{user}"))
            .await
            .expect(200)
            .json()
    }

    /// An item.
    pub async fn stock(&self, item: ItemId) -> Item {
        self.at(Service::Item)
            .get(&format!("/items/{item}"))
            .await
            .expect(200)
            .json()
    }

    /// A user's inventory.
    pub async fn inventory(&self, user: UserId) -> Inventory {
        self.at(Service::Inventory)
            .get(&format!("/inventories/{user}"))
            .await
            .expect(200)
            .json()
    }

    /// Where a service stands with an order; `None`: it has never heard of it.
    pub async fn state(&self, service: Service, order: OrderId) -> Option<String> {
        let answer = self.at(service).get(&format!("/sagas/{order}")).await;
        (answer.status != 404).then(|| answer.expect(200).field("state"))
    }

    /// Waits until a service stands so with an order.
    pub async fn until_state(&self, service: Service, order: OrderId, state: &str) {
        let ask = async || match self.state(service, order).await {
            Some(now) if now == state => Ok(()),
            now => Err(format!("it is {now:?}")),
        };
        eventually(
            &format!("{service} is {state} in order {order}"),
            PATIENCE,
            ask,
        )
        .await;
    }

    /// Everything that a service has said about an order.
    pub async fn said(&self, service: Service, order: OrderId) -> Vec<Said> {
        let answer = self.at(service).get(&format!("/sagas/{order}")).await;
        if answer.status == 404 {
            Vec::new()
        } else {
            answer.expect(200).field("events")
        }
    }

    /// Everything that was said about an order, service by service along the line.
    pub async fn journal(&self, order: OrderId) -> Vec<Said> {
        let mut journal = Vec::new();
        for service in Service::ALL {
            journal.extend(self.said(service, order).await);
        }
        journal
    }
}
