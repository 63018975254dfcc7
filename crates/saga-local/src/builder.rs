//! How a system is to be, before it runs.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use saga_events::Service;
use tempfile::TempDir;

use crate::ports::{chosen_port, free_port};
use crate::system::System;
use crate::{Binaries, Error, Proxy, RedisServer, Result};

/// A system that does not run yet.
#[derive(Debug, Default)]
pub struct Builder {
    folder: Option<PathBuf>,
    binaries: Option<PathBuf>,
    environment: Vec<(Option<Service>, String, String)>,
    has_a_network: bool,
    first_port: Option<u16>,
}

impl Builder {
    /// Lets the system write into this folder and leave it there; else it writes into a temporary
    /// one, which is removed with it.
    #[must_use]
    pub fn files_in(mut self, folder: &Path) -> Self {
        self.folder = Some(folder.to_owned());
        self
    }

    /// Takes the six binaries from this folder; else from the current program's own.
    #[must_use]
    pub fn binaries_in(mut self, folder: &Path) -> Self {
        self.binaries = Some(folder.to_owned());
        self
    }

    /// Sets a variable in the environment of one service.
    #[must_use]
    pub fn set(mut self, service: Service, key: &str, value: impl ToString) -> Self {
        self.environment
            .push((Some(service), key.to_owned(), value.to_string()));
        self
    }

    /// Sets a variable in the environment of all services.
    #[must_use]
    pub fn set_for_all(mut self, key: &str, value: impl ToString) -> Self {
        self.environment
            .push((None, key.to_owned(), value.to_string()));
        self
    }

    /// Puts a network between each service and Redis that can fail.
    #[must_use]
    pub fn with_a_network(mut self) -> Self {
        self.has_a_network = true;
        self
    }

    /// Lets the services listen on this port and the five after it, in the order of the line; else
    /// on any that are free.
    #[must_use]
    pub fn ports_from(mut self, first: u16) -> Self {
        self.first_port = Some(first);
        self
    }

    /// Starts Redis and the services, and waits until all are ready.
    ///
    /// # Errors
    /// The first that went wrong. What was started by then is ended.
    pub async fn start(self) -> Result<System> {
        let system = self.stopped()?;
        system.start().await?;
        Ok(system)
    }

    /// Starts nothing; only the places are taken. With a network that can fail: to be called within
    /// a Tokio runtime.
    ///
    /// # Errors
    /// A port is taken, no port is free, or the folder cannot be made.
    pub fn stopped(self) -> Result<System> {
        let (folder, removed) = match self.folder {
            Some(folder) => (folder, None),
            None => {
                let made = TempDir::new().map_err(Error::file(&std::env::temp_dir()))?;
                (made.path().to_owned(), Some(made))
            }
        };
        // The services run in it, where a relative path would lead elsewhere.
        let folder = std::path::absolute(&folder).map_err(Error::file(&folder))?;
        std::fs::create_dir_all(&folder).map_err(Error::file(&folder))?;
        let redis = RedisServer::in_folder(&folder)?;
        let binaries = match self.binaries {
            Some(folder) => Binaries::in_folder(&folder)?,
            None => Binaries::beside_this_program()?,
        };
        let mut proxies = Vec::new();
        if self.has_a_network {
            for service in Service::ALL {
                proxies.push((service, Proxy::to(redis.port())?));
            }
        }
        let mut ports = Vec::new();
        for (service, step) in Service::ALL.into_iter().zip(0..) {
            let port = match self.first_port {
                Some(first) => chosen_port(service, first.saturating_add(step))?,
                None => free_port()?,
            };
            ports.push((service, port));
        }
        Ok(System {
            redis,
            binaries,
            ports: ports.into_iter().collect(),
            proxies: proxies.into_iter().collect(),
            environment: self.environment,
            http: System::http()?,
            running: Mutex::default(),
            folder,
            _removed: removed,
        })
    }
}
