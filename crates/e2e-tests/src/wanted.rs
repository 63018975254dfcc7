//! Programs that some tests need and that not every machine has.

use std::io::Write;
use std::process::{Command, Stdio};

/// Whether a program can be run. If not, that and what is not tried are told past the test's own
/// output, which is not shown of a test that passes.
pub fn has(program: &str, untried: &str) -> bool {
    let mut version = Command::new(program);
    let version = version.arg("--version").stdout(Stdio::null());
    let found = version
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !found {
        let told = format!("\nSKIPPED: {program} is not on the path; {untried}.\n");
        // Where nobody reads, nobody needs to be told.
        let _ = std::io::stderr().write_all(told.as_bytes());
    }
    found
}
