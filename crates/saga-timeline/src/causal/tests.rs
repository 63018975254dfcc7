use super::*;
use crate::testing::{completed, journal_mut, sources};

fn told(sources: &crate::Sources) -> Vec<String> {
    let placed = merged(sources.journals());
    for (at, placed) in placed.iter().enumerate() {
        assert!(placed.because.is_none_or(|cause| cause < at), "{at}");
    }
    let told = placed
        .iter()
        .map(|placed| format!("{} {}", placed.entry.event_type, placed.entry.attempt));
    told.collect()
}

#[test]
fn no_event_stands_before_its_cause_whatever_the_clocks_say() {
    let expected = told(&completed());
    assert_eq!(expected.len(), 11);
    for service in saga_events::Service::ALL {
        for skew in [-60_000_000, -1_000, 1_000, 60_000_000] {
            let mut skewed = completed();
            for entry in &mut journal_mut(&mut skewed, service).events {
                entry.time = Timestamp::from_micros(entry.time.micros() + skew);
            }
            assert_eq!(told(&skewed), expected, "{service} {skew}");
        }
    }
}

#[test]
fn an_answer_to_a_repeat_comes_after_the_repeat() {
    let repeated = sources(&[
        "0 order.created<-",
        "9 order.created<- 1",
        "1 payment.reserved<order.created",
        // Its clock is late: by time it came before the repeat that it answers.
        "2 payment.reserved<order.created 1",
        "3 inventory.reserved<payment.reserved 1",
    ]);
    let told = told(&repeated);
    let at = |text: &str| told.iter().position(|line| line == text).unwrap();
    assert!(at("order.created 1") < at("payment.reserved 1"));
    assert!(at("payment.reserved 1") < at("inventory.reserved 1"));
}

#[test]
fn a_cause_that_is_gone_holds_nothing_up_and_a_circle_ends() {
    let circle = sources(&[
        "0 order.created<payment.reserved",
        "1 payment.reserved<order.created",
        "2 item.reserved<inventory.reserved",
    ]);
    assert_eq!(merged(circle.journals()).len(), 3);
}
