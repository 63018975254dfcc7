//! What order-svc counts beside what all services count: how purchases end, how many have not, and
//! what it took to bring them there.

use std::fmt;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use diesel::QueryResult;
use diesel::sqlite::SqliteConnection;
use saga_events::{ReasonCode, Timestamp};
use saga_timeline::Timeline;
use saga_timeline::conformance::Wrong;
use svc_chassis::metrics::{Counter, Histogram, Measures, Page};

use crate::load::Load;
use crate::saga::Status;
use crate::store::{self, StoredOrder};

/// No open purchase, in place of the time when the oldest began.
const NONE_OPEN: i64 = i64::MAX;

/// The figures of all purchases; what the writer adds, it adds after the commit.
#[derive(Debug)]
pub struct Figures {
    begun: Counter,
    completed: Counter,
    /// One for each reason, in their order.
    cancelled: [Counter; ReasonCode::ALL.len()],
    completed_seconds: Histogram,
    cancelled_seconds: Histogram,
    /// One for each status, whose event was repeated.
    repeats: [Counter; Status::ALL.len()],
    timelines: Counter,
    /// One for each thing that can be wrong with a path.
    problems: [Counter; Wrong::ALL.len()],
    audits: Counter,
    /// The violated laws that the last audit found.
    violations: AtomicUsize,
    /// When the oldest open purchase began, in microseconds since 1970.
    oldest: AtomicI64,
    load: Load,
}

impl Figures {
    /// Nothing yet. `load` knows how many purchases are open.
    pub fn new(load: Load) -> Self {
        Self {
            begun: Counter::default(),
            completed: Counter::default(),
            cancelled: Default::default(),
            completed_seconds: Histogram::of_seconds(),
            cancelled_seconds: Histogram::of_seconds(),
            repeats: Default::default(),
            timelines: Counter::default(),
            problems: Default::default(),
            audits: Counter::default(),
            violations: AtomicUsize::new(0),
            oldest: AtomicI64::new(NONE_OPEN),
            load,
        }
    }

    /// A purchase has begun.
    pub fn begun(&self) {
        self.begun.add(1);
    }

    /// A purchase is final.
    pub fn ended(&self, stored: &StoredOrder) {
        let (ended, seconds) = match stored.order.reason {
            None => (&self.completed, &self.completed_seconds),
            Some(reason) => (
                &self.cancelled[reason.reason_code as usize],
                &self.cancelled_seconds,
            ),
        };
        ended.add(1);
        seconds.took(stored.updated_at.since(stored.created_at));
    }

    /// What a purchase in this status has to say was said again.
    pub fn repeated(&self, status: Status) {
        self.repeats[status as usize].add(1);
    }

    /// How many events were said again.
    pub fn repeats(&self) -> u64 {
        self.repeats.iter().map(Counter::get).sum()
    }

    /// A purchase was followed through all six services.
    pub fn followed(&self, timeline: &Timeline) {
        self.timelines.add(1);
        for problem in &timeline.conformance.problems {
            self.problems[problem.code as usize].add(1);
        }
    }

    /// How many purchases were followed.
    pub fn timelines(&self) -> u64 {
        self.timelines.get()
    }

    /// All six were audited, with so many violations.
    pub fn audited(&self, violations: usize) {
        self.violations.store(violations, Ordering::Relaxed);
        self.audits.add(1);
    }

    /// Looks which open purchase is the oldest.
    ///
    /// # Errors
    /// The database's.
    pub fn look(&self, conn: &mut SqliteConnection) -> QueryResult<()> {
        let oldest = store::oldest_open(conn)?.map_or(NONE_OPEN, Timestamp::micros);
        self.oldest.store(oldest, Ordering::Relaxed);
        Ok(())
    }
}

impl Measures for Figures {
    fn write(&self, page: &mut Page<'_>) -> fmt::Result {
        let (completed, cancelled) = (Status::Completed.as_str(), Status::Cancelled.as_str());
        let help = "Purchases begun";
        page.counter("saga_purchases_begun_total", help, self.begun.get())?;
        let reasons = ReasonCode::ALL.iter().zip(&self.cancelled);
        let reasons = reasons.map(|(reason, count)| {
            let labels = [("outcome", cancelled), ("reason", reason.as_str())];
            (labels, count.get())
        });
        let all = [("outcome", completed), ("reason", "none")];
        let all = std::iter::once((all, self.completed.get())).chain(reasons);
        let help = "Purchases that became final, and why they were cancelled";
        page.counters("saga_purchases_total", help, all)?;
        let seconds = [
            ([("outcome", completed)], &self.completed_seconds),
            ([("outcome", cancelled)], &self.cancelled_seconds),
        ];
        let help = "How long purchases took from their beginning until they were final";
        page.histograms("saga_purchase_seconds", help, seconds)?;
        let open = u32::try_from(self.load.open()).unwrap_or(0);
        let help = "Purchases that are not final";
        page.gauge("saga_open_purchases", help, Some(open.into()))?;
        let oldest = Timestamp::from_micros(self.oldest.load(Ordering::Relaxed));
        // Zero also where there is none: that is later than now.
        let age = Timestamp::now().since(oldest).as_secs_f64();
        let help = "Age of the oldest purchase that is not final; 0: there is none";
        page.gauge("saga_open_oldest_seconds", help, Some(age))?;
        let repeats = Status::ALL.iter().zip(&self.repeats);
        let repeats =
            repeats.map(|(status, count)| ([("type", status.says().as_str())], count.get()));
        let help =
            "Events said again since there was no news: a message was lost, or somebody is away";
        page.counters("saga_repeats_total", help, repeats)?;
        let help = "Times that a purchase was followed through all six services";
        page.counter("saga_timelines_total", help, self.timelines.get())?;
        let problems = Wrong::ALL.iter().zip(&self.problems);
        let problems = problems.map(|(wrong, count)| ([("problem", wrong.as_str())], count.get()));
        let help = "What was found on their ways that the protocol does not allow";
        page.counters("saga_timeline_problems_total", help, problems)?;
        let audits = self.audits.get();
        let help = "Times that GET /audit has audited all six services";
        page.counter("saga_audits_total", help, audits)?;
        let violations = u32::try_from(self.violations.load(Ordering::Relaxed)).unwrap_or(u32::MAX);
        let help = "Laws that the last GET /audit found violated; missing before the first";
        let violations = (audits > 0).then_some(violations.into());
        page.gauge("saga_audit_violations", help, violations)
    }
}
