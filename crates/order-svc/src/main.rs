//! Starts purchases, keeps their state, repeats until each has ended.

use std::process::ExitCode;

fn main() -> ExitCode {
    svc_chassis::main::<order_svc::OrderSvc>()
}
