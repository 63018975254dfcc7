//! Who buys what: the test data, one purchase, and what the buyer and the shop have.

use anyhow::{Context, Result};
use saga_events::{Amount, ItemId, Service, UserId};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::client::Client;
use crate::purchase::Order;

/// How many the demo adds where too few are left.
const RESTOCK: i64 = 10;
/// The purchases of one demo.
const PURCHASES: i64 = 2;

/// The test user before the test item.
pub struct Shop<'a> {
    /// How everybody is reached.
    pub client: &'a Client,
    /// The buyer's name.
    pub username: String,
    /// The item's name.
    pub item: String,
    /// The item's price, in the currency's minor unit.
    pub price: i64,
    user_id: UserId,
    item_id: ItemId,
}

/// What the buyer and the shop have, as order-svc composes it from their owners.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The buyer's available balance, in the currency's minor unit.
    pub balance: i64,
    /// What of it is held for purchases under way.
    pub held: i64,
    /// The item's available stock.
    pub stock: i64,
    /// How many the buyer owns.
    pub owned: i64,
}

impl Standing {
    /// This, after a purchase that completed.
    pub fn after(self, order: &Order) -> Self {
        Self {
            balance: self.balance - order.total_amount,
            held: self.held,
            stock: self.stock - order.quantity,
            owned: self.owned + order.quantity,
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    data: TestData,
}

#[derive(Deserialize)]
struct TestData {
    user: User,
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct User {
    id: UserId,
    username: String,
    balance: i64,
}

#[derive(Deserialize)]
struct Item {
    id: ItemId,
    name: String,
    price: i64,
    stock: i64,
}

#[derive(Deserialize)]
struct Items {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Balance {
    balance: i64,
    held: i64,
}

#[derive(Deserialize)]
struct Inventory {
    inventory: Vec<Stack>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stack {
    item_id: ItemId,
    quantity: i64,
}

impl<'a> Shop<'a> {
    /// Makes the test data, and adds money and stock where earlier demos left too little.
    ///
    /// # Errors
    /// A service does not answer, or the demo is switched off.
    pub async fn set_up(client: &'a Client, balance: Option<Amount>) -> Result<Self> {
        let answer: Answer = client
            .post(Service::Order, "/setup-test-data", &json!({}))
            .await?;
        let TestData { user, items } = answer.data;
        let item = items
            .into_iter()
            .next()
            .context("the test data has no item")?;

        let wanted = balance.map_or(PURCHASES * item.price, Amount::get);
        if user.balance < wanted {
            let path = format!("/users/{}/deposits", user.id);
            let deposit = json!({ "amount": wanted - user.balance });
            let _: Value = client.post(Service::User, &path, &deposit).await?;
        }
        if item.stock < PURCHASES {
            let path = format!("/items/{}/restock", item.id);
            let _: Value = client
                .post(Service::Item, &path, &json!({ "quantity": RESTOCK }))
                .await?;
        }
        Ok(Self {
            client,
            username: user.username,
            item: item.name,
            price: item.price,
            user_id: user.id,
            item_id: item.id,
        })
    }

    /// Buys one, and waits until the purchase is final.
    ///
    /// # Errors
    /// order-svc does not answer, or does not accept the purchase.
    pub async fn buy(&self) -> Result<Order> {
        let order = json!({ "userId": self.user_id, "itemId": self.item_id, "quantity": 1 });
        self.client
            .post_and_wait(Service::Order, "/orders", &order)
            .await
    }

    /// What the buyer and the shop have now.
    ///
    /// # Errors
    /// order-svc, or who it asks, does not answer.
    pub async fn standing(&self) -> Result<Standing> {
        let user = format!("/user/{}", self.user_id);
        let get = |what: &str| format!("{user}/{what}");
        let money: Balance = self.client.get(Service::Order, &get("balance")).await?;
        let room: Inventory = self.client.get(Service::Order, &get("inventory")).await?;
        let shop: Items = self.client.get(Service::Order, "/items").await?;

        let item = shop.items.iter().find(|item| item.id == self.item_id);
        let owned = room
            .inventory
            .iter()
            .find(|stack| stack.item_id == self.item_id);
        Ok(Standing {
            balance: money.balance,
            held: money.held,
            stock: item.context("the test item is not in the catalogue")?.stock,
            owned: owned.map_or(0, |stack| stack.quantity),
        })
    }
}
