//! Causes and effects as a tree. An only effect stands below its cause without an indent, so that a
//! line of ten causes does not run out of the screen.

use saga_timeline::timeline::Event;

/// Every event with the branch before its name, each after its cause.
pub fn drawn(events: &[Event]) -> Vec<(String, &Event)> {
    let mut drawn = Vec::with_capacity(events.len());
    for root in events.iter().filter(|event| event.because.is_none()) {
        draw(events, root, "", "", &mut drawn);
    }
    drawn
}

fn draw<'a>(
    events: &'a [Event],
    event: &'a Event,
    branch: &str,
    below: &str,
    drawn: &mut Vec<(String, &'a Event)>,
) {
    drawn.push((branch.to_owned(), event));
    let effects: Vec<&Event> = events
        .iter()
        .filter(|effect| effect.because == Some(event.n))
        .collect();
    let many = effects.len() > 1;
    for (at, effect) in effects.iter().enumerate() {
        let is_last = at + 1 == effects.len();
        let (fork, rest) = match (many, is_last) {
            (false, _) => ("", ""),
            (true, false) => ("├ ", "│ "),
            (true, true) => ("└ ", "  "),
        };
        let (branch, rest) = (format!("{below}{fork}"), format!("{below}{rest}"));
        draw(events, effect, &branch, &rest, drawn);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use saga_events::{EventId, EventType, OrderId, Timestamp};
    use saga_timeline::timeline::Effect;

    use super::*;

    fn events(causes: &[Option<usize>]) -> Vec<Event> {
        let order = OrderId::from_uuid(uuid::Uuid::nil());
        let event = |(at, because): (usize, &Option<usize>)| {
            let event_type = EventType::ALL[at];
            Event {
                n: at + 1,
                id: EventId::of(order, event_type),
                event_type,
                service: event_type.spec().publisher,
                time: Timestamp::from_micros(0),
                attempt: 0,
                causation_id: None,
                because: *because,
                effect: Effect::Done,
                data: serde_json::Value::Null,
            }
        };
        causes.iter().enumerate().map(event).collect()
    }

    fn shown(causes: &[Option<usize>]) -> Vec<String> {
        let events = events(causes);
        let drawn = drawn(&events).into_iter();
        drawn
            .map(|(branch, event)| format!("{branch}{}", event.n))
            .collect()
    }

    #[test]
    fn a_line_has_no_indent_and_a_fork_has_one() {
        assert_eq!(shown(&[None, Some(1), Some(2)]), ["1", "2", "3"]);
        let forked = [None, Some(1), Some(1), Some(3), Some(3), Some(2)];
        assert_eq!(shown(&forked), ["1", "├ 2", "│ 6", "└ 3", "  ├ 4", "  └ 5"]);
    }

    #[test]
    fn what_was_said_unasked_begins_a_tree_of_its_own() {
        assert_eq!(shown(&[None, Some(1), None, Some(3)]), ["1", "2", "3", "4"]);
    }
}
