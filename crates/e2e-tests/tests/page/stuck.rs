//! Each cause for which a purchase can be stuck, really brought about, as the page tells it.

use e2e_tests::{Stage, System, settled};
use saga_events::{EventType, OrderId, Service};

use crate::scene::Scene;

/// Opens the purchase and waits until the page names this cause and this service, on the purchase's
/// own screen and in the list of those that are stuck.
async fn check(scene: &Scene, order: OrderId, cause: &str, service: Service) {
    let Scene { browser, .. } = scene;
    let named = format!("[data-cause={cause}]");
    scene.show("#/orders?filter=stuck").await;
    let row = format!("#orders tr[data-order=\"{order}\"] {named}");
    browser.read(&row, service.as_str()).await;
    scene.show(&format!("#/orders/{order}")).await;
    browser.read(&named, service.as_str()).await;
    assert!(!browser.text("#explain").await.is_empty(), "{cause}");
}

async fn cell(scene: &Scene, cell: &str) -> String {
    let css = format!("[data-cell=\"{cell}\"]");
    scene.browser.attribute(&css, "data-state").await
}

/// Waits until the page shows the end of the purchase, by itself.
async fn ends(scene: &Scene, order: OrderId) {
    assert!(scene.system.ended(order).await.is_completed());
    let Scene { browser, .. } = scene;
    browser
        .see("[data-cell=\"order-svc/back\"][data-state=completed]")
        .await;
    browser
        .see("[data-cell=\"notify-svc/back\"][data-state=notified]")
        .await;
    browser.see_no("[data-cause]").await;
}

#[tokio::test]
async fn each_cause_is_named_with_its_service_until_the_purchase_goes_on() {
    let builder = System::with().set(Service::Order, "SAGA__ORDER__FIRST_REPEAT_MS", 6_000);
    let Some(scene) = Scene::of(builder.start().await).await else {
        return;
    };
    let Scene {
        browser,
        system,
        sale,
    } = &scene;
    let sale = *sale;

    let stage = Stage::Before(Service::Inventory);
    let order = stage.halt(system, sale).await;
    check(&scene, order, "SERVICE_DOWN", Service::Inventory).await;
    for way in ["there", "back"] {
        let state = cell(&scene, &format!("inventory-svc/{way}")).await;
        assert_eq!(state, "unknown", "it does not answer, so nobody knows");
    }
    assert_eq!(cell(&scene, "user-svc/there").await, "held");
    browser.read("[role=alert]", "inventory-svc").await;
    stage.resume(system).await;
    ends(&scene, order).await;

    let order = Stage::Authorizing.halt(system, sale).await;
    check(&scene, order, "GATEWAY_UNKNOWN", Service::Payment).await;
    assert_eq!(cell(&scene, "payment-svc/there").await, "asking");
    Stage::Authorizing.resume(system).await;
    ends(&scene, order).await;

    let locked = system.file(Service::Item).lock();
    let order = system.order(sale).await;
    check(&scene, order, "LAGGING", Service::Item).await;
    drop(locked);
    ends(&scene, order).await;

    system.redis().kill();
    let order = system.order(sale).await;
    check(&scene, order, "REDIS_DOWN", Service::User).await;
    browser.read("[role=alert]", "Redis").await;
    system.redis().start().await;
    ends(&scene, order).await;

    scene.finish_despite_refusals().await;
}

#[tokio::test]
async fn what_was_lost_or_put_aside_is_told_until_the_repeat() {
    let builder = System::with().set(Service::Order, "SAGA__ORDER__FIRST_REPEAT_MS", 6_000);
    let Some(scene) = Scene::of(builder.start().await).await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    let stage = Stage::Before(Service::Inventory);

    let order = stage.halt(system, scene.sale).await;
    let _: String = system.redis().ask("FLUSHALL").await;
    stage.resume(system).await;
    check(&scene, order, "WAITING_REPEAT", Service::Inventory).await;
    ends(&scene, order).await;
    // What was said again is one line, that opens.
    browser.click("#events .repeats summary").await;
    browser.see("#events .repeats li[data-n]").await;

    let order = stage.halt(system, scene.sale).await;
    let _: String = system.redis().ask("FLUSHALL").await;
    system
        .forge(settled(EventType::ItemDeducted, order, 0))
        .await;
    stage.resume(system).await;
    check(&scene, order, "DEAD_LETTER", Service::Inventory).await;
    ends(&scene, order).await;

    scene.finish_despite_refusals().await;
}
