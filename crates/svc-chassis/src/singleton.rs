//! Work that one instance does for all: trimming, the deadline and repeat sweep.
//!
//! A lock in Redis keeps it single; correctness does not rest on it. What the work writes is
//! guarded by a fencing number from the database: a holder that wakes too late finds a higher
//! number there and writes nothing. While Redis is away the work goes on.

use std::time::Duration;

use diesel::prelude::*;
use saga_events::bus::{Lock, LockHold};
use tokio::time::Instant;

use crate::error::Error;
use crate::schema::fences;
use crate::writer::{Tx, Writer};

/// One instance's claim to some work.
pub struct Singleton {
    name: String,
    lock: Lock,
    time_to_live: Duration,
    hold: Option<LockHold>,
    fence: Option<Fence>,
    /// When the lock is to be taken or renewed next.
    ask_again: Instant,
}

/// The number under which guarded work writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fence {
    name: String,
    number: i64,
}

impl Singleton {
    /// A claim that is renewed while [`Singleton::is_mine`] is asked, and ends this long after.
    pub fn new(bus: &saga_events::bus::Bus, name: &str, time_to_live: Duration) -> Self {
        let lock = bus.lock(name, time_to_live);
        let (name, ask_again) = (name.to_owned(), Instant::now());
        Self {
            name,
            lock,
            time_to_live,
            hold: None,
            fence: None,
            ask_again,
        }
    }

    /// Whether this instance is to work now; takes or renews the lock when it is time to. Answers
    /// with the fence under which to write.
    ///
    /// # Errors
    /// The database's, when a new fence is needed.
    pub async fn is_mine(&mut self, writer: &Writer) -> Result<Option<Fence>, Error> {
        if Instant::now() < self.ask_again {
            return Ok(self.fence.clone());
        }
        // A third of the time to live: two renewals may fail before the lock ends.
        self.ask_again = Instant::now() + self.time_to_live / 3;
        if let Some(hold) = &self.hold {
            match self.lock.renew(hold).await {
                Ok(true) | Err(_) => return Ok(self.fence.clone()),
                // Expired, flushed or taken by another: take it anew, if it is free.
                Ok(false) => self.hold = None,
            }
        }
        match self.lock.try_take().await {
            Ok(Some(hold)) => {
                self.fence = Some(self.next_fence(writer).await?);
                self.hold = Some(hold);
            }
            Ok(None) => self.fence = None,
            // Redis is away: work on under the number at hand, or take one. Whoever else does so
            // has another number, and only the highest may write.
            Err(_) if self.fence.is_none() => self.fence = Some(self.next_fence(writer).await?),
            Err(_) => {}
        }
        Ok(self.fence.clone())
    }

    /// Gives the lock back, so that another instance need not wait until it ends.
    pub async fn release(&mut self) {
        self.fence = None;
        if let Some(hold) = self.hold.take() {
            // It ends by itself when Redis is away.
            let _ = self.lock.release(hold).await;
        }
    }

    async fn next_fence(&self, writer: &Writer) -> Result<Fence, Error> {
        let name = self.name.clone();
        writer.write(move |tx| Fence::next(tx, &name)).await
    }
}

impl Fence {
    /// The next number of this name: all lower ones are stale from now on.
    ///
    /// # Errors
    /// The database's.
    pub fn next(tx: &mut Tx<'_>, name: &str) -> Result<Self, Error> {
        let number = current(tx.conn(), name)? + 1;
        let row = (fences::name.eq(name), fences::number.eq(number));
        diesel::replace_into(fences::table)
            .values(row)
            .execute(tx.conn())?;
        Ok(Self {
            name: name.to_owned(),
            number,
        })
    }

    /// Whether it is still the highest: asked in the transaction that writes.
    ///
    /// # Errors
    /// The database's.
    pub fn holds(&self, tx: &mut Tx<'_>) -> Result<bool, Error> {
        Ok(current(tx.conn(), &self.name)? == self.number)
    }
}

fn current(conn: &mut SqliteConnection, name: &str) -> QueryResult<i64> {
    let number = fences::table
        .find(name)
        .select(fences::number)
        .get_result(conn)
        .optional()?;
    Ok(number.unwrap_or(0))
}
