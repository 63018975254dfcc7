//! Runs seeds on demand, with progress and one line at the end.

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use clap::Parser;

use crate::simulate::{Simulator, Total, simulate};

/// Simulates purchases: the six services' real steps and databases, with everything that can go wrong.
#[derive(Debug, Parser)]
#[command(name = "simulate", version)]
struct Args {
    /// How many purchases to simulate.
    #[arg(long, default_value_t = 100_000)]
    purchases: u64,
    /// The first seed; the others follow it.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Run only this one seed, and say what everything that happened comes to.
    #[arg(long)]
    only: bool,
    /// How many threads; as many as there are cores unless given.
    #[arg(long)]
    threads: Option<usize>,
}

/// Exit code 0: all that is promised holds; 1: a violation; 2: it could not run.
pub fn main() -> ExitCode {
    let args = Args::parse();
    let simulator = match Simulator::new(None) {
        Ok(simulator) => simulator,
        Err(error) => {
            eprintln!("simulate: {error:#}");
            return ExitCode::from(2);
        }
    };
    let begun = Instant::now();
    let ran = if args.only {
        let mut total = Total::default();
        simulator.run(args.seed).map(|run| {
            println!("seed {}: digest {:016x}", args.seed, run.digest);
            total.add(run);
            total
        })
    } else {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let progress = Progress::default();
        let tell = |total: &Total| progress.tell(total, args.purchases);
        simulate(
            &simulator,
            args.seed,
            args.purchases,
            args.threads.unwrap_or(cores),
            &tell,
        )
    };
    match ran {
        Ok(total) => {
            let seconds = begun.elapsed().as_secs();
            println!(
                "{total}, 0 violations, {seconds} s, seeds from {}",
                args.seed
            );
            ExitCode::SUCCESS
        }
        Err(violation) => {
            println!("{violation}");
            println!(
                "1 violation; replay: scripts/simulate --only --seed {}",
                violation.seed
            );
            ExitCode::FAILURE
        }
    }
}

/// A line every few thousand purchases, where somebody looks.
#[derive(Default)]
struct Progress(AtomicU64);

impl Progress {
    fn tell(&self, total: &Total, of: u64) {
        let (done, step) = (total.sum.purchases, (of / 20).max(1_000));
        if done / step > self.0.swap(done / step, Ordering::Relaxed) {
            let mut out = std::io::stderr();
            let end = if out.is_terminal() { "\r" } else { "\n" };
            // Nobody may be listening.
            let _ = write!(
                out,
                "{done} of {of} purchases, {} schedules{end}",
                total.schedules
            );
        }
    }
}
