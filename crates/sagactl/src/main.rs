#![doc = include_str!("../README.md")]

mod audit;
mod bench;
mod client;
mod demo;
mod dlq;
mod exit;
mod gateway;
mod interruption;
mod lab;
mod logs;
mod order;
mod orders;
mod purchase;
mod screen;
mod services;
mod table;
mod tell;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use client::Client;
use exit::Exit;
use screen::Screen;
use services::Services;

/// The operator's tool of the purchase saga.
#[derive(Parser)]
#[command(version, about, after_help = EXIT_CODES)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    services: Services,
}

const EXIT_CODES: &str = "Exit codes: 0 done; 1 not done, as told on standard error; \
    3 a service does not answer; 64 a wrong command line";
const ORDER_EXIT_CODES: &str = "Exit codes: 0 shown; 1 there is no such order, or its path is not as \
    the protocol allows; 3 a service does not answer, what the others tell is shown all the same; \
    64 a wrong command line";
const AUDIT_EXIT_CODES: &str = "Exit codes: 0 clean; 1 a law is violated; 2 an order is older than \
    it may be; 3 a service does not answer, or a file cannot be read; 64 a wrong command line. The \
    worst counts: 1, then 3, then 2";
const BENCH_EXIT_CODES: &str = "Exit codes: 0 measured, all purchases ended as they must, the audit \
    is clean; 1 not so; 3 a service does not answer; 64 a wrong command line";
const DLQ_EXIT_CODES: &str = "Exit codes: 0 done, or listed; 1 a dead letter is not there or not \
    open, or stays one after its replay; 3 a service does not answer, the others are told all the \
    same; 64 a wrong command line";

#[derive(Subcommand)]
enum Command {
    /// Buys twice: one purchase completes, one is compensated. Shows both
    Demo(demo::Options),
    /// One purchase: what happened because of what, in which service, what comes next, why it is stuck
    #[command(after_help = ORDER_EXIT_CODES)]
    Order(order::Options),
    /// Purchases, the newest first; or those that are stuck, and why
    Orders(orders::Options),
    /// Purchases as they flow through the line; or one of them, until its buyer was told
    Watch(watch::Options),
    /// Is anything lost, doubled or made up? Holds all six services to the laws of money, stock and
    /// room
    #[command(after_help = AUDIT_EXIT_CODES)]
    Audit(audit::Options),
    /// How many purchases a second, how fast, at what cost; against the same rows and Redis commands
    /// without any logic
    #[command(after_help = BENCH_EXIT_CODES)]
    Bench(bench::Options),
    /// One part of the bench's floor; the bench starts it
    #[command(hide = true)]
    FloorPart(bench::part::Options),
    /// A system of its own to be broken by hand, on the page that order-svc serves: kill, stop, pause,
    /// cut off, wipe, and see that nothing is lost
    Lab(lab::Options),
    /// Dead letters, the events that a service could not apply: reads, replays, discards them
    #[command(subcommand, after_help = DLQ_EXIT_CODES)]
    Dlq(dlq::Command),
    /// Log lines, coloured; or those of one purchase, all six services' in the order of cause and effect
    Logs(logs::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command, services } = match Cli::try_parse() {
        Ok(cli) => cli,
        // Help and version come here, too, and are no fault.
        Err(told) if told.use_stderr() => {
            let _ = told.print();
            return ExitCode::from(Exit::USAGE);
        }
        Err(told) => told.exit(),
    };
    let exit = run(command, services).await.unwrap_or_else(|error| {
        eprintln!("sagactl: {error:#}");
        Exit::of(&error)
    });
    exit.into()
}

async fn run(command: Command, services: Services) -> anyhow::Result<Exit> {
    let screen = &mut Screen::stdout();
    match command {
        Command::Audit(options) => Ok(audit::run(&services, screen, &options).await),
        Command::Bench(options) => bench::run(services, screen, &options).await,
        Command::FloorPart(options) => {
            // It waits for Redis and for the disk: not on the runtime.
            tokio::task::spawn_blocking(move || bench::part::run(&options)).await??;
            Ok(Exit::Clean)
        }
        Command::Lab(options) => lab::run(screen, &options).await,
        Command::Demo(options) => {
            demo::run(&Client::new(services)?, screen, &options).await?;
            Ok(Exit::Clean)
        }
        Command::Order(options) => order::run(&Client::new(services)?, screen, &options).await,
        Command::Orders(options) => orders::run(&Client::new(services)?, screen, &options).await,
        Command::Watch(options) => watch::run(&Client::new(services)?, screen, &options).await,
        Command::Dlq(command) => dlq::run(&Client::new(services)?, screen, &command).await,
        Command::Logs(options) => logs::run(screen, &options),
    }
}
