#![doc = include_str!("../README.md")]

mod app;
mod cached;
mod chassis;
mod cli;
mod consumer;
mod event_thread;
mod relay;
mod retention;
mod telemetry;
mod trimmer;

pub mod audit;
pub mod buckets;
pub mod config;
pub mod database;
pub mod dead_letters;
pub mod error;
pub mod failpoint;
pub mod http;
pub mod idempotency;
pub mod journal;
pub mod metrics;
pub mod outbox;
pub mod participant;
pub mod schema;
pub mod service;
pub mod singleton;
pub mod testing;
pub mod traces;
pub mod writer;

#[doc(hidden)]
pub use cached::Inserted;
pub use chassis::Chassis;
pub use cli::main;
pub use config::Validate;
pub use error::Error;
pub use relay::Published;
pub use saga_audit::SagaRow;
pub use service::{Impossible, Outcome, Service, Task};
pub use writer::{Cause, Tx};

/// What the event thread frees was often made by those of HTTP, and the other way round. That
/// is dear with the C library's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
