//! Dead letters, read and dealt with on the page.

use e2e_tests::{PATIENCE, Stage, System, envelope, eventually, settled};
use saga_events::bus::stream;
use saga_events::{EventType, OrderId, Service};

use crate::scene::Scene;

/// What was lost stays lost until somebody acts.
async fn without_repeats() -> System {
    System::with()
        .set(Service::Order, "SAGA__ORDER__FIRST_REPEAT_MS", 55_000)
        .set(Service::Order, "SAGA__ORDER__MAX_REPEAT_MS", 55_000)
        .start()
        .await
}

/// The row of the first dead letter of a service.
fn row(service: Service) -> String {
    format!("#dead tbody tr[data-letter=\"{service}/1\"]")
}

/// Presses a button of the row, and gives a reason where one is asked for.
async fn act(scene: &Scene, service: Service, act: &str) {
    let Scene { browser, .. } = scene;
    browser
        .click(&format!("{} [data-act={act}]", row(service)))
        .await;
    if act != "dryRun" {
        browser.fill("dialog[open] input", "it is mended").await;
        browser.click("dialog[open] button.main").await;
        browser.see_no("dialog[open]").await;
    }
}

async fn outcome(scene: &Scene, service: Service, outcome: &str) -> String {
    let css = format!("{} [data-outcome={outcome}]", row(service));
    scene.browser.see(&css).await;
    scene.browser.text(&css).await
}

#[tokio::test]
async fn a_letter_is_tried_replayed_and_comes_back_until_it_can_be_applied() {
    let Some(scene) = Scene::of(without_repeats().await).await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    scene.show("#/dead").await;
    browser.see("main[data-state=empty]").await;

    // Told before it can be true: impossible now, and nothing new later.
    system.freeze(Service::User);
    let order = system.order(scene.sale).await;
    let early = settled(EventType::NotificationSent, order, 0);
    system.forge(early).await;
    browser.see(&row(Service::Order)).await;
    browser
        .read(&row(Service::Order), "notification.sent")
        .await;
    act(&scene, Service::Order, "dryRun").await;
    outcome(&scene, Service::Order, "impossible").await;
    let letters = system.file(Service::Order).dead_letters();
    assert_eq!(letters[0].attempts, 1, "a dry run is no attempt");

    act(&scene, Service::Order, "replay").await;
    let told = format!("{} [data-outcome=impossible]", row(Service::Order));
    browser.read(&told, "attempt 2").await;

    system.thaw(Service::User);
    assert!(system.ended(order).await.is_completed());
    system.until_closed().await;
    act(&scene, Service::Order, "replay").await;
    outcome(&scene, Service::Order, "nothingChanged").await;
    scene.finish_despite_refusals().await;
}

#[tokio::test]
async fn a_mended_letter_is_applied_and_a_forged_one_is_discarded_with_a_reason() {
    let Some(scene) = Scene::of(without_repeats().await).await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    let forged = envelope(settled(EventType::PaymentProcessed, OrderId::new(), 0));
    system
        .plant(EventType::PaymentProcessed, "event", &forged)
        .await;
    scene.show("#/dead").await;
    browser.see(&row(Service::Item)).await;
    // Without a reason nothing is done.
    browser
        .click(&format!("{} [data-act=discard]", row(Service::Item)))
        .await;
    browser.click("dialog[open] button.main").await;
    browser.read("dialog[open] .problem", "reason").await;
    browser.fill("dialog[open] input", "forged").await;
    browser.click("dialog[open] button.main").await;
    outcome(&scene, Service::Item, "discarded").await;
    let letter = system
        .at(Service::Item)
        .get("/dead-letters/1")
        .await
        .expect(200)
        .body;
    assert_eq!(letter["state"], "discarded");
    assert_eq!(letter["trail"][0]["reason"], "forged");

    // What user-svc was to read is undecodable, then mended in the file.
    let order = Stage::Before(Service::User).halt(system, scene.sale).await;
    let key = stream(0, EventType::OrderCreated);
    let read = async || {
        let entries: Vec<(String, Vec<String>)> =
            system.redis().ask(&format!("XRANGE {key} - +")).await;
        entries.into_iter().next().ok_or("it is empty")
    };
    let (_, fields) = eventually("the event is published", PATIENCE, read).await;
    let text = fields[1].replace("order.created:1", "order.created:2");
    let _: String = system.redis().ask("FLUSHALL").await;
    system.plant(EventType::OrderCreated, "event", &text).await;
    system.restart(Service::User).await;
    browser.see(&row(Service::User)).await;
    act(&scene, Service::User, "dryRun").await;
    outcome(&scene, Service::User, "undecodable").await;
    system
        .file(Service::User)
        .run("UPDATE dead_letters SET event = replace(event, 'created:2', 'created:1')");
    act(&scene, Service::User, "replay").await;
    let told = outcome(&scene, Service::User, "changed").await;
    assert!(!told.is_empty());
    assert!(system.ended(order).await.is_completed());
    scene.finish_despite_refusals().await;
}
