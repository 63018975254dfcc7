//! For tests of services: a real database driven by hand, a whole instance driven by hand, and the
//! proofs that hold for every participant, whatever its book is. A proof asserts: it panics where it
//! does not hold.

mod bench;
mod instance;
mod plan;
mod running;

pub mod audits;
pub mod cells;
pub mod documents;
pub mod steps;

pub use bench::Bench;
pub use instance::{Answer, Committed, Instance};
pub use plan::plan_of;
pub use running::RunningWriter;
