//! A program under test as a child process: [`saga_local::Process`], where nothing goes wrong.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::time::Duration;

use saga_local::{Binaries, Signal};

/// Ends the test with the sentence of what went wrong.
#[track_caller]
pub(crate) fn sure<T>(answer: saga_local::Result<T>) -> T {
    answer.unwrap_or_else(|error| panic!("{error}"))
}

/// A running program. Dropping it ends it at once.
#[derive(Debug)]
pub struct Process(saga_local::Process);

impl Process {
    /// Starts a program; what it prints is appended to the log file.
    pub fn start(name: &str, command: Command, log: &Path) -> Self {
        Self(sure(saga_local::Process::start(name, command, log)))
    }

    /// Sends a signal to this process, by its own id.
    pub fn send(&mut self, signal: Signal) {
        sure(self.0.send(signal));
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        self.0.kill();
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        sure(self.0.ended())
    }

    /// Waits until it has ended by itself.
    pub async fn wait(&mut self, patience: Duration) -> ExitStatus {
        sure(self.0.wait(patience).await)
    }
}

/// A port that nobody listens on.
pub fn free_port() -> u16 {
    sure(saga_local::free_port())
}

/// The binary of this name, from the folder into which this test was built.
pub fn binary(name: &str) -> PathBuf {
    sure(binaries().find(name))
}

/// The binary of this name that has failpoints and exports traces.
pub fn binary_with_failpoints(name: &str) -> PathBuf {
    let path = binaries().folder().join("with-failpoints").join(name);
    assert!(
        path.is_file(),
        "{name} is not built with failpoints: run `scripts/build-failpoints`, then \
         `cargo build --release --workspace --all-targets`"
    );
    path
}

fn binaries() -> Binaries {
    sure(Binaries::beside_this_program())
}
