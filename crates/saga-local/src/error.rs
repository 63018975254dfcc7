//! What can go wrong, in one line that names the program and where it tells more.

use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::time::Duration;

use saga_events::Service;

/// Answers of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why there is no system, or why one does not do what it is told.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A service's binary is not where it is looked for.
    #[error("{program} is not built: there is no {}; run `{build}`", .path.display())]
    NotBuilt {
        /// Its name.
        program: String,
        /// Where it was looked for.
        path: PathBuf,
        /// The command that builds it.
        build: String,
    },
    /// The operating system does not start it.
    #[error("{program} does not start: {why}")]
    NotStarted {
        /// Its name.
        program: String,
        /// What the system says.
        why: io::Error,
    },
    /// It ended before it was ready.
    #[error("{program} ended at its start with {status}: {last} ({})", .log.display())]
    Ended {
        /// Its name.
        program: String,
        /// How.
        status: ExitStatus,
        /// The last line of its log.
        last: String,
        /// Its log.
        log: PathBuf,
    },
    /// It runs, but what was waited for did not come.
    #[error("{program} {what} within {patience:?}: {why} ({})", .log.display())]
    TooLate {
        /// Its name.
        program: String,
        /// What did not come: "is not ready".
        what: &'static str,
        /// How long it was waited for.
        patience: Duration,
        /// What it said last.
        why: String,
        /// Its log.
        log: PathBuf,
    },
    /// It has ended, or was never started.
    #[error("{program} does not run")]
    NotRunning {
        /// Its name.
        program: String,
    },
    /// A signal did not reach it, or the system does not tell how it is.
    #[error("{program} cannot be {what}: {why} ({})", .log.display())]
    OutOfReach {
        /// Its name.
        program: String,
        /// What was tried: "sent SIGTERM".
        what: String,
        /// What the system says.
        why: String,
        /// Its log.
        log: PathBuf,
    },
    /// The system was not built with networks that can fail.
    #[error("{0} is connected to redis-server directly, without a network that can fail")]
    NoNetwork(Service),
    /// All ports that are tried are taken.
    #[error("no free port from {first} to {last}")]
    NoPort {
        /// The first that was tried.
        first: u16,
        /// The last.
        last: u16,
    },
    /// A port that was chosen for a service cannot be listened on.
    #[error("port {port} of {service} is taken: {why}")]
    Taken {
        /// Whose.
        service: Service,
        /// Which.
        port: u16,
        /// What the system says.
        why: io::Error,
    },
    /// A port cannot be listened on.
    #[error("port {port} cannot be listened on: {why}")]
    Port {
        /// Which.
        port: u16,
        /// What the system says.
        why: io::Error,
    },
    /// A file or folder cannot be written or found.
    #[error("{}: {why}", .path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        why: io::Error,
    },
    /// There is no client to ask for readiness with.
    #[error("no HTTP client: {0}")]
    Http(#[from] reqwest::Error),
}

impl Error {
    pub(crate) fn not_running(program: &str) -> Self {
        Self::NotRunning {
            program: program.to_owned(),
        }
    }

    /// A program runs, and what was waited for does not come.
    pub(crate) fn too_late(
        program: &str,
        what: &'static str,
        patience: Duration,
        why: impl ToString,
        log: &Path,
    ) -> Self {
        Self::TooLate {
            program: program.to_owned(),
            what,
            patience,
            why: why.to_string(),
            log: log.to_owned(),
        }
    }

    /// A file or folder, and what the system says of it.
    pub(crate) fn file(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |why| Self::File { path, why }
    }
}
