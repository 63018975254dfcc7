//! The page under load for long: what it takes does not grow. `scripts/page-soak` is this test with
//! other numbers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use e2e_tests::{Client, Sale, Taken};
use saga_events::Service;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::environment::number;
use crate::scene::Scene;

/// What a page may take after an hour at 200 purchases a second.
const MOST: Taken = Taken {
    nodes: 3_000.0,
    heap: 50_000_000.0,
};
/// The nodes that are in the document; others are held by a script, or by nobody and not yet gone.
const DRAWN: &str = "let drawn = 0;
    for (const walk = document.createTreeWalker(document); walk.nextNode();) drawn += 1;
    return drawn";
/// How long it stays on a screen.
const ON_A_SCREEN: Duration = Duration::from_secs(5);

#[tokio::test]
async fn a_page_that_stays_open_under_load_takes_no_more_and_no_more() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let seconds = number("SOAK_SECONDS").unwrap_or(20);
    let rate = number("SOAK_RATE").unwrap_or(50);
    let (browser, system) = (&scene.browser, &scene.system);
    let order = system.buy(scene.sale).await.id;
    let accepted = Arc::new(AtomicU64::new(0));
    let orders = system.at(Service::Order).clone();
    let load = tokio::spawn(buy(orders, scene.sale, rate, accepted.clone()));

    scene.show("#/").await;
    let (began, mut most) = (Instant::now(), None::<Taken>);
    let links = [
        "#/",
        "#/orders",
        "#/",
        &format!("#/orders/{order}"),
        "#/",
        "#/dead",
    ];
    for link in links.iter().cycle() {
        browser.follow(link).await;
        tokio::time::sleep(ON_A_SCREEN).await;
        let taken = browser.taken().await;
        browser.assert_clean(e2e_tests::Allowed::Nothing).await;
        let drawn: u64 = browser.run(DRAWN, &[]).await;
        let at = began.elapsed();
        println!(
            "{:>5} s {:>7} bought {link:<10.10} {:>5} nodes ({drawn} drawn) {:>5.1} MB",
            at.as_secs(),
            accepted.load(Ordering::Relaxed),
            taken.nodes,
            taken.heap / 1e6
        );
        let so_far = most.get_or_insert(taken);
        so_far.nodes = so_far.nodes.max(taken.nodes);
        so_far.heap = so_far.heap.max(taken.heap);
        if at >= Duration::from_secs(seconds) {
            break;
        }
    }
    load.abort();
    let most = most.unwrap();
    assert!(
        most.nodes <= MOST.nodes && most.heap <= MOST.heap,
        "{most:?}"
    );
    let bought = accepted.load(Ordering::Relaxed);
    assert!(
        bought >= seconds * rate / 2,
        "{bought} bought in {seconds} s: that was no load"
    );
    scene.finish().await;
}

/// Buys so often a second, whether or not the purchase before has ended.
async fn buy(orders: Client, sale: Sale, rate: u64, accepted: Arc<AtomicU64>) {
    let mut times = interval(Duration::from_secs(1) / u32::try_from(rate).unwrap());
    times.set_missed_tick_behavior(MissedTickBehavior::Burst);
    loop {
        times.tick().await;
        let request = orders
            .request(reqwest::Method::POST, "/orders")
            .json(&sale.body());
        let (orders, accepted) = (orders.clone(), accepted.clone());
        tokio::spawn(async move {
            if orders
                .try_send(request)
                .await
                .is_ok_and(|answer| answer.status == 201)
            {
                accepted.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
}
