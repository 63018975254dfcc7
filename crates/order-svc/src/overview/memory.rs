//! What is remembered from one picture to the next: since when everybody is as it is, and what was
//! said in all.

use std::collections::BTreeMap;

use saga_events::{EventType, Service, Timestamp};
use svc_chassis::http::Status;

use super::{Answer, Counts, RedisSeen, ServiceSeen};

/// What was seen so far.
pub(super) struct Memory {
    /// When looking began: what a process has said that started later is all news.
    began: Timestamp,
    standings: BTreeMap<Service, Standing>,
    redis: Option<RedisSeen>,
    heard: BTreeMap<Service, Heard>,
    said: Counts,
}

/// How a service was seen, from when on.
struct Standing {
    is: Is,
    since: Timestamp,
}

/// How a service is: a process that took another's place is not as before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Is {
    up: bool,
    ready: bool,
    life: Option<Timestamp>,
}

/// What one process has said so far.
struct Heard {
    life: Timestamp,
    said: BTreeMap<EventType, u64>,
}

impl Memory {
    /// Nothing yet.
    pub fn new(began: Timestamp) -> Self {
        Self {
            began,
            standings: BTreeMap::new(),
            redis: None,
            heard: BTreeMap::new(),
            said: [0; EventType::ALL.len()],
        }
    }

    /// How many events of each type were said since looking began, as far as was seen: what a process
    /// said between the last look and its end is not known.
    pub fn said(&self) -> Counts {
        self.said
    }

    /// Takes in what everybody answered.
    pub fn note(
        &mut self,
        at: Timestamp,
        answers: &[(Service, Answer)],
    ) -> (RedisSeen, Vec<ServiceSeen>) {
        let told = || {
            answers.iter().filter_map(|(_, answer)| match answer {
                Answer::Told(status) => Some(status),
                Answer::Ill(_) | Answer::Silent(_) => None,
            })
        };
        for status in told() {
            self.hear(status);
        }
        // One that reaches it is enough: the others' way to it may be cut.
        let up = told().any(|status| status.redis_up);
        let since = match self.redis {
            Some(before) if before.up == up => before.since,
            Some(_) | None => at,
        };
        let redis = RedisSeen { up, since };
        self.redis = Some(redis);
        let services = answers
            .iter()
            .map(|(service, answer)| self.seen(at, *service, answer));
        (redis, services.collect())
    }

    fn seen(&mut self, at: Timestamp, name: Service, answer: &Answer) -> ServiceSeen {
        let (status, error) = match answer {
            Answer::Told(status) => (Some(status), status.error.clone()),
            Answer::Ill(why) | Answer::Silent(why) => (None, Some(why.clone())),
        };
        let is = Is {
            up: !matches!(answer, Answer::Silent(_)),
            ready: status.is_some_and(|status| status.ready),
            life: status.map(|status| status.since),
        };
        let since = match self.standings.get(&name) {
            Some(before) if before.is == is => before.since,
            Some(_) | None => at,
        };
        self.standings.insert(name, Standing { is, since });
        ServiceSeen {
            name,
            up: is.up,
            ready: is.ready,
            since,
            error,
            lag: status.and_then(|status| status.lag),
            lag_ms: status.and_then(|status| status.lag_ms),
            outbox_age_ms: status.and_then(|status| status.outbox_age_ms),
            unpublished: status.map(|status| status.unpublished),
            dead_letters: status.and_then(|status| status.dead_letters),
        }
    }

    fn hear(&mut self, status: &Status) {
        let before = self.heard.get(&status.service);
        for (event_type, count) in &status.said {
            let known = match before {
                Some(heard) if heard.life == status.since => {
                    heard.said.get(event_type).copied().unwrap_or(0)
                }
                // It has begun while we looked: all that it says is news.
                Some(_) => 0,
                None if status.since > self.began => 0,
                None => *count,
            };
            self.said[*event_type as usize] += count.saturating_sub(known);
        }
        let heard = Heard {
            life: status.since,
            said: status.said.clone(),
        };
        self.heard.insert(status.service, heard);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000)
    }

    fn told(life: i64, said: u64) -> Answer {
        Answer::Told(Box::new(Status {
            service: Service::Item,
            version: "0".to_owned(),
            since: at(life),
            ready: true,
            error: None,
            redis_up: true,
            lag: Some(0),
            lag_ms: Some(0),
            outbox_age_ms: Some(0),
            unpublished: 0,
            dead_letters: Some(0),
            said: BTreeMap::from([(EventType::ItemReserved, said)]),
        }))
    }

    fn silent() -> Answer {
        Answer::Silent("no answer".to_owned())
    }

    /// Since when, after each of these answers, a second apart from 100 s on.
    fn since(answers: impl IntoIterator<Item = Answer>) -> Vec<i64> {
        let mut memory = Memory::new(at(50));
        let one = |(n, answer)| {
            let seen = memory.note(at(n), &[(Service::Item, answer)]).1.remove(0);
            seen.since.micros() / 1_000_000
        };
        (100..).zip(answers).map(one).collect()
    }

    #[test]
    fn a_service_is_as_it_is_since_that_was_seen_first() {
        let answers = [told(1, 0), told(1, 0), silent(), silent(), told(103, 0)];
        assert_eq!(since(answers), [100, 100, 102, 102, 104]);
    }

    #[test]
    fn a_process_that_took_the_place_of_another_is_not_as_before() {
        assert_eq!(
            since([told(1, 0), told(101, 0), told(101, 0)]),
            [100, 101, 101]
        );
    }

    #[test]
    fn redis_is_up_while_anybody_reaches_it() {
        let mut memory = Memory::new(at(50));
        let mut redis = |n, answers: &[(Service, Answer)]| {
            let redis = memory.note(at(n), answers).0;
            (redis.up, redis.since.micros() / 1_000_000)
        };
        let both = [(Service::User, silent()), (Service::Item, told(1, 0))];
        assert_eq!(redis(100, &both), (true, 100));
        assert_eq!(redis(101, &both), (true, 100));
        assert_eq!(redis(102, &[(Service::Item, silent())]), (false, 102));
    }

    #[test]
    fn what_was_said_before_anybody_looked_is_no_news_and_a_new_process_says_only_news() {
        let mut memory = Memory::new(at(50));
        let mut said = |answer| {
            memory.note(at(100), &[(Service::Item, answer)]);
            memory.said()[EventType::ItemReserved as usize]
        };
        assert_eq!(said(told(1, 1_000)), 0);
        assert_eq!(said(told(1, 1_007)), 7);
        assert_eq!(said(silent()), 7);
        assert_eq!(said(told(60, 3)), 10);
        assert_eq!(said(told(60, 5)), 12);
        assert_eq!(said(told(60, 5)), 12);
    }

    #[test]
    fn a_service_that_starts_after_looking_began_says_only_news() {
        let mut memory = Memory::new(at(50));
        memory.note(at(100), &[(Service::Item, told(60, 3))]);
        assert_eq!(memory.said()[EventType::ItemReserved as usize], 3);
    }
}
