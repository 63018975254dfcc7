//! The whole system under test: [`saga_local::System`], where nothing goes wrong, with clients of its
//! six services and a ledger of what the test has put in.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitStatus};
use std::sync::Mutex;

use saga_events::Service;

use crate::process::sure;
use crate::{Client, File, Ledger, Network, PATIENCE, Process, RedisServer};
use crate::{binary_with_failpoints, eventually, free_port};

/// Lines of the services' logs that a failing test shows.
const LINES_SHOWN: usize = 200;

/// Six services and a Redis. Dropping it ends them all and removes what they wrote; a test that
/// fails shows the end of their logs first.
#[derive(Debug)]
pub struct System {
    local: saga_local::System,
    redis: RedisServer,
    clients: BTreeMap<Service, Client>,
    /// What the test has put in.
    pub(crate) ledger: Mutex<Ledger>,
}

/// A system that does not run yet.
#[derive(Debug)]
pub struct Builder(saga_local::Builder);

impl Builder {
    /// A gateway that approves everything, and is soon taken for silent.
    fn for_tests(local: saga_local::Builder) -> Self {
        Self(local)
            .set_for_all("SAGA__DEMO", true)
            .set(Service::Payment, "SAGA__GATEWAY__APPROVAL_RATE", "1.0")
            .set(Service::Payment, "SAGA__GATEWAY__TIMEOUT_MS", 200)
    }

    /// Sets a variable in the environment of one service.
    #[must_use]
    pub fn set(self, service: Service, key: &str, value: impl ToString) -> Self {
        Self(self.0.set(service, key, value))
    }

    /// Sets a variable in the environment of all services.
    #[must_use]
    pub fn set_for_all(self, key: &str, value: impl ToString) -> Self {
        Self(self.0.set_for_all(key, value))
    }

    /// Lets order-svc repeat after much less silence than it would: for tests that lose events.
    #[must_use]
    pub fn repeating_quickly(self) -> Self {
        self.set(Service::Order, "SAGA__ORDER__FIRST_REPEAT_MS", 300)
            .set(Service::Order, "SAGA__ORDER__MAX_REPEAT_MS", 1_500)
            .set_for_all("SAGA__BUS__CLAIM_IDLE_MS", 1_000)
    }

    /// Lets the services export their traces to this collector, soon: by the binaries that can.
    #[must_use]
    pub fn exporting_to(self, endpoint: &str) -> Self {
        let binary = binary_with_failpoints(Service::Order.as_str());
        let folder = binary.parent().unwrap_or(&binary);
        Self(self.0.binaries_in(folder))
            .set_for_all("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint)
            .set_for_all("OTEL_EXPORTER_OTLP_TIMEOUT", 500)
            .set_for_all("OTEL_BSP_SCHEDULE_DELAY", 50)
    }

    /// Puts a network between each service and Redis that can fail.
    #[must_use]
    pub fn with_a_network(self) -> Self {
        Self(self.0.with_a_network())
    }

    /// Starts Redis and the services, and waits until all are ready.
    pub async fn start(self) -> System {
        let system = self.stopped();
        sure(system.local.start().await);
        system
    }

    /// Starts the services only, and waits for nothing.
    pub fn start_without_redis(self) -> System {
        let system = self.stopped();
        Service::ALL
            .into_iter()
            .for_each(|service| system.launch(service));
        system
    }

    /// Starts nothing.
    pub fn stopped(self) -> System {
        let local = sure(self.0.stopped());
        let client = |service| (service, Client::new(local.port(service)));
        System {
            redis: RedisServer::of(&local),
            clients: Service::ALL.into_iter().map(client).collect(),
            ledger: Mutex::default(),
            local,
        }
    }
}

impl System {
    /// A running system, configured as by default but for a gateway that approves everything.
    pub async fn start() -> Self {
        Self::with().start().await
    }

    /// A system to be configured.
    pub fn with() -> Builder {
        Builder::for_tests(saga_local::System::with())
    }

    /// A system to be configured that writes into this folder and leaves it there.
    pub fn with_files_in(folder: &Path) -> Builder {
        Builder::for_tests(saga_local::System::with().files_in(folder))
    }

    /// Its Redis.
    pub fn redis(&self) -> &RedisServer {
        &self.redis
    }

    /// The network between a service and Redis, from now on.
    pub fn set_network(&self, service: Service, network: Network) {
        sure(self.local.network(service)).set(network);
    }

    /// A client of one service.
    pub fn at(&self, service: Service) -> &Client {
        &self.clients[&service]
    }

    /// The file of one service.
    pub fn file(&self, service: Service) -> File {
        File::at(self.local.file(service))
    }

    /// The gateway's own book.
    pub fn gateway_book(&self) -> File {
        File::at(self.folder().join("gateway.db"))
    }

    /// Where the system keeps what it writes.
    pub fn folder(&self) -> &Path {
        self.local.folder()
    }

    /// How a service is started: its binary with its environment, and nothing of the test's own.
    pub fn command(&self, service: Service) -> Command {
        sure(self.local.command(service))
    }

    /// Says where the services are, as they and the operator's tool read it.
    pub(crate) fn name_services(&self, command: &mut Command) {
        command.envs(self.local.addresses());
    }

    /// Starts a service; it is not ready yet.
    pub fn launch(&self, service: Service) {
        sure(self.local.launch(service));
    }

    /// Starts a service that ends itself when it has come to this failpoint so many times.
    pub fn launch_with_failpoint(&self, service: Service, failpoint: &str, times: u32) {
        let binary = binary_with_failpoints(service.as_str());
        let mut command = self.local.command_of(service, &binary);
        command.env("FAILPOINT", format!("{failpoint}:{times}"));
        self.launch_as(service, command);
    }

    /// Starts a service by a command of the test's own, made from [`command`](Self::command).
    pub fn launch_as(&self, service: Service, command: Command) {
        sure(self.local.launch_as(service, command));
    }

    /// How a service ended that should run; `None`: it runs, or was ended by the test.
    pub fn ended_by_itself(&self, service: Service) -> Option<ExitStatus> {
        sure(self.local.ended_by_itself(service))
    }

    /// Starts a second instance of a service on the same file, with a port and a name of its own.
    pub fn launch_second(&self, service: Service) -> (Process, Client) {
        let port = free_port();
        let mut command = self.command(service);
        command
            .env("PORT", port.to_string())
            .env("SAGA__INSTANCE", format!("{service}-2"));
        let log = self.local.log(service).with_extension("second.log");
        (
            Process::start(service.as_str(), command, &log),
            Client::new(port),
        )
    }

    /// Waits until a service says that it is ready.
    pub async fn wait_ready(&self, service: Service) {
        sure(self.local.wait_ready(service).await);
    }

    /// The process of a service, if it runs.
    pub fn pid(&self, service: Service) -> Option<u32> {
        self.local.pid(service)
    }

    /// `kill -9` of one service.
    pub fn kill(&self, service: Service) {
        self.local.kill(service);
    }

    /// `kill -9` of all six and Redis.
    pub fn kill_all(&self) {
        self.local.kill_all();
    }

    /// Starts a service again, on the same port and file, and waits until it is ready.
    pub async fn restart(&self, service: Service) {
        sure(self.local.restart(service).await);
    }

    /// SIGTERM, and how it ended.
    pub async fn terminate(&self, service: Service) -> ExitStatus {
        sure(self.local.terminate(service).await)
    }

    /// Freezes a service: it keeps its connections and answers nobody.
    pub fn freeze(&self, service: Service) {
        sure(self.local.freeze(service));
    }

    /// Lets a frozen service go on.
    pub fn thaw(&self, service: Service) {
        sure(self.local.thaw(service));
    }

    /// What a service has logged so far.
    pub fn log(&self, service: Service) -> String {
        std::fs::read_to_string(self.local.log(service)).unwrap_or_default()
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

    /// The end of all logs, in the order of time: their lines begin with it.
    fn show_logs(&self) {
        let logs = std::fs::read_dir(self.folder())
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
