//! The real writer, on its thread and with its group commit, and nobody who publishes.

use diesel::prelude::*;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use crate::error::Error;
use crate::event_thread::EventThread;
use crate::writer::{Health, Writer};

/// The most jobs of a batch, as services have it by default.
const BATCH: usize = 512;

/// A writer as a service runs it. What its jobs say stays in the outbox.
pub struct RunningWriter {
    /// Takes jobs.
    pub writer: Writer,
    /// What the writer reports about itself.
    pub health: watch::Receiver<Health>,
    ended: JoinHandle<anyhow::Result<()>>,
    _thread: EventThread,
}

impl RunningWriter {
    /// Starts the writer's thread on this connection.
    ///
    /// # Errors
    /// The outbox cannot be read, or the thread not be started.
    pub fn start(conn: SqliteConnection) -> Result<Self, Error> {
        let thread = EventThread::start().map_err(Error::internal)?;
        let (relay, _nobody) = mpsc::unbounded_channel();
        let (to_health, health) = watch::channel(Health::Good);
        let (writer, ended) = Writer::start(&thread, conn, BATCH, relay, to_health)?;
        Ok(Self {
            writer,
            health,
            ended,
            _thread: thread,
        })
    }

    /// Lets the writer commit what waits and end.
    pub fn close(&self) {
        self.writer.close();
    }

    /// Waits until the writer has ended, as [`close`](Self::close) asks it to, or by itself.
    ///
    /// # Errors
    /// Why it ended by itself: nobody knows what is on disk.
    pub async fn ended(&mut self) -> anyhow::Result<()> {
        (&mut self.ended).await?
    }
}
