//! The six real binaries over a private Redis, a system of its own for each test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod audit;
mod auditors;
mod bad_requests;
mod bench;
mod cancellation;
mod contention;
mod dead_letters;
mod delivery;
mod failpoints;
mod faults;
mod gateway;
mod idempotency;
mod lifecycle;
mod live;
mod logs;
mod metrics;
mod network;
mod openapi;
mod overload;
mod owners;
mod planted;
mod prometheus;
mod purchase;
mod refusals;
mod regressions;
mod replays;
mod resources;
mod retention;
mod seed_paths;
mod singletons;
mod standby;
mod storage;
mod timeline;
mod traces;
