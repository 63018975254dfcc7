//! The item-svc process.

use std::process::ExitCode;

fn main() -> ExitCode {
    svc_chassis::main::<item_svc::ItemSvc>()
}
