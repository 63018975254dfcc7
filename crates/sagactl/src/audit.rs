//! `sagactl audit`: is anything lost, doubled or made up? Of a running system, or of its files.

mod files;
mod tell;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use clap::Args;
use saga_audit::{Audit, Auditor, Scope};
use saga_events::Service;
use tokio::time::sleep;

use crate::exit::Exit;
use crate::screen::Screen;
use crate::services::Services;
use files::Files;

/// What `sagactl audit` can be told.
#[derive(Debug, Args)]
pub struct Options {
    /// Looks at every purchase, not only at the open and the recently changed ones
    #[arg(long)]
    all: bool,
    /// What counts as recently
    #[arg(
        long,
        value_name = "SECONDS",
        default_value_t = 300,
        conflicts_with = "all"
    )]
    within: u64,
    /// Audits so often, and ends with the worst that it found
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
    passes: u64,
    /// Audits until it is interrupted
    #[arg(long, conflicts_with_all = ["passes", "files"])]
    watch: bool,
    /// With --watch: waits so long between two audits
    #[arg(long, value_name = "SECONDS", default_value_t = 10, requires = "watch")]
    every: u64,
    /// Audits the database files of a system that is stopped: a folder, or six files in the order
    /// order, user, inventory, item, payment, notify
    #[arg(long, value_name = "PATH", num_args = 1..=6, conflicts_with_all = ["within", "passes"])]
    files: Vec<PathBuf>,
    /// With --files: the simulated gateway's book, where it does not lie beside payment-svc's file
    #[arg(long, value_name = "FILE", requires = "files")]
    gateway_book: Option<PathBuf>,
    /// With --files: how long the services keep the published rows of their journals
    #[arg(
        long,
        value_name = "SECONDS",
        env = "SAGA__RETENTION__JOURNAL_S",
        hide_env_values = true
    )]
    #[arg(default_value_t = 604_800)]
    journal_kept: u64,
    /// As JSON: one line for each pass
    #[arg(long)]
    json: bool,
}

/// Audits, and shows what was found. Whatever keeps it from doing so is no violation.
pub async fn run(services: &Services, screen: &mut Screen, options: &Options) -> Exit {
    audit(services, screen, options)
        .await
        .unwrap_or_else(|error| {
            eprintln!("sagactl: {error:#}");
            Exit::Unreachable
        })
}

async fn audit(services: &Services, screen: &mut Screen, options: &Options) -> Result<Exit> {
    if !options.files.is_empty() {
        let files = Files::find(&options.files, options.gateway_book.as_deref())?;
        let (audit, waiting) = files
            .audit(Duration::from_secs(options.journal_kept))
            .await?;
        tell::audit(screen, &audit, options.json)?;
        if !options.json {
            tell::waiting(screen, &waiting)?;
        }
        return Ok(verdict(&audit));
    }
    let auditor = Auditor::new(|service: Service| services.url(service).to_owned())?;
    let scope = if options.all {
        Scope::All
    } else {
        Scope::recent(Duration::from_secs(options.within))
    };
    let mut worst = Exit::Clean;
    for pass in 1_u64.. {
        let audit = auditor.audit(scope).await;
        tell::audit(screen, &audit, options.json)?;
        worst = worst.max(verdict(&audit));
        if !options.watch && pass >= options.passes {
            break;
        }
        if options.watch {
            tokio::select! {
                () = sleep(Duration::from_secs(options.every)) => {}
                pressed = tokio::signal::ctrl_c() => {
                    pressed?;
                    break;
                }
            }
        }
    }
    Ok(worst)
}

/// A violation is worse than a service that is away, and that explains an order that is late.
fn verdict(audit: &Audit) -> Exit {
    if audit.violations().next().is_some() {
        Exit::Failed
    } else if !audit.missing.is_empty() {
        Exit::Unreachable
    } else if !audit.overdue.is_empty() {
        Exit::Overdue
    } else {
        Exit::Clean
    }
}

#[cfg(test)]
mod tests {
    use saga_audit::Check;
    use saga_events::OrderId;

    use super::*;

    fn audit() -> Audit {
        Audit {
            ok: true,
            quiet: true,
            purchases: 0,
            overdue: vec![],
            dead_letters: 3,
            checks: vec![Check::equal("law", [("left", 1)], [("right", 1)])],
            missing: vec![],
        }
    }

    #[test]
    fn the_worst_that_was_found_decides() {
        let mut audit = audit();
        assert_eq!(
            verdict(&audit),
            Exit::Clean,
            "dead letters are no violation"
        );
        audit.overdue = vec![OrderId::from_uuid(uuid::Uuid::nil())];
        assert_eq!(verdict(&audit), Exit::Overdue);
        audit.missing = vec![Service::Item];
        assert_eq!(verdict(&audit), Exit::Unreachable);
        audit.checks = vec![Check::equal("law", [("left", 1)], [("right", 2)])];
        assert_eq!(verdict(&audit), Exit::Failed);
        assert!(Exit::Clean < Exit::Overdue && Exit::Overdue < Exit::Unreachable);
        assert!(Exit::Unreachable < Exit::Failed);
    }
}
