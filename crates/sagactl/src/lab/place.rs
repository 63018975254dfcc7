//! Where the lab is: its ports, its files, its system, from before anything runs until all has ended.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::{App, HttpServer, web};
use anyhow::{Context, Result, anyhow, bail};
use saga_events::Service;
use saga_local::{Network, Part, Signal, System, eventually};
use svc_chassis::http::{Routes, whole_problems};
use tempfile::TempDir;

use super::guard::{self, Guard};
use super::{Lab, Options, calls};

/// The lab's own port, counted from the first.
pub const LAB: u16 = 10;
/// The services drain for 8 s at most.
const DRAINED: Duration = Duration::from_secs(15);
const ADVICE: &str = "end what listens there (scripts/down, if it is what scripts/up started), or \
    choose others with --ports";

/// A system that runs or will, and where the lab listens.
pub struct Place {
    pub system: Arc<System>,
    listener: TcpListener,
    folder: PathBuf,
    /// Removes the folder in the end, unless it is the caller's own.
    removed: Option<TempDir>,
}

impl Place {
    /// Takes the ports and the folder; starts nothing.
    ///
    /// # Errors
    /// A port is taken, or the folder cannot be made.
    pub fn find(options: &Options) -> Result<Self> {
        let port = match options.ports {
            0 => saga_local::free_port()?,
            first => first + LAB,
        };
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let listener =
            listener.map_err(|why| anyhow!("port {port} of the lab is taken: {why}: {ADVICE}"))?;
        let (folder, removed) = match &options.files {
            Some(folder) => (std::path::absolute(folder)?, None),
            None => {
                let made = TempDir::with_prefix("lab-").context("no temporary folder")?;
                (made.path().to_owned(), Some(made))
            }
        };
        let mut builder = System::with()
            .files_in(&folder)
            .with_a_network()
            .set_for_all("SAGA__DEMO", true)
            .set(Service::Order, "SAGA__ORDER__LAB_ORIGIN", url(port));
        if options.ports != 0 {
            builder = builder.ports_from(options.ports);
        }
        let system = match builder.stopped() {
            Err(taken @ saga_local::Error::Taken { .. }) => bail!("{taken}: {ADVICE}"),
            system => Arc::new(system?),
        };
        Ok(Self {
            system,
            listener,
            folder,
            removed,
        })
    }

    /// Where the lab listens.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn port(&self) -> Result<u16> {
        Ok(self.listener.local_addr()?.port())
    }

    /// Answers the lab's calls, on the port that was taken.
    ///
    /// # Errors
    /// The port cannot be listened on.
    pub fn serve(&self, lab: Arc<Lab>, guard: Guard) -> Result<Server> {
        let (lab, guard) = (web::Data::from(lab), web::Data::new(guard));
        let app = move || {
            App::new()
                .app_data(lab.clone())
                .app_data(guard.clone())
                .configure(|app| calls::routes(&mut Routes::new(app)))
                .wrap(from_fn(guard::check))
                .wrap(from_fn(whole_problems))
                .wrap(from_fn(guard::share))
        };
        let server = HttpServer::new(app)
            .workers(1)
            .client_request_timeout(Duration::from_secs(5))
            // A page that has gone must not keep its stream's place.
            .h1_allow_half_closed(false)
            .shutdown_timeout(1)
            .disable_signals()
            .listen(self.listener.try_clone()?)?;
        Ok(server.run())
    }

    /// What a person has to know.
    pub fn told(&self, token: &str) -> [String; 5] {
        // Not in a query: what comes after # is sent to nobody.
        let page = self.system.url(Service::Order);
        let stays = match self.removed {
            Some(_) => "removed in the end; --files keeps them",
            None => "kept",
        };
        [
            format!("  the page   {page}/#/lab?token={token}"),
            format!("  the lab    {}", url(self.port().unwrap_or_default())),
            format!("  files      {} ({stays})", self.folder.display()),
            format!("  logs       {}", self.logs().display()),
            "  the end    Ctrl-C".to_owned(),
        ]
    }

    fn logs(&self) -> PathBuf {
        Path::new(&self.folder).join("*.log")
    }

    /// Ends all seven in order: the services publish what they have committed before Redis ends.
    pub async fn end(&self) {
        // A paused one hears nothing, and who is cut off cannot publish.
        let _ = self.system.signal_part(Part::Redis, Signal::Cont);
        for service in Service::ALL {
            if let Ok(network) = self.system.network(service) {
                network.set(Network::Up);
            }
            let _ = self.system.thaw(service);
            let _ = self.system.send(service, Signal::Term);
        }
        for service in Service::ALL {
            // Who takes too long is killed, as whoever is gone already needs nothing.
            let _ = tokio::time::timeout(DRAINED, self.system.terminate(service)).await;
        }
        if self.system.signal_part(Part::Redis, Signal::Term).is_ok() {
            let ended = async || match self.system.part_ended(Part::Redis) {
                Ok(Some(_)) => Ok(()),
                _ => Err(()),
            };
            let _ = eventually(DRAINED, ended).await;
        }
    }
}

/// Where a lab on this port answers, as the page is told.
fn url(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
