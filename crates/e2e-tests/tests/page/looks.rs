//! How every screen looks, in both languages, light and dark, wide and narrow: usable by everybody, and
//! pictures of it for people to judge.

use std::path::{Path, PathBuf};

use e2e_tests::{Axe, Browser, Look, Sight, Stage, envelope, settled};
use saga_events::{EventType, OrderId, Service};
use serde_json::json;

use crate::laboratory::LabScene;
use crate::scene::Scene;

const NARROW: u32 = 320;
const WIDE: u32 = 1280;

/// Where the pictures go.
fn picture(name: &str) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    target.join("page").join(format!("{name}.png"))
}

/// Holds what the browser shows to all that every screen must be, in every way of looking at it.
async fn check(browser: &Browser, axe: Option<&Axe>, screen: &str) -> Vec<String> {
    let mut found = Vec::new();
    for language in ["en", "ko"] {
        browser
            .click(&format!("header button[lang={language}]"))
            .await;
        browser.see(&format!("html[lang={language}]")).await;
        for (width, dark) in [(WIDE, false), (WIDE, true), (NARROW, false), (NARROW, true)] {
            let look = Look {
                dark,
                ..Look::wide(width)
            };
            browser.look(look).await;
            browser
                .see("main:is([data-state=ready], [data-state=empty])")
                .await;
            let name = format!(
                "{screen}-{language}-{width}-{}",
                if dark { "dark" } else { "light" }
            );
            let mut note = |what: String| found.push(format!("{name}: {what}"));
            if let Some(axe) = axe {
                axe.violations(browser)
                    .await
                    .into_iter()
                    .for_each(&mut note);
            }
            let too_wide: f64 = browser
                .run(
                    "const page = document.documentElement;
                return page.scrollWidth - page.clientWidth",
                    &[],
                )
                .await;
            if too_wide > 0.0 {
                note(format!("scrolls sideways by {too_wide} pixels"));
            }
            browser.picture(Sight::All, &picture(&name)).await;
        }
    }
    browser.look(Look::wide(WIDE)).await;
    for sight in [Sight::Grey, Sight::Deuteranopia] {
        browser
            .picture(sight, &picture(&format!("{screen}-{sight:?}")))
            .await;
    }
    let forced = Look {
        forced_colors: true,
        ..Look::wide(WIDE)
    };
    browser.look(forced).await;
    browser
        .picture(Sight::All, &picture(&format!("{screen}-forced-colors")))
        .await;
    browser.look(Look::wide(WIDE)).await;
    found
}

/// Purchases of all kinds, a dead letter, and a service that is down.
async fn with_something_of_everything(scene: &Scene) -> OrderId {
    let Scene { system, .. } = scene;
    for _ in 0..3 {
        system.buy(scene.sale).await;
    }
    system.set_gateway(json!({"approvalRate": 0})).await;
    system.buy(scene.sale).await;
    system.set_gateway(json!({"approvalRate": 1})).await;
    let forged = envelope(settled(EventType::PaymentProcessed, OrderId::new(), 0));
    system
        .plant(EventType::PaymentProcessed, "event", &forged)
        .await;
    system.until_dead_letters(Service::Item, 1).await;
    Stage::Before(Service::Inventory)
        .halt(system, scene.sale)
        .await
}

#[tokio::test]
async fn every_screen_can_be_used_by_everybody_and_fits_a_small_one() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let axe = Axe::find();
    let browser = &scene.browser;
    let empty = ["#/", "#/orders", "#/dead"].map(|link| ("empty", link.to_owned()));
    let mut found = Vec::new();
    for (name, link) in empty {
        scene.show(&link).await;
        bring(axe.as_ref(), browser).await;
        let name = format!("{name}{}", link.replace(['#', '/'], "-"));
        found.extend(check(browser, axe.as_ref(), &name).await);
    }
    let order = with_something_of_everything(&scene).await;
    for (name, link) in [
        ("line", "#/"),
        ("orders", "#/orders"),
        ("order", &format!("#/orders/{order}")),
        ("dead", "#/dead"),
        ("lab-without", "#/lab"),
    ] {
        scene.show(link).await;
        bring(axe.as_ref(), browser).await;
        match name {
            "line" => browser.click("[data-service=inventory-svc]").await,
            "order" => browser.click("#events summary").await,
            "dead" => browser.click("#dead summary").await,
            _ => {}
        }
        found.extend(check(browser, axe.as_ref(), name).await);
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    scene.finish_despite_refusals().await;
}

#[tokio::test]
async fn the_lab_and_the_help_can_be_used_by_everybody() {
    let Some(scene) = LabScene::start().await else {
        return;
    };
    let axe = Axe::find();
    let LabScene { browser, .. } = &scene;
    scene.enter().await;
    bring(axe.as_ref(), browser).await;
    browser.click("[data-traffic='1']").await;
    browser.click("[data-without=self-cancel]").await;
    browser.see("#verdict[data-verdict=unsafe]").await;
    browser.click("[data-fault='kill/notify-svc']").await;
    browser
        .see("[data-fault='kill/notify-svc'][aria-pressed=true]")
        .await;
    let mut found = check(browser, axe.as_ref(), "lab").await;

    browser.click("main h1").await;
    browser.press(['?']).await;
    browser.see("dialog[open]").await;
    if let Some(axe) = &axe {
        found.extend(axe.violations(browser).await);
    }
    browser.picture(Sight::All, &picture("help")).await;
    assert!(found.is_empty(), "{}", found.join("\n"));
    scene.finish().await;
}

#[tokio::test]
async fn who_asks_for_less_motion_sees_no_dots() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    browser
        .look(Look {
            still: true,
            ..Look::wide(WIDE)
        })
        .await;
    scene.show("#/").await;
    browser.see("html[data-contact=live]").await;
    system.buy(scene.sale).await;
    browser.see("#steps li[data-order]").await;
    let moving: usize = browser
        .run(
            "return document.getAnimations().filter(
        one => one.playState === 'running').length",
            &[],
        )
        .await;
    assert_eq!(moving, 0);
    scene.finish().await;
}

async fn bring(axe: Option<&Axe>, browser: &Browser) {
    if let Some(axe) = axe {
        axe.bring_into(browser).await;
    }
}
