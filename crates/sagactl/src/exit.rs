//! What the exit codes mean: one set for all commands, so that a script can tell what to do.

use std::fmt;
use std::process::ExitCode;

/// How a command ended, the worse the later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Exit {
    /// All is well.
    Clean,
    /// An order is older than it may be.
    Overdue,
    /// A service does not answer, or a file cannot be read: what is said is not all.
    Unreachable,
    /// It found what must not be, or did not do what it was told to.
    Failed,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        match exit {
            Exit::Clean => Self::SUCCESS,
            Exit::Failed => Self::from(1),
            Exit::Overdue => Self::from(2),
            Exit::Unreachable => Self::from(3),
        }
    }
}

impl Exit {
    /// A wrong command line; `EX_USAGE` of sysexits.h. The low numbers say something about the
    /// system.
    pub const USAGE: u8 = 64;

    /// The exit code that an error ends with.
    pub fn of(error: &anyhow::Error) -> Self {
        if error.is::<Unreachable>() {
            Self::Unreachable
        } else {
            Self::Failed
        }
    }
}

/// A service that does not answer, told in one line that names it.
#[derive(Debug)]
pub struct Unreachable(pub String);

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unreachable {}
