//! Every cell of the initiator's table: given, when, then.
#![allow(clippy::unwrap_used)]
