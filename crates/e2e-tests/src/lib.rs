#![doc = include_str!("../README.md")]
// This crate is tests and what they share: whatever does not go as it must ends the test, with a
// sentence.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::missing_panics_doc)]

mod books;
mod browser;
mod buttons;
pub mod chaos;
mod client;
mod collector;
mod database;
mod eventually;
mod forge;
mod invariants;
mod lab;
mod model;
mod process;
mod redis_server;
mod resources;
mod sagactl;
mod scraped;
mod shop;
mod soak;
mod stage;
mod system;
mod wanted;

pub use books::Books;
pub use browser::{Allowed, Axe, Browser, Keystroke, Look, Sight, Tab, Taken};
pub use buttons::{LEAST_AUDITS, Pressed, press};
pub use client::{Answer, Client};
pub use collector::{Collector, Exported};
pub use database::{DeadLetter, File, Traced};
pub use eventually::{PATIENCE, eventually, together};
pub use forge::{envelope, failure, settled};
pub use lab::{Lab, PARTS, process_of};
pub use model::{
    Account, COMPLETED, Hold, Inventory, Item, Notification, Order, Payment, Said, Stack,
};
pub use process::{Process, binary, binary_with_failpoints, free_port};
pub use redis_server::RedisServer;
pub use resources::{Bounds, Resources};
pub use saga_local::{Network, Signal};
pub use sagactl::Told;
pub use scraped::{Family, Scraped};
pub use shop::{Ledger, Sale};
pub use soak::Soak;
pub use stage::Stage;
pub use system::{Builder, System};
pub use wanted::has;
