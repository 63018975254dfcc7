//! What user-, inventory- and item-svc have in common: the state machine and its rows.

mod audit;
mod machine;
mod store;

pub use audit::{audit, reserved};
pub use machine::{Hold, Participant, State, Step, Wire, step};
pub use store::{Books, MIGRATIONS, apply, hold_of, is_over, saga_of, sagas};
