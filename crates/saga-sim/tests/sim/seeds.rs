//! Thousands of seeds hold, and each is a pure function.

use saga_sim::{Simulator, Wrong};

#[test]
fn a_seed_is_the_same_run_every_time_and_another_seed_is_another_run() {
    let (one, other) = (Simulator::new(None).unwrap(), Simulator::new(None).unwrap());
    for seed in 1_000_000..1_000_020 {
        let (first, second) = (one.run(seed).unwrap(), other.run(seed).unwrap());
        assert_eq!(first.digest, second.digest, "seed {seed}");
        assert_eq!((first.steps, first.faults), (second.steps, second.faults));
        assert_ne!(first.digest, one.run(seed + 100).unwrap().digest);
    }
}

#[test]
fn a_violation_is_the_same_every_time_and_tells_its_story() {
    let wrong = || Simulator::new(Some(Wrong::NoRepeats)).unwrap();
    let simulator = wrong();
    let (seed, violation) = (1..)
        .find_map(|seed| Some((seed, simulator.run(seed).err()?)))
        .unwrap();
    assert_eq!(violation.seed, seed);
    assert!(
        violation.what.contains("nobody looks after it any more"),
        "{violation}"
    );
    assert!(violation.story.len() > 20, "{violation}");
    assert_eq!(wrong().run(seed).unwrap_err(), violation);
}
