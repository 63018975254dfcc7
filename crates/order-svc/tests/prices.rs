//! Prices, read from an item-svc that does as it is told.
#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use futures_util::future::join_all;
use order_svc::peers::Peers;
use order_svc::prices::Prices;
use saga_events::ItemId;
use svc_chassis::config::Services;
use tokio::time::Instant;

/// Every item costs the same here.
#[derive(Clone)]
struct ItemSvc {
    /// 0: there is no such item; negative: no answer at all.
    price: Arc<AtomicI64>,
    reads: Arc<AtomicUsize>,
    url: String,
    handle: ServerHandle,
}

impl ItemSvc {
    fn start(price: i64) -> Self {
        let (price, reads) = (
            Arc::new(AtomicI64::new(price)),
            Arc::new(AtomicUsize::new(0)),
        );
        let state = (price.clone(), reads.clone());
        let app = move || {
            let state = web::Data::new(state.clone());
            App::new()
                .app_data(state)
                .route("/items", web::get().to(items))
        };
        let server = HttpServer::new(app).workers(1).disable_signals();
        let server = server.bind(("127.0.0.1", 0)).unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        actix_web::rt::spawn(server);
        Self {
            price,
            reads,
            url,
            handle,
        }
    }

    fn prices(&self, time_to_live: Duration) -> Prices {
        let url = || self.url.clone();
        let services = Services {
            order: url(),
            user: url(),
            inventory: url(),
            item: url(),
            payment: url(),
            notify: url(),
        };
        Prices::new(Peers::new(services).unwrap(), time_to_live)
    }

    fn set(&self, price: i64) {
        self.price.store(price, Ordering::SeqCst);
    }

    fn reads(&self) -> usize {
        self.reads.load(Ordering::SeqCst)
    }
}

async fn items(
    state: web::Data<(Arc<AtomicI64>, Arc<AtomicUsize>)>,
    query: web::Query<HashMap<String, String>>,
) -> HttpResponse {
    state.1.fetch_add(1, Ordering::SeqCst);
    let items: Vec<_> = match state.0.load(Ordering::SeqCst) {
        0 => Vec::new(),
        price if price < 0 => std::future::pending().await,
        // A withdrawn item has a price, too.
        price => query["ids"]
            .split(',')
            .map(|id| serde_json::json!({ "id": id, "price": price, "withdrawn": true }))
            .collect(),
    };
    HttpResponse::Ok().json(serde_json::json!({ "items": items }))
}

const LONG: Duration = Duration::from_secs(3600);

/// The price, or the status and code of the refusal.
async fn ask(prices: &Prices, item: ItemId) -> Result<i64, (u16, String)> {
    let answer = prices.of(item).await;
    answer
        .map(|price| price.get())
        .map_err(|problem| (problem.status().as_u16(), problem.code().to_owned()))
}

#[actix_web::test]
async fn a_hundred_orders_at_once_read_the_price_once() {
    let item_svc = ItemSvc::start(100);
    let (prices, item) = (item_svc.prices(LONG), ItemId::new());
    let mut orders = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let prices = prices.clone();
        orders.spawn(async move { ask(&prices, item).await });
    }
    assert_eq!(orders.join_all().await, vec![Ok(100); 100]);
    assert_eq!(ask(&prices, item).await, Ok(100));
    assert_eq!(item_svc.reads(), 1);
    assert_eq!(ask(&prices, ItemId::new()).await, Ok(100));
    assert_eq!(item_svc.reads(), 2);
}

#[actix_web::test]
async fn a_new_price_is_seen_when_the_old_one_has_expired() {
    let item_svc = ItemSvc::start(100);
    let (prices, item) = (item_svc.prices(Duration::from_millis(20)), ItemId::new());
    assert_eq!(ask(&prices, item).await, Ok(100));
    item_svc.set(200);
    let deadline = Instant::now() + Duration::from_secs(5);
    while ask(&prices, item).await != Ok(200) {
        assert!(Instant::now() < deadline, "the old price lives on");
        tokio::task::yield_now().await;
    }
}

#[actix_web::test]
async fn prices_that_are_wanted_together_are_read_together() {
    let item_svc = ItemSvc::start(100);
    let prices = item_svc.prices(Duration::from_millis(200));
    let items: Vec<ItemId> = (0..150).map(|_| ItemId::new()).collect();
    let all_cost = async |price| {
        let asked = items.iter().map(|item| ask(&prices, *item));
        join_all(asked).await.iter().all(|cost| *cost == Ok(price))
    };
    assert!(all_cost(100).await);
    assert_eq!(item_svc.reads(), 2, "a hundred a request");
    item_svc.set(200);
    let deadline = Instant::now() + Duration::from_secs(5);
    while !all_cost(200).await {
        assert!(Instant::now() < deadline, "the old prices live on");
        tokio::task::yield_now().await;
    }
    assert!(item_svc.reads() < 10, "{} requests", item_svc.reads());
}

#[actix_web::test]
async fn a_price_that_has_changed_is_forgotten_and_read_again() {
    let item_svc = ItemSvc::start(100);
    let (prices, item) = (item_svc.prices(LONG), ItemId::new());
    assert_eq!(ask(&prices, item).await, Ok(100));
    item_svc.set(200);
    assert_eq!(ask(&prices, item).await, Ok(100));
    prices.forget(item);
    assert_eq!(ask(&prices, item).await, Ok(200));
}

#[actix_web::test]
async fn a_miss_is_refused_at_once_and_not_remembered() {
    let item_svc = ItemSvc::start(0);
    let (prices, item) = (item_svc.prices(LONG), ItemId::new());
    assert_eq!(
        ask(&prices, item).await,
        Err((404, "ITEM_NOT_FOUND".to_owned()))
    );
    item_svc.set(100);
    assert_eq!(ask(&prices, item).await, Ok(100));
}

#[actix_web::test]
async fn without_item_svc_a_known_price_is_used_and_an_unknown_one_is_unavailable() {
    let item_svc = ItemSvc::start(100);
    // Expires at once: every order wants to read.
    let (prices, item) = (item_svc.prices(Duration::ZERO), ItemId::new());
    assert_eq!(ask(&prices, item).await, Ok(100));
    item_svc.handle.stop(false).await;
    assert_eq!(ask(&prices, item).await, Ok(100));
    assert_eq!(
        ask(&prices, ItemId::new()).await,
        Err((503, "UNAVAILABLE".to_owned()))
    );
}

#[actix_web::test]
async fn nobody_waits_long_for_an_item_svc_that_does_not_answer() {
    let item_svc = ItemSvc::start(-1);
    let (prices, item) = (item_svc.prices(LONG), ItemId::new());
    let asked = Instant::now();
    let both = tokio::join!(ask(&prices, item), ask(&prices, item));
    assert_eq!(
        both,
        (
            Err((503, "UNAVAILABLE".to_owned())),
            Err((503, "UNAVAILABLE".to_owned()))
        )
    );
    assert!(
        asked.elapsed() < Duration::from_millis(1_900),
        "{:?}",
        asked.elapsed()
    );
    item_svc.set(100);
    assert_eq!(ask(&prices, item).await, Ok(100));
}
