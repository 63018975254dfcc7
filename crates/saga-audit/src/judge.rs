//! Judges what was read: pure, so that it is the same over HTTP and over six files.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use saga_events::{OrderId, Service};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::check::{Check, CheckState, MOST_NAMED, Named};
use crate::laws::{self, Finding, Judged, LAWS};
use crate::report::{Report, SagaRow};
use crate::sums::{SUMS, Sum};

/// The order in which the services are to be read for a purchase: there and back, so that every
/// law has its left side read before its right side.
pub const LOOKS: [Service; 10] = [
    Service::Order,
    Service::Payment,
    Service::Item,
    Service::Inventory,
    Service::User,
    Service::Notify,
    Service::Inventory,
    Service::Item,
    Service::Payment,
    Service::Order,
];

/// So many reports, over eleven seconds, show that something is stuck. Fewer do not: a service or a
/// link that stood still comes back at its own time, and a relay notices a half-open connection only
/// after five seconds.
const WATCHED: usize = 13;
/// From one report of something that may be stuck to the next: most of it moves at once, so each wait
/// is twice as long as the one before, up to a longest one.
const FIRST_WAIT: Duration = Duration::from_millis(25);
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// An entry of the bus may be unread so long: its consumer may have been down, and is catching up.
const PENDING_AT_MOST_MS: i64 = 300_000;

/// What one service answered about some purchases.
#[derive(Debug, Clone)]
pub struct Look {
    /// Who was read.
    pub service: Service,
    /// Its rows; a purchase without one is untouched there.
    pub rows: BTreeMap<OrderId, SagaRow>,
}

/// The invariants, computed from all six services.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Audit {
    /// Nothing is violated, and nobody is missing.
    pub ok: bool,
    /// Nothing was under way while it was read: no open or untold order, no unpublished row.
    pub quiet: bool,
    /// How many purchases were looked at one by one.
    pub purchases: u64,
    /// Open orders that are older than they may be: no violation, but somebody should look.
    pub overdue: Vec<OrderId>,
    /// Events that left the line, in all services: reported, no violation.
    pub dead_letters: i64,
    /// Every law.
    pub checks: Vec<Check>,
    /// Who did not answer. What can be judged without them is judged.
    pub missing: Vec<Service>,
}

impl Audit {
    /// The checks whose sides contradict each other.
    pub fn violations(&self) -> impl Iterator<Item = &Check> {
        self.checks.iter().filter(|check| check.is_violated())
    }
}

/// Takes in what was read of the purchases, a batch at a time, and gives the verdict.
#[derive(Debug, Default)]
pub struct Judge {
    purchases: u64,
    missing: BTreeSet<Service>,
    tallies: BTreeMap<&'static str, Tally>,
    /// Purchases that do not add the same to both sides, by the sum's name.
    differing: BTreeMap<&'static str, Vec<OrderId>>,
}

/// What one law made of all purchases so far.
#[derive(Debug, Default)]
struct Tally {
    applied: i64,
    broken: i64,
    named: Vec<Check>,
}

impl Judge {
    /// Judges some purchases: what each service answered about them, in the order in which they
    /// were read (see [`LOOKS`]). A service that did not answer is left out, and
    /// [missed](Self::miss).
    pub fn look(&mut self, looks: &[Look]) {
        let orders: BTreeSet<OrderId> = looks.iter().flat_map(|l| l.rows.keys().copied()).collect();
        for order in orders {
            let seen: Vec<(Service, Option<&SagaRow>)> = looks
                .iter()
                .map(|look| (look.service, look.rows.get(&order)))
                .collect();
            self.purchases += 1;
            for law in LAWS {
                self.note(law.id, laws::judge(law, &seen));
            }
            self.note(laws::SPELLING, laws::spelling(&seen));
            self.note(laws::AMOUNTS, laws::amounts(&seen));
            for sum in SUMS {
                let last = |service| {
                    let mut looks = seen.iter().rev();
                    looks.find(|(who, _)| *who == service).map(|(_, row)| *row)
                };
                let differing = self.differing.entry(sum.id).or_default();
                if differing.len() < MOST_NAMED && !sum.agrees(last) {
                    differing.push(order);
                }
            }
        }
    }

    /// Notes that a service did not answer.
    pub fn miss(&mut self, service: Service) {
        self.missing.insert(service);
    }

    fn note(&mut self, law: &'static str, finding: Finding) {
        let tally = self.tallies.entry(law).or_default();
        tally.applied += i64::from(finding.applies);
        tally.broken += i64::from(!finding.broken.is_empty());
        let room = MOST_NAMED.saturating_sub(tally.named.len());
        tally.named.extend(finding.broken.into_iter().take(room));
    }

    /// The laws that every purchase has to keep.
    fn of_purchases(&mut self, quiet: bool) -> Vec<Check> {
        let mut checks = Vec::new();
        for law in names_of_laws() {
            let tally = self.tallies.remove(law).unwrap_or_default();
            let only_quiet = LAWS
                .iter()
                .any(|other| other.id == law && other.judged == Judged::Quiet);
            checks.extend(tally.checks(law, quiet || !only_quiet));
        }
        checks
    }

    /// The verdict of the purchases alone. What an earlier audit said of the services and of all
    /// purchases together stands where it was violated; where it held, it is in flight: it may have
    /// changed since.
    pub fn glance(mut self, earlier: Option<&Audit>) -> Audit {
        let laws = names_of_laws();
        let mut checks = self.of_purchases(false);
        match earlier {
            None => checks.extend(SUMS.iter().map(unknown)),
            Some(earlier) => {
                let rest = earlier.checks.iter().cloned();
                let rest = rest.filter(|check| !laws.contains(&check.id.as_str()));
                checks.extend(rest.map(|check| match check.is_violated() {
                    true => check,
                    false => check.in_flight(),
                }));
            }
        }
        let missing: Vec<Service> = self.missing.into_iter().collect();
        Audit {
            ok: missing.is_empty() && !checks.iter().any(Check::is_violated),
            quiet: false,
            purchases: self.purchases,
            overdue: earlier.map_or_else(Vec::new, |audit| audit.overdue.clone()),
            dead_letters: earlier.map_or(0, |audit| audit.dead_letters),
            checks,
            missing,
        }
    }

    /// The verdict. The first round of reports was read before the purchases, the second after them;
    /// more while they are [in doubt](Rounds::in_doubt).
    pub fn conclude(mut self, rounds: &Rounds) -> Audit {
        let (before, after) = (rounds.first(), rounds.last());
        let absent = |service: &Service| rounds.of(*service).is_none();
        self.missing.extend(Service::ALL.into_iter().filter(absent));
        let quiet = self.missing.is_empty() && rounds.quiet();

        let mut checks: Vec<Check> = before.iter().flat_map(|r| r.checks.clone()).collect();
        checks.extend(self.of_purchases(quiet));
        for sum in SUMS {
            let of = |service| after.iter().find(|report| report.service == service);
            let judged = sum
                .judge(of)
                .map(|check| match (quiet, check.is_violated()) {
                    (true, true) => check.naming(self.differing.remove(sum.id).unwrap_or_default()),
                    (true, false) => check,
                    (false, _) => check.in_flight(),
                });
            checks.push(judged.unwrap_or_else(|| unknown(sum)));
        }
        for service in Service::ALL {
            if let Some((_, after)) = rounds.of(service) {
                checks.push(nothing_open(after, quiet));
                checks.push(rounds.published(after));
                checks.push(rounds.acknowledged(after));
            }
        }
        let missing: Vec<Service> = self.missing.into_iter().collect();
        Audit {
            ok: missing.is_empty() && !checks.iter().any(Check::is_violated),
            quiet,
            purchases: self.purchases,
            overdue: after
                .iter()
                .flat_map(|report| report.overdue.clone())
                .collect(),
            dead_letters: after.iter().map(|report| report.dead_letters).sum(),
            checks,
            missing,
        }
    }
}

/// A sum of which no side was read.
fn unknown(sum: &Sum) -> Check {
    Check::equal(sum.id, [], []).in_flight()
}

fn names_of_laws() -> Vec<&'static str> {
    let mut names = Vec::new();
    let rest = [laws::SPELLING, laws::AMOUNTS];
    for name in LAWS.iter().map(|law| law.id).chain(rest) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

impl Tally {
    /// One check where the law holds, one for each violation where it does not.
    fn checks(self, law: &'static str, can_be_judged: bool) -> Vec<Check> {
        let (applied, kept) = (self.applied, self.applied - self.broken);
        let all = Check::equal(
            law,
            [("purchases that it speaks of", applied)],
            [("purchases that keep it", kept)],
        );
        let orders = self.named.iter().flat_map(|check| check.orders.clone());
        if !can_be_judged {
            return vec![all.naming(orders).in_flight()];
        }
        if self.broken == 0 {
            return vec![all];
        }
        let more_than_named = self.broken > i64::try_from(self.named.len()).unwrap_or(i64::MAX);
        let summary = more_than_named.then_some(all);
        self.named.into_iter().chain(summary).collect()
    }
}

/// What everybody who answered said about themselves, again and again.
#[derive(Debug, Clone)]
pub struct Rounds(Vec<Vec<Report>>);

impl Rounds {
    /// Begins with what was read before the purchases. Where no more follows, it was also true after
    /// them.
    pub fn new(before: Vec<Report>) -> Self {
        Self(vec![before])
    }

    /// Adds what was read after them.
    pub fn add(&mut self, reports: Vec<Report>) {
        self.0.push(reports);
    }

    fn first(&self) -> &[Report] {
        self.0.first().map_or(&[], Vec::as_slice)
    }

    fn last(&self) -> &[Report] {
        self.0.last().map_or(&[], Vec::as_slice)
    }

    fn of(&self, service: Service) -> Option<(&Report, &Report)> {
        by(self.first(), service).zip(by(self.last(), service))
    }

    /// Nothing was under way, and nothing has changed between the first and the last: whatever was
    /// read between them belongs together.
    fn quiet(&self) -> bool {
        let pairs = Service::ALL.into_iter().map(|service| self.of(service));
        pairs.into_iter().all(|pair| {
            pair.is_some_and(|(before, after)| {
                let closed = |report: &Report| report.service != Service::Order || report.open == 0;
                closed(before)
                    && closed(after)
                    && before.unpublished == 0
                    && after.unpublished == 0
                    && before.last_seq == after.last_seq
                    && before.totals == after.totals
            })
        })
    }

    /// Something has stood still since the first round, for too short a time to be called stuck: when
    /// to ask again.
    pub fn in_doubt(&self) -> Option<Duration> {
        let stands = |service| {
            self.stand_still(service, waits_for_redis) || self.stand_still(service, waits_unread)
        };
        let doubt = self.0.len() < WATCHED && Service::ALL.into_iter().any(stands);
        doubt.then(|| {
            let waited = self.0.windows(2).skip(1);
            waited.fold(FIRST_WAIT, |wait, _| (wait * 2).min(LONGEST_WAIT))
        })
    }

    /// From each round to the next, this service's report shows the same thing waiting.
    fn stand_still(&self, service: Service, waits: fn(&Report, &Report) -> bool) -> bool {
        let same = |rounds: &[Vec<Report>]| match rounds {
            [before, after] => by(before, service)
                .zip(by(after, service))
                .is_some_and(|(before, after)| waits(before, after)),
            _ => false,
        };
        self.0.len() > 1 && self.0.windows(2).all(same)
    }

    fn are_stuck(&self, service: Service, waits: fn(&Report, &Report) -> bool) -> bool {
        self.0.len() >= WATCHED && self.stand_still(service, waits)
    }

    /// What was said is published sooner or later: it is a violation where nothing moves though Redis
    /// is there.
    fn published(&self, last: &Report) -> Check {
        let check = Check::equal(
            "everything-published",
            [("last row of the outbox", last.last_seq)],
            [("published", last.published)],
        );
        let check = check.about(last.service.as_str());
        if last.unpublished == 0 {
            // The relay's position may be ahead of the last row: published rows are pruned.
            return Check {
                state: CheckState::Holds,
                ..check
            };
        }
        let check = Check {
            difference: Some(last.unpublished),
            ..check
        };
        if self.are_stuck(last.service, waits_for_redis) {
            check.naming(last.unpublished_orders.iter().copied())
        } else {
            check.in_flight()
        }
    }

    /// Every entry of the bus is read and acknowledged sooner or later: it is a violation where the
    /// oldest one stays.
    fn acknowledged(&self, last: &Report) -> Check {
        let id = "everything-acknowledged";
        let service = last.service.as_str();
        let Some(pending) = last.pending else {
            let unknown = vec![Named::text("pending", "unknown: Redis is away")];
            return Check::of_sides(id, unknown, vec![])
                .about(service)
                .in_flight();
        };
        let check = Check::equal(id, [("pending", pending)], [("none", 0)]).about(service);
        if pending == 0 || self.are_stuck(last.service, waits_unread) {
            check
        } else {
            check.in_flight()
        }
    }
}

fn by(round: &[Report], service: Service) -> Option<&Report> {
    round.iter().find(|report| report.service == service)
}

/// The outbox has rows for Redis, which answers, and the relay is where it was.
fn waits_for_redis(before: &Report, after: &Report) -> bool {
    let could_be_published = |report: &Report| report.unpublished > 0 && report.pending.is_some();
    could_be_published(before) && could_be_published(after) && before.published == after.published
}

/// The oldest entry of the bus is old, and was the oldest before: it is older by the time that has
/// passed, where another one would be younger.
fn waits_unread(before: &Report, after: &Report) -> bool {
    let apart = i64::try_from(after.at.since(before.at).as_millis()).unwrap_or(i64::MAX);
    let ages = before.oldest_pending_ms.zip(after.oldest_pending_ms);
    ages.is_some_and(|(before, after)| {
        after > PENDING_AT_MOST_MS && after >= before.saturating_add(apart / 2)
    })
}

/// Once every order has ended and its buyer was told, nobody holds anything.
fn nothing_open(report: &Report, quiet: bool) -> Check {
    let check = Check::equal("nothing-open", [("open", report.open)], [("none", 0)]);
    let check = check.about(report.service.as_str());
    if quiet || report.open == 0 {
        check
    } else {
        check.in_flight()
    }
}

#[cfg(test)]
mod tests;
