#![doc = include_str!("../README.md")]

// What a run is made of: chance, what goes wrong, what surrounds the services, the services …
mod air;
mod bank;
mod bus;
mod dice;
pub mod fault;
mod process;
mod shop;
mod template;
mod watched;
mod world;

// … what happens to them …
mod chaos;
mod gateway;
mod requests;
mod settle;
mod stray;
mod sweep;

// … and whether it may.
mod audit;
mod judge;
mod known;

mod cli;
mod simulate;
mod wrong;

pub use cli::main;
pub use simulate::{Run, Simulator, Total, Violation, simulate};
pub use wrong::Wrong;
