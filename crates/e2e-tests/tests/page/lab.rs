//! The lab on the page: buttons that break things, the witness, and the what-if.

use std::time::Duration;

use e2e_tests::{Browser, PATIENCE, System, eventually};
use serde_json::{Value, json};

use crate::environment::number;
use crate::laboratory::LabScene;
use crate::scene::Scene;

/// How long everything may take to end after HEAL ALL.
const UNTIL_FINAL: Duration = Duration::from_secs(60);
/// Between two buttons.
const PAUSES_MS: std::ops::Range<u64> = 50..500;

#[tokio::test]
async fn whatever_is_pressed_at_random_nothing_is_lost_and_the_audit_is_never_violated() {
    let Some(scene) = LabScene::start().await else {
        return;
    };
    let LabScene { browser, .. } = &scene;
    let seed = number("SEED").unwrap_or_else(|| fastrand::u64(..));
    let seconds = number("SECONDS_OF_CHAOS").unwrap_or(60);
    println!("SEED={seed} SECONDS_OF_CHAOS={seconds}");
    let mut dice = fastrand::Rng::with_seed(seed);

    scene.enter().await;
    browser.run::<Value>(WATCH, &[]).await;
    browser.choose("#seconds", "5").await;
    browser.click("[data-traffic='10']").await;
    let until = tokio::time::Instant::now() + Duration::from_secs(seconds);
    while tokio::time::Instant::now() < until {
        press_any(browser, &mut dice).await;
        tokio::time::sleep(Duration::from_millis(dice.u64(PAUSES_MS))).await;
    }

    browser.click("[data-traffic='0']").await;
    browser.click("#heal").await;
    let is_over = async || {
        let [answered, completed, cancelled, open, lost] = scene.witness().await;
        let violated: Vec<String> = browser.run("return window.violated", &[]).await;
        let pressed: Vec<String> = browser.run("return window.pressed", &[]).await;
        assert!(
            lost == 0 && violated.is_empty(),
            "SEED={seed}: {lost} lost, {violated:?} after {pressed:?}"
        );
        assert_eq!(answered, completed + cancelled + open + lost);
        let held = browser.count("#audit [data-audit=holds]").await;
        let done =
            open == 0 && held == 6 && browser.count("#faults [aria-pressed=true]").await == 0;
        let state = format!("{open} of {answered} are open, {held} of 6 hold");
        if done { Ok(answered) } else { Err(state) }
    };
    let answered = eventually("all is final", UNTIL_FINAL, is_over).await;
    println!("{answered} purchases");
    assert!(answered >= seconds, "there was traffic: {answered}");
    let system = scene.system().await;
    assert_eq!(
        (&system["open"], system["redis"]["up"].as_bool()),
        (&json!(0), Some(true))
    );
    scene.finish().await;
}

/// Notes every sign of the audit's that is violated, however short, and every button that is pressed.
const WATCH: &str = "
    window.violated = [];
    window.pressed = [];
    const look = () => document.querySelectorAll('[data-audit=violated]').forEach(
        one => violated.push(document.querySelector('#audit').innerText));
    new MutationObserver(look).observe(document, {
        subtree: true, childList: true, attributes: true, attributeFilter: ['data-audit']});
    look();";

/// Any button of the lab's, or another gateway. One that is not to be had now is none.
async fn press_any(browser: &Browser, dice: &mut fastrand::Rng) {
    let choice: u32 = dice.u32(..);
    let press = "const [at] = arguments;
        const all = [...document.querySelectorAll(
            '[data-fault], [data-traffic], [data-buy], #heal, #approve option, #outage option')]
            .filter(one => !one.disabled && one.closest('select')?.disabled !== true);
        const one = all[at % all.length];
        const list = one.closest('select');
        pressed.push(list ? list.id + '=' + one.value : JSON.stringify(one.dataset));
        if (list) {
            list.value = one.value;
            list.dispatchEvent(new Event('change'));
        } else one.click();";
    browser.run::<Value>(press, &[json!(choice)]).await;
}

#[tokio::test]
async fn a_fault_is_struck_shown_and_healed_and_the_witness_counts() {
    let Some(scene) = LabScene::start().await else {
        return;
    };
    let LabScene { browser, .. } = &scene;
    scene.enter().await;
    assert_eq!(
        browser.hash().await,
        "#/lab",
        "the token is no part of the address any more"
    );
    browser.choose("#seconds", "0").await;
    for (kind, state) in [("kill", "killed"), ("stop", "stopped"), ("pause", "paused")] {
        let button = format!("[data-fault='{kind}/item-svc']");
        browser.click(&button).await;
        browser.see(&format!("{button}[aria-pressed=true]")).await;
        browser.read("#command", "curl").await;
        browser.read("[data-process=item-svc]", state).await;
        browser.read("[role=alert]", "item-svc").await;
        browser.click(&button).await;
        browser.see(&format!("{button}[aria-pressed=false]")).await;
        browser.read("[data-process=item-svc]", "running").await;
    }
    browser.click("[data-fault='cut/user-svc']").await;
    browser
        .see("[data-fault='cut/user-svc'][aria-pressed=true]")
        .await;

    // Bought while it cannot go on: the witness has it, and it is open.
    browser.click("[data-buy]").await;
    let ask = async || match scene.witness().await {
        [1, 0, 0, 1, 0] => Ok(()),
        other => Err(format!("{other:?}")),
    };
    eventually("the witness has seen it", PATIENCE, ask).await;
    browser.click("#heal").await;
    browser
        .see("[data-fault='cut/user-svc'][aria-pressed=false]")
        .await;
    let ask = async || match scene.witness().await {
        [1, completed, cancelled, 0, 0] if completed + cancelled == 1 => Ok(()),
        other => Err(format!("{other:?}")),
    };
    eventually("it has ended", PATIENCE, ask).await;
    for kind in ["flushall", "duplicate", "shuffle", "rewind"] {
        browser.click(&format!("[data-fault={kind}]")).await;
        browser.read("#command", kind).await;
    }

    // order-svc away: the lab goes on working.
    browser.click("[data-fault='kill/order-svc']").await;
    browser.see("html[data-contact=away]").await;
    browser.read("[data-process=order-svc]", "killed").await;
    browser.click("[data-fault='kill/order-svc']").await;
    browser.see("html[data-contact=live]").await;

    // Who has no token, and who has a wrong one.
    browser.run::<Value>("sessionStorage.clear()", &[]).await;
    browser.open("/#/lab").await;
    browser.read("main", "scripts/lab").await;
    browser
        .open("/#/lab?token=0123456789abcdef0123456789abcdef")
        .await;
    browser.read("main .warn", "token").await;
    assert_eq!(browser.hash().await, "#/lab");
    scene.finish().await;
}

#[tokio::test]
async fn a_safeguard_taken_away_is_judged_with_its_shortest_way() {
    let Some(scene) = LabScene::start().await else {
        return;
    };
    let LabScene { browser, .. } = &scene;
    scene.enter().await;
    browser.see("[data-without]").await;
    assert_eq!(browser.count("[data-without]").await, 17);
    check(browser, &[], "safe", 0).await;
    for (without, verdict, steps) in [
        (&["self-cancel"][..], "unsafe", 2),
        (&["refusals-not-stored"], "unsafe", 3),
        (&["overhear"], "unsafe", 3),
        (&["hold-expiry"], "unsafe", 4),
        (&["time-out-is-no"], "unsafe", 5),
        (&["no-tombstone"], "unsafe", 7),
        (&["drop-repeats"], "stuck", 4),
        (&["ack-before-commit"], "safe", 0),
    ] {
        check(browser, without, verdict, steps).await;
    }
    for name in ["ack-before-commit", "no-repeats"] {
        browser.click(&format!("[data-without={name}]")).await;
    }
    browser.see("#verdict[data-verdict=stuck]").await;
    scene.finish().await;
}

/// Takes these away, waits for the verdict, and puts them back.
async fn check(browser: &Browser, without: &[&str], verdict: &str, steps: usize) {
    let at_rest = browser.text("#verdict .sum").await;
    for name in without {
        browser.click(&format!("[data-without={name}]")).await;
    }
    browser
        .see(&format!(
            "#verdict[data-verdict={verdict}][data-steps='{steps}']"
        ))
        .await;
    assert_eq!(browser.count("#verdict li").await, steps, "{without:?}");
    // Where nothing comes of it, it must still say why: the verdict of before looks like this one.
    let why = "return document.querySelector('#verdict .sum')?.innerText ?? ''";
    let is_new = |text: &String| !text.is_empty() && (without.is_empty() || *text != at_rest);
    browser.until("it says why", why, is_new).await;
    for name in without {
        browser.click(&format!("[data-without={name}]")).await;
    }
    browser
        .see("#verdict[data-verdict=safe][data-steps='0']")
        .await;
}

#[tokio::test]
async fn without_the_demo_there_is_no_lab() {
    let builder = System::with().set_for_all("SAGA__DEMO", false);
    let Some(scene) = Scene::of(builder.start().await).await else {
        return;
    };
    let browser = &scene.browser;
    browser.open("/#/lab").await;
    browser.see("main[data-screen=lab][data-state=empty]").await;
    assert_eq!(browser.count("header a[href='#/lab']").await, 0, "no tab");
    assert_eq!(browser.count("main button").await, 0, "nothing to press");
    browser.press(['1']).await;
    browser.see("main[data-screen=line]").await;
    browser.press(['4']).await;
    assert_eq!(browser.count("main[data-screen=line]").await, 1);
    assert_eq!(
        browser.count("[data-start]").await,
        0,
        "nothing to buy with"
    );
    scene.finish().await;
}
