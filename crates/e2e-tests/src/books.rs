//! The books of all six services, read over HTTP, and the wait until they are quiet.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use saga_events::{ItemId, OrderId, Service, UserId};
use serde::Deserialize;

use crate::model::{Account, Hold, Inventory, Item, Notification, Order, Payment};
use crate::{Ledger, System, eventually};

/// After the last fault a purchase may have to wait for a repeat, or for several.
const UNTIL_QUIET: Duration = Duration::from_secs(90);
/// Rows of `GET /sagas` at once.
const SAGAS_PAGE: usize = 1000;

/// What all services have in their books at one moment, and what the test has put in.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Books {
    pub ledger: Ledger,
    pub orders: BTreeMap<OrderId, Order>,
    pub accounts: BTreeMap<UserId, Account>,
    pub holds: BTreeMap<UserId, Vec<Hold>>,
    pub inventories: BTreeMap<UserId, Inventory>,
    pub items: BTreeMap<ItemId, Item>,
    pub payments: BTreeMap<OrderId, Payment>,
    /// What the bank has charged, from its own book.
    pub charges: BTreeMap<OrderId, i64>,
    pub notifications: Vec<Notification>,
    /// The state of each order at the three participants and payment-svc.
    pub states: BTreeMap<Service, BTreeMap<OrderId, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SagaRow {
    order_id: OrderId,
    state: String,
}

impl Books {
    /// Reads the books. They belong together only when nothing is under way.
    pub async fn read(system: &System) -> Self {
        let ledger = system.ledger.lock().unwrap().clone();
        let orders: Vec<Order> = system.at(Service::Order).all("/orders", "orders").await;
        let accounts: Vec<Account> = system.at(Service::User).all("/users", "users").await;
        let items: Vec<Item> = system
            .at(Service::Item)
            .get("/items")
            .await
            .expect(200)
            .field("items");
        let payments: Vec<Payment> = system
            .at(Service::Payment)
            .all("/payments", "payments")
            .await;
        let notifications = system
            .at(Service::Notify)
            .all("/notifications", "notifications")
            .await;
        let mut holds = BTreeMap::new();
        for Account { id, .. } in &accounts {
            let path = format!("/users/{id}/holds");
            holds.insert(*id, system.at(Service::User).all(&path, "holds").await);
        }
        let mut inventories = BTreeMap::new();
        let buyers = orders.iter().map(|order| order.user_id);
        let users: BTreeSet<UserId> = ledger.deposits.keys().copied().chain(buyers).collect();
        for user in users {
            inventories.insert(user, system.inventory(user).await);
        }
        let mut states = BTreeMap::new();
        for service in [
            Service::User,
            Service::Inventory,
            Service::Item,
            Service::Payment,
        ] {
            states.insert(service, states_of(system, service).await);
        }
        Self {
            ledger,
            orders: orders.into_iter().map(|order| (order.id, order)).collect(),
            accounts: accounts
                .into_iter()
                .map(|account| (account.id, account))
                .collect(),
            holds,
            inventories,
            items: items.into_iter().map(|item| (item.id, item)).collect(),
            payments: payments
                .into_iter()
                .map(|payment| (payment.order_id, payment))
                .collect(),
            charges: system.gateway_book().charges(),
            notifications,
            states,
        }
    }

    /// The orders that completed.
    pub fn completed(&self) -> impl Iterator<Item = &Order> {
        self.orders.values().filter(|order| order.is_completed())
    }
}

async fn states_of(system: &System, service: Service) -> BTreeMap<OrderId, String> {
    let mut states = BTreeMap::new();
    loop {
        let after = states
            .last_key_value()
            .map(|(order, _)| format!("&after={order}"));
        let path = format!("/sagas?limit={SAGAS_PAGE}{}", after.unwrap_or_default());
        let rows: Vec<SagaRow> = system
            .at(service)
            .get(&path)
            .await
            .expect(200)
            .field("sagas");
        let is_last = rows.len() < SAGAS_PAGE;
        states.extend(rows.into_iter().map(|row| (row.order_id, row.state)));
        if is_last {
            return states;
        }
    }
}

impl System {
    /// Waits until nothing is under way, then holds the books to the invariants: the end of every
    /// test. No event may have become a dead letter.
    pub async fn settled(&self) -> Books {
        let books = self.settled_despite_dead_letters().await;
        for service in Service::ALL {
            let letters = self.file(service).dead_letters();
            assert!(
                letters.is_empty(),
                "{service} has dead letters: {letters:#?}"
            );
        }
        books
    }

    /// As [`System::settled`], for tests that plant dead letters.
    pub async fn settled_despite_dead_letters(&self) -> Books {
        let ask = async || {
            let books = Books::read(self).await;
            let open = books.under_way();
            if open.is_empty() {
                Ok(books)
            } else {
                Err(open.join("; "))
            }
        };
        let books = eventually("all is quiet", UNTIL_QUIET, ask).await;
        let violations = books.violations();
        assert!(
            violations.is_empty(),
            "the books do not agree:\n{}",
            violations.join("\n")
        );
        books
    }
}
