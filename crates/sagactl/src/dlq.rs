//! `sagactl dlq`: the dead letters of all six services, read, replayed and discarded.

mod letter;
mod tell;

use anyhow::Result;
use clap::{Args, Subcommand};
use saga_events::{EventType, Service};

use crate::client::Client;
use crate::exit::Exit;
use crate::screen::Screen;
use letter::{Letter, Name, Operator, Replayed, Which};

/// What `sagactl dlq` can be told.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Lists the dead letters of all six services
    List(ListOptions),
    /// Shows one dead letter: what arrived, why it could not be applied, who did what to it
    Show(ShowOptions),
    /// Applies dead letters again, each in one transaction; a dry run says what would come of it
    Replay(ReplayOptions),
    /// Takes dead letters out of the list without applying them; they and the reason are kept
    Discard(DiscardOptions),
}

/// Which dead letters are listed.
#[derive(Debug, Args)]
pub struct ListOptions {
    /// Only those of this service
    #[arg(long, value_name = "SERVICE", value_parser = letter::service)]
    service: Option<Service>,
    /// Only those of this event type
    #[arg(long = "type", value_name = "EVENT")]
    event_type: Option<EventType>,
    /// open, replayed, discarded or all
    #[arg(long, default_value = "open")]
    state: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Which dead letter is shown.
#[derive(Debug, Args)]
pub struct ShowOptions {
    /// The dead letter, as `list` names it: item-svc/3
    #[arg(value_name = "SERVICE/ID")]
    letter: Name,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Which dead letters are replayed, by whom and why.
#[derive(Debug, Args)]
pub struct ReplayOptions {
    /// The dead letters, as `list` names them: item-svc/3
    #[arg(value_name = "SERVICE/ID", required_unless_present = "all")]
    letters: Vec<Name>,
    /// All that are open
    #[arg(long, conflicts_with = "letters")]
    all: bool,
    /// With --all: only those of this service
    #[arg(long, value_name = "SERVICE", conflicts_with = "letters", value_parser = letter::service)]
    service: Option<Service>,
    /// With --all: only those of this event type
    #[arg(long = "type", value_name = "EVENT", conflicts_with = "letters")]
    event_type: Option<EventType>,
    /// Says what would come of it, and changes nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    operator: Operator,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Which dead letters are discarded, by whom and why.
#[derive(Debug, Args)]
pub struct DiscardOptions {
    /// The dead letters, as `list` names them: item-svc/3
    #[arg(value_name = "SERVICE/ID", required = true)]
    letters: Vec<Name>,
    #[command(flatten)]
    operator: Operator,
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// The one that was named, or all six.
fn services(only: Option<Service>) -> impl Iterator<Item = Service> {
    let is_meant = move |service: &Service| only.is_none_or(|only| only == *service);
    Service::ALL.into_iter().filter(is_meant)
}

/// Does it.
///
/// # Errors
/// Nobody reads any more.
pub async fn run(client: &Client, screen: &mut Screen, command: &Command) -> Result<Exit> {
    match command {
        Command::List(options) => list(client, screen, options).await,
        Command::Show(options) => {
            let shown = letter::show(client, options.letter).await?;
            tell::shown(screen, &shown, options.json)?;
            Ok(Exit::Clean)
        }
        Command::Replay(options) => replay(client, screen, options).await,
        Command::Discard(options) => discard(client, screen, options).await,
    }
}

async fn list(client: &Client, screen: &mut Screen, options: &ListOptions) -> Result<Exit> {
    let mut all = Vec::new();
    let mut exit = Exit::Clean;
    for service in services(options.service) {
        let (state, event_type) = (&*options.state, options.event_type);
        let letters = letter::list(client, service, state, event_type).await;
        exit = exit.max(take(letters, &mut all));
    }
    tell::list(screen, &all, options.json)?;
    Ok(exit)
}

async fn replay(client: &Client, screen: &mut Screen, options: &ReplayOptions) -> Result<Exit> {
    let (operator, dry_run) = (&options.operator, options.dry_run);
    let mut all: Vec<Replayed> = Vec::new();
    let mut exit = Exit::Clean;
    for name in &options.letters {
        let one = letter::replay(client, *name, operator, dry_run).await;
        exit = exit.max(take(one.map(|one| vec![one]), &mut all));
    }
    for service in services(options.service).filter(|_| options.all) {
        let mut which = Which::first(service, options.event_type, dry_run);
        loop {
            match letter::replay_page(client, &which, operator).await {
                Ok((page, next)) => {
                    all.extend(page);
                    match next {
                        Some(next) => which.after(next),
                        None => break,
                    }
                }
                Err(error) => {
                    exit = exit.max(complain(&error));
                    break;
                }
            }
        }
    }
    tell::replayed(screen, &all, dry_run, options.json)?;
    let in_vain = all.iter().any(|one| !one.is_applied());
    Ok(exit.max(if in_vain { Exit::Failed } else { Exit::Clean }))
}

async fn discard(client: &Client, screen: &mut Screen, options: &DiscardOptions) -> Result<Exit> {
    let mut all: Vec<Letter> = Vec::new();
    let mut exit = Exit::Clean;
    for name in &options.letters {
        let one = letter::discard(client, *name, &options.operator).await;
        exit = exit.max(take(one.map(|one| vec![one]), &mut all));
    }
    tell::discarded(screen, &all, options.json)?;
    Ok(exit)
}

/// Takes what a service answered; one that failed keeps nobody from the others.
fn take<T>(answer: Result<Vec<T>>, all: &mut Vec<T>) -> Exit {
    match answer {
        Ok(some) => {
            all.extend(some);
            Exit::Clean
        }
        Err(error) => complain(&error),
    }
}

fn complain(error: &anyhow::Error) -> Exit {
    eprintln!("sagactl: {error:#}");
    Exit::of(error)
}
