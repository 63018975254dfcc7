//! The event thread: the consumer, the writer and the relay, one event loop.
//!
//! What one of them hands to the next is there without waking another thread: a tenth of what a
//! purchase costs. While the writer commits, what arrives waits in the socket and becomes the next
//! batch. Whatever must not wait for a commit (HTTP, health checks, most of a service's own tasks)
//! runs elsewhere.

use std::io;

use saga_events::bus::{Bus, BusConfig, BusError};
use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// A thread that runs what is spawned on it until this is dropped.
pub(crate) struct EventThread {
    handle: Handle,
    _end: oneshot::Sender<()>,
}

impl EventThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system's.
    pub fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (end, ended) = oneshot::channel();
        let thread = std::thread::Builder::new().name("events".into());
        thread.spawn(move || runtime.block_on(ended))?;
        Ok(Self { handle, _end: end })
    }

    /// Runs this on the event thread.
    pub fn spawn<T: Send + 'static>(
        &self,
        part: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.handle.spawn(part)
    }

    /// Where to spawn on the event thread.
    pub fn handle(&self) -> &Handle {
        &self.handle
    }

    /// Its own connections to Redis: their answers arrive on it.
    ///
    /// # Errors
    /// The URL is not one of Redis.
    pub fn bus(&self, config: &BusConfig, me: saga_events::Service) -> Result<Bus, BusError> {
        let _here = self.handle.enter();
        Bus::open(config, me)
    }
}
