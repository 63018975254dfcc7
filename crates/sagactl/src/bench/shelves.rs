//! The shop before the bench: users with money and room, items with stock, made by HTTP like all
//! else. There is so much of everything that only the payment can be refused.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use saga_events::Service;
use tokio::task::JoinSet;

use super::buyers::Buyers;
use super::wire::{self, Connection};
use crate::services::Services;

/// Requests at a time, of each kind.
const AT_A_TIME: usize = 16;
/// Each user's first balance and each item's first stock: a million purchases take a thousandth.
const PLENTY: u64 = 1_000_000_000_000;
/// The most that inventory-svc allows; a user needs a slot an item.
const CAPACITY: u64 = 10_000;

/// One kind of thing to be made.
struct Kind {
    service: Service,
    count: u64,
    request: fn(u64) -> Vec<u8>,
}

const fn kinds(users: u64, items: u64) -> [Kind; 3] {
    [
        Kind {
            service: Service::User,
            count: users,
            request: |number| {
                let path = format!("/users/{}", Buyers::user(number));
                let body = format!(r#"{{"username":"buyer {number}","balance":{PLENTY}}}"#);
                wire::request("PUT", &path, "", &body)
            },
        },
        Kind {
            service: Service::Inventory,
            count: users,
            request: |number| {
                let path = format!("/inventories/{}", Buyers::user(number));
                let body = format!(r#"{{"capacity":{CAPACITY}}}"#);
                wire::request("PUT", &path, "", &body)
            },
        },
        Kind {
            service: Service::Item,
            count: items,
            request: |number| {
                let path = format!("/items/{}", Buyers::item(number));
                let price = 1_000 + number % 100 * 100;
                let body =
                    format!(r#"{{"name":"item {number}","price":{price},"stock":{PLENTY}}}"#);
                wire::request("PUT", &path, "", &body)
            },
        },
    ]
}

/// Makes what is not there yet; a second time it changes nothing. `made` tells after each how many
/// are there.
///
/// # Errors
/// A service does not answer, or refuses.
pub async fn fill(
    services: &Services,
    users: u64,
    items: u64,
    made: impl Fn() + Send + Sync + 'static,
) -> Result<()> {
    let made: Arc<dyn Fn() + Send + Sync> = Arc::new(made);
    let mut running = JoinSet::new();
    for kind in kinds(users, items) {
        let address = wire::address_of(services.url(kind.service))?;
        let (kind, next) = (Arc::new(kind), Arc::new(AtomicU64::new(0)));
        for _ in 0..AT_A_TIME {
            running.spawn(make(address, kind.clone(), next.clone(), made.clone()));
        }
    }
    while let Some(made) = running.join_next().await {
        made.context("making the shop panicked")??;
    }
    Ok(())
}

async fn make(
    address: SocketAddr,
    kind: Arc<Kind>,
    next: Arc<AtomicU64>,
    made: Arc<dyn Fn() + Send + Sync>,
) -> Result<()> {
    let service = kind.service;
    let no_answer = || format!("{service} does not answer at {address}: is it running?");
    let mut connection = Connection::open(address).await.with_context(no_answer)?;
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= kind.count {
            return Ok(());
        }
        let answer = connection.ask(&(kind.request)(number)).await;
        let answer = answer.with_context(no_answer)?;
        if !matches!(answer.status, 200 | 201) {
            let body = String::from_utf8_lossy(answer.body);
            bail!(
                "{service} answered {} to the bench's shop: {body}",
                answer.status
            );
        }
        made();
    }
}
