//! Chaos from the command line: exit status 0 when nothing was violated, 1 otherwise.

use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::Parser;
use e2e_tests::chaos::{Settings, run};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::LocalSet;

/// Buys while processes die, Redis forgets and the network breaks; then holds all books to each
/// other.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// How many purchases.
    #[arg(long, default_value_t = 10_000)]
    purchases: usize,
    /// How many times a process is killed; other faults are as many as fit to that.
    #[arg(long, default_value_t = 300)]
    kills: usize,
    /// How many purchases begin in a second, at most.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    per_second: u32,
    /// Draws the same faults and the same purchases again.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<ExitCode> {
    let Arguments {
        purchases,
        kills,
        per_second,
        seed,
    } = Arguments::parse();
    let seed = seed.unwrap_or_else(|| {
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        now.map_or(1, |now| now.as_secs())
    });
    let settings = Settings {
        purchases,
        kills,
        per_second,
        seed,
    };
    // Asked to end, it ends what it started: dropping does.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let here = LocalSet::new();
    Ok(tokio::select! {
        clean = here.run_until(run(settings)) => ExitCode::from(u8::from(!clean)),
        _ = terminate.recv() => ExitCode::from(143),
        _ = interrupt.recv() => ExitCode::from(130),
    })
}
