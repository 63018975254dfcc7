//! Chaos: thousands of purchases while processes die, Redis forgets, the network breaks and events
//! come twice, in another order, or forged. Everything that is drawn comes from one seed.
//!
//! The [`plan`] says which fault strikes after how many purchases, the [`market`] who buys what;
//! [`strike`] does the one and [`shoppers`] the other to the system in the [`scene`], and the
//! [`verdict`] is spoken when all faults are over. The same seed is the same plan and the same
//! purchases, though not the same interleaving: that is up to the machine.

pub mod audits;
pub mod dice;
pub mod market;
pub mod plan;
pub mod record;
pub mod run;
pub mod scene;
pub mod shoppers;
pub mod strike;
pub mod verdict;

pub use plan::{Fault, Plan};
pub use run::{Settings, run};
