//! A real database file in a temporary folder, and the writer's transaction driven by hand.

use diesel::prelude::*;
use diesel_migrations::EmbeddedMigrations;
use saga_events::Event;

use crate::database::Database;
use crate::error::Error;
use crate::writer::{ByHand, Tx};

/// A migrated database file and a writer that runs one job at a time, when told to.
pub struct Bench {
    by_hand: ByHand,
}

impl Bench {
    /// Opens (and where needed makes) `folder/test.db`.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn open(
        folder: &std::path::Path,
        migrations: &[EmbeddedMigrations],
    ) -> anyhow::Result<Self> {
        let url = format!("sqlite:{}", folder.join("test.db").display());
        let database = Database::from_url(&url).map_err(anyhow::Error::msg)?;
        Ok(Self {
            by_hand: ByHand::new(database.open(migrations)?)?,
        })
    }

    /// Runs a job and commits it; an error undoes it. Returns what it said.
    ///
    /// # Errors
    /// The job's own.
    pub fn write<T>(
        &mut self,
        job: impl FnMut(&mut Tx<'_>) -> Result<T, Error>,
    ) -> Result<(T, Vec<Event>), Error> {
        self.by_hand.write(job)
    }

    /// The connection, to look at what is stored.
    pub fn conn(&mut self) -> &mut SqliteConnection {
        self.by_hand.conn()
    }
}
