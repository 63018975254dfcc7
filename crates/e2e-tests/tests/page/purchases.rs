//! Purchases as an adopter and an operator look for them: found, filtered, linked, read and cancelled.

use e2e_tests::{Sale, Stage};
use saga_events::{OrderId, Service};
use serde_json::{Value, json};

use crate::scene::Scene;

fn row(order: OrderId) -> String {
    format!("#orders tbody tr[data-order=\"{order}\"]")
}

/// Waits until the list shows these purchases and no others.
async fn until_listed(scene: &Scene, what: &str, orders: &[OrderId]) {
    let mut wanted: Vec<String> = orders.iter().map(OrderId::to_string).collect();
    wanted.sort_unstable();
    let script = "return [...document.querySelectorAll('#orders tbody tr[data-order]')]
        .filter(row => row.checkVisibility()).map(row => row.dataset.order).sort()";
    let is_so = |listed: &Vec<String>| *listed == wanted;
    scene.browser.until(what, script, is_so).await;
}

/// Waits until the list shows these purchases and no others, loads the page anew, and waits again: the
/// link shows the same thing.
async fn check_listed(scene: &Scene, what: &str, orders: &[OrderId]) {
    until_listed(scene, what, orders).await;
    let link = scene.browser.hash().await;
    scene.browser.reload().await;
    until_listed(scene, &format!("{what}, by {link}"), orders).await;
    assert_eq!(scene.browser.hash().await, link);
}

#[tokio::test]
async fn purchases_are_found_filtered_and_linked() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    scene.show("#/orders").await;
    browser.see("main[data-state=empty]").await;

    let poor = Sale::of(system.user(5).await, scene.sale.item);
    let other = Sale::of(system.user(100).await, system.item(3, 1).await);
    let done = system.buy(scene.sale).await.id;
    let cheap = system.buy(other).await.id;
    let refused = system.buy(poor).await.id;
    let scarce = system.buy(other).await.id;
    let waits = Stage::Before(Service::Inventory)
        .halt(system, scene.sale)
        .await;
    browser.see(&row(waits)).await;

    let all = [done, cheap, refused, scarce, waits];
    for (filter, orders) in [
        ("completed", &[done, cheap][..]),
        ("cancelled", &[refused, scarce]),
        ("open", &[waits]),
        ("stuck", &[waits]),
        ("all", &all),
    ] {
        browser.click(&format!("[data-filter={filter}]")).await;
        check_listed(&scene, filter, orders).await;
    }
    let first_half = &done.to_string()[..done.to_string().len() - 4];
    for (search, orders) in [
        (done.to_string().as_str(), &[done][..]),
        (first_half, &[done]),
        (&scene.sale.user.to_string(), &[done, waits]),
        (&other.item.to_string(), &[cheap, scarce]),
        ("INSUFFICIENT_BALANCE", &[refused]),
        ("OUT_OF_STOCK", &[scarce]),
        ("thing", &all),
        ("buyer", &all),
        ("nobody", &[]),
    ] {
        browser.fill("#q", search).await;
        check_listed(&scene, search, orders).await;
    }
    // Search and filter together.
    browser.fill("#q", "thing").await;
    until_listed(&scene, "things", &all).await;
    browser.click("[data-filter=cancelled]").await;
    check_listed(&scene, "cancelled things", &[refused, scarce]).await;
    for (order, status) in [(refused, "CANCELLED"), (scarce, "CANCELLED")] {
        assert_eq!(browser.attribute(&row(order), "data-status").await, status);
    }
    browser.read(&row(refused), "INSUFFICIENT_BALANCE").await;
    browser.read(&row(refused), "buyer").await;
    browser.read(&row(refused), "thing").await;
    scene.finish_despite_refusals().await;
}

#[tokio::test]
async fn a_purchase_is_told_with_cause_payload_source_and_command() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    let order = system.buy(scene.sale).await.id;
    system.until_closed().await;
    scene.show(&format!("#/orders/{order}")).await;
    let cells = "return [...document.querySelectorAll('[data-cell]')]
        .map(cell => cell.dataset.cell + ' ' + cell.dataset.state)";
    let cells: Vec<String> = browser.run(cells, &[]).await;
    let mut wanted: Vec<_> = ["made", "held", "held", "held", "captured"].into();
    wanted.extend(["captured", "captured", "captured", "completed", "notified"]);
    let states: Vec<_> = cells
        .iter()
        .map(|cell| cell.split(' ').nth(1).unwrap())
        .collect();
    assert_eq!(states, wanted, "{cells:?}");
    let places: Vec<_> = cells
        .iter()
        .map(|cell| cell.split(' ').next().unwrap())
        .collect();
    assert_eq!(places[3], "item-svc/there");
    assert_eq!(places[5], "item-svc/back");

    assert_eq!(browser.count("#events li[data-n]").await, 11);
    let timeline: Value = system
        .at(Service::Order)
        .get(&format!("/orders/{order}/timeline"))
        .await
        .json();
    for event in timeline["events"].as_array().unwrap() {
        let at = format!("#events li[data-n='{}']", event["n"]);
        browser.read(&at, event["type"].as_str().unwrap()).await;
        browser.read(&at, event["service"].as_str().unwrap()).await;
    }
    // The fifth: why, what, where in the code, and how to ask for it.
    browser.click("#events li[data-n='5'] summary").await;
    let opened = browser.read("#events li[data-n='5']", "curl").await;
    let service = timeline["events"][4]["service"].as_str().unwrap();
    let file = format!("crates/{service}/src/saga.rs");
    for part in [&file, &order.to_string(), "\"orderId\""] {
        assert!(opened.contains(part), "{part} is in {opened}");
    }
    let because = &timeline["events"][4]["because"];
    assert!(
        opened.contains(&because.to_string()),
        "{because} is in {opened}"
    );
    // Each command is one that works: this one is for the service that said it.
    let command =
        "return document.querySelector('#events li[data-n=\"5\"] .shell code').textContent";
    let command: String = browser.run(command, &[]).await;
    let url = command
        .split_whitespace()
        .find(|word| word.starts_with("http"))
        .unwrap();
    assert!(url.ends_with(&format!("/sagas/{order}")), "{command}");

    // In the language of the page.
    let english = browser.text("#explain").await;
    browser.click("header button[lang=ko]").await;
    browser.see("html[lang=ko]").await;
    let korean = |text: &String| !text.is_empty() && *text != english;
    browser
        .until(
            "it is told in Korean",
            "return document.querySelector('#explain')?.innerText ?? ''",
            korean,
        )
        .await;
    scene.finish().await;
}

#[tokio::test]
async fn a_purchase_is_made_and_cancelled_on_the_page() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    // Nothing is there yet: two buttons make test data and buy.
    scene.show("#/orders").await;
    browser.see("main[data-state=empty]").await;
    browser.click("[data-start=data]").await;
    browser.click("[data-start=buy]").await;
    browser.see("#orders tbody tr[data-status=COMPLETED]").await;
    let test_data = system
        .at(Service::Order)
        .post("/setup-test-data", &json!({}))
        .await;
    let test_data = test_data.expect(200);
    assert!(test_data.body["data"]["user"]["id"].is_string());

    let order = Stage::Authorizing.halt(system, scene.sale).await;
    scene.show(&format!("#/orders/{order}")).await;
    browser.click("#cancel").await;
    browser.see("main [data-status=CANCELLING]").await;
    assert_eq!(browser.count("#cancel").await, 0, "it was asked for once");
    Stage::Authorizing.resume(system).await;
    let order = system.ended(order).await;
    browser
        .see(&format!("main [data-status={}]", order.status))
        .await;
    scene.finish().await;
}
