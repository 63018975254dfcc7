//! The lab's own shop: buyers with so much money and room, items with so much stock, that what is
//! refused is refused by the gateway, or because of a fault.

use anyhow::{Context, Result};
use saga_events::{ItemId, Service, UserId};
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::client::Client;

/// The same ids at every start, so that files that are kept get no second shop.
const NAMESPACE: Uuid = Uuid::from_u128(0x5a6a_0bec_0000_4000_8000_0000_0000_0002);
const BUYERS: [&str; 8] = ["kim", "lee", "park", "choi", "jung", "kang", "cho", "yoon"];
const ITEMS: [(&str, u64); 3] = [
    ("마법검 Sword", 5_000),
    ("방패 Shield", 3_000),
    ("회복물약 Potion", 500),
];
/// Each buyer's money. Fifty purchases a second of the dearest item take a month.
const BALANCE: u64 = 100_000_000_000;
/// Each item's stock: twice that.
const STOCK: u64 = 100_000_000;
/// The most that inventory-svc allows; a buyer needs a slot an item.
const CAPACITY: u64 = 10_000;

/// Who buys what.
pub struct Shop {
    pub buyers: Vec<Buyer>,
    pub items: Vec<Item>,
}

/// Who buys.
#[derive(Debug, Serialize)]
pub struct Buyer {
    pub id: UserId,
    name: &'static str,
}

/// What is bought.
#[derive(Debug, Serialize)]
pub struct Item {
    pub id: ItemId,
    name: &'static str,
    price: u64,
}

impl Shop {
    /// Makes what is not there yet.
    ///
    /// # Errors
    /// A service does not answer, or refuses.
    pub async fn open(client: &Client) -> Result<Self> {
        let buyer = |name| Buyer {
            id: UserId::from_uuid(Uuid::new_v5(&NAMESPACE, format!("user {name}").as_bytes())),
            name,
        };
        let item = |(name, price)| Item {
            id: ItemId::from_uuid(Uuid::new_v5(&NAMESPACE, format!("item {name}").as_bytes())),
            name,
            price,
        };
        let shop = Self {
            buyers: BUYERS.map(buyer).into(),
            items: ITEMS.map(item).into(),
        };
        shop.fill(client).await.context("the lab's shop")?;
        Ok(shop)
    }

    async fn fill(&self, client: &Client) -> Result<()> {
        for Buyer { id, name } in &self.buyers {
            let user = json!({"username": name, "balance": BALANCE});
            let path = format!("/users/{id}");
            client.put::<Value>(Service::User, &path, &user).await?;
            let (path, room) = (format!("/inventories/{id}"), json!({"capacity": CAPACITY}));
            client
                .put::<Value>(Service::Inventory, &path, &room)
                .await?;
        }
        for Item { id, name, price } in &self.items {
            let item = json!({"name": name, "price": price, "stock": STOCK});
            let path = format!("/items/{id}");
            client.put::<Value>(Service::Item, &path, &item).await?;
        }
        Ok(())
    }
}
