//! The simulator on the services as they are, and the simulator on services broken on purpose.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cells;
mod seeds;
mod wrongs;
