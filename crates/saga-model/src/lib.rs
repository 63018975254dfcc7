mod broken;
mod cells;
mod explore;
mod intern;
mod invariants;
mod laws;
mod proof;
mod recovery;
mod trace;
mod what_if;

pub mod table;
pub mod world;

pub use broken::{Broken, Shortcut};
pub use cells::Rigour;
pub use proof::{Flaw, Proof, prove};
pub use trace::{Fate, Step};
pub use what_if::{Report, Verdict, what_if};
