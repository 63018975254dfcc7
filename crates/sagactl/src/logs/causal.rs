//! The order of cause and effect among the lines of one purchase.
//!
//! Two things are certain, whatever the clocks of the services say: a service's own lines are in the
//! order of its own clock, and an event was said before anybody took it. Within that, time decides.

use std::collections::BTreeMap;

use saga_events::{EventType, Service, Timestamp};
use saga_timeline::causal::in_order;

use super::line::Line;

/// The lines, causes before effects.
pub fn sorted(mut lines: Vec<Line>) -> Vec<Line> {
    // A line without a time belongs to the one before it in its file; files come one after another.
    let mut last = Timestamp::from_micros(i64::MIN);
    let mut keyed: Vec<(Timestamp, Line)> = Vec::with_capacity(lines.len());
    for line in lines.drain(..) {
        last = line.time.unwrap_or(last);
        keyed.push((last, line));
    }
    // Stable: lines of one moment stay as they were written.
    keyed.sort_by_key(|(time, _)| *time);
    let (times, lines): (Vec<_>, Vec<_>) = keyed.into_iter().unzip();
    in_order(&causes(&lines), &times)
        .into_iter()
        .filter_map({
            let mut lines: Vec<_> = lines.into_iter().map(Some).collect();
            move |at| lines.get_mut(at)?.take()
        })
        .collect()
}

/// For each line, the lines that it comes after.
fn causes(lines: &[Line]) -> Vec<Vec<usize>> {
    let mut sayers: BTreeMap<EventType, Vec<usize>> = BTreeMap::new();
    for (at, line) in lines.iter().enumerate() {
        for event_type in &line.says {
            sayers.entry(*event_type).or_default().push(at);
        }
    }
    let mut last_of: BTreeMap<Service, usize> = BTreeMap::new();
    let mut causes = vec![Vec::new(); lines.len()];
    for (at, line) in lines.iter().enumerate() {
        let before = line.service.and_then(|service| last_of.insert(service, at));
        causes[at].extend(before);
        causes[at].extend(cause(line, lines, &sayers));
    }
    causes
}

/// The line that tells of the event that this line tells what came of. An answer carries the attempt
/// of what it answers; where that one is not in the logs (pruned, or said before a restart of the
/// attempt's count) the first to say it will do.
fn cause(line: &Line, lines: &[Line], sayers: &BTreeMap<EventType, Vec<usize>>) -> Option<usize> {
    let event_type = line.event_type?;
    // Who tells of an event and says the same one said it of its own accord.
    if line.says.contains(&event_type) {
        return None;
    }
    let sayers = sayers.get(&event_type)?;
    let same = sayers.iter().find(|at| lines[**at].attempt == line.attempt);
    same.or(sayers.first()).copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    /// `second service event>said+said attempt`, `-` for none.
    fn line(text: &str) -> Line {
        let mut words = text.split(' ');
        let mut word = || words.next().unwrap();
        let seconds: i64 = word().parse().unwrap();
        let service = word().parse().unwrap();
        let (event, says) = word().split_once('>').unwrap();
        let says = says.split('+').filter_map(|name| name.parse().ok());
        Line {
            text: text.to_owned(),
            time: Some(Timestamp::from_micros(seconds * 1_000_000)),
            service: Some(service),
            event_type: event.parse().ok(),
            says: says.collect(),
            attempt: word().parse().unwrap(),
        }
    }

    /// Given by file, as it must be.
    const COMPENSATED: [&str; 9] = [
        "0 order-svc order.created>order.created 0",
        "1 user-svc order.created>user.validated+payment.reserved 0",
        "2 inventory-svc payment.reserved>inventory.reserved 0",
        "3 item-svc inventory.reserved>item.reservation.failed 0",
        "4 inventory-svc item.reservation.failed>inventory.rollback 0",
        "5 user-svc inventory.rollback>payment.rollback 0",
        "6 order-svc payment.rollback>order.cancelled 0",
        "7 notify-svc order.cancelled>notification.sent 0",
        "8 order-svc notification.sent>- 0",
    ];

    /// Reads the lines file by file, sorts, and tells them without their times.
    fn sort(lines: &[String]) -> Vec<String> {
        let mut by_file: Vec<Line> = lines.iter().map(|text| line(text)).collect();
        by_file.sort_by_key(|line| line.service);
        let sorted = sorted(by_file).into_iter();
        sorted
            .map(|line| without_time(&line.text).to_owned())
            .collect()
    }

    fn without_time(text: &str) -> &str {
        text.split_once(' ').unwrap().1
    }

    #[test]
    fn time_alone_does_where_all_clocks_agree() {
        let lines: Vec<String> = COMPENSATED.map(str::to_owned).into();
        assert_eq!(sort(&lines), COMPENSATED.map(without_time));
    }

    #[test]
    fn causes_come_first_however_wrong_a_clock_is() {
        for service in Service::ALL {
            for skew in [-60, -1, 1, 60] {
                let skewed: Vec<String> = COMPENSATED
                    .iter()
                    .map(|text| {
                        let (seconds, rest) = text.split_once(' ').unwrap();
                        let is_its = rest.starts_with(service.as_str());
                        let skew = if is_its { skew } else { 0 };
                        format!("{} {rest}", seconds.parse::<i64>().unwrap() + skew)
                    })
                    .collect();
                let expected = COMPENSATED.map(without_time);
                assert_eq!(sort(&skewed), expected, "{service} {skew}");
            }
        }
    }

    #[test]
    fn an_answer_to_a_repeat_comes_after_the_repeat() {
        let lines = [
            "0 order-svc order.created>order.created 0",
            "9 order-svc order.created>order.created 1",
            // Its clock is late: by time it came before the repeat that it answers.
            "1 user-svc order.created>user.validated+payment.reserved 0",
            "2 user-svc order.created>payment.reserved 1",
            "1 inventory-svc payment.reserved>inventory.reserved 1",
        ];
        let sorted = sort(&lines.map(str::to_owned));
        let at = |text: &str| sorted.iter().position(|line| line == text).unwrap();
        let repeat = at("order-svc order.created>order.created 1");
        let answer = at("user-svc order.created>payment.reserved 1");
        let next = at("inventory-svc payment.reserved>inventory.reserved 1");
        assert!(repeat < answer && answer < next, "{sorted:#?}");
    }

    #[test]
    fn a_line_that_tells_of_no_event_stays_where_its_service_was() {
        let lines = [
            "0 order-svc order.created>order.created 0",
            // Far ahead, all of them.
            "60 user-svc order.created>payment.reserved 0",
            "61 user-svc ->- 0",
            "62 user-svc inventory.rollback>payment.rollback 0",
            "3 inventory-svc payment.reserved>inventory.rollback 0",
            "5 order-svc payment.rollback>order.cancelled 0",
        ];
        let sorted = sort(&lines.map(str::to_owned));
        let at = |text: &str| sorted.iter().position(|line| line == text).unwrap();
        assert!(at("user-svc ->- 0") < at("user-svc inventory.rollback>payment.rollback 0"));
        assert_eq!(
            sorted.last().unwrap(),
            "order-svc payment.rollback>order.cancelled 0"
        );
    }

    #[test]
    fn logs_that_contradict_themselves_are_shown_whole() {
        // The clock of order-svc was set back in between: it ended before it began.
        let lines = [
            "9 order-svc order.created>order.created 0",
            "5 user-svc order.created>payment.rollback 0",
            "1 order-svc payment.rollback>order.cancelled 0",
        ];
        let mut sorted = sort(&lines.map(str::to_owned));
        assert_eq!(sorted.len(), lines.len());
        sorted.sort();
        sorted.dedup();
        assert_eq!(sorted.len(), lines.len());
    }
}
