//! How much of a purchase somebody has seen.

use saga_events::Service;
use saga_timeline::Timeline;
use saga_timeline::timeline::Event;

/// How many events of each service's journal were seen. Journals only grow while a purchase is under
/// way, so it means the same at every process and after every restart.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SeenOf([usize; Service::ALL.len()]);

impl SeenOf {
    /// Six numbers, joined by dots.
    pub fn read(id: &str) -> Option<Self> {
        let counts: Result<Vec<usize>, _> = id.split('.').map(str::parse).collect();
        counts.ok()?.try_into().ok().map(Self)
    }

    /// As it is read again.
    pub fn id(self) -> String {
        self.0.map(|count| count.to_string()).join(".")
    }

    /// What is new, in causal order, each with what was seen then.
    pub fn news(self, timeline: &Timeline) -> impl Iterator<Item = (Self, &Event)> {
        let (mut passed, mut seen) = (Self::default(), self);
        timeline.events.iter().filter_map(move |event| {
            let place = event.service as usize;
            passed.0[place] += 1;
            if passed.0[place] <= self.0[place] {
                return None;
            }
            seen.0[place] = passed.0[place];
            Some((seen, event))
        })
    }
}

/// Nothing is to come, and nobody is missing who may have said something.
pub fn is_over(timeline: &Timeline) -> bool {
    timeline.expected.is_empty() && timeline.missing.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_comes_back_as_it_was() {
        let seen = SeenOf([3, 2, 0, 0, 1, 0]);
        assert_eq!(seen.id(), "3.2.0.0.1.0");
        assert_eq!(SeenOf::read("3.2.0.0.1.0"), Some(seen));
        for wrong in [
            "",
            "1",
            "1.2.3.4.5",
            "1.2.3.4.5.6.7",
            "1.2.3.4.5.-6",
            "a.b.c.d.e.f",
        ] {
            assert_eq!(SeenOf::read(wrong), None, "{wrong}");
        }
    }
}
