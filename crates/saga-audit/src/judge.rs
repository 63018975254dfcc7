//! Judges what was read: pure, so that it is the same over HTTP and over six files.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use saga_events::{OrderId, Service};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::check::{Check, CheckState, MOST_NAMED, Named};
use crate::laws::{self, Finding, Judged, LAWS};
use crate::report::{Report, SagaRow};
use crate::sums::SUMS;

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

/// Reports this far apart show whether something moves or is stuck.
pub const APART: Duration = Duration::from_secs(2);

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

    /// The verdict. `before` was read before the purchases, `after` after them, by everybody who
    /// answered; where something waits to be published or acknowledged, they tell whether it is
    /// stuck only if they are [`APART`].
    pub fn conclude(mut self, before: &[Report], after: &[Report]) -> Audit {
        let rounds = Rounds { before, after };
        let absent = |service: &Service| rounds.of(*service).is_none();
        self.missing.extend(Service::ALL.into_iter().filter(absent));
        let quiet = self.missing.is_empty() && rounds.quiet();

        let mut checks: Vec<Check> = before.iter().flat_map(|r| r.checks.clone()).collect();
        for law in names_of_laws() {
            let tally = self.tallies.remove(law).unwrap_or_default();
            let only_quiet = LAWS
                .iter()
                .any(|other| other.id == law && other.judged == Judged::Quiet);
            checks.extend(tally.checks(law, quiet || !only_quiet));
        }
        for sum in SUMS {
            let of = |service| after.iter().find(|report| report.service == service);
            let judged = sum
                .judge(of)
                .map(|check| match (quiet, check.is_violated()) {
                    (true, true) => check.naming(self.differing.remove(sum.id).unwrap_or_default()),
                    (true, false) => check,
                    (false, _) => check.in_flight(),
                });
            let unknown = || Check::equal(sum.id, [], []).in_flight();
            checks.push(judged.unwrap_or_else(unknown));
        }
        for service in Service::ALL {
            if let Some((before, after)) = rounds.of(service) {
                checks.push(nothing_open(after, quiet));
                checks.push(published(before, after));
                checks.push(acknowledged(before, after));
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

/// Two readings of everybody's reports.
#[derive(Clone, Copy)]
struct Rounds<'a> {
    before: &'a [Report],
    after: &'a [Report],
}

impl<'a> Rounds<'a> {
    fn of(self, service: Service) -> Option<(&'a Report, &'a Report)> {
        let find = |round: &'a [Report]| round.iter().find(|report| report.service == service);
        find(self.before).zip(find(self.after))
    }

    /// Nothing was under way, and nothing has changed between the two: whatever was read between
    /// them belongs together.
    fn quiet(self) -> bool {
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

/// What was said is published sooner or later: it is a violation where nothing moves though Redis
/// is there.
fn published(before: &Report, after: &Report) -> Check {
    let check = Check::equal(
        "everything-published",
        [("last row of the outbox", after.last_seq)],
        [("published", after.published)],
    );
    let check = check.about(after.service.as_str());
    if after.unpublished == 0 {
        // The relay's position may be ahead of the last row: published rows are pruned.
        return Check {
            state: CheckState::Holds,
            ..check
        };
    }
    let stuck = before.unpublished > 0
        && before.published == after.published
        && before.pending.is_some()
        && after.pending.is_some()
        && after.at.since(before.at) >= APART;
    let check = Check {
        difference: Some(after.unpublished),
        ..check
    };
    if stuck {
        check.naming(after.unpublished_orders.iter().copied())
    } else {
        check.in_flight()
    }
}

/// Every entry of the bus is read and acknowledged sooner or later: it is a violation where the
/// oldest one stays.
fn acknowledged(before: &Report, after: &Report) -> Check {
    let id = "everything-acknowledged";
    let service = after.service.as_str();
    let Some(pending) = after.pending else {
        let unknown = vec![Named::text("pending", "unknown: Redis is away")];
        return Check::of_sides(id, unknown, vec![])
            .about(service)
            .in_flight();
    };
    let check = Check::equal(id, [("pending", pending)], [("none", 0)]).about(service);
    let apart = after.at.since(before.at);
    let apart_ms = i64::try_from(apart.as_millis()).unwrap_or(i64::MAX);
    // The same entry is older by the time that has passed; another one is younger.
    let stays = before
        .oldest_pending_ms
        .zip(after.oldest_pending_ms)
        .is_some_and(|(before, after)| {
            after >= before.saturating_add(apart_ms / 2) && after > PENDING_AT_MOST_MS
        });
    if pending == 0 || (stays && apart >= APART) {
        check
    } else {
        check.in_flight()
    }
}

#[cfg(test)]
mod tests;
