//! A program under test as a child process. It never outlives its owner.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::eventually;

/// What can be sent to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// End in order.
    Term,
    /// Freeze.
    Stop,
    /// Thaw.
    Cont,
}

/// A running program. Dropping it ends it at once.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
}

impl Process {
    /// Starts a program; what it prints is appended to the log file.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Self {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .unwrap();
        command
            .stdin(Stdio::null())
            .stdout(file.try_clone().unwrap())
            .stderr(file);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            name: name.to_owned(),
            child,
        }
    }

    /// Sends a signal to this process, by its own id.
    pub fn send(&self, signal: Signal) {
        let name = match signal {
            Signal::Term => "TERM",
            Signal::Stop => "STOP",
            Signal::Cont => "CONT",
        };
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &pid])
            .status()
            .unwrap();
        assert!(sent.success(), "{} cannot be sent SIG{name}", self.name);
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits until it has ended by itself.
    pub async fn wait(&mut self, patience: Duration) -> ExitStatus {
        let what = format!("{} ends", self.name);
        eventually(&what, patience, async || {
            self.ended().ok_or("it still runs")
        })
        .await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// The binary of this name, from the folder into which this test was built.
pub fn binary(name: &str) -> PathBuf {
    let folder = folder_of_binaries();
    let path = folder
        .join(name)
        .with_extension(std::env::consts::EXE_EXTENSION);
    let profile = if folder.ends_with("release") {
        " --release"
    } else {
        ""
    };
    assert!(
        path.is_file(),
        "{name} is not built: run `cargo build{profile} --workspace`"
    );
    path
}

/// The binary of this name that has failpoints.
pub fn binary_with_failpoints(name: &str) -> PathBuf {
    let path = folder_of_binaries().join("with-failpoints").join(name);
    assert!(
        path.is_file(),
        "{name} is not built with failpoints: run `scripts/build-failpoints`, then \
         `cargo build --release --workspace --all-targets`"
    );
    path
}

/// `target/<profile>`: tests lie in `deps` below it, programs in it.
fn folder_of_binaries() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().unwrap();
    let is_test = folder.ends_with("deps");
    if is_test {
        folder.parent().unwrap()
    } else {
        folder
    }
    .to_owned()
}
