#![doc = include_str!("../README.md")]

// What comes in …
pub mod journal;
pub mod sources;
// … is put in order and read …
pub mod causal;
pub mod cells;
pub mod conformance;
pub mod expected;
pub mod stand;
pub mod stuck;
// … and becomes one answer, and a paragraph.
pub mod explain;
pub mod timeline;

#[cfg(test)]
mod testing;

pub use explain::{Language, explain};
pub use journal::{Entry, Journal};
pub use sources::{Letter, Sources, Told};
pub use timeline::Timeline;
