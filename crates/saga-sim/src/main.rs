//! `saga-sim`: runs seeds on demand.

fn main() -> std::process::ExitCode {
    saga_sim::main()
}
