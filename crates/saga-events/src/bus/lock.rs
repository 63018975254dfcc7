//! A lock that keeps singletons single among instances. Correctness never rests on it (rows and
//! constraints do that); it saves two instances from doing the same work.
//!
//! `SET NX PX` with a random token; release and renewal only by the token's owner. It has no
//! fencing number: a Redis counter restarts after a flush, so the number comes from the guarded
//! database.

use std::time::Duration;

use redis::Script;
use uuid::Uuid;

use super::connection::Connection;
use super::{Bus, BusError, keys};

const RENEW: &str = "if redis.call('get', KEYS[1]) == ARGV[1] then \
                     return redis.call('pexpire', KEYS[1], ARGV[2]) else return 0 end";
const RELEASE: &str = "if redis.call('get', KEYS[1]) == ARGV[1] then \
                       return redis.call('del', KEYS[1]) else return 0 end";

/// A named lock. Cheap to clone.
#[derive(Clone)]
pub struct Lock {
    connection: Connection,
    key: String,
    time_to_live: Duration,
}

/// The proof of holding a [`Lock`]: whoever has the token may renew and release it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LockHold {
    token: String,
}

impl Bus {
    /// The lock of this name, which ends by itself this long after it was taken or renewed.
    pub fn lock(&self, name: &str, time_to_live: Duration) -> Lock {
        Lock {
            connection: self.connection.clone(),
            key: keys::lock(name),
            time_to_live,
        }
    }
}

impl Lock {
    /// Takes the lock if nobody holds it.
    ///
    /// # Errors
    /// Redis is not reached.
    pub async fn try_take(&self) -> Result<Option<LockHold>, BusError> {
        let token = Uuid::now_v7().to_string();
        let mut command = redis::cmd("SET");
        command
            .arg(&self.key)
            .arg(&token)
            .arg("NX")
            .arg("PX")
            .arg(self.millis());
        let taken: Option<String> = command.query_async(&mut self.connection.clone()).await?;
        Ok(taken.map(|_| LockHold { token }))
    }

    /// Takes the lock, waiting for it at most this long, with jitter so that those who wait do not
    /// ask in step.
    ///
    /// # Errors
    /// Redis is not reached.
    pub async fn take_within(&self, patience: Duration) -> Result<Option<LockHold>, BusError> {
        let end = tokio::time::Instant::now() + patience;
        loop {
            if let Some(hold) = self.try_take().await? {
                return Ok(Some(hold));
            }
            let jitter = Duration::from_millis(20 + Uuid::now_v7().as_u64_pair().1 % 60);
            if tokio::time::Instant::now() + jitter > end {
                return Ok(None);
            }
            tokio::time::sleep(jitter).await;
        }
    }

    /// Makes the hold last for another time to live. `false`: it was lost (expired, flushed, or
    /// taken by another), and must be taken anew.
    ///
    /// # Errors
    /// Redis is not reached.
    pub async fn renew(&self, hold: &LockHold) -> Result<bool, BusError> {
        self.as_owner(RENEW, hold).await
    }

    /// Gives the lock back. `false`: it was not this hold's any more, and is left alone.
    ///
    /// # Errors
    /// Redis is not reached; the lock ends by itself.
    pub async fn release(&self, hold: LockHold) -> Result<bool, BusError> {
        self.as_owner(RELEASE, &hold).await
    }

    async fn as_owner(&self, script: &str, hold: &LockHold) -> Result<bool, BusError> {
        let script = Script::new(script);
        let mut call = script.key(&self.key);
        call.arg(&hold.token).arg(self.millis());
        let done: i64 = call.invoke_async(&mut self.connection.clone()).await?;
        Ok(done == 1)
    }

    fn millis(&self) -> u64 {
        u64::try_from(self.time_to_live.as_millis()).unwrap_or(u64::MAX)
    }
}
