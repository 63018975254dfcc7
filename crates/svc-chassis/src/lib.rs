#![doc = include_str!("../README.md")]

mod app;
mod cached;
mod chassis;
mod cli;
mod consumer;
mod relay;
mod telemetry;
mod trimmer;

pub mod config;
pub mod database;
pub mod dead_letters;
pub mod error;
pub mod failpoint;
pub mod http;
pub mod idempotency;
pub mod outbox;
pub mod participant;
pub mod schema;
pub mod service;
pub mod singleton;
pub mod testing;
pub mod writer;

pub use chassis::Chassis;
pub use cli::main;
pub use config::Validate;
pub use error::Error;
pub use relay::Published;
pub use service::{Impossible, Outcome, SagaRow, Service, Task};
pub use writer::{Cause, Tx};
