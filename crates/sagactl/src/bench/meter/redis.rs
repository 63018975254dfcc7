//! What Redis tells about itself: `INFO`.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};
use redis::AsyncConnectionConfig;
use redis::aio::MultiplexedConnection;

/// Redis answers between two batches; under load that may take a moment.
const PATIENCE: Duration = Duration::from_secs(5);

/// A Redis that is asked about itself.
pub struct Redis {
    connection: MultiplexedConnection,
}

/// What it said.
pub struct Info(String);

impl Redis {
    /// Connects.
    ///
    /// # Errors
    /// There is none at this URL.
    pub async fn at(url: &str) -> Result<Self> {
        let no_answer = || format!("redis does not answer at {url}");
        let patient = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(PATIENCE))
            .set_response_timeout(Some(PATIENCE));
        let client = redis::Client::open(url).with_context(no_answer)?;
        let connection = client.get_multiplexed_async_connection_with_config(&patient);
        let connection = connection.await.with_context(no_answer)?;
        Ok(Self { connection })
    }

    /// Asks it about itself.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn info(&self) -> Result<Info> {
        let mut info = redis::cmd("INFO");
        info.arg("everything");
        let mut connection = self.connection.clone();
        let text = info.query_async(&mut connection).await;
        Ok(Info(text.context("redis does not answer INFO")?))
    }
}

impl Info {
    /// Its version.
    pub fn version(&self) -> Option<String> {
        self.field("redis_version").map(str::to_owned)
    }

    /// User and system time, its own and that of the children that rewrite its log, in seconds.
    pub fn cpu_seconds(&self) -> Option<f64> {
        let fields = [
            "used_cpu_user",
            "used_cpu_sys",
            "used_cpu_user_children",
            "used_cpu_sys_children",
        ];
        let seconds = |name| self.field(name)?.parse::<f64>().ok();
        fields.into_iter().map(seconds).sum()
    }

    /// What it has in memory, in bytes.
    pub fn memory_bytes(&self) -> Option<u64> {
        self.field("used_memory_rss")?.parse().ok()
    }

    /// How often each command was called.
    pub fn calls(&self) -> BTreeMap<String, u64> {
        let commands = self.0.lines().filter_map(|line| {
            let (command, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let (calls, _) = rest.split_once(',')?;
            Some((command.to_owned(), calls.parse().ok()?))
        });
        commands.collect()
    }

    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.0.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn info_is_read_line_by_line() {
        let info = Info(
            "# Server\r\nredis_version:7.0.15\r\nused_memory_rss:2048\r\nused_cpu_sys:1.5\r\n\
             used_cpu_user:2.0\r\nused_cpu_sys_children:0.25\r\nused_cpu_user_children:0.25\r\n\
             used_cpu_sys_main_thread:9.0\r\n\
             cmdstat_xadd:calls=11,usec=5,usec_per_call=0.4\r\n\
             cmdstat_xgroup|create:calls=2,usec=1,usec_per_call=0.5\r\n"
                .to_owned(),
        );
        assert_eq!(info.version().unwrap(), "7.0.15");
        assert_eq!(
            (info.cpu_seconds(), info.memory_bytes()),
            (Some(4.0), Some(2048))
        );
        let calls = info.calls();
        assert_eq!((calls["xadd"], calls["xgroup|create"]), (11, 2));
    }
}
