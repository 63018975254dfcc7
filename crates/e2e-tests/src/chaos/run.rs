//! A run from its seed to its verdict.

use std::io::{IsTerminal, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::{Semaphore, watch};
use tokio::task::{JoinSet, spawn_local};
use tokio::time::{Instant, sleep};

use super::audits::audit_all_the_while;
use super::plan::Plan;
use super::scene::Scene;
use super::shoppers::shop;
use super::verdict::{Verdict, judge};

/// After the last fault every purchase has ended within this time.
const FINAL_WITHIN: Duration = Duration::from_secs(60);
/// Faults that are under way at the same time.
const AT_ONCE: usize = 4;

/// What a run is.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// How many purchases.
    pub purchases: usize,
    /// How many `kill -9`; the other faults are as many as fit to that.
    pub kills: usize,
    /// How many purchases begin in a second, at most.
    pub per_second: u32,
    /// Everything that is drawn comes from it.
    pub seed: u64,
}

/// Runs chaos. True: nothing was violated. Tells how it goes, and how it went, on standard output.
/// To be called within a `LocalSet`.
pub async fn run(settings: Settings) -> bool {
    let Settings {
        purchases,
        kills,
        seed,
        ..
    } = settings;
    let began = Instant::now();
    let plan = Plan::draw(seed, purchases, kills);
    println!(
        "chaos: seed {seed}, {purchases} purchases, {} strikes",
        plan.0.len()
    );
    let folder = TempDir::new().unwrap();
    let scene = Rc::new(Scene::set(seed, folder.path()).await);
    let mut beside = JoinSet::new();
    let (watched, audited, shown) = (scene.clone(), scene.clone(), scene.clone());
    beside.spawn_local(async move { watched.watch_services().await });
    beside.spawn_local(async move { audit_all_the_while(&audited).await });
    beside.spawn_local(async move { show_progress(&shown, began).await });

    let settled_at = let_it_happen(&scene, &plan, settings).await;
    let judging = spawn_local(judge(scene.clone(), settled_at + FINAL_WITHIN));
    let verdict = judging.await.unwrap_or_else(|panic| {
        scene.record.violation(format!("no verdict: {panic}"));
        Verdict::default()
    });
    let final_after = verdict.ended_at.map(|at| at - settled_at);
    beside.shutdown().await;
    tell(&scene, &verdict, settings, (began.elapsed(), final_after));
    let violations = scene.record.violations();
    if !violations.is_empty() {
        println!("The plan: after so many purchases, which fault.\n{plan}");
        violations
            .iter()
            .for_each(|what| println!("VIOLATION: {what}"));
        let again = format!("--purchases {purchases} --kills {kills} --seed {seed}");
        println!("The same again: scripts/chaos {again}");
        println!("Logs and files are kept in {}", folder.keep().display());
    }
    violations.is_empty()
}

/// Purchases and faults, until all purchases were answered or it is too late for that. Returns the
/// moment at which the last fault was over and the last purchase begun.
async fn let_it_happen(scene: &Rc<Scene>, plan: &Plan, settings: Settings) -> Instant {
    let Settings {
        purchases,
        per_second,
        ..
    } = settings;
    let (allow, may_begin) = watch::channel(0);
    let shopping = spawn_local(shop(scene.clone(), purchases, per_second, may_begin));
    strike_all(scene, plan, &allow).await;
    allow.send_replace(purchases);
    until_begun(scene, purchases).await;
    let quiet = Instant::now();
    let over = scene.over.clone();
    let too_late = spawn_local(async move {
        tokio::time::sleep_until(quiet + FINAL_WITHIN).await;
        over.send_replace(true);
    });
    if let Err(panic) = shopping.await {
        scene.record.violation(format!("the buyers: {panic}"));
    }
    too_late.abort();
    quiet
}

/// Lets every fault strike at its moment, and returns when all are over.
async fn strike_all(scene: &Rc<Scene>, plan: &Plan, allow: &watch::Sender<usize>) {
    let turns = Arc::new(Semaphore::new(AT_ONCE));
    let mut strikes = JoinSet::new();
    for strike in plan.0.clone() {
        // No purchase overtakes a fault that is to strike before it.
        allow.send_replace(strike.at);
        until_begun(scene, strike.at).await;
        let turn = turns.clone().acquire_owned().await.unwrap();
        let scene = scene.clone();
        strikes.spawn_local(async move {
            scene.strike(&strike.fault).await;
            scene.record.struck(strike.fault.kind());
            drop(turn);
        });
    }
    while let Some(done) = strikes.join_next().await {
        if let Err(panic) = done {
            scene.record.violation(format!("a fault: {panic}"));
        }
    }
}

async fn until_begun(scene: &Scene, purchases: usize) {
    let mut begun = scene.record.begun.subscribe();
    // It ends with the scene, which is borrowed here.
    let _ = begun.wait_for(|begun| *begun >= purchases).await;
}

/// One line that changes on a terminal, a line now and then elsewhere.
async fn show_progress(scene: &Scene, began: Instant) {
    let mut out = std::io::stdout();
    let (pause, before, after) = if out.is_terminal() {
        (Duration::from_millis(200), "\r\x1b[K", "")
    } else {
        (Duration::from_secs(5), "", "\n")
    };
    loop {
        sleep(pause).await;
        let (seconds, progress) = (began.elapsed().as_secs(), scene.record.progress());
        let _ = write!(out, "{before}chaos: {seconds:>3} s: {progress}{after}");
        let _ = out.flush();
    }
}

/// The line at the end.
fn tell(scene: &Scene, verdict: &Verdict, settings: Settings, took: (Duration, Option<Duration>)) {
    let Settings {
        purchases, seed, ..
    } = settings;
    let faults = scene.record.faults();
    let struck: usize = faults.values().sum();
    let list = |counts: Vec<String>| counts.join(", ");
    let by_kind = list(
        faults
            .iter()
            .map(|(kind, n)| format!("{n} {kind}"))
            .collect(),
    );
    let reasons = list(
        verdict
            .cancelled
            .iter()
            .map(|(why, n)| format!("{n} {why}"))
            .collect(),
    );
    let final_after = took.1.map_or("not in time".to_owned(), |after| {
        format!("{:.1} s", after.as_secs_f64())
    });
    let line_end = if std::io::stdout().is_terminal() {
        "\n"
    } else {
        ""
    };
    println!(
        "{line_end}chaos: seed {seed}: {struck} strikes ({by_kind}), {purchases} purchases, \
         {} taken: {} completed, {} cancelled ({reasons}), final {final_after} after the last fault, \
         {} live audits, {} violations, {} s",
        scene.record.promises().len(),
        verdict.completed,
        verdict.cancelled.values().sum::<usize>(),
        scene.record.audits(),
        scene.record.violations().len(),
        took.0.as_secs(),
    );
}
