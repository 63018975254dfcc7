//! The user-svc process.

use std::process::ExitCode;

fn main() -> ExitCode {
    svc_chassis::main::<user_svc::UserSvc>()
}
