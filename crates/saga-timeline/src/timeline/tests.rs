use super::*;
use crate::testing::{THERE, completed, refused, sources};

fn effects(timeline: &Timeline) -> Vec<Effect> {
    timeline.events.iter().map(|event| event.effect).collect()
}

#[test]
fn every_event_tells_what_it_did_and_because_of_what() {
    use Effect::{Begun, Confirmed, Done, Ended, Informed, Notified, Refused, Undone};
    let timeline = Timeline::of(&completed());
    assert_eq!(
        effects(&timeline),
        [
            Begun, Informed, Done, Done, Done, Done, Confirmed, Confirmed, Confirmed, Ended,
            Notified
        ]
    );
    let because: Vec<_> = timeline.events.iter().map(|event| event.because).collect();
    let chain = [
        None,
        Some(1),
        Some(1),
        Some(3),
        Some(4),
        Some(5),
        Some(6),
        Some(7),
    ];
    assert_eq!(because[..8], chain);
    assert_eq!(
        effects(&Timeline::of(&refused())),
        [
            Begun, Informed, Done, Done, Refused, Undone, Undone, Ended, Notified
        ]
    );
}

#[test]
fn a_repeat_and_an_undoing_of_nothing_are_told_as_such() {
    let cancelled = sources(&[
        THERE[0],
        "1 order.cancel.requested<-",
        "2 order.cancel.requested<- 1",
        "3 payment.failed<order.cancel.requested 1",
        "4 item.restored<payment.failed 1",
    ]);
    assert_eq!(
        effects(&Timeline::of(&cancelled)),
        [
            Effect::Begun,
            Effect::Requested,
            Effect::Repeated,
            Effect::Refused,
            Effect::Prevented
        ]
    );
}

#[test]
fn it_comes_back_from_json_as_it_was() {
    let timeline = Timeline::of(&completed());
    let json = serde_json::to_string(&timeline).unwrap();
    assert_eq!(serde_json::from_str::<Timeline>(&json).unwrap(), timeline);
}
