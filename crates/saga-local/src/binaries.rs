//! Where the programs of this project lie.

use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// A folder with programs in it.
#[derive(Debug, Clone)]
pub struct Binaries {
    folder: PathBuf,
}

impl Binaries {
    /// The folder into which the current program was built: tests lie in `deps` below it, examples
    /// in `examples`, programs in it.
    ///
    /// # Errors
    /// The system does not tell where the current program lies.
    pub fn beside_this_program() -> Result<Self> {
        let own = std::env::current_exe().map_err(|why| Error::File {
            path: PathBuf::from("the current program"),
            why,
        })?;
        let folder = own.parent().unwrap_or(&own);
        let is_below = folder.ends_with("deps") || folder.ends_with("examples");
        let folder = match folder.parent() {
            Some(above) if is_below => above,
            _ => folder,
        };
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// Another folder.
    ///
    /// # Errors
    /// The system does not tell where a relative path begins.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        // Programs are started in folders of their own, where a relative path leads elsewhere.
        let folder = std::path::absolute(folder).map_err(Error::file(folder))?;
        Ok(Self { folder })
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The program of this name.
    ///
    /// # Errors
    /// It is not there: the error names the command that builds it.
    pub fn find(&self, name: &str) -> Result<PathBuf> {
        let path = self
            .folder
            .join(name)
            .with_extension(std::env::consts::EXE_EXTENSION);
        if path.is_file() {
            return Ok(path);
        }
        let profile = if self.folder.ends_with("debug") {
            ""
        } else {
            " --release"
        };
        Err(Error::NotBuilt {
            program: name.to_owned(),
            path,
            build: format!("cargo build{profile} --workspace"),
        })
    }
}
