#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use saga_events::{EventType, Message, Payload, Settled};
use uuid::Uuid;

use super::*;
use crate::schema::idempotency_keys;
use crate::testing::Bench;
use crate::writer::Cause;

const FOREVER: Timestamp = Timestamp::from_micros(i64::MAX);

struct Fixture {
    bench: Bench,
    folder: tempfile::TempDir,
    /// The orders that are over.
    over: BTreeSet<OrderId>,
}

fn order(n: u128) -> OrderId {
    OrderId::from_uuid(Uuid::from_u128(n))
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            bench: Bench::open(folder.path(), &[]).unwrap(),
            folder,
            over: BTreeSet::new(),
        }
    }

    fn restarted(self) -> Self {
        let Self {
            bench,
            folder,
            over,
        } = self;
        drop(bench);
        Self {
            bench: Bench::open(folder.path(), &[]).unwrap(),
            folder,
            over,
        }
    }

    /// Says something about this order; answers when, and under which number.
    fn say(&mut self, n: u128) -> (Timestamp, i64) {
        let message = Message {
            event_type: EventType::NotificationSent,
            attempt: 0,
            payload: Payload::Settled(Settled { order_id: order(n) }),
        };
        let said = self.bench.write(|tx| {
            let seq = tx.say(message, Cause::default())?;
            Ok((tx.now(), seq))
        });
        said.unwrap().0
    }

    fn published(&mut self, seq: i64) {
        outbox::set_published(self.bench.conn(), seq).unwrap();
    }

    /// One pass as the task makes it, without its rests. Answers in how many jobs.
    fn pass(&mut self, before: Timestamp) -> usize {
        let (mut from, mut jobs) = (Some(0), 0);
        let over = self.over.clone();
        while let Some(after) = from {
            let is_over = |_: &mut SqliteConnection, order| Ok(over.contains(&order));
            let looked = look(self.bench.conn(), after, before, is_over).unwrap();
            outbox::prune(self.bench.conn(), &looked.over).unwrap();
            assert!(looked.over.len() <= PAGE as usize, "a job is small");
            jobs += usize::from(!looked.over.is_empty());
            from = looked.next;
        }
        jobs
    }

    /// The numbers of the rows that are there.
    fn rows(&mut self) -> Vec<i64> {
        let rows = outbox::read_from(self.bench.conn(), 0, 10_000).unwrap();
        rows.into_iter().map(|(seq, _)| seq).collect()
    }
}

#[test]
fn old_rows_of_what_is_over_go_and_an_open_order_keeps_its_own_and_no_others() {
    let mut fixture = Fixture::new();
    for n in [1, 2, 1, 3] {
        fixture.say(n);
    }
    let (young, last) = fixture.say(3);
    fixture.published(last);
    fixture.over = BTreeSet::from([order(1), order(3)]);

    fixture.pass(young);
    assert_eq!(fixture.rows(), [2, 5], "order 2 is open, row 5 is young");
    fixture.over.insert(order(2));
    fixture.pass(young);
    assert_eq!(fixture.rows(), [5]);
    fixture.pass(FOREVER);
    assert!(fixture.rows().is_empty());
}

#[test]
fn a_row_that_a_restart_would_publish_stays_however_old_it_is() {
    let mut fixture = Fixture::new();
    for _ in 0..3 {
        fixture.say(1);
    }
    fixture.over.insert(order(1));
    assert_eq!(fixture.pass(FOREVER), 0);
    fixture.published(2);
    fixture.pass(FOREVER);
    assert_eq!(fixture.rows(), [3]);
}

#[test]
fn numbers_go_on_after_a_restart_when_no_row_is_left() {
    let mut fixture = Fixture::new();
    fixture.say(1);
    let (_, last) = fixture.say(1);
    fixture.over.insert(order(1));
    fixture.published(last);
    // A service that just started has not read its position yet, and must not store that.
    fixture.published(0);
    fixture.pass(FOREVER);
    assert!(fixture.rows().is_empty());

    let mut fixture = fixture.restarted();
    assert_eq!(outbox::last_seq(fixture.bench.conn()).unwrap(), last);
    assert_eq!(fixture.say(2).1, last + 1);
}

#[test]
fn a_long_journal_goes_in_many_small_jobs_also_behind_pages_of_open_orders() {
    let mut fixture = Fixture::new();
    let page = PAGE as u128;
    for n in 0..page * 4 {
        fixture.say(n);
    }
    let (_, last) = fixture.say(0);
    fixture.published(last);
    // The first two pages are open.
    fixture.over = (page * 2..page * 4).map(order).collect();
    assert_eq!(fixture.pass(FOREVER), 2);
    assert_eq!(fixture.rows().len(), PAGE as usize * 2 + 1);
    fixture.over = (0..page * 4).map(order).collect();
    assert_eq!(fixture.pass(FOREVER), 3);
    assert!(fixture.rows().is_empty());
}

#[test]
fn keys_go_when_they_are_old_enough_the_oldest_first_and_a_page_at_a_time() {
    use idempotency_keys as keys;
    let mut fixture = Fixture::new();
    let count = PAGE + 10;
    for second in 0..count {
        let row = (
            keys::scope.eq("user"),
            // In another order than that of time.
            keys::key.eq(format!("{:03}", (second * 5) % count)),
            keys::body.eq("{}"),
            keys::made.eq("thing"),
            keys::created_at.eq(Timestamp::from_micros(second * 1_000_000)),
        );
        let insert = diesel::insert_into(keys::table).values(row);
        insert.execute(fixture.bench.conn()).unwrap();
    }
    let mut prune = |before: i64| {
        let before = Timestamp::from_micros(before * 1_000_000);
        let conn = fixture.bench.conn();
        let last = last_expired_key(conn, before).unwrap()?;
        Some(idempotency::forget(conn, last).unwrap())
    };
    assert_eq!(prune(0), None);
    assert_eq!(prune(5), Some(5));
    assert_eq!(prune(5), None);
    assert_eq!(prune(count), Some(PAGE as usize));
    assert_eq!(prune(count), Some(5));
    assert_eq!(prune(count), None);
    let left: i64 = keys::table
        .count()
        .get_result(fixture.bench.conn())
        .unwrap();
    assert_eq!(left, 0);
}
