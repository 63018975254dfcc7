//! A Redis of the test's own: [`saga_local::RedisServer`], and what tests ask it.

use std::path::Path;

use redis::{FromRedisValue, RedisError};
use saga_events::{EventType, Service};
use saga_local::{Fields, Signal};

use crate::process::sure;

/// A private `redis-server`. Dropping it ends it.
#[derive(Debug)]
pub struct RedisServer(saga_local::RedisServer);

impl RedisServer {
    /// Prepares one that keeps its files and its log in this folder; it does not run yet.
    pub fn in_folder(folder: &Path) -> Self {
        Self(sure(saga_local::RedisServer::in_folder(folder)))
    }

    /// The one of a system, which ends it.
    pub(crate) fn of(system: &saga_local::System) -> Self {
        Self(system.redis().clone())
    }

    /// Starts it and waits until it answers. Data of an earlier run are there again: every write
    /// goes to an append-only file.
    pub async fn start(&self) {
        sure(self.0.start().await);
    }

    /// Where it listens, or will.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// `redis://127.0.0.1:port`
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// `kill -9`.
    pub fn kill(&self) {
        self.0.kill();
    }

    /// Freezes or thaws it.
    pub fn send(&self, signal: Signal) {
        sure(self.0.send(signal));
    }

    /// FLUSHALL.
    pub async fn flush(&self) {
        answered("FLUSHALL", self.0.flush().await);
    }

    /// Lets a service read everything again that its streams still have.
    pub async fn rewind(&self, service: Service) {
        answered("XGROUP SETID", self.0.rewind(service).await);
    }

    /// Adds the newest entries of a stream once more, arranged like this.
    pub async fn say_again(&self, event_type: EventType, arrange: impl FnOnce(&mut Vec<Fields>)) {
        let said = self.0.say_again(event_type, arrange).await;
        answered("XADD", said);
    }

    /// Cuts so many hundredths off the end of its log; it must not run.
    pub fn truncate(&self, percent: u64) {
        sure(self.0.truncate(percent));
    }

    /// Keeps nothing new, or everything again.
    pub async fn be_full(&self, full: bool) {
        answered("CONFIG SET maxmemory", self.0.be_full(full).await);
    }

    /// How much memory it says that it uses, in bytes; `None`: it does not answer.
    pub async fn used_memory(&self) -> Option<u64> {
        let info: String = self.try_ask_words(&["INFO", "memory"]).await.ok()?;
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
        answered(&text, self.try_ask_words(words).await)
    }

    /// As [`RedisServer::ask_words`], for commands that Redis may refuse.
    ///
    /// # Errors
    /// Redis refuses, or does not answer.
    pub async fn try_ask_words<T: FromRedisValue>(
        &self,
        words: &[impl AsRef<[u8]>],
    ) -> Result<T, RedisError> {
        self.0.ask(words).await
    }
}

/// Ends the test where Redis refuses or does not answer.
#[track_caller]
fn answered<T>(asked: &str, answer: Result<T, RedisError>) -> T {
    answer.unwrap_or_else(|error| panic!("{asked}: {error}"))
}
