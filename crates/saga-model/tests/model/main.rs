//! The check of the shipped tables, and the checks of the check.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod live;
mod mutants;
mod shipped;
mod timelines;
mod what_if;
