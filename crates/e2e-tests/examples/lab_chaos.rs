//! `scripts/lab-chaos`: the lab's buttons at random for minutes. Exit status 1 on any violation.

use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use clap::Parser;
use e2e_tests::{Lab, press};
use tokio::signal::unix::{SignalKind, signal};

/// Presses the lab's buttons at random, heals all, and looks whether anything is lost.
#[derive(Parser)]
struct Arguments {
    /// For how many minutes.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..))]
    minutes: u64,
    /// Draws the same buttons again; what they meet is the system's doing.
    #[arg(long)]
    seed: Option<u64>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> std::io::Result<ExitCode> {
    let Arguments { minutes, seed } = Arguments::parse();
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let seed = seed.unwrap_or_else(|| now.map_or(1, |now| now.as_secs()));
    // Asked to end, it ends the lab: dropping does.
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::select! {
        clean = run(seed, Duration::from_secs(60 * minutes)) => ExitCode::from(u8::from(!clean)),
        _ = terminate.recv() => ExitCode::from(143),
        _ = interrupt.recv() => ExitCode::from(130),
    })
}

async fn run(seed: u64, time: Duration) -> bool {
    let lab = Lab::start().await;
    let pressed = press(&lab, seed, time).await;
    println!("{pressed:#?}");
    println!("The same buttons again: scripts/lab-chaos --seed {seed}");
    pressed.violations.is_empty()
}
