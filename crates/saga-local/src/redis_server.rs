//! A Redis of one's own: on a free port, with the settings that the project ships.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{AsyncConnectionConfig, Client, Cmd, FromRedisValue, RedisError};

use crate::eventually::Deadline;
use crate::{Error, PATIENCE, Process, Result, Signal, free_port};

const NAME: &str = "redis-server";
/// Who has not answered a PING by then is looked at, and asked again.
const ANSWER: Duration = Duration::from_secs(1);
/// What `scripts/up` and the containers start theirs with.
const SETTINGS: &str = include_str!("../../../deploy/redis.conf");

/// A private `redis-server`. Cheap to clone; dropping the last clone ends it.
#[derive(Debug, Clone)]
pub struct RedisServer {
    port: u16,
    folder: PathBuf,
    persists: bool,
    process: Arc<Mutex<Option<Process>>>,
}

impl RedisServer {
    /// Prepares one that keeps its files and its log in this folder; it does not run yet.
    ///
    /// # Errors
    /// No port is free, or the system does not tell where a relative path begins.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        Ok(Self {
            port: free_port()?,
            folder: std::path::absolute(folder).map_err(Error::file(folder))?,
            persists: true,
            process: Arc::default(),
        })
    }

    /// Keeps its data in memory only: an end is the end of them.
    #[must_use]
    pub fn without_persistence(mut self) -> Self {
        self.persists = false;
        self
    }

    /// Starts it and waits until it answers. Data of an earlier run are there again, unless it is
    /// without persistence.
    ///
    /// # Errors
    /// There is no `redis-server` on the path, it ends at its start, or does not answer in time.
    pub async fn start(&self) -> Result<()> {
        self.launch()?;
        self.wait_ready().await
    }

    /// Starts it; it does not answer yet. One that runs is killed before.
    ///
    /// # Errors
    /// There is no `redis-server` on the path, or its files cannot be written.
    pub fn launch(&self) -> Result<()> {
        // Two cannot listen on one port.
        self.kill();
        std::fs::create_dir_all(&self.folder).map_err(Error::file(&self.folder))?;
        let settings = self.folder.join("redis.conf");
        std::fs::write(&settings, SETTINGS).map_err(Error::file(&settings))?;
        let mut command = Command::new(NAME);
        command.arg(&settings).current_dir(&self.folder);
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.arg("--dir").arg(&self.folder);
        if !self.persists {
            command.args(["--appendonly", "no"]);
        }
        let process = Process::start(NAME, command, &self.log())?;
        *self.process() = Some(process);
        Ok(())
    }

    async fn wait_ready(&self) -> Result<()> {
        let deadline = Deadline::after(PATIENCE);
        loop {
            match self.process().as_mut() {
                Some(process) => process.still_runs()?,
                None => return Err(Error::not_running(NAME)),
            }
            let Err(why) = self.answers().await else {
                return Ok(());
            };
            if !deadline.allows_another().await {
                let (what, log) = ("does not answer", self.log());
                return Err(Error::too_late(NAME, what, PATIENCE, why, &log));
            }
        }
    }

    /// Asks it once whether it is there and has loaded its data.
    ///
    /// # Errors
    /// It is not, or does not say so within a second.
    pub async fn answers(&self) -> Result<(), RedisError> {
        let answer = self.ask_within::<String>(ANSWER, &["PING"]).await;
        answer.map(drop)
    }

    /// Where it listens, or will.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where its files are.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// `redis://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where its log is.
    pub fn log(&self) -> PathBuf {
        self.folder.join("redis-server.log")
    }

    /// Its process, if it runs.
    pub fn pid(&self) -> Option<u32> {
        self.process().as_ref().map(Process::pid)
    }

    /// How it ended, if it was started and not killed; `None`: it runs.
    ///
    /// # Errors
    /// The operating system does not tell.
    pub fn ended_by_itself(&self) -> Result<Option<ExitStatus>> {
        match self.process().as_mut() {
            Some(process) => process.ended(),
            None => Ok(None),
        }
    }

    /// `kill -9`. Nothing, where it does not run.
    pub fn kill(&self) {
        *self.process() = None;
    }

    /// Sends it a signal.
    ///
    /// # Errors
    /// It does not run.
    pub fn send(&self, signal: Signal) -> Result<()> {
        match self.process().as_mut() {
            Some(process) => process.send(signal),
            None => Err(Error::not_running(NAME)),
        }
    }

    /// Sends one command, its words apart: `["XLEN", "saga:{0}:order.created"]`.
    ///
    /// # Errors
    /// Redis refuses, does not answer, or answers something else than `T`.
    pub async fn ask<T: FromRedisValue>(
        &self,
        words: &[impl AsRef<[u8]>],
    ) -> Result<T, RedisError> {
        // The crate's own limits are for machines that are not loaded on purpose.
        self.ask_within(PATIENCE, words).await
    }

    async fn ask_within<T: FromRedisValue>(
        &self,
        patience: Duration,
        words: &[impl AsRef<[u8]>],
    ) -> Result<T, RedisError> {
        let client = Client::open(self.url())?;
        let patient = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(patience))
            .set_response_timeout(Some(patience));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&patient)
            .await?;
        let mut command = Cmd::new();
        words.iter().for_each(|word| {
            command.arg(word.as_ref());
        });
        command.query_async(&mut connection).await
    }

    fn process(&self) -> MutexGuard<'_, Option<Process>> {
        self.process.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
