#![doc = include_str!("../README.md")]

// In the order of the flow: the world and the six tables, their cells, every configuration of them,
// what must hold there, how a purchase ends, how a path is told; on top the two questions.
pub mod record;
pub mod table;
pub mod world;

mod cells;
mod intern;

mod explore;
mod invariants;
mod laws;
mod recovery;
mod trace;

mod broken;
mod futures;
mod proof;
mod what_if;

pub use broken::{Broken, Shortcut};
pub use futures::{Future, States, futures};
pub use proof::{Flaw, Proof, prove, prove_among_strays};
pub use trace::{Fate, Step};
pub use what_if::{Report, Verdict, what_if};
