//! Keeps the write-ahead log short: what was committed goes on to the database file between two
//! batches, when the first is answered and published, so that no purchase waits for it.
//!
//! SQLite begins the log anew once all of it has gone over and no reader looks at it. A reader that
//! stays, in this process or of another program, therefore lets the log grow: that is told.

use std::time::{Duration, Instant};

use diesel::prelude::*;

use crate::database::{self, WalState};
use crate::error::{Error, Fault};

/// The log is looked at so often, at most.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// What SQLite makes of a file unless told otherwise.
const PAGE_BYTES: i32 = 4096;

/// How long the log may become, in pages.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// From here on, pages go over to the database file.
    pub checkpoint: i32,
    /// From here on, it is told that they cannot.
    pub alarm: i32,
}

impl Limits {
    /// 8 MB, and 64 MB, the size to which the file is cut when the log begins anew.
    pub const DEFAULT: Self = Self {
        checkpoint: 2_000,
        alarm: 64 * 1024 * 1024 / PAGE_BYTES,
    };
}

/// The write-ahead log of the writer's database.
pub(super) struct WriteAheadLog {
    limits: Limits,
    looked: Option<Instant>,
    too_long: bool,
}

impl WriteAheadLog {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            looked: None,
            too_long: false,
        }
    }

    /// Moves pages over to the database file when there are enough of them. Answers whether it did.
    ///
    /// # Errors
    /// One after which nobody knows what is on disk.
    pub(super) fn tend(&mut self, conn: &mut SqliteConnection) -> Result<bool, Error> {
        if self.looked.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return Ok(false);
        }
        self.looked = Some(Instant::now());
        match self.look(conn) {
            // A full disk is told by the next commit, and its log holds what the file does not.
            Err(error) if error.fault() != Fault::Fatal => {
                tracing::warn!(%error, "the write-ahead log is not moved to the database file yet");
                Ok(false)
            }
            looked => looked,
        }
    }

    fn look(&mut self, conn: &mut SqliteConnection) -> Result<bool, Error> {
        let mut state = database::wal_state(conn)?;
        let is_due = state.pages >= self.limits.checkpoint && state.moved < state.pages;
        if is_due {
            state = database::checkpoint(conn)?;
        }
        self.tell(state);
        Ok(is_due)
    }

    /// Once when it becomes too long, and once when it no longer is.
    fn tell(&mut self, WalState { pages, moved }: WalState) {
        let too_long = pages >= self.limits.alarm;
        if too_long && !self.too_long {
            tracing::error!(
                wal.bytes = bytes(pages),
                wal.moved_bytes = bytes(moved),
                "the write-ahead log is too long: a reader that does not end keeps it from beginning \
                 anew; is a backup, a long audit or another program reading the file?"
            );
        }
        if self.too_long && !too_long {
            tracing::info!(
                wal.bytes = bytes(pages),
                "the write-ahead log is short again"
            );
        }
        self.too_long = too_long;
    }
}

fn bytes(pages: i32) -> i64 {
    i64::from(pages) * i64::from(PAGE_BYTES)
}

#[cfg(test)]
mod tests;
