use super::*;
use crate::Told;
use crate::causal::merged;
use crate::testing::{THERE, at, authorizing, completed, journal_mut, refused, sources};

fn problems(sources: &Sources) -> Vec<(Wrong, Service)> {
    let placed = merged(sources.journals());
    let found = conformance(sources, &placed);
    assert_eq!(found.ok, found.problems.is_empty());
    found
        .problems
        .iter()
        .map(|problem| (problem.code, problem.service))
        .collect()
}

#[test]
fn what_went_as_it_should_conforms() {
    assert_eq!(problems(&completed()), []);
    assert_eq!(problems(&refused()), []);
    for count in [1, 3, 4, 5] {
        assert_eq!(problems(&sources(&THERE[..count])), []);
    }
    let mut asking = sources(&THERE);
    authorizing(&mut asking, 4);
    assert_eq!(problems(&asking), []);
}

#[test]
fn an_end_without_its_way_back_is_incomplete() {
    let short = [THERE.as_slice(), &["8 order.completed<payment.confirmed"]].concat();
    assert_eq!(
        problems(&sources(&short)),
        [(Wrong::MissingCause, Service::Order)]
    );
    // The way back begins out of nowhere.
    let unpaid = [THERE.as_slice(), &["5 item.deducted<payment.processed"]].concat();
    assert_eq!(
        problems(&sources(&unpaid)),
        [(Wrong::MissingCause, Service::Item)]
    );
}

#[test]
fn a_cause_that_cannot_cause_it_is_illegal() {
    let leap = ["0 order.created<-", "2 inventory.reserved<order.created"];
    assert_eq!(
        problems(&sources(&leap)),
        [(Wrong::IllegalCause, Service::Inventory)]
    );
    let uncaused = ["0 order.created<-", "1 payment.reserved<-"];
    assert_eq!(
        problems(&sources(&uncaused)),
        [(Wrong::IllegalCause, Service::User)]
    );
    let mut unknown = completed();
    journal_mut(&mut unknown, Service::Item).events[0].causation_id = Some(EventId::of(
        saga_events::OrderId::from_uuid(uuid::Uuid::from_u128(8)),
        InventoryReserved,
    ));
    assert_eq!(problems(&unknown), [(Wrong::IllegalCause, Service::Item)]);
}

#[test]
fn who_gave_back_cannot_keep() {
    let both = [
        THERE.as_slice(),
        &[
            "4 payment.processed<item.reserved",
            "4 payment.failed<item.reserved",
            "5 item.restored<payment.failed",
            "6 item.deducted<payment.processed",
        ],
    ]
    .concat();
    assert_eq!(
        problems(&sources(&both)),
        [
            (Wrong::IllegalStep, Service::Item),
            (Wrong::IllegalStep, Service::Payment)
        ]
    );
}

#[test]
fn a_row_that_its_journal_does_not_lead_to_is_found() {
    let mut other = completed();
    journal_mut(&mut other, Service::Item).state = "Released".to_owned();
    assert_eq!(problems(&other), [(Wrong::StateMismatch, Service::Item)]);
    let mut silent = completed();
    journal_mut(&mut silent, Service::User).events.clear();
    assert!(problems(&silent).contains(&(Wrong::StateMismatch, Service::User)));
    assert!(problems(&silent).contains(&(Wrong::MissingCause, Service::Order)));
}

#[test]
fn a_foreign_event_and_a_foreign_id_are_found() {
    let mut foreign = completed();
    let stolen = journal_mut(&mut foreign, Service::Item).events.remove(0);
    journal_mut(&mut foreign, Service::Inventory)
        .events
        .insert(1, stolen);
    assert!(problems(&foreign).contains(&(Wrong::ForeignEvent, Service::Inventory)));
    let mut forged = completed();
    let last = journal_mut(&mut forged, Service::Notify);
    last.events[0].id = EventId::of(
        saga_events::OrderId::from_uuid(uuid::Uuid::from_u128(8)),
        NotificationSent,
    );
    assert_eq!(problems(&forged), [(Wrong::ForeignId, Service::Notify)]);
}

#[test]
fn nothing_is_held_against_who_does_not_answer() {
    for service in Service::ALL {
        let mut silent = completed();
        silent.told.insert(service, Told::Missing);
        assert_eq!(problems(&silent), [], "{service}");
    }
}

#[test]
fn what_may_be_pruned_is_not_missed() {
    for service in Service::ALL {
        // Its whole journal, or all but the last row of it.
        for left in [0, 1] {
            let mut old = completed();
            for other in Service::ALL {
                journal_mut(&mut old, other).kept_since = at(0);
            }
            let events = &mut journal_mut(&mut old, service).events;
            events.drain(..events.len().saturating_sub(left));
            assert_eq!(problems(&old), [], "{service} {left}");
        }
    }
}

#[test]
fn who_has_to_be_read_again_is_who_must_have_said_the_cause() {
    let mut early = completed();
    early.told.insert(Service::User, Told::Nothing);
    let of_user = &mut journal_mut(&mut early, Service::Item).events;
    of_user.truncate(1);
    let again: Vec<Service> = early.to_read_again().into_iter().collect();
    assert_eq!(again, [Service::User, Service::Item]);
    assert!(completed().to_read_again().is_empty());
}
