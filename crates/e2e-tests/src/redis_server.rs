//! A Redis of the test's own: on a free port, with its data in a temporary folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use redis::FromRedisValue;

use crate::{PATIENCE, Process, Signal, eventually, free_port};

/// A private `redis-server`. Dropping it ends it.
#[derive(Debug)]
pub struct RedisServer {
    port: u16,
    folder: PathBuf,
    process: Mutex<Option<Process>>,
}

impl RedisServer {
    /// Prepares one that keeps its files and its log in this folder; it does not run yet.
    pub fn in_folder(folder: &Path) -> Self {
        Self {
            port: free_port(),
            folder: folder.to_owned(),
            process: Mutex::default(),
        }
    }

    /// Starts it and waits until it answers. Data of an earlier run are there again: every write
    /// goes to an append-only file.
    pub async fn start(&self) {
        let mut command = Command::new("redis-server");
        command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"]);
        command.args([
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "everysec",
        ]);
        command
            .args(["--maxmemory-policy", "noeviction"])
            .arg("--dir")
            .arg(&self.folder);
        let process = Process::start("redis-server", command, &self.log());
        *self.process.lock().unwrap() = Some(process);
        let client = redis::Client::open(self.url()).unwrap();
        let ask = async || {
            let mut connection = client.get_multiplexed_async_connection().await?;
            redis::cmd("PING")
                .query_async::<String>(&mut connection)
                .await
        };
        eventually("redis answers", PATIENCE, ask).await;
    }

    /// Where it listens, or will.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:port`
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where its log is.
    pub fn log(&self) -> PathBuf {
        self.folder.join("redis-server.log")
    }

    /// `kill -9`.
    pub fn kill(&self) {
        *self.process.lock().unwrap() = None;
    }

    /// Freezes or thaws it.
    pub fn send(&self, signal: Signal) {
        self.process
            .lock()
            .unwrap()
            .as_ref()
            .expect("redis-server runs")
            .send(signal);
    }

    /// How much memory it says that it uses, in bytes; `None`: it does not answer.
    pub async fn used_memory(&self) -> Option<u64> {
        let client = redis::Client::open(self.url()).unwrap();
        let mut connection = client.get_multiplexed_async_connection().await.ok()?;
        let mut info = redis::cmd("INFO");
        let info: String = info.arg("memory").query_async(&mut connection).await.ok()?;
        let used = info
            .lines()
            .find_map(|line| line.strip_prefix("used_memory:"));
        used?.trim().parse().ok()
    }

    /// Sends one command, its words separated by spaces: `FLUSHALL`, `XLEN saga:{0}:order.created`.
    pub async fn ask<T: FromRedisValue>(&self, words: &str) -> T {
        let words: Vec<&str> = words.split(' ').collect();
        self.ask_words(&words).await
    }

    /// Sends one command, its words apart: for those that contain spaces, or are no text.
    pub async fn ask_words<T: FromRedisValue>(&self, words: &[impl AsRef<[u8]>]) -> T {
        let text = words
            .iter()
            .map(|word| word.as_ref().escape_ascii().to_string());
        let text = text.collect::<Vec<_>>().join(" ");
        let answer = self.try_ask_words(words).await;
        answer.unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    /// As [`RedisServer::ask_words`], for commands that Redis may refuse.
    ///
    /// # Errors
    /// Redis refuses, or does not answer.
    pub async fn try_ask_words<T: FromRedisValue>(
        &self,
        words: &[impl AsRef<[u8]>],
    ) -> Result<T, redis::RedisError> {
        let client = redis::Client::open(self.url())?;
        // The crate's own limits are for machines that are not loaded by tests.
        let patient = redis::AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&patient)
            .await?;
        let mut command = redis::Cmd::new();
        words.iter().for_each(|word| {
            command.arg(word.as_ref());
        });
        command.query_async(&mut connection).await
    }
}
