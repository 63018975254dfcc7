//! The line with the purchases that are on it, drawn again and again.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use saga_events::{EventType, OrderId, Phase, Service, Timestamp};

use super::Said;
use crate::screen::{Screen, Tone};

/// Events that stay on the screen.
const SHOWN: usize = 14;
/// Rates are over this time.
const RATE: Duration = Duration::from_secs(5);
/// A purchase that nothing was heard of for so long is not counted any more: its end was missed.
const FORGET: Duration = Duration::from_secs(300);
/// Purchases that are counted on the line at most; the rest is told as a number.
const MOST: usize = 20_000;

/// Where a purchase is: what was said of it last.
#[derive(Debug, Clone, Copy)]
struct Place {
    last: EventType,
    time: Timestamp,
}

/// What is on the line, and what was.
#[derive(Debug, Default)]
pub struct Picture {
    open: BTreeMap<OrderId, Place>,
    last: VecDeque<Said>,
    there: VecDeque<Timestamp>,
    back: VecDeque<Timestamp>,
    completed: u64,
    cancelled: u64,
    repeats: u64,
    missed: bool,
}

impl Picture {
    /// Something was said, and heard at this time.
    pub fn said(&mut self, said: Said, now: Timestamp) {
        let spec = said.event_type.spec();
        if said.attempt > 0 {
            self.repeats += 1;
        } else {
            match spec.phase {
                Phase::Begin => self.there.push_back(now),
                Phase::Final => self.back.push_back(now),
                _ => {}
            }
            match said.event_type {
                EventType::OrderCompleted => self.completed += 1,
                EventType::OrderCancelled => self.cancelled += 1,
                _ => {}
            }
        }
        if spec.phase == Phase::Close {
            self.open.remove(&said.order);
        } else if spec.phase != Phase::Inform && self.open.len() < MOST {
            let (last, time) = (said.event_type, now);
            self.open.insert(said.order, Place { last, time });
        }
        if self.last.len() >= SHOWN {
            self.last.pop_front();
        }
        self.last.push_back(said);
    }

    /// Some was said that is not known here.
    pub fn missed(&mut self) {
        self.missed = true;
    }

    /// The picture, line by line, always as many.
    pub fn lines(&mut self, screen: &Screen, now: Timestamp) -> Vec<String> {
        self.open.retain(|_, place| now.since(place.time) < FORGET);
        for times in [&mut self.there, &mut self.back] {
            while times.front().is_some_and(|time| now.since(*time) > RATE) {
                times.pop_front();
            }
        }
        let rate = |times: &VecDeque<Timestamp>| times.len() as u64 / RATE.as_secs();
        let mut counts: BTreeMap<(Service, bool), usize> = BTreeMap::new();
        for place in self.open.values() {
            let spec = place.last.spec();
            *counts
                .entry((spec.publisher, is_back(spec.phase)))
                .or_default() += 1;
        }
        let row = |back: bool| {
            let cells = Service::ALL.into_iter().map(|service| {
                let count = counts.get(&(service, back)).copied().unwrap_or(0);
                let text = if count == 0 {
                    "·".to_owned()
                } else {
                    count.to_string()
                };
                format!("{text:<15}")
            });
            cells.collect::<String>()
        };
        let names = Service::ALL
            .map(|service| format!("{:<15}", service.as_str()))
            .concat();
        let missed = if self.missed {
            "   some was missed"
        } else {
            ""
        };
        let mut lines = vec![
            screen.paint(Some(Tone::Faint), format!("            {names}")),
            format!("there  >>>  {}{}/s", row(false), rate(&self.there)),
            format!("back   <<<  {}{}/s", row(true), rate(&self.back)),
            format!(
                "{}   {}   {} repeats{missed}",
                screen.paint(Some(Tone::Good), format!("{} completed", self.completed)),
                screen.paint(Some(Tone::Back), format!("{} cancelled", self.cancelled)),
                self.repeats,
            ),
            String::new(),
        ];
        lines.extend(self.last.iter().map(|said| said.line(screen)));
        lines.resize(5 + SHOWN, String::new());
        lines
    }
}

/// Whether a purchase is on its way back once this was said.
const fn is_back(phase: Phase) -> bool {
    match phase {
        Phase::Begin | Phase::Inform | Phase::Reserve | Phase::Request => false,
        Phase::Refuse
        | Phase::Pivot
        | Phase::Confirm
        | Phase::Compensate
        | Phase::Final
        | Phase::Close => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_micros(millis * 1_000)
    }

    fn say(picture: &mut Picture, order: OrderId, event_type: EventType, attempt: u32) {
        let said = Said {
            order,
            event_type,
            attempt,
            time: at(0),
        };
        picture.said(said, at(0));
    }

    #[test]
    fn every_purchase_is_counted_where_it_was_heard_of_last() {
        let (mut picture, screen) = (Picture::default(), Screen::stdout());
        let (one, other) = (OrderId::new(), OrderId::new());
        for order in [one, other] {
            say(&mut picture, order, EventType::OrderCreated, 0);
            say(&mut picture, order, EventType::PaymentReserved, 0);
            say(&mut picture, order, EventType::UserValidated, 0);
        }
        say(
            &mut picture,
            other,
            EventType::InventoryReservationFailed,
            0,
        );
        say(&mut picture, one, EventType::PaymentReserved, 1);
        let lines = picture.lines(&screen, at(100));
        assert!(
            lines[1].contains("·              1              ·"),
            "{}",
            lines[1]
        );
        assert!(
            lines[2].contains("·              ·              1"),
            "{}",
            lines[2]
        );
        assert!(
            lines[3].contains("0 completed") && lines[3].contains("1 repeats"),
            "{}",
            lines[3]
        );
        let height = lines.len();
        for order in [one, other] {
            say(&mut picture, order, EventType::OrderCancelled, 0);
            say(&mut picture, order, EventType::NotificationSent, 0);
        }
        let lines = picture.lines(&screen, at(100));
        assert!(lines[3].contains("2 cancelled"), "{}", lines[3]);
        assert!(picture.open.is_empty());
        assert_eq!(lines.len(), height);
    }

    #[test]
    fn what_was_long_ago_is_forgotten() {
        let (mut picture, screen) = (Picture::default(), Screen::stdout());
        for _ in 0..10 {
            say(&mut picture, OrderId::new(), EventType::OrderCreated, 0);
        }
        assert!(picture.lines(&screen, at(1_000))[1].ends_with("2/s"));
        assert!(picture.lines(&screen, at(6_000))[1].ends_with("0/s"));
        assert_eq!(picture.open.len(), 10);
        picture.lines(&screen, at(301_000));
        assert!(picture.open.is_empty());
    }
}
