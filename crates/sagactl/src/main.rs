#![doc = include_str!("../README.md")]

mod client;
mod demo;
mod journal;
mod screen;
mod services;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use client::Client;
use screen::Screen;
use services::Services;

/// The operator's tool of the purchase saga.
#[derive(Parser)]
#[command(version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    services: Services,
}

#[derive(Subcommand)]
enum Command {
    /// Buys twice: one purchase completes, one is compensated. Shows both
    Demo(demo::Options),
}

#[tokio::main]
async fn main() -> ExitCode {
    let Cli { command, services } = Cli::parse();
    match run(command, services).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("sagactl: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command, services: Services) -> anyhow::Result<()> {
    let client = Client::new(services)?;
    match command {
        Command::Demo(options) => demo::run(&client, &mut Screen::stdout(), &options).await,
    }
}
