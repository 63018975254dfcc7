//! Power cuts, full disks and failing syncs under a real service's steps and its real writer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bank;
mod disk;
mod failures;
mod power_cuts;
mod remains;
mod vfs;
