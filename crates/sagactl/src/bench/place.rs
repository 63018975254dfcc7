//! The system under the bench: one of its own, that is gone afterwards, or one that runs.

use std::fs::File;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use saga_events::Service;
use saga_local::{RedisServer, System};
use tempfile::TempDir;

use super::Options;
use crate::services::Services;

/// The system under the bench.
pub enum Place {
    /// Started by the bench, as a user starts it: configured as by default, durable, logging.
    Own {
        /// The system.
        system: Box<System>,
        /// Whether its files are to be looked at afterwards.
        kept: bool,
    },
    /// Somebody else's.
    Running {
        /// Where its services are.
        services: Services,
        /// Where its Redis is, if that is known.
        redis: Option<String>,
    },
}

/// Where the floor is measured: a folder and a Redis, both gone afterwards.
pub struct Ground {
    redis: RedisServer,
    folder: TempDir,
}

impl Place {
    /// Starts a system, or takes the one that runs.
    ///
    /// # Errors
    /// A program is not there, or does not start; the error says what to do.
    pub async fn find(services: Services, options: &Options) -> Result<Self> {
        if options.running {
            let redis = options.redis.clone();
            return Ok(Self::Running { services, redis });
        }
        Self::start(options.folder.clone()).await
    }

    /// Starts a system, with its files in a folder that is kept, or in one that is not.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn start(folder: Option<PathBuf>) -> Result<Self> {
        let kept = folder.is_some();
        let mut builder = System::with().set_for_all("SAGA__DEMO", true);
        if let Some(folder) = folder {
            builder = builder.files_in(&folder);
        }
        let system = Box::new(builder.start().await?);
        Ok(Self::Own { system, kept })
    }

    /// Where the services are.
    pub fn services(&self) -> Services {
        match self {
            Self::Own { system, .. } => Services::at(|service| system.url(service)),
            Self::Running { services, .. } => services.clone(),
        }
    }

    /// Where Redis is, if that is known.
    pub fn redis(&self) -> Option<String> {
        match self {
            Self::Own { system, .. } => Some(system.redis().url()),
            Self::Running { redis, .. } => redis.clone(),
        }
    }

    /// The services' processes, where they are this machine's.
    pub fn pids(&self) -> Vec<(String, u32)> {
        let Self::Own { system, .. } = self else {
            return Vec::new();
        };
        let pid = |service: Service| Some((service.to_string(), system.pid(service)?));
        Service::ALL.into_iter().filter_map(pid).collect()
    }

    /// Where the files are; for a running system, where the floor's are.
    pub fn folder(&self) -> PathBuf {
        match self {
            Self::Own { system, .. } => system.folder().to_owned(),
            Self::Running { .. } => std::env::temp_dir(),
        }
    }

    /// A place for the floor, beside the system's files: on the same disk.
    ///
    /// # Errors
    /// As [`find`](Self::find).
    pub async fn ground(&self) -> Result<Ground> {
        let beside = self.folder();
        let no_folder = || format!("no folder can be made in {}", beside.display());
        let folder = TempDir::with_prefix_in("floor-", &beside).with_context(no_folder)?;
        let redis = RedisServer::in_folder(folder.path())?;
        redis.start().await?;
        Ok(Ground { redis, folder })
    }

    /// Has what a load left in memory written to the disk, its log above all. Half a minute later the
    /// kernel would do it, in the midst of the next load, which would wait for the disk and pay.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn write_back(&self) -> Result<()> {
        let Self::Own { system, .. } = self else {
            return Ok(());
        };
        for entry in system.folder().read_dir()? {
            let path = entry?.path();
            if path.is_file() {
                let written = File::open(&path).and_then(|file| file.sync_all());
                written.with_context(|| format!("{} cannot be written", path.display()))?;
            }
        }
        Ok(())
    }

    /// Ends the system, in order where its files are kept.
    ///
    /// # Errors
    /// A service does not end.
    pub async fn end(self) -> Result<()> {
        if let Self::Own { system, kept: true } = &self {
            for service in Service::ALL {
                system.terminate(service).await?;
            }
        }
        Ok(())
    }
}

impl Ground {
    /// Where its Redis is.
    pub fn redis(&self) -> String {
        self.redis.url()
    }

    /// Where files go.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
