#![doc = include_str!("../README.md")]

// What comes in …
pub mod check;
pub mod report;
// … what must hold …
pub mod group;
pub mod laws;
pub mod sums;
// … and who judges it.
pub mod judge;

#[cfg(feature = "http")]
pub mod auditor;
#[cfg(feature = "http")]
mod client;

#[cfg(feature = "http")]
pub use auditor::{Auditor, Scope};
pub use check::{Check, CheckState, Named, Value};
#[cfg(feature = "http")]
pub use client::IDLE;
pub use group::Group;
pub use judge::{Audit, Judge, LOOKS, Look, Rounds};
pub use report::{Report, SagaRow};
