//! What can go wrong in a service, and what the caller is told of it.

use saga_events::bus::BusError;

use crate::http::Problem;

/// The error of jobs, queries and routes.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The request is refused; the job that says so is undone as a whole.
    #[error("{0}")]
    Problem(#[from] Problem),
    /// The database did not do it. The caller sees 500, 503 or 507; the log sees the cause.
    #[error("database: {0}")]
    Database(#[from] diesel::result::Error),
    /// A bug, or a file that another program changed: 500.
    #[error("{0}")]
    Internal(String),
}

/// Whose fault a failed database call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The statement's own: a constraint, a value out of range. Only this job fails.
    Own,
    /// The disk is full or read-only, the file is locked: every job fails until it is mended.
    Storage,
    /// An I/O error: what is on disk is not known any more. The service ends; a restart replays.
    Fatal,
}

impl Error {
    /// An error nobody should see.
    pub fn internal(cause: impl ToString) -> Self {
        Self::Internal(cause.to_string())
    }

    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Database(error) => fault(&error.to_string()),
            Self::Problem(_) | Self::Internal(_) => Fault::Own,
        }
    }
}

/// Diesel reports SQLite's result codes by their texts only.
fn fault(text: &str) -> Fault {
    const FATAL: [&str; 3] = ["disk I/O error", "malformed", "not a database"];
    const STORAGE: [&str; 5] = [
        "disk is full",
        "database is locked",
        "readonly",
        "unable to open",
        "out of memory",
    ];
    if FATAL.iter().any(|phrase| text.contains(phrase)) {
        Fault::Fatal
    } else if STORAGE.iter().any(|phrase| text.contains(phrase)) {
        Fault::Storage
    } else {
        Fault::Own
    }
}

impl From<BusError> for Error {
    fn from(error: BusError) -> Self {
        Self::Problem(Problem::unavailable("redis", error))
    }
}

impl From<diesel::r2d2::PoolError> for Error {
    fn from(error: diesel::r2d2::PoolError) -> Self {
        Self::Problem(Problem::unavailable("database", error))
    }
}
