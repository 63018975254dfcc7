//! A program as a child process. It never outlives its owner.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::eventually::Deadline;
use crate::{Error, Result};

/// What can be sent to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signal {
    /// End in order.
    Term,
    /// End, as Ctrl-C asks for it.
    Int,
    /// Freeze.
    Stop,
    /// Thaw.
    Cont,
}

impl Signal {
    /// As `kill -s` takes it.
    const fn as_str(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Int => "INT",
            Self::Stop => "STOP",
            Self::Cont => "CONT",
        }
    }
}

/// A running program. Dropping it ends it at once.
#[derive(Debug)]
pub struct Process {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Process {
    /// Starts a program; what it prints is appended to the log file.
    ///
    /// # Errors
    /// The log cannot be written, or the system does not start the program.
    pub fn start(name: &str, mut command: Command, log: &Path) -> Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(log);
        let file = file.map_err(Error::file(log))?;
        let both = file.try_clone().map_err(Error::file(log))?;
        command.stdin(Stdio::null()).stdout(both).stderr(file);
        let child = command.spawn().map_err(|why| Error::NotStarted {
            program: name.to_owned(),
            why,
        })?;
        Ok(Self {
            name: name.to_owned(),
            log: log.to_owned(),
            child,
        })
    }

    /// Sends a signal to this process, by its own id. One that has ended is sent none: its id may be
    /// another program's by then.
    ///
    /// # Errors
    /// It has ended, or there is no `kill`.
    pub fn send(&mut self, signal: Signal) -> Result<()> {
        if self.ended()?.is_some() {
            return Err(Error::not_running(&self.name));
        }
        let name = signal.as_str();
        let pid = self.pid().to_string();
        let sent = Command::new("kill").args(["-s", name, &pid]).output();
        let why = match sent {
            Ok(done) if done.status.success() => return Ok(()),
            Ok(done) => String::from_utf8_lossy(&done.stderr).trim().to_owned(),
            Err(error) => format!("no kill: {error}"),
        };
        Err(self.out_of_reach(format!("sent SIG{name}"), why))
    }

    /// Its id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// The system does not tell.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        let ended = self.child.try_wait();
        ended.map_err(|why| self.out_of_reach("waited for".to_owned(), why.to_string()))
    }

    /// Waits until it has ended by itself.
    ///
    /// # Errors
    /// It still runs after so long.
    pub async fn wait(&mut self, patience: Duration) -> Result<ExitStatus> {
        let deadline = Deadline::after(patience);
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if !deadline.allows_another().await {
                let (what, why) = ("does not end", "it still runs");
                return Err(Error::too_late(&self.name, what, patience, why, &self.log));
            }
        }
    }

    /// For who waits for its start.
    ///
    /// # Errors
    /// It has ended.
    pub(crate) fn still_runs(&mut self) -> Result<()> {
        match self.ended()? {
            None => Ok(()),
            Some(status) => Err(Error::Ended {
                program: self.name.clone(),
                status,
                last: last_line(&self.log),
                log: self.log.clone(),
            }),
        }
    }

    fn out_of_reach(&self, what: String, why: String) -> Error {
        Error::OutOfReach {
            program: self.name.clone(),
            what,
            why,
            log: self.log.clone(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Who ends at its start says why in its last line.
fn last_line(log: &Path) -> String {
    let text = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let last = text.lines().rfind(|line| !line.trim().is_empty());
    last.unwrap_or("it says nothing").to_owned()
}
