//! A service's own SQLite file: opening, migrating, reading, and the lock that keeps a second
//! instance off it.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use anyhow::{Context, bail};
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use diesel::r2d2::{ConnectionManager, CustomizeConnection, Pool};
use diesel_migrations::{EmbeddedMigrations, MigrationHarness, embed_migrations};

use crate::error::Error;
use crate::outbox;

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations");

/// A service's SQLite file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Database {
    path: PathBuf,
}

impl Database {
    /// From `sqlite:path/to/file.db`.
    ///
    /// # Errors
    /// Another scheme, or no path: one line for the log.
    pub fn from_url(url: &str) -> Result<Self, String> {
        match url.strip_prefix("sqlite:") {
            Some(path) if !path.is_empty() => Ok(Self {
                path: PathBuf::from(path),
            }),
            _ => Err(format!("must be sqlite:path/to/file.db, not {url:?}")),
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes the file's folder and takes the operating system's lock beside the file. `None`:
    /// another instance has it. The lock ends with the process, however that ends.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn try_lock(&self) -> anyhow::Result<Option<File>> {
        let path = self.path.with_extension("lock");
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).with_context(|| {
                format!("database.url: cannot make the folder {}", folder.display())
            })?;
        }
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path);
        let file =
            file.with_context(|| format!("database.url: cannot write {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => Ok(Some(file)),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("database.url: cannot lock {}", path.display()))
            }
        }
    }

    /// Opens the one connection that writes, checks the file and brings its tables up to date.
    ///
    /// # Errors
    /// The file is damaged, is no database, or has tables of a newer version.
    pub fn open(&self, migrations: &[EmbeddedMigrations]) -> anyhow::Result<SqliteConnection> {
        let name = self.path.display();
        let mut conn = self.connect().map_err(|error| self.cannot_be_read(error))?;
        require_sqlite(&mut conn)?;
        let check: String = diesel::sql_query("PRAGMA quick_check(1)")
            .get_result::<Check>(&mut conn)
            .map_err(|error| self.cannot_be_read(error.into()))?
            .quick_check;
        if check != "ok" {
            let what = check.replace('\n', " ");
            bail!("database.url: {name} is damaged ({what}); restore it from a backup");
        }
        for source in std::iter::once(&MIGRATIONS).chain(migrations) {
            // A reference is no source; the two words that it is made of are copied.
            let done = conn.run_pending_migrations(MigrationsRef(source));
            done.map_err(|e| anyhow::anyhow!("migrating {name}: {e}"))?;
        }
        Ok(conn)
    }

    /// What to do about a file that cannot even be looked at.
    fn cannot_be_read(&self, error: anyhow::Error) -> anyhow::Error {
        let (name, text) = (self.path.display(), error.to_string());
        let is_damaged = ["not a database", "malformed"]
            .iter()
            .any(|phrase| text.contains(phrase));
        error.context(if is_damaged {
            format!("database.url: {name} is damaged or no database; restore it from a backup")
        } else {
            format!("database.url: cannot open {name}")
        })
    }

    /// Remembers how far the relay has published, after the writer has ended.
    pub(crate) fn remember_published(&self, seq: i64) -> anyhow::Result<()> {
        Ok(outbox::set_published(&mut self.connect()?, seq)?)
    }

    fn connect(&self) -> anyhow::Result<SqliteConnection> {
        let mut conn = SqliteConnection::establish(&self.path.to_string_lossy())?;
        // Each in its own statement and in this order: the later ones may have to wait for a lock.
        for pragma in [
            "PRAGMA busy_timeout = 5000",
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "PRAGMA foreign_keys = ON",
            "PRAGMA temp_store = MEMORY",
            // 8 MB: users and items lie all over the file, and 2 MB of it are soon not enough.
            "PRAGMA cache_size = -8192",
            "PRAGMA wal_autocheckpoint = 2000",
            "PRAGMA journal_size_limit = 67108864",
        ] {
            conn.batch_execute(pragma)?;
        }
        Ok(conn)
    }

    /// Connections that only read, `size` of them.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn readers(&self, size: u32) -> anyhow::Result<Readers> {
        let manager = ConnectionManager::new(self.path.to_string_lossy());
        let pool = Pool::builder()
            .max_size(size)
            .connection_customizer(Box::new(ReadOnly));
        Ok(Readers {
            pool: pool.build(manager)?,
            waiting: Arc::default(),
        })
    }
}

/// How long the write-ahead log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, QueryableByName)]
pub(crate) struct WalState {
    /// Its pages.
    #[diesel(sql_type = diesel::sql_types::Integer, column_name = log)]
    pub pages: i32,
    /// Those of them that are in the database file, too.
    #[diesel(sql_type = diesel::sql_types::Integer, column_name = checkpointed)]
    pub moved: i32,
}

/// How long the write-ahead log is; changes nothing.
pub(crate) fn wal_state(conn: &mut SqliteConnection) -> QueryResult<WalState> {
    diesel::sql_query("PRAGMA wal_checkpoint(NOOP)").get_result(conn)
}

/// Copies pages of the write-ahead log to the database file, as far as readers allow. Waits for
/// nobody.
pub(crate) fn checkpoint(conn: &mut SqliteConnection) -> QueryResult<WalState> {
    diesel::sql_query("PRAGMA wal_checkpoint(PASSIVE)").get_result(conn)
}

/// From now on, this connection's commits do not move pages to the database file: the owner does.
pub(crate) fn checkpoint_by_hand(conn: &mut SqliteConnection) -> QueryResult<()> {
    conn.batch_execute("PRAGMA wal_autocheckpoint = 0")
}

#[derive(QueryableByName)]
struct Check {
    #[diesel(sql_type = diesel::sql_types::Text)]
    quick_check: String,
}

#[derive(QueryableByName)]
struct Version {
    #[diesel(sql_type = diesel::sql_types::Text)]
    version: String,
}

/// Versions before 3.51.3 can damage a WAL file that is checkpointed while another connection
/// writes. Source: sqlite.org/wal.html, "The WAL-Reset Bug".
fn require_sqlite(conn: &mut SqliteConnection) -> anyhow::Result<()> {
    let found =
        diesel::sql_query("SELECT sqlite_version() AS version").get_result::<Version>(conn)?;
    let number = |part: Option<&str>| part.and_then(|text| text.parse::<u32>().ok()).unwrap_or(0);
    let mut parts = found.version.split('.');
    let version = (
        number(parts.next()),
        number(parts.next()),
        number(parts.next()),
    );
    if version < (3, 51, 3) {
        bail!(
            "SQLite {} is too old: 3.51.3 mends a bug that can damage WAL files",
            found.version
        );
    }
    Ok(())
}

struct MigrationsRef<'a>(&'a EmbeddedMigrations);

impl diesel::migration::MigrationSource<diesel::sqlite::Sqlite> for MigrationsRef<'_> {
    fn migrations(
        &self,
    ) -> diesel::migration::Result<Vec<Box<dyn diesel::migration::Migration<diesel::sqlite::Sqlite>>>>
    {
        self.0.migrations()
    }
}

#[derive(Debug)]
struct ReadOnly;

impl CustomizeConnection<SqliteConnection, diesel::r2d2::Error> for ReadOnly {
    fn on_acquire(&self, conn: &mut SqliteConnection) -> Result<(), diesel::r2d2::Error> {
        let pragmas =
            "PRAGMA busy_timeout = 5000; PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 0;";
        conn.batch_execute(pragmas)
            .map_err(diesel::r2d2::Error::QueryError)
    }
}

/// Connections that only read. Cheap to clone.
#[derive(Clone)]
pub struct Readers {
    pool: Pool<ConnectionManager<SqliteConnection>>,
    waiting: Arc<AtomicI64>,
}

/// How much there is to read at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ReadersState {
    /// Connections.
    pub size: u32,
    /// Those that are in use.
    pub in_use: u32,
    /// Queries that have none yet.
    pub waiting: i64,
}

impl Readers {
    /// Runs a query on a thread for blocking work, in one read transaction.
    ///
    /// # Errors
    /// The query's.
    pub async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&mut SqliteConnection) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (pool, waiting) = (self.pool.clone(), self.waiting.clone());
        waiting.fetch_add(1, Ordering::Relaxed);
        let job = move || {
            let conn = pool.get();
            waiting.fetch_sub(1, Ordering::Relaxed);
            conn?.transaction(|conn| query(&mut *conn))
        };
        tokio::task::spawn_blocking(job)
            .await
            .map_err(Error::internal)?
    }

    /// How much there is to read now.
    pub(crate) fn state(&self) -> ReadersState {
        let state = self.pool.state();
        ReadersState {
            size: state.connections,
            in_use: state.connections.saturating_sub(state.idle_connections),
            waiting: self.waiting.load(Ordering::Relaxed),
        }
    }
}
