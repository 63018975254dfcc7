//! The operator's tool, run against a system under test.

use std::process::Command;

use serde_json::Value;

use crate::{System, binary};

/// How a run of `sagactl` ended, and what it printed.
#[derive(Debug)]
pub struct Told {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Told {
    /// Runs this to its end.
    pub fn of(mut command: Command) -> Self {
        let output = command.output().expect("sagactl starts");
        Self {
            code: output.status.code().expect("sagactl ends by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Holds the run to this exit code.
    #[track_caller]
    pub fn expect(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        self
    }

    /// What was printed, as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.out, self.err))
    }
}

impl System {
    /// How `sagactl` is started with these words: it knows where the services are, and nothing of
    /// the test's own environment.
    pub fn sagactl_command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(binary("sagactl"));
        command.env_clear().env("USER", "ann").args(words);
        self.name_services(&mut command);
        command
    }

    /// Runs `sagactl` with these words.
    pub fn sagactl(&self, words: &[&str]) -> Told {
        Told::of(self.sagactl_command(words))
    }
}
