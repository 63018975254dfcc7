//! What the page shows while it is cut off: from order-svc, from a stream, from its own newer version.

use saga_events::Service;
use serde_json::json;

use crate::scene::{Places, Scene};

#[tokio::test]
async fn without_order_svc_the_last_picture_stays_with_its_age() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    let order = system.buy(scene.sale).await.id;
    scene.show("#/orders").await;
    let row = format!("#orders tr[data-order=\"{order}\"]");
    browser.see(&row).await;

    system.kill(Service::Order);
    browser.see("main[data-state=away]").await;
    browser.see("[role=alert]").await;
    assert_eq!(browser.count(&row).await, 1, "the last picture stays");
    browser.press(['1']).await;
    browser
        .see("[data-service=order-svc][data-health=down]")
        .await;
    browser
        .see("[data-service=item-svc][data-health=unknown]")
        .await;
    // Its age grows: the same sentence says another number.
    let first = browser.text("#notices").await;
    let grown = |text: &String| !text.is_empty() && *text != first;
    let script = "return document.querySelector('#notices').innerText";
    browser.until("the picture is older", script, grown).await;

    system.restart(Service::Order).await;
    browser
        .see("[data-service=order-svc][data-health=ok]")
        .await;
    browser.see_no("[role=alert]").await;
    scene.finish_despite_refusals().await;
}

#[tokio::test]
async fn a_silent_service_and_redis_are_shown_on_the_line() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    scene.show("#/").await;
    for service in Service::ALL {
        browser
            .see(&format!("[data-service={service}][data-health=ok]"))
            .await;
    }
    system.freeze(Service::Item);
    browser
        .see("[data-service=item-svc][data-health=down]")
        .await;
    browser.read("[role=alert]", "item-svc").await;
    system.thaw(Service::Item);
    browser.see("[data-service=item-svc][data-health=ok]").await;

    system.redis().kill();
    browser.read("[role=alert]", "Redis").await;
    for _ in 0..3 {
        system.order(scene.sale).await;
    }
    // Accepted, and three wait.
    browser.read("#open", "3").await;
    browser.read("#notices .warn", "3").await;
    system.redis().start().await;
    browser.see_no("[role=alert]").await;
    system.until_closed().await;
    browser.read("#open", "0").await;
    scene.finish_despite_refusals().await;
}

#[tokio::test]
async fn where_all_places_of_the_stream_are_taken_the_page_asks_instead() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    let places = Places::take_all_but(system, 0).await;
    scene.show("#/").await;
    browser.see("html[data-contact=polling]").await;
    browser.see("#notices .notice").await;
    assert_eq!(browser.count("[role=alert]").await, 0, "nothing is down");
    // It still shows what is.
    browser.see("[data-service=item-svc][data-health=ok]").await;
    system.kill(Service::Item);
    browser
        .see("[data-service=item-svc][data-health=down]")
        .await;
    drop(places);
    browser.see("html[data-contact=live]").await;
    scene.finish_despite_refusals().await;
}

#[tokio::test]
async fn a_newer_page_is_offered_and_not_forced() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    let page: String = system.at(Service::Order).get("/system").await.field("page");
    // This tab was loaded from an older binary: what the server had put into it was another hash.
    let older = "document.addEventListener('readystatechange', () => {
        document.querySelector('meta[name=page]').content = 'older'; }, {once: true})";
    let script = browser
        .devtools(
            "Page.addScriptToEvaluateOnNewDocument",
            json!({"source": format!("if (location.protocol !== 'about:') {older}")}),
        )
        .await;
    scene.show("#/orders").await;
    browser
        .devtools("Page.removeScriptToEvaluateOnNewDocument", script)
        .await;
    browser.see("#notices button").await;
    assert_eq!(browser.count("[role=alert]").await, 0, "nothing is wrong");
    browser.click("#notices button").await;
    browser
        .until(
            "it is loaded anew",
            "return document.querySelector('meta[name=page]')?.content",
            |now: &Option<String>| now.as_deref() == Some(&page),
        )
        .await;
    assert_eq!(browser.hash().await, "#/orders", "the same screen");
    browser.see("main[data-screen=orders]").await;
    assert_eq!(browser.count("#notices button").await, 0);
    scene.finish().await;
}
