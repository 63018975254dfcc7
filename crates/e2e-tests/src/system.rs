//! The whole system: a private Redis and the six real binaries, each with a file of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Mutex;

use saga_events::Service;
use tempfile::TempDir;

use crate::{Client, File, Ledger, Network, PATIENCE, Process, Proxy, RedisServer, Signal};
use crate::{binary, binary_with_failpoints, eventually, free_port};

/// Lines of the services' logs that a failing test shows.
const LINES_SHOWN: usize = 200;

/// Six services and a Redis. Dropping it ends them all and removes what they wrote; a test that
/// fails shows the end of their logs first.
#[derive(Debug)]
pub struct System {
    redis: RedisServer,
    ports: BTreeMap<Service, u16>,
    clients: BTreeMap<Service, Client>,
    environment: Vec<(Option<Service>, String, String)>,
    /// Between each service and Redis; empty: they are connected directly.
    proxies: BTreeMap<Service, Proxy>,
    running: Mutex<BTreeMap<Service, Process>>,
    /// What the test has put in.
    pub(crate) ledger: Mutex<Ledger>,
    folder: PathBuf,
    /// Removes the folder when the system is dropped, unless it is the test's own.
    _removed: Option<TempDir>,
}

/// A system that does not run yet.
#[derive(Debug)]
pub struct Builder {
    system: System,
}

impl Builder {
    /// Sets a variable in the environment of one service.
    #[must_use]
    pub fn set(mut self, service: Service, key: &str, value: impl ToString) -> Self {
        self.system
            .environment
            .push((Some(service), key.to_owned(), value.to_string()));
        self
    }

    /// Sets a variable in the environment of all services.
    #[must_use]
    pub fn set_for_all(mut self, key: &str, value: impl ToString) -> Self {
        self.system
            .environment
            .push((None, key.to_owned(), value.to_string()));
        self
    }

    /// Lets order-svc repeat after much less silence than it would: for tests that lose events.
    #[must_use]
    pub fn repeating_quickly(self) -> Self {
        self.set(Service::Order, "SAGA__ORDER__FIRST_REPEAT_MS", 300)
            .set(Service::Order, "SAGA__ORDER__MAX_REPEAT_MS", 1_500)
            .set_for_all("SAGA__BUS__CLAIM_IDLE_MS", 1_000)
    }

    /// Puts a network between each service and Redis that can fail.
    #[must_use]
    pub fn with_a_network(mut self) -> Self {
        let target = self.system.redis.port();
        let proxy = |service| (service, Proxy::to(target));
        self.system.proxies = Service::ALL.into_iter().map(proxy).collect();
        self
    }

    /// Starts Redis and the services, and waits until all are ready.
    pub async fn start(self) -> System {
        self.system.redis.start().await;
        self.start_without_redis().ready().await
    }

    /// Starts the services only, and waits for nothing.
    pub fn start_without_redis(self) -> System {
        Service::ALL
            .into_iter()
            .for_each(|service| self.system.launch(service));
        self.system
    }

    /// Starts nothing.
    pub fn stopped(self) -> System {
        self.system
    }
}

impl System {
    /// A running system, configured as by default but for a gateway that approves everything.
    pub async fn start() -> Self {
        Self::with().start().await
    }

    /// A system to be configured.
    pub fn with() -> Builder {
        let folder = TempDir::new().unwrap();
        let mut builder = Self::with_files_in(folder.path());
        builder.system._removed = Some(folder);
        builder
    }

    /// A system to be configured that writes into this folder and leaves it there.
    pub fn with_files_in(folder: &Path) -> Builder {
        let ports: BTreeMap<_, _> = Service::ALL
            .into_iter()
            .map(|service| (service, free_port()))
            .collect();
        let clients = ports
            .iter()
            .map(|(service, port)| (*service, Client::new(*port)))
            .collect();
        let system = System {
            redis: RedisServer::in_folder(folder),
            ports,
            clients,
            environment: Vec::new(),
            proxies: BTreeMap::new(),
            running: Mutex::default(),
            ledger: Mutex::default(),
            folder: folder.to_owned(),
            _removed: None,
        };
        Builder { system }
            .set_for_all("SAGA__DEMO", true)
            .set(Service::Payment, "SAGA__GATEWAY__APPROVAL_RATE", "1.0")
            .set(Service::Payment, "SAGA__GATEWAY__TIMEOUT_MS", 200)
    }

    async fn ready(self) -> Self {
        for service in Service::ALL {
            self.wait_ready(service).await;
        }
        self
    }

    /// Its Redis.
    pub fn redis(&self) -> &RedisServer {
        &self.redis
    }

    /// The network between a service and Redis, from now on.
    pub fn set_network(&self, service: Service, network: Network) {
        self.proxies[&service].set(network);
    }

    /// A client of one service.
    pub fn at(&self, service: Service) -> &Client {
        &self.clients[&service]
    }

    /// The file of one service.
    pub fn file(&self, service: Service) -> File {
        File::at(self.path(service, "db"))
    }

    /// The gateway's own book.
    pub fn gateway_book(&self) -> File {
        File::at(self.folder.join("gateway.db"))
    }

    /// Where the system keeps what it writes.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// How a service is started: its binary with its environment, and nothing of the test's own.
    pub fn command(&self, service: Service) -> Command {
        self.command_of(service, binary(service.as_str()))
    }

    fn command_of(&self, service: Service, binary: PathBuf) -> Command {
        let mut command = Command::new(binary);
        command.env_clear().current_dir(&self.folder);
        command.env("PORT", self.ports[&service].to_string());
        let redis = self.proxies.get(&service).map_or_else(
            || self.redis.url(),
            |proxy| format!("redis://127.0.0.1:{}", proxy.port()),
        );
        command.env("REDIS_URL", redis);
        command.env(
            "DATABASE_URL",
            format!("sqlite:{}", self.path(service, "db").display()),
        );
        command.env("SAGA__INSTANCE", format!("{service}-1"));
        for (other, client) in &self.clients {
            let name = other.as_str().trim_end_matches("-svc").to_uppercase();
            command.env(format!("SAGA__SERVICES__{name}"), client.base());
        }
        for (only, key, value) in &self.environment {
            if only.is_none_or(|only| only == service) {
                command.env(key, value);
            }
        }
        command
    }

    /// Starts a service; it is not ready yet.
    pub fn launch(&self, service: Service) {
        self.launch_as(service, self.command(service));
    }

    /// Starts a service that ends itself when it has come to this failpoint so many times.
    pub fn launch_with_failpoint(&self, service: Service, failpoint: &str, times: u32) {
        let binary = binary_with_failpoints(service.as_str());
        let mut command = self.command_of(service, binary);
        command.env("FAILPOINT", format!("{failpoint}:{times}"));
        self.launch_as(service, command);
    }

    fn launch_as(&self, service: Service, command: Command) {
        let log = self.path(service, "log");
        let process = Process::start(service.as_str(), command, &log);
        self.running.lock().unwrap().insert(service, process);
    }

    /// How a service ended that should run; `None`: it runs, or was ended by the test.
    pub fn ended_by_itself(&self, service: Service) -> Option<ExitStatus> {
        let mut running = self.running.lock().unwrap();
        running.get_mut(&service).and_then(Process::ended)
    }

    /// Starts a second instance of a service on the same file, with a port and a name of its own.
    pub fn launch_second(&self, service: Service) -> (Process, Client) {
        let port = free_port();
        let mut command = self.command(service);
        command
            .env("PORT", port.to_string())
            .env("SAGA__INSTANCE", format!("{service}-2"));
        let log = self.path(service, "second.log");
        (
            Process::start(service.as_str(), command, &log),
            Client::new(port),
        )
    }

    /// Waits until a service says that it is ready.
    pub async fn wait_ready(&self, service: Service) {
        let client = self.at(service);
        let ask = async || {
            let ended = self.ended_by_itself(service);
            assert!(ended.is_none(), "{service} ended at its start: {ended:?}");
            let request = client.request(reqwest::Method::GET, "/health/ready");
            match client.try_send(request).await {
                Ok(answer) if answer.status == 200 => Ok(()),
                Ok(answer) => Err(answer.body.to_string()),
                Err(error) => Err(error.to_string()),
            }
        };
        eventually(&format!("{service} is ready"), PATIENCE, ask).await;
    }

    /// `kill -9` of one service.
    pub fn kill(&self, service: Service) {
        drop(self.running.lock().unwrap().remove(&service));
    }

    /// Starts a service again, on the same port and file, and waits until it is ready.
    pub async fn restart(&self, service: Service) {
        self.launch(service);
        self.wait_ready(service).await;
    }

    /// SIGTERM, and how it ended.
    pub async fn terminate(&self, service: Service) -> ExitStatus {
        let mut process = self
            .running
            .lock()
            .unwrap()
            .remove(&service)
            .expect("it runs");
        process.send(Signal::Term);
        process.wait(PATIENCE).await
    }

    /// Freezes a service: it keeps its connections and answers nobody.
    pub fn freeze(&self, service: Service) {
        self.running.lock().unwrap()[&service].send(Signal::Stop);
    }

    /// Lets a frozen service go on.
    pub fn thaw(&self, service: Service) {
        self.running.lock().unwrap()[&service].send(Signal::Cont);
    }

    /// What a service has logged so far.
    pub fn log(&self, service: Service) -> String {
        std::fs::read_to_string(self.path(service, "log")).unwrap_or_default()
    }

    /// Waits until a service has logged this: lines are written a moment after what they tell.
    pub async fn until_logged(&self, service: Service, text: &str) {
        let ask = async || {
            self.log(service)
                .contains(text)
                .then_some(())
                .ok_or("it is not")
        };
        eventually(&format!("{text:?} is logged by {service}"), PATIENCE, ask).await;
    }

    fn path(&self, service: Service, extension: &str) -> PathBuf {
        self.folder.join(format!("{service}.{extension}"))
    }

    /// The end of all logs, in the order of time: their lines begin with it.
    fn show_logs(&self) {
        let logs = std::fs::read_dir(&self.folder)
            .into_iter()
            .flatten()
            .flatten();
        let logs = logs.filter(|entry| entry.path().extension().is_some_and(|end| end == "log"));
        let texts: Vec<_> = logs
            .flat_map(|log| std::fs::read_to_string(log.path()))
            .collect();
        let mut lines: Vec<&str> = texts.iter().flat_map(|text| text.lines()).collect();
        lines.sort_unstable();
        let first = lines.len().saturating_sub(LINES_SHOWN);
        eprintln!(
            "The last {} of {} lines logged:",
            lines.len() - first,
            lines.len()
        );
        lines[first..].iter().for_each(|line| eprintln!("{line}"));
    }
}

impl Drop for System {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show_logs();
        }
    }
}
