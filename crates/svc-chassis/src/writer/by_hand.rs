//! The writer's transaction without its task, for tests that drive steps by hand.

use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use saga_events::{Event, Timestamp};

use super::tx::{Said, Tx};
use crate::error::Error;
use crate::outbox;

/// The writer's transaction without its task: one job at a time, when told to.
pub(crate) struct ByHand {
    conn: SqliteConnection,
    next_seq: i64,
}

impl ByHand {
    pub(crate) fn new(mut conn: SqliteConnection) -> Result<Self, Error> {
        let next_seq = outbox::last_seq(&mut conn)? + 1;
        Ok(Self { conn, next_seq })
    }

    pub(crate) fn conn(&mut self) -> &mut SqliteConnection {
        &mut self.conn
    }

    pub(crate) fn write<T>(
        &mut self,
        mut job: impl FnMut(&mut Tx<'_>) -> Result<T, Error>,
    ) -> Result<(T, Vec<Event>), Error> {
        let mut said = Said {
            next_seq: self.next_seq,
            ..Said::default()
        };
        let now = Timestamp::now();
        self.conn.batch_execute("BEGIN IMMEDIATE")?;
        match job(&mut Tx {
            conn: &mut self.conn,
            said: &mut said,
            now,
        }) {
            Ok(result) => {
                self.conn.batch_execute("COMMIT")?;
                self.next_seq = said.next_seq;
                said.after_commit.into_iter().for_each(|run| run());
                Ok((result, said.events))
            }
            Err(error) => {
                self.conn.batch_execute("ROLLBACK")?;
                Err(error)
            }
        }
    }
}
