//! The audit's part of a service: what it says about itself in one read transaction, and what its
//! `store/audit.rs` says it with.

mod journal;
mod law;

use std::time::Duration;

use diesel::prelude::*;
use saga_audit::{Check, Named, Report};
use saga_events::{OrderId, Timestamp};

use crate::chassis::Chassis;
use crate::error::Error;
use crate::service::Service;
use crate::{dead_letters, outbox};

pub use journal::{Journal, Said, journal};
pub use law::{Law, every_row, law, number};

/// Some of the orders that wait to be published are named.
const WAITING_NAMED: i64 = 20;
/// Longer than Redis ever needs for an answer: where none comes, it is away.
const REDIS: Duration = Duration::from_secs(1);
/// Published rows of the journal are kept so long unless configured otherwise.
const JOURNAL_KEPT: Duration = Duration::from_secs(7 * 24 * 3600);
/// A row may be pruned while it is looked for.
const MARGIN: Duration = Duration::from_secs(60);

/// What an audit is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked {
    /// When, by the wall clock.
    pub now: Timestamp,
    /// Whether the laws are judged; totals alone cost less.
    pub checks: bool,
    /// What was said before may be pruned, where the purchase has ended.
    pub journal_since: Timestamp,
    /// Rows and journal are compared from then on.
    pub since: Timestamp,
}

impl Asked {
    /// For what there is now.
    pub fn at(now: Timestamp, checks: bool) -> Self {
        Self {
            now,
            checks,
            journal_since: now.minus(JOURNAL_KEPT).plus(MARGIN),
            since: Timestamp::from_micros(0),
        }
    }

    /// Of a service that keeps the published rows of its journal for so long.
    #[must_use]
    pub fn journal_kept(self, kept: Duration) -> Self {
        Self {
            journal_since: self.now.minus(kept).plus(MARGIN),
            ..self
        }
    }

    /// Compares rows and journal from then on only, which is less to read.
    #[must_use]
    pub fn since(self, since: Timestamp) -> Self {
        Self { since, ..self }
    }
}

/// What a service's own tables add up to.
#[derive(Debug, Clone, Default)]
pub struct Accounts {
    /// Sums by their names, which the laws across services compare.
    pub totals: Vec<Named>,
    /// Rows that are under way.
    pub open: i64,
    /// Purchases that are under way for longer than they may be.
    pub overdue: Vec<OrderId>,
    /// How long the oldest is past its deadline, in milliseconds.
    pub oldest_overdue_ms: Option<i64>,
    /// The laws that the service can judge alone.
    pub checks: Vec<Check>,
}

/// What an audit finds outside of the service's database.
#[derive(Debug, Clone, Default)]
pub struct Beyond {
    /// Sums by their names.
    pub totals: Vec<Named>,
    /// Laws between the database and what is outside of it.
    pub checks: Vec<Check>,
}

/// What a service's database says, read in the caller's transaction. `published`: how far the relay
/// has come; unless given, as far as it is remembered. What only a running service knows is left
/// open.
///
/// # Errors
/// The database's.
pub fn report<S: Service>(
    conn: &mut SqliteConnection,
    asked: &Asked,
    published: Option<i64>,
) -> QueryResult<Report> {
    let published = match published {
        Some(published) => published,
        None => outbox::published(conn)?,
    };
    let last_seq = outbox::last_seq(conn)?;
    let Accounts {
        totals,
        open,
        overdue,
        oldest_overdue_ms,
        checks,
    } = S::audit(conn, asked)?;
    Ok(Report {
        service: S::ME,
        at: asked.now,
        last_seq,
        published,
        unpublished: last_seq.saturating_sub(published).max(0),
        unpublished_orders: outbox::unpublished(conn, published, WAITING_NAMED)?,
        open,
        overdue,
        oldest_overdue_ms,
        dead_letters: dead_letters::count(conn)?,
        pending: None,
        oldest_pending_ms: None,
        totals,
        checks,
    })
}

/// What a running service says about itself.
///
/// # Errors
/// The database's.
pub async fn live<S: Service>(
    service: &S,
    chassis: &Chassis,
    checks: bool,
    since: Option<Timestamp>,
) -> Result<Report, Error> {
    let kept = Duration::from_secs(chassis.settings.retention.journal_s);
    let asked = Asked::at(Timestamp::now(), checks).journal_kept(kept);
    let asked = since.map_or(asked, |since| asked.since(since));
    // Before the transaction: what is published meanwhile is called unpublished, never the other
    // way round.
    let published = chassis.published.seq();
    let read = move |conn: &mut SqliteConnection| Ok(report::<S>(conn, &asked, Some(published))?);
    let mut report = chassis.readers.read(read).await?;
    if let Ok(Ok(pending)) = tokio::time::timeout(REDIS, chassis.bus.pending()).await {
        report.pending = i64::try_from(pending.entries).ok();
        let oldest = pending.oldest.map(|age| i64::try_from(age.as_millis()));
        report.oldest_pending_ms = oldest.and_then(Result::ok);
    }
    let Beyond { totals, checks } = service.audit_beyond(chassis, &asked).await;
    report.totals.extend(totals);
    report.checks.extend(checks);
    Ok(report)
}
