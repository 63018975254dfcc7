//! The six migrated databases, made once a process and copied for every run: migrating takes longer
//! than a purchase.

use std::path::Path;
use std::sync::OnceLock;

use anyhow::Context;
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use saga_events::Service;
use svc_chassis::database::Database;

use crate::watched::Stage;

/// A migrated database, as the bytes of its file.
type Image = Vec<u8>;

static IMAGES: [OnceLock<Image>; Service::ALL.len()] =
    [const { OnceLock::new() }; Service::ALL.len()];

/// Makes a service's database at this path, as its own migrations make it.
///
/// # Errors
/// The file cannot be written.
pub fn make<S: Stage>(path: &Path) -> anyhow::Result<()> {
    let image = &IMAGES[S::ME as usize];
    let image = match image.get() {
        Some(image) => image,
        None => {
            let made = migrated::<S>()?;
            image.get_or_init(|| made)
        }
    };
    std::fs::write(path, image).with_context(|| format!("cannot write {}", path.display()))
}

/// Opens a database as the service finds it after a start. No process is killed in earnest, so nothing
/// has to be on disk: what counts is what was committed.
///
/// # Errors
/// The database's.
pub fn open(path: &Path) -> anyhow::Result<SqliteConnection> {
    let mut conn = SqliteConnection::establish(&path.to_string_lossy())?;
    for pragma in [
        "PRAGMA locking_mode = EXCLUSIVE",
        "PRAGMA journal_mode = MEMORY",
        "PRAGMA synchronous = OFF",
        "PRAGMA foreign_keys = ON",
        "PRAGMA temp_store = MEMORY",
    ] {
        conn.batch_execute(pragma)?;
    }
    Ok(conn)
}

fn migrated<S: Stage>() -> anyhow::Result<Image> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("template.db");
    let url = format!("sqlite:{}", path.display());
    let database = Database::from_url(&url).map_err(anyhow::Error::msg)?;
    let mut conn = database.open(&S::migrations())?;
    // The log goes into the file, and the file is whole by itself.
    conn.batch_execute("PRAGMA journal_mode = DELETE")?;
    drop(conn);
    Ok(std::fs::read(path)?)
}
