#![doc = include_str!("../README.md")]

mod binaries;
mod builder;
mod error;
mod eventually;
mod faults;
mod part;
mod ports;
mod process;
mod proxy;
mod redis_server;
mod system;

pub use binaries::Binaries;
pub use builder::Builder;
pub use error::{Error, Result};
pub use eventually::eventually;
pub use faults::Fields;
pub use part::Part;
pub use ports::free_port;
pub use process::{Process, Signal};
pub use proxy::{Network, Proxy};
pub use redis_server::RedisServer;
pub use system::{PATIENCE, System};
