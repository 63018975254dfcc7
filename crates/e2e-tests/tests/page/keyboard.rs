//! The page by its keys alone: nothing here points at anything.

use e2e_tests::Browser;
use fantoccini::key::Key;
use serde_json::Value;

use crate::scene::Scene;

/// What the focus is on, as a selector that a person can read.
async fn focused(browser: &Browser) -> String {
    let script = "const at = document.activeElement;
        return at.id ? '#' + at.id : at.tagName.toLowerCase()";
    browser.run(script, &[]).await
}

async fn until_focused(browser: &Browser, wanted: &str) {
    let script = format!("return document.activeElement.matches({wanted:?})");
    let what = format!("the focus is on {wanted}");
    browser.until(&what, &script, |is: &bool| *is).await;
}

async fn until_screen(browser: &Browser, screen: &str) {
    browser.see(&format!("main[data-screen={screen}]")).await;
    until_focused(browser, "main h1").await;
}

/// Presses Tab until the focus has gone round, and names what it should have come to and did not.
async fn missed_by_tab(browser: &Browser) -> Vec<String> {
    let watch = "window.reached = new Set();
        document.activeElement.blur();
        getSelection().removeAllRanges();
        scrollTo(0, 0);";
    browser.run::<Value>(watch, &[]).await;
    let is_round = "const at = document.activeElement;
        if (at === document.body) return false;
        const seen = reached.has(at);
        reached.add(at);
        return seen";
    let mut presses = 0;
    loop {
        browser.press([Key::Tab]).await;
        if browser.run(is_round, &[]).await {
            break;
        }
        presses += 1;
        assert!(presses < 500, "the focus never comes round");
    }
    let missed = "return [...document.querySelectorAll(arguments[0])]
        .filter(one => one.checkVisibility({visibilityProperty: true}) && one.tabIndex >= 0
            && !one.disabled && !reached.has(one)).map(one => one.outerHTML)";
    browser.run(missed, &[FOCUSABLE.into()]).await
}

const FOCUSABLE: &str = "a[href], button, input, select, textarea, summary, [tabindex]";

#[tokio::test]
async fn everything_can_be_done_by_keys() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    for _ in 0..3 {
        system.buy(scene.sale).await;
    }
    system.until_closed().await;
    scene.show("#/").await;
    for (key, screen) in [('2', "orders"), ('3', "dead"), ('4', "lab"), ('1', "line")] {
        browser.press([key]).await;
        until_screen(browser, screen).await;
    }

    // Search from anywhere; what is typed there is text, and Escape leaves the field.
    browser.press(['/']).await;
    until_focused(browser, "#q").await;
    browser.press("1?j ".chars()).await;
    assert_eq!(
        browser
            .run::<String>("return document.querySelector('#q').value", &[])
            .await,
        "1?j "
    );
    assert_eq!(browser.count("main[data-screen=orders]").await, 1);
    assert_eq!(browser.count("dialog[open]").await, 0);
    browser.press([Key::Backspace; 4]).await;
    browser.press([Key::Escape]).await;
    assert_ne!(focused(browser).await, "#q");

    // Down, up, open, back to the same list.
    browser.see("#orders tbody tr:nth-child(3)").await;
    browser.press(['j', 'j', 'k']).await;
    until_focused(browser, "#orders tbody tr:first-child a").await;
    browser.press([Key::Enter]).await;
    until_screen(browser, "order").await;
    browser.see("#events li[data-n='11']").await;
    browser.press(['j']).await;
    until_focused(browser, "#events li:first-child summary").await;
    browser.press([Key::Enter]).await;
    browser.see("#events li:first-child pre").await;
    browser.press([Key::Escape]).await;
    until_screen(browser, "orders").await;

    browser.press(['1']).await;
    until_screen(browser, "line").await;
    browser.press([' ']).await;
    browser.see("#pause[aria-pressed=true]").await;
    browser.press([' ']).await;
    browser.see("#pause[aria-pressed=false]").await;
    scene.finish().await;
}

#[tokio::test]
async fn keys_are_explained_and_can_be_turned_off() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let browser = &scene.browser;
    scene.show("#/").await;
    browser.press(['?']).await;
    browser.see("dialog[open]").await;
    for key in ["1-4", "/", "j k", "Enter", "Esc", "Space", "?"] {
        browser.read("dialog[open]", key).await;
    }
    // The first control in it is the switch.
    tab_to(browser, "dialog input[type=checkbox]").await;
    browser.press([' ']).await;
    browser.press([Key::Escape]).await;
    until_no_dialog(browser).await;

    browser.press(['2', '?', ' ']).await;
    browser.reload().await;
    browser.see("main[data-screen=line]").await;
    browser.press(['2', '?', '/']).await;
    assert_eq!(
        browser.count("main[data-screen=line]").await,
        1,
        "keys are off"
    );
    assert_eq!(browser.count("dialog[open]").await, 0);
    assert_eq!(browser.count("#pause[aria-pressed=true]").await, 0);

    // Still to be found, by Tab, and on again.
    tab_to(browser, "header button[aria-label]").await;
    browser.press([Key::Enter]).await;
    browser.see("dialog[open]").await;
    tab_to(browser, "dialog input[type=checkbox]").await;
    browser.press([' ']).await;
    browser.press([Key::Escape]).await;
    until_no_dialog(browser).await;
    browser.press(['2']).await;
    until_screen(browser, "orders").await;
    scene.finish().await;
}

/// Waits until the dialog is taken out: closed, it still has the focus for a moment.
async fn until_no_dialog(browser: &Browser) {
    let count = "return document.querySelectorAll('dialog').length";
    let none = |count: &u64| *count == 0;
    browser.until("the dialog is gone", count, none).await;
}

/// Presses Tab until the focus is there.
async fn tab_to(browser: &Browser, wanted: &str) {
    let is_there = format!("return document.activeElement.matches({wanted:?})");
    for _ in 0..100 {
        if browser.run(&is_there, &[]).await {
            return;
        }
        browser.press([Key::Tab]).await;
    }
    panic!("a hundred times Tab, and not at {wanted}");
}

#[tokio::test]
async fn tab_comes_to_every_control_and_the_first_one_skips_to_the_content() {
    let Some(scene) = Scene::start().await else {
        return;
    };
    let (browser, system) = (&scene.browser, &scene.system);
    let order = system.buy(scene.sale).await.id;
    system.until_closed().await;
    let order = format!("#/orders/{order}");
    for link in ["#/", "#/orders", &order, "#/dead", "#/lab"] {
        scene.show(link).await;
        browser.press([Key::Tab, Key::Enter]).await;
        until_focused(browser, "main h1").await;
        let missed = missed_by_tab(browser).await;
        assert!(missed.is_empty(), "{link}: {missed:#?}");
    }
    scene.finish().await;
}
