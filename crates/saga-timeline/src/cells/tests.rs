use super::*;
use crate::Told;
use crate::testing::{THERE, authorizing, completed, journal_mut, refused, sources};

/// `there … | … back, notify`, in the order of the cells.
fn states(sources: &Sources) -> String {
    let states = cells(sources).into_iter().map(|cell| {
        let name = serde_json::to_value(cell.state).unwrap();
        let name = name.as_str().unwrap().to_owned();
        let has_time = !matches!(
            cell.state,
            CellState::Next | CellState::Untouched | CellState::Unknown
        );
        assert_eq!(cell.since.is_some(), has_time, "{cell:?}");
        name
    });
    let states: Vec<String> = states.collect();
    let (there, back) = states.split_at(5);
    format!("{} | {}", there.join(" "), back.join(" "))
}

#[test]
fn a_purchase_goes_there_and_back() {
    let lines = [
        "made next next next next | next next next next next",
        "made held next next next | next next next next next",
        "made held held next next | next next next next next",
        "made held held held next | next next next next next",
    ];
    for (count, expected) in [1, 3, 4, 5].into_iter().zip(lines) {
        assert_eq!(states(&sources(&THERE[..count])), expected);
    }
    let mut asking = sources(&THERE);
    authorizing(&mut asking, 4);
    assert_eq!(
        states(&asking),
        "made held held held asking | next next next next next"
    );
    assert_eq!(
        states(&completed()),
        "made held held held captured | captured captured captured completed notified"
    );
}

#[test]
fn what_a_refusal_never_reaches_stays_untouched() {
    assert_eq!(
        states(&refused()),
        "made held held refused untouched | untouched givenBack givenBack cancelled notified"
    );
    let unpaid = sources(&[
        "0 order.created<-",
        "1 payment.reservation.failed<order.created",
    ]);
    assert_eq!(
        states(&unpaid),
        "made refused untouched untouched untouched | untouched untouched untouched next next"
    );
}

#[test]
fn who_is_cancelled_before_it_was_asked_is_a_tombstone() {
    let mut overtaken = sources(&[
        THERE[0],
        THERE[1],
        THERE[2],
        "2 order.cancel.requested<-",
        "3 payment.failed<order.cancel.requested",
        "4 item.restored<payment.failed",
        "5 inventory.rollback<item.restored",
    ]);
    journal_mut(&mut overtaken, Service::Payment).amount = 0;
    assert_eq!(
        states(&overtaken),
        "made held untouched untouched tombstone | tombstone tombstone next next next"
    );
}

#[test]
fn who_does_not_answer_is_unknown_and_nothing_is_made_up() {
    let mut silent = completed();
    silent.told.insert(Service::Inventory, Told::Missing);
    assert_eq!(
        states(&silent),
        "made held unknown held captured | captured unknown captured completed notified"
    );
}

#[test]
fn a_pruned_journal_takes_nothing_from_the_picture() {
    let mut old = refused();
    for service in Service::ALL {
        if let Some(Told::Journal(journal)) = old.told.get_mut(&service) {
            journal.events.clear();
        }
    }
    assert_eq!(
        states(&old),
        "made held held refused untouched | untouched givenBack givenBack cancelled notified"
    );
}
