//! The binary: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    svc_chassis::main::<notify_svc::NotifySvc>()
}
