//! What people call buyers and items. Their owners know; what they told is kept, so that a list that
//! is read every two seconds asks once.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use saga_events::{ItemId, Service, UserId};
use serde::Deserialize;
use svc_chassis::http::Problem;
use tokio::time::Instant;

use crate::peers::Peers;
use crate::store::StoredOrder;

/// Names of buyers that are kept: then it begins anew.
const MOST_USERS: usize = 10_000;
/// Buyers asked for at once: a page has no more.
const MOST_ASKED: usize = 100;
/// The catalogue is taken for current so long.
const CATALOGUE: Duration = Duration::from_secs(10);

/// Asks for names, and keeps them.
pub struct Names {
    peers: Peers,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    users: HashMap<UserId, String>,
    items: HashMap<ItemId, String>,
    read: Option<Instant>,
}

#[derive(Deserialize)]
struct Users {
    users: Vec<User>,
}

#[derive(Deserialize)]
struct User {
    id: UserId,
    username: String,
}

#[derive(Deserialize)]
struct Catalogue {
    items: Vec<Item>,
}

#[derive(Deserialize)]
struct Item {
    id: ItemId,
    name: String,
}

impl Names {
    /// None known yet.
    pub fn new(peers: Peers) -> Self {
        Self {
            peers,
            known: Mutex::default(),
        }
    }

    /// A buyer's name, if it is known.
    pub fn user(&self, id: UserId) -> Option<String> {
        self.lock().users.get(&id).cloned()
    }

    /// An item's name, if it is known.
    pub fn item(&self, id: ItemId) -> Option<String> {
        self.lock().items.get(&id).cloned()
    }

    /// Learns the names of these purchases' buyers and items, as far as their owners answer.
    pub async fn learn(&self, orders: impl Iterator<Item = &StoredOrder>) {
        let purchases = orders.map(|stored| stored.order.purchase);
        let (users, items): (BTreeSet<_>, BTreeSet<_>) = purchases
            .map(|purchase| (purchase.user_id, purchase.item_id))
            .unzip();
        let (users, items) = {
            let known = self.lock();
            let unknown = users.into_iter().filter(|id| !known.users.contains_key(id));
            let unknown: Vec<UserId> = unknown.take(MOST_ASKED).collect();
            (
                unknown,
                items.iter().any(|id| !known.items.contains_key(id)),
            )
        };
        let items = async {
            if items {
                // Whoever is away leaves its names out.
                let _ = self.read_catalogue().await;
            }
        };
        tokio::join!(self.read_users(users), items);
    }

    async fn read_users(&self, users: Vec<UserId>) {
        let read = users.into_iter().map(async |id| {
            let path = format!("/users/{id}");
            self.peers.get::<User>(Service::User, &path).await
        });
        for user in join_all(read).await.into_iter().flatten().flatten() {
            self.keep(user);
        }
    }

    /// The users of exactly this name.
    ///
    /// # Errors
    /// 503 that names user-svc.
    pub async fn users_of(&self, name: &str) -> Result<Vec<UserId>, Problem> {
        let name: String = form_urlencoded::byte_serialize(name.as_bytes()).collect();
        let path = format!("/users?username={name}&limit=100");
        let found: Option<Users> = self.peers.get(Service::User, &path).await?;
        let users = found.map(|found| found.users).unwrap_or_default();
        let ids = users.iter().map(|user| user.id).collect();
        users.into_iter().for_each(|user| self.keep(user));
        Ok(ids)
    }

    /// The items whose names have this part, in capitals or not.
    ///
    /// # Errors
    /// 503 that names item-svc.
    pub async fn items_with(&self, part: &str) -> Result<Vec<ItemId>, Problem> {
        self.read_catalogue().await?;
        let part = part.to_lowercase();
        let known = self.lock();
        let items = known.items.iter();
        let found = items.filter(|(_, name)| name.to_lowercase().contains(&part));
        Ok(found.map(|(id, _)| *id).collect())
    }

    async fn read_catalogue(&self) -> Result<(), Problem> {
        if self.lock().read.is_some_and(|at| at.elapsed() < CATALOGUE) {
            return Ok(());
        }
        let catalogue: Option<Catalogue> = self.peers.get(Service::Item, "/items").await?;
        let items = catalogue.map(|catalogue| catalogue.items);
        let items = items.unwrap_or_default().into_iter();
        let mut known = self.lock();
        known.items = items.map(|item| (item.id, item.name)).collect();
        known.read = Some(Instant::now());
        Ok(())
    }

    fn keep(&self, user: User) {
        let mut known = self.lock();
        if known.users.len() >= MOST_USERS {
            known.users.clear();
        }
        known.users.insert(user.id, user.username);
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
