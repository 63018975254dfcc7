//! The whole system: a private Redis and the six services, each with a file of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use saga_events::Service;
use tempfile::TempDir;

use crate::eventually::Deadline;
use crate::{Binaries, Builder, Error, Process, Proxy, RedisServer, Result, Signal};

/// How long a program may take to be ready, or to end. A cold start takes a second; nothing that
/// works needs a tenth of this.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Who has not said by then whether it is ready is looked at, and asked again.
const ANSWER: Duration = Duration::from_secs(5);

/// Six services and a Redis. Dropping it ends them all, and removes what they wrote if the folder is
/// a temporary one.
#[derive(Debug)]
pub struct System {
    pub(crate) redis: RedisServer,
    pub(crate) binaries: Binaries,
    pub(crate) ports: BTreeMap<Service, u16>,
    /// Between each service and Redis; empty: they are connected directly.
    pub(crate) proxies: BTreeMap<Service, Proxy>,
    /// For one service, or for all.
    pub(crate) environment: Vec<(Option<Service>, String, String)>,
    pub(crate) http: reqwest::Client,
    pub(crate) running: Mutex<BTreeMap<Service, Process>>,
    pub(crate) folder: PathBuf,
    /// Removes the folder after all else, unless it is the caller's own.
    pub(crate) _removed: Option<TempDir>,
}

impl System {
    /// A system to be configured; without more, each service runs as by default.
    pub fn with() -> Builder {
        Builder::default()
    }

    /// Asks for readiness; the services are neighbours, so what the environment says about proxies
    /// is not meant for them.
    pub(crate) fn http() -> Result<reqwest::Client> {
        let client = reqwest::Client::builder().no_proxy().timeout(ANSWER);
        Ok(client.build()?)
    }

    /// Its Redis.
    pub fn redis(&self) -> &RedisServer {
        &self.redis
    }

    /// Where its programs lie.
    pub fn binaries(&self) -> &Binaries {
        &self.binaries
    }

    /// The network between a service and Redis.
    ///
    /// # Errors
    /// The system was built without.
    pub fn network(&self, service: Service) -> Result<&Proxy> {
        let proxy = self.proxies.get(&service);
        proxy.ok_or(Error::NoNetwork(service))
    }

    /// Where a service listens, or will.
    pub fn port(&self, service: Service) -> u16 {
        self.ports[&service]
    }

    /// Its API: `http://127.0.0.1:port`.
    pub fn url(&self, service: Service) -> String {
        format!("http://127.0.0.1:{}", self.port(service))
    }

    /// Where the services are, as variables that they and `sagactl` read.
    pub fn addresses(&self) -> impl Iterator<Item = (String, String)> {
        Service::ALL.into_iter().map(|service| {
            let name = service.as_str().trim_end_matches("-svc").to_uppercase();
            (format!("SAGA__SERVICES__{name}"), self.url(service))
        })
    }

    /// Where the system keeps what it writes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A service's database.
    pub fn file(&self, service: Service) -> PathBuf {
        self.folder.join(format!("{service}.db"))
    }

    /// What a service prints.
    pub fn log(&self, service: Service) -> PathBuf {
        self.folder.join(format!("{service}.log"))
    }

    /// How a service is started: its binary with its environment, and nothing of the caller's own.
    ///
    /// # Errors
    /// The binary is not there.
    pub fn command(&self, service: Service) -> Result<Command> {
        Ok(self.command_of(service, &self.binaries.find(service.as_str())?))
    }

    /// As [`System::command`], with another binary of the same service.
    pub fn command_of(&self, service: Service, binary: &Path) -> Command {
        let mut command = Command::new(binary);
        let redis = match self.proxies.get(&service) {
            Some(proxy) => format!("redis://127.0.0.1:{}", proxy.port()),
            None => self.redis.url(),
        };
        let database = format!("sqlite:{}", self.file(service).display());
        command
            .env_clear()
            .current_dir(&self.folder)
            .env("PORT", self.port(service).to_string())
            .env("REDIS_URL", redis)
            .env("DATABASE_URL", database)
            .env("SAGA__INSTANCE", format!("{service}-1"))
            .envs(self.addresses());
        for (only, key, value) in &self.environment {
            if only.is_none_or(|only| only == service) {
                command.env(key, value);
            }
        }
        command
    }

    /// Starts Redis and the services, and waits until all are ready.
    ///
    /// # Errors
    /// The first that went wrong; what was started by then runs on.
    pub async fn start(&self) -> Result<()> {
        self.redis.start().await?;
        for service in Service::ALL {
            self.launch(service)?;
        }
        for service in Service::ALL {
            self.wait_ready(service).await?;
        }
        Ok(())
    }

    /// Starts a service; it is not ready yet. One that runs is killed before.
    ///
    /// # Errors
    /// Its binary is not there, or does not start.
    pub fn launch(&self, service: Service) -> Result<()> {
        self.launch_as(service, self.command(service)?)
    }

    /// Starts a service by a command of the caller's own, made from [`System::command`].
    ///
    /// # Errors
    /// It does not start.
    pub fn launch_as(&self, service: Service, command: Command) -> Result<()> {
        // Two on one file: the second would stand by.
        self.kill(service);
        let process = Process::start(service.as_str(), command, &self.log(service))?;
        self.running().insert(service, process);
        Ok(())
    }

    /// Waits until a service says that it is ready.
    ///
    /// # Errors
    /// It has ended, or is not ready within [`PATIENCE`]; the error says why it was not.
    pub async fn wait_ready(&self, service: Service) -> Result<()> {
        let deadline = Deadline::after(PATIENCE);
        loop {
            match self.running().get_mut(&service) {
                Some(process) => process.still_runs()?,
                None => return Err(Error::not_running(service.as_str())),
            }
            let Err(why) = self.is_ready(service).await else {
                return Ok(());
            };
            if !deadline.allows_another().await {
                let (name, log) = (service.as_str(), self.log(service));
                return Err(Error::too_late(name, "is not ready", PATIENCE, why, &log));
            }
        }
    }

    /// Asks a service once whether it is ready.
    ///
    /// # Errors
    /// It is not; with what it says, or why it says nothing.
    pub async fn is_ready(&self, service: Service) -> Result<(), String> {
        let url = format!("{}/health/ready", self.url(service));
        match self.http.get(&url).send().await {
            Ok(answer) if answer.status() == 200 => Ok(()),
            Ok(answer) => Err(answer.text().await.unwrap_or_default()),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Starts a service again, on the same port and file, and waits until it is ready.
    ///
    /// # Errors
    /// As [`System::launch`] and [`System::wait_ready`].
    pub async fn restart(&self, service: Service) -> Result<()> {
        self.launch(service)?;
        self.wait_ready(service).await
    }

    /// The process of a service, if it was started and not ended by the caller.
    pub fn pid(&self, service: Service) -> Option<u32> {
        self.running().get(&service).map(Process::pid)
    }

    /// How a service ended that should run; `None`: it runs, or was ended by the caller.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn ended_by_itself(&self, service: Service) -> Result<Option<ExitStatus>> {
        match self.running().get_mut(&service) {
            Some(process) => process.ended(),
            None => Ok(None),
        }
    }

    /// `kill -9` of one service. Nothing, where it does not run.
    pub fn kill(&self, service: Service) {
        drop(self.running().remove(&service));
    }

    /// SIGTERM, and how it ended.
    ///
    /// # Errors
    /// It does not run, or not end within [`PATIENCE`]: then it is killed.
    pub async fn terminate(&self, service: Service) -> Result<ExitStatus> {
        let process = self.running().remove(&service);
        let mut process = process.ok_or_else(|| Error::not_running(service.as_str()))?;
        process.send(Signal::Term)?;
        process.wait(PATIENCE).await
    }

    /// Freezes a service: it keeps its connections and answers nobody.
    ///
    /// # Errors
    /// It does not run.
    pub fn freeze(&self, service: Service) -> Result<()> {
        self.send(service, Signal::Stop)
    }

    /// Lets a frozen service go on.
    ///
    /// # Errors
    /// It does not run.
    pub fn thaw(&self, service: Service) -> Result<()> {
        self.send(service, Signal::Cont)
    }

    /// Sends a signal to a service.
    ///
    /// # Errors
    /// It does not run.
    pub fn send(&self, service: Service, signal: Signal) -> Result<()> {
        match self.running().get_mut(&service) {
            Some(process) => process.send(signal),
            None => Err(Error::not_running(service.as_str())),
        }
    }

    /// `kill -9` of all six and Redis.
    pub fn kill_all(&self) {
        self.running().clear();
        self.redis.kill();
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<Service, Process>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for System {
    fn drop(&mut self) {
        // Clones of Redis may outlive the system.
        self.kill_all();
    }
}
