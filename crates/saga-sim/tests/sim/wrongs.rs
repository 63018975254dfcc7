//! What is wrong on purpose is found.

use saga_sim::{Simulator, Wrong, simulate};

/// So many purchases are simulated before something wrong counts as overlooked.
const PURCHASES: u64 = 5_000;

#[test]
fn everything_that_is_wrong_on_purpose_is_found() {
    let mut overlooked = Vec::new();
    for wrong in Wrong::ALL {
        let simulator = Simulator::new(Some(*wrong)).unwrap();
        match simulate(&simulator, 1, PURCHASES, 1, &|_| ()) {
            Ok(_) => overlooked.push(wrong.as_str()),
            Err(violation) => println!("{}: {}", wrong.as_str(), violation.what),
        }
    }
    assert!(overlooked.is_empty(), "{overlooked:?}");
}
