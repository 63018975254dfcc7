//! How states and answers are spelled, in the databases and towards callers.

use crate::saga::{Answer, State};

saga_events::spelled! {
    State "state": Authorizing "Authorizing", Processed "Processed", Failed "Failed"
}
saga_events::spelled! { Answer "answer": Approved "Approved", Declined "Declined" }
