//! What can be done to a Redis beyond its process: it forgets, goes back, repeats itself, is full.
//! Processes are killed, ended and frozen by [`System`](crate::System), networks fail by
//! [`Proxy`](crate::Proxy).

use std::fs::OpenOptions;
use std::io;
use std::path::PathBuf;

use redis::RedisError;
use saga_events::bus::stream;
use saga_events::{EventType, Service};

use crate::{Error, RedisServer, Result};

/// Entries of a stream that are added again at once.
const AGAIN: usize = 100;

/// An entry's fields and values, one after the other, as they are.
pub type Fields = Vec<Vec<u8>>;

impl RedisServer {
    /// FLUSHALL: every stream, group and lock is gone.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn flush(&self) -> Result<(), RedisError> {
        self.ask(&["FLUSHALL"]).await
    }

    /// Lets a service read everything again that its streams still have.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn rewind(&self, service: Service) -> Result<(), RedisError> {
        for event_type in service.consumes() {
            let key = stream(0, event_type);
            let words = ["XGROUP", "SETID", &key, service.as_str(), "0"];
            match self.ask::<()>(&words).await {
                Err(error) if error.is_io_error() => return Err(error),
                // After a flush the group is made again by its next reader: nothing to rewind.
                _ => {}
            }
        }
        Ok(())
    }

    /// Adds the newest entries of a stream once more. `arrange` is given them, oldest first, and says
    /// in which order.
    ///
    /// # Errors
    /// Redis refuses, or does not answer.
    pub async fn say_again(
        &self,
        event_type: EventType,
        arrange: impl FnOnce(&mut Vec<Fields>),
    ) -> Result<(), RedisError> {
        let (key, count) = (stream(0, event_type), AGAIN.to_string());
        let words = ["XREVRANGE", &key, "+", "-", "COUNT", &count];
        let entries: Vec<(String, Fields)> = self.ask(&words).await?;
        let mut entries: Vec<Fields> = entries.into_iter().map(|(_, fields)| fields).collect();
        entries.reverse();
        arrange(&mut entries);
        for fields in entries {
            let words = ["XADD", &key, "*"].map(|word| word.as_bytes().to_vec());
            self.ask::<String>(&[&words[..], &fields].concat()).await?;
        }
        Ok(())
    }

    /// Cuts so many hundredths off the end of its log, as if the power had failed before they were
    /// on disk. It must not run.
    ///
    /// # Errors
    /// There is no log, or it cannot be written.
    pub fn truncate(&self, percent: u64) -> Result<()> {
        let folder = self.folder().join("appendonlydir");
        let cannot = || Error::file(&folder);
        let files = std::fs::read_dir(&folder).map_err(cannot())?;
        let logs = files.flatten().map(|file| file.path());
        let logs = logs.filter(|path| path.to_string_lossy().ends_with(".incr.aof"));
        let newest: Option<PathBuf> =
            logs.max_by_key(|path| path.metadata().and_then(|log| log.modified()).ok());
        let none = || cannot()(io::Error::other("no log is in it"));
        let log = OpenOptions::new()
            .write(true)
            .open(newest.ok_or_else(none)?);
        let log = log.map_err(cannot())?;
        let length = log.metadata().map_err(cannot())?.len();
        let cut = log.set_len(length - length * percent.min(100) / 100);
        cut.map_err(cannot())
    }

    /// Refuses to keep anything new, or keeps everything again.
    ///
    /// # Errors
    /// Redis does not answer.
    pub async fn be_full(&self, full: bool) -> Result<(), RedisError> {
        let bytes = if full { "1" } else { "0" };
        self.ask(&["CONFIG", "SET", "maxmemory", bytes]).await
    }
}
