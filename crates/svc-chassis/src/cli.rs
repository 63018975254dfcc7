//! The command line of every service.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::app;
use crate::config::{self, Owner, Settings};
use crate::database::Database;
use crate::service::Service;
use crate::telemetry;
use crate::traces;

#[derive(Parser)]
#[command(version)]
struct Cli {
    /// A TOML file that overrides the defaults; the environment overrides both.
    #[arg(long, global = true, env = "SAGA_CONFIG")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Runs the service (what happens without a command).
    Serve,
    /// Asks the running service whether it is ready; exit status 0 or 1.
    Healthcheck,
    /// Brings the database's tables up to date and ends.
    Migrate,
    /// Checks the configuration and ends; exit status 0 or 2.
    CheckConfig,
}

/// A service's `main`. Exit status: 0 ended as asked, 1 failed, 2 the command line or the
/// configuration cannot work; with one line on standard error that says why.
pub fn main<S: Service>() -> ExitCode {
    let name = S::ME.as_str();
    let command = Cli::command().name(name).about(S::ABOUT);
    let cli = match Cli::from_arg_matches(&command.get_matches()) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    let owner = Owner {
        service: S::ME,
        section: S::SECTION,
        defaults: S::DEFAULTS,
    };
    let loaded = config::load::<S::Config>(owner, cli.config.as_deref());
    let loaded = loaded.and_then(|loaded| Ok((loaded, traces::Environment::read()?)));
    let ((settings, own), traces) = match loaded {
        Ok(loaded) => loaded,
        Err(error) => {
            eprintln!("{name}: {error}");
            return ExitCode::from(2);
        }
    };
    let result = match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve::<S>(settings, own, &traces),
        Command::Healthcheck => healthcheck(&settings),
        Command::Migrate => migrate::<S>(&settings),
        Command::CheckConfig => Ok(()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve<S: Service>(
    settings: Settings,
    own: S::Config,
    traces: &traces::Environment,
) -> anyhow::Result<()> {
    let _last_lines = telemetry::start(S::ME, &settings.log)?;
    actix_web::rt::System::new().block_on(app::run::<S>(settings, own, traces))
}

fn migrate<S: Service>(settings: &Settings) -> anyhow::Result<()> {
    let database = Database::from_url(&settings.database.url).map_err(anyhow::Error::msg)?;
    match database.try_lock()? {
        Some(_lock) => database.open(&S::migrations()).map(drop),
        None => bail!(
            "database.url: {} is in use by a running instance",
            database.path().display()
        ),
    }
}

/// Plain TCP and HTTP/1.0: a container's check needs no client library, let alone TLS.
fn healthcheck(settings: &Settings) -> anyhow::Result<()> {
    let http = &settings.http;
    let host = if http.host == "0.0.0.0" {
        "127.0.0.1"
    } else {
        &http.host
    };
    let address = (host, http.port)
        .to_socket_addrs()?
        .next()
        .context("http.host has no address")?;
    let mut stream = TcpStream::connect_timeout(&address, Duration::from_secs(2))
        .with_context(|| format!("nothing listens on {address}"))?;
    stream.set_read_timeout(Some(Duration::from_secs(3)))?;
    stream.write_all(b"GET /health/ready HTTP/1.0\r\nHost: localhost\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    if answer.starts_with("HTTP/1.0 200") || answer.starts_with("HTTP/1.1 200") {
        return Ok(());
    }
    bail!(
        "not ready: {}",
        answer.lines().last().unwrap_or("no answer")
    );
}
