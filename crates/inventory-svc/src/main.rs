//! The inventory-svc process.

use std::process::ExitCode;

fn main() -> ExitCode {
    svc_chassis::main::<inventory_svc::InventorySvc>()
}
