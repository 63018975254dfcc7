//! Somebody who presses the lab's buttons at random, and then HEAL ALL: nothing may be lost, the audit
//! never red, and all be final a minute later.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::Method;
use saga_audit::{Auditor, Scope};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::Lab;
use crate::chaos::dice::Dice;
use crate::lab::PARTS;

/// After HEAL ALL every purchase has ended within this time.
const FINAL_WITHIN: Duration = Duration::from_secs(60);
/// So many audits must have been made meanwhile, however long each waits for who is paused …
pub const LEAST_AUDITS: usize = 6;
/// … and so much longer it is pressed for their sake, at most.
const FOR_AUDITS: Duration = Duration::from_secs(60);
/// Between two audits.
const PAUSE: Duration = Duration::from_secs(1);
/// The six services, and what each kind of fault can be told.
const PROCESS_KINDS: [&str; 3] = ["kill", "stop", "pause"];
const REDIS_KINDS: [&str; 4] = ["flushall", "duplicate", "shuffle", "rewind"];
const OUTAGES: [&str; 4] = ["none", "refuse", "timeout", "timeoutAfterCharge"];

/// What came of it.
#[derive(Debug, Default)]
pub struct Pressed {
    /// How often which button was pressed, and took effect.
    pub buttons: BTreeMap<String, usize>,
    /// The live audits, and how many of them heard from everybody.
    pub audits: (usize, usize),
    /// The witness in the end.
    pub witness: Value,
    /// How long the last purchase took after HEAL ALL.
    pub final_after: Option<Duration>,
    /// What must not be.
    pub violations: Vec<String>,
}

/// A button and what is sent.
struct Button {
    name: String,
    method: Method,
    path: String,
    body: Option<Value>,
}

impl Button {
    fn new(name: &str, method: Method, path: &str, body: Option<Value>) -> Self {
        Self {
            name: name.to_owned(),
            method,
            path: path.to_owned(),
            body,
        }
    }

    /// What the dice say.
    fn drawn(dice: &mut Dice, picture: &Value) -> Self {
        let seconds = dice.below(5);
        let fault = |kind: &str, target: Option<&str>| {
            let mut body = json!({"kind": kind, "seconds": seconds});
            if let Some(target) = target {
                body["target"] = target.into();
            }
            Self::new(kind, Method::POST, "/lab/faults", Some(body))
        };
        match dice.below(100) {
            0..40 => fault(dice.one_of(&PROCESS_KINDS), Some(dice.one_of(&PARTS))),
            40..50 => fault("cut", Some(dice.one_of(&PARTS[..6]))),
            50..62 => {
                let kind = dice.one_of(&REDIS_KINDS);
                let target = dice.one_of(&PARTS[..6]);
                let of_one = kind != "flushall" && dice.percent(50);
                fault(kind, of_one.then_some(target))
            }
            62..72 => {
                let outage = dice.one_of(&OUTAGES);
                let body = json!({"outage": outage, "approvalRate": dice.below(11) as f64 / 10.0});
                Self::new("gateway", Method::PUT, "/lab/gateway", Some(body))
            }
            72..80 => {
                let body = json!({"perSecond": 5 * dice.below(11)});
                Self::new("traffic", Method::PUT, "/lab/traffic", Some(body))
            }
            80..88 => {
                let items = picture["items"].as_array().unwrap();
                let item = &items[dice.below(items.len())]["id"];
                let body = json!({"itemId": item, "quantity": 1 + dice.below(3)});
                Self::new("buy", Method::POST, "/lab/purchases", Some(body))
            }
            88..97 => {
                let on = picture["faults"].as_array().unwrap();
                let id = on.get(dice.below(on.len())).map(|fault| &fault["id"]);
                let path = format!("/lab/faults/{}", id.unwrap_or(&json!(0)));
                Self::new("heal", Method::DELETE, &path, None)
            }
            _ => Self::new("heal all", Method::DELETE, "/lab/faults", None),
        }
    }
}

/// Presses for so long, or longer until there were [`LEAST_AUDITS`], heals, and judges. Tells how it
/// goes on standard output.
pub async fn press(lab: &Lab, seed: u64, time: Duration) -> Pressed {
    println!("buttons: seed {seed}, {} s", time.as_secs());
    let (over, audited) = (Cell::new(false), Cell::new(0));
    let (mut pressed, (whole, red)) = tokio::join!(
        async {
            let mut pressed = press_at_random(lab, seed, time, &audited).await;
            until_final(lab, &mut pressed).await;
            over.set(true);
            pressed
        },
        audit_until(lab, &over, &audited)
    );
    pressed.audits = (audited.get(), whole);
    pressed.violations.extend(red);
    audit_all(lab, &mut pressed).await;
    pressed
}

async fn press_at_random(lab: &Lab, seed: u64, time: Duration, audited: &Cell<usize>) -> Pressed {
    let (mut dice, mut pressed) = (Dice::new(seed, 0), Pressed::default());
    let (end, mut told) = (Instant::now() + time, Instant::now());
    lab.put("/lab/traffic", &json!({"perSecond": 20})).await;
    let until = || match audited.get() {
        0..LEAST_AUDITS => end + FOR_AUDITS,
        _ => end,
    };
    while Instant::now() < until() {
        let picture = lab.picture().await;
        let button = Button::drawn(&mut dice, &picture);
        let Button {
            name,
            method,
            path,
            body,
        } = &button;
        let answer = lab.call(method.clone(), path, body.as_ref()).await;
        match answer.status {
            200..300 => *pressed.buttons.entry(name.clone()).or_default() += 1,
            // Not there at the moment, or somebody was there before.
            404 | 409 | 503 => {}
            status => {
                let what = format!(
                    "{method} {path} {body:?} was answered {status} {}",
                    answer.body
                );
                pressed.violations.push(what);
            }
        }
        if told.elapsed() > Duration::from_secs(10) {
            told = Instant::now();
            println!("buttons: {}", picture["witness"]);
        }
        sleep(dice.millis(20, 250)).await;
    }
    pressed
}

async fn until_final(lab: &Lab, pressed: &mut Pressed) {
    lab.put("/lab/traffic", &json!({"perSecond": 0})).await;
    if !lab.heal_all().await {
        let what = "HEAL ALL was not answered 204".to_owned();
        pressed.violations.push(what);
    }
    let healed = Instant::now();
    let none_open = |picture: &Value| picture["witness"]["open"] == 0;
    let seen = lab.until("all are final", FINAL_WITHIN, none_open).await;
    match seen {
        Ok(_) => pressed.final_after = Some(healed.elapsed()),
        Err(picture) => {
            let what = format!("not final: {}", picture["witness"]);
            pressed.violations.push(what);
        }
    }
    let witness = &lab.picture().await["witness"];
    let of = |name: &str| witness[name].as_u64().unwrap();
    if of("lost") > 0 || of("answered") != of("completed") + of("cancelled") + of("open") {
        pressed.violations.push(format!("lost: {witness}"));
    }
    pressed.witness = witness.clone();
}

/// Audits live, and notes what is violated. Who is away then is missing, which is no violation.
async fn audit_until(lab: &Lab, over: &Cell<bool>, audited: &Cell<usize>) -> (usize, Vec<String>) {
    let auditor = Auditor::new(lab.services().await).unwrap();
    let (mut whole, mut red) = (0, Vec::new());
    while !over.get() {
        let audit = auditor.audit(Scope::default()).await;
        let checks = audit.violations();
        red.extend(checks.map(|check| format!("audit: {}", json!(check))));
        audited.set(audited.get() + 1);
        whole += usize::from(audit.missing.is_empty());
        sleep(PAUSE).await;
    }
    (whole, red)
}

/// Every purchase, and every sum once all is quiet.
async fn audit_all(lab: &Lab, pressed: &mut Pressed) {
    let auditor = Auditor::new(lab.services().await).unwrap();
    let deadline = Instant::now() + FINAL_WITHIN;
    loop {
        let audit = auditor.audit(Scope::All).await;
        let checks = audit.violations();
        let red: Vec<String> = checks
            .map(|check| format!("audit in the end: {}", json!(check)))
            .collect();
        if !red.is_empty() || (audit.ok && audit.quiet) {
            return pressed.violations.extend(red);
        }
        if Instant::now() > deadline {
            let what = format!("the audit finds no quiet; missing: {:?}", audit.missing);
            return pressed.violations.push(what);
        }
        sleep(PAUSE / 5).await;
    }
}
