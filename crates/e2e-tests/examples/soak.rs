//! `scripts/soak`: purchases for many minutes, and what the processes take meanwhile.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::process::ExitCode;
use std::time::{Duration, Instant};

use e2e_tests::{Bounds, Soak, System};
use saga_events::Service;

/// Redis goes away once in so many minutes.
const AWAY_EVERY: u64 = 5;
const ROWS: &str = "SELECT count(*) AS number FROM outbox";

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let minutes = std::env::args().nth(1).map(|text| text.parse().ok());
    let Some(minutes) = minutes.unwrap_or(Some(10_u64)) else {
        eprintln!("soak: how many minutes? a number");
        return ExitCode::from(2);
    };
    let system = System::with()
        .set_for_all("RUST_LOG", "warn")
        .set_for_all("SAGA__RETENTION__JOURNAL_S", 120)
        .start()
        .await;
    let soak = Soak::of(system).await;
    for minute in 1..=minutes {
        let (before, began) = (soak.completed(), Instant::now());
        let what = if minute % AWAY_EVERY == 0 {
            format!("{} taken without Redis", soak.without_redis().await)
        } else {
            String::new()
        };
        let end = began + Duration::from_secs(60);
        soak.buy(usize::MAX, Some(end)).await;
        let completed = soak.completed() - before;
        let rows = soak.system().file(Service::User).number(ROWS);
        println!(
            "minute {minute}: {completed} completed; at most so far {}; {rows} rows in user-svc's journal {what}",
            soak.peak()
        );
    }
    soak.quiet().await;
    soak.streams_are_short().await;
    let (peak, over) = (soak.peak(), soak.peak().over(&Bounds::PROMISED));
    println!(
        "{} orders, {} completed, the sums agree; at most {peak}",
        soak.accepted(),
        soak.completed()
    );
    if over.is_empty() {
        return ExitCode::SUCCESS;
    }
    eprintln!("soak: {}", over.join("; "));
    ExitCode::FAILURE
}
