//! Many tabs: a browser has six connections to a server, and a stream keeps one.

use e2e_tests::System;
use e2e_tests::{PATIENCE, eventually};
use saga_events::Service;
use serde_json::{Value, json};

use crate::scene::{Places, Scene};

#[tokio::test]
async fn with_twelve_tabs_open_buying_works_and_only_the_one_in_front_holds_a_stream() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    scene.show("#/").await;
    browser.see("html[data-contact=live]").await;
    let first = browser.tab().await;
    for place in 1..12 {
        browser.new_tab().await;
        // Screens of all kinds: with the stream of all, with one of a purchase's own, with polls.
        let links = ["#/", "#/orders", "#/dead"];
        scene.show(links[place % links.len()]).await;
    }
    browser.see("html[data-contact=live]").await;
    drop(Places::take_all_but(system, 1).await);

    let buy = "const [body, done] = arguments;
        fetch('/orders', {method: 'POST', headers: {'Content-Type': 'application/json'}, body})
            .then(answer => done(answer.status), error => done(String(error)))";
    let status: Value = browser
        .run_until_called(buy, &[json!(scene.sale.body().to_string())])
        .await;
    assert_eq!(status, 201);

    browser.switch_to(&first).await;
    // What was bought before its stream is open again is not shown.
    let shown = async || {
        system.buy(scene.sale).await;
        match browser.count("#steps li[data-order]").await {
            0 => Err("no step"),
            _ => Ok(()),
        }
    };
    eventually("the tab in front shows purchases again", PATIENCE, shown).await;
    browser.see("html[data-contact=live]").await;
    drop(Places::take_all_but(system, 1).await);
    scene.finish().await;
}

#[tokio::test]
async fn while_nobody_looks_nothing_is_asked() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    scene.show("#/orders").await;
    browser.see("html[data-contact=live]").await;
    browser.new_tab().await;
    drop(Places::take_all_but(system, 0).await);
    // A poll that was under way has ended by the time that the stream was found closed.
    let before = requests(system).await;
    let looked = std::time::Instant::now();
    // Longer than every interval of the page's: two polls would have come.
    let ask = async || match looked.elapsed().as_secs() {
        0..=4 => Err("wait"),
        _ => Ok(()),
    };
    eventually("five seconds have gone by", PATIENCE, ask).await;
    assert_eq!(requests(system).await, before);
    scene.finish().await;
}

/// Requests that order-svc has answered, but for those for its metrics.
async fn requests(system: &System) -> f64 {
    let scraped = system.scrape(Service::Order).await;
    let name = "saga_http_requests_total";
    let all = scraped.sum(name, &[]).unwrap_or(0.0);
    all - scraped.sum(name, &[("route", "/metrics")]).unwrap_or(0.0)
}
