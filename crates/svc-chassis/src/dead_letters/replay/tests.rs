#![allow(clippy::unwrap_used, clippy::panic)]

use diesel::connection::SimpleConnection;
use saga_events::bus::Raw;
use saga_events::{Message, Payload, Settled, Timestamp};

use super::super::{TrailEntry, count, evidence, find, page, trail_of};
use super::*;
use crate::schema::dead_letters;
use crate::testing::Bench;
use crate::writer::Cause;

/// A service that writes down the attempt of every event, and fails as the attempt tells it to.
fn step(tx: &mut Tx<'_>, event: &Event) -> Result<Outcome, Error> {
    let attempt = event.message.attempt;
    tx.conn()
        .batch_execute(&format!("INSERT INTO done (n) VALUES ({attempt})"))?;
    tx.say(answer(event.order_id()), Cause::default())?;
    match attempt {
        0 => Ok(Outcome::Changed("Done")),
        1 => Ok(Outcome::Repeated),
        2 => Ok(Outcome::Duplicate),
        3 => Ok(Outcome::Impossible("impossible: it is".into())),
        4 => Err(Error::internal("a bug")),
        _ => panic!("a panic"),
    }
}

fn answer(order_id: OrderId) -> Message {
    Message {
        event_type: EventType::ItemDeducted,
        attempt: 0,
        payload: Payload::Settled(Settled { order_id }),
    }
}

fn event(attempt: u32) -> Vec<u8> {
    let message = Message {
        event_type: EventType::PaymentProcessed,
        attempt,
        payload: Payload::Settled(Settled {
            order_id: OrderId::new(),
        }),
    };
    let event = Event::new(message, None, None, Timestamp::from_micros(1));
    event.encode().unwrap()
}

fn operator() -> Operator {
    Operator {
        by: Some("ann".into()),
        reason: "the bug is mended".into(),
    }
}

struct Fixture {
    bench: Bench,
    _folder: tempfile::TempDir,
}

impl Fixture {
    /// With a dead letter for each of these: numbers from 1.
    fn with(raws: &[Raw]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut bench = Bench::open(folder.path(), &[]).unwrap();
        let conn = bench.conn();
        conn.batch_execute("CREATE TABLE done (n INTEGER NOT NULL) STRICT")
            .unwrap();
        for (number, raw) in raws.iter().enumerate() {
            let (form, event) = evidence::written(raw);
            let row = (
                dead_letters::reason.eq(Reason::Exhausted),
                dead_letters::error.eq("as it was"),
                dead_letters::attempts.eq(5),
                dead_letters::stream.eq("saga:{0}:payment.processed"),
                dead_letters::entry_id.eq(format!("1-{number}")),
                dead_letters::event_type.eq(EventType::PaymentProcessed),
                dead_letters::event.eq(event),
                dead_letters::created_at.eq(Timestamp::from_micros(1)),
                dead_letters::form.eq(form),
            );
            diesel::insert_into(dead_letters::table)
                .values(row)
                .execute(conn)
                .unwrap();
        }
        Self {
            bench,
            _folder: folder,
        }
    }

    /// With a dead letter of an event for each of these attempts.
    fn of(attempts: &[u32]) -> Self {
        let raws: Vec<_> = attempts.iter().map(|n| Raw::Event(event(*n))).collect();
        Self::with(&raws)
    }

    fn replay(&mut self, id: i64, dry_run: bool) -> Result<(Replayed, usize), Error> {
        let job = |tx: &mut Tx<'_>| one(tx, &step, id, &operator(), dry_run);
        let (replayed, said) = self.bench.write(job)?;
        Ok((replayed, said.len()))
    }

    fn done(&mut self) -> i64 {
        #[derive(QueryableByName)]
        struct Count {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }
        let sql = diesel::sql_query("SELECT count(*) AS n FROM done");
        sql.get_result::<Count>(self.bench.conn()).unwrap().n
    }

    fn letter(&mut self, id: i64) -> DeadLetter {
        find(self.bench.conn(), id).unwrap().unwrap()
    }

    fn trail(&mut self, id: i64) -> Vec<TrailEntry> {
        trail_of(self.bench.conn(), id).unwrap()
    }
}

#[test]
fn an_event_that_can_be_applied_is_applied_and_its_dead_letter_settled() {
    let endings = [
        (0, Ending::Changed { to: "Done" }),
        (1, Ending::Repeated),
        (2, Ending::NothingChanged),
    ];
    for (attempt, ending) in endings {
        let mut fixture = Fixture::of(&[attempt]);
        let (replayed, said) = fixture.replay(1, false).unwrap();
        assert_eq!(
            (&replayed.ending, replayed.state),
            (&ending, State::Replayed)
        );
        assert_eq!(replayed.said, [EventType::ItemDeducted]);
        assert_eq!((said, fixture.done()), (1, 1), "what it does stands");
        let letter = fixture.letter(1);
        assert_eq!((letter.state, letter.attempts), (State::Replayed, 5));
        assert_eq!(letter.error, "as it was", "why it died stays to be read");
        let trail = fixture.trail(1);
        assert_eq!(trail.len(), 1);
        assert_eq!(trail[0].by.as_deref(), Some("ann"));
        assert_eq!(trail[0].reason, "the bug is mended");
        assert_eq!(trail[0].outcome, ending.to_string());
    }
}

#[test]
fn an_event_that_fails_again_does_nothing_and_stays_with_the_new_error() {
    let failures = [
        (
            Raw::Event(event(3)),
            Reason::Impossible,
            "impossible: it is",
        ),
        (Raw::Event(event(4)), Reason::Exhausted, "a bug"),
        (Raw::Event(event(5)), Reason::Exhausted, "panicked"),
        (Raw::Event(b"{".to_vec()), Reason::Undecodable, "EOF"),
        (Raw::Event(vec![0xff]), Reason::Undecodable, "UTF-8"),
        (Raw::Fields(vec![]), Reason::Undecodable, "one field"),
        (Raw::Gone, Reason::Undecodable, "trimmed"),
    ];
    for (raw, reason, why) in failures {
        let mut fixture = Fixture::with(&[raw]);
        let (replayed, said) = fixture.replay(1, false).unwrap();
        assert!(!replayed.ending.is_applied());
        assert_eq!((replayed.state, replayed.attempts), (State::Open, 6));
        assert_eq!((said, fixture.done()), (0, 0), "{why}: nothing stands");
        let letter = fixture.letter(1);
        assert_eq!(
            (letter.state, letter.reason, letter.attempts),
            (State::Open, reason, 6)
        );
        assert!(letter.error.contains(why), "{}", letter.error);
        assert!(fixture.trail(1)[0].outcome.contains(why));
        // It can be tried again, for ever.
        assert_eq!(fixture.replay(1, false).unwrap().0.attempts, 7);
    }
}

#[test]
fn a_dry_run_says_what_would_come_and_leaves_no_trace() {
    for attempt in 0..=5 {
        let mut fixture = Fixture::of(&[attempt]);
        let before = fixture.letter(1);
        let (dry, said) = fixture.replay(1, true).unwrap();
        assert_eq!((said, fixture.done()), (0, 0));
        assert_eq!(fixture.letter(1), before);
        assert_eq!(fixture.trail(1), []);
        assert_eq!(fixture.replay(1, false).unwrap().0, dry, "it came so");
    }
}

#[test]
fn only_an_open_dead_letter_can_be_replayed_or_discarded() {
    let mut fixture = Fixture::of(&[0, 0]);
    fixture.replay(1, false).unwrap();
    let job = |tx: &mut Tx<'_>| discard(tx, 2, &operator());
    assert_eq!(fixture.bench.write(job).unwrap().0.state, State::Discarded);
    assert_eq!(count(fixture.bench.conn()).unwrap(), 0);
    for id in [1, 2] {
        let replayed = fixture.replay(id, false).unwrap_err().to_string();
        assert!(replayed.starts_with("409 NOT_OPEN"), "{replayed}");
        let job = |tx: &mut Tx<'_>| discard(tx, id, &operator());
        let discarded = fixture.bench.write(job).unwrap_err().to_string();
        assert!(discarded.starts_with("409 NOT_OPEN"), "{discarded}");
        assert_eq!(fixture.trail(id).len(), 1, "nothing came to the trail");
    }
    let unknown = fixture.replay(3, false).unwrap_err().to_string();
    assert!(unknown.starts_with("404 "), "{unknown}");
    assert_eq!(fixture.done(), 1);
}

#[test]
fn many_are_replayed_page_by_page_each_for_itself() {
    let mut fixture = Fixture::of(&[0, 4, 0, 3, 0]);
    let mut run = |after, dry_run| {
        let job = |tx: &mut Tx<'_>| {
            let which = (Some(EventType::PaymentProcessed), after, 3);
            all(tx, &step, which, &operator(), dry_run)
        };
        fixture.bench.write(job).unwrap().0
    };
    let dry = run(None, true);
    assert_eq!((dry.replayed, dry.failed, dry.remaining), (2, 1, 2));
    let first = run(None, false);
    assert_eq!(
        ReplayedAll {
            dry_run: true,
            ..first.clone()
        },
        dry
    );
    assert_eq!(first.next_cursor.as_deref(), Some("3"));
    let rest = run(Some(3), false);
    assert_eq!((rest.replayed, rest.failed, rest.remaining), (1, 1, 0));
    assert_eq!(rest.next_cursor, None);
    assert_eq!(fixture.done(), 3, "those that failed left nothing");
    let open = page(fixture.bench.conn(), Filter::default(), None, 9).unwrap();
    let open = open.iter().filter(|letter| letter.state == State::Open);
    assert_eq!(open.map(|letter| letter.id).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn other_types_are_left_alone() {
    let mut fixture = Fixture::of(&[0]);
    let job = |tx: &mut Tx<'_>| {
        let which = (Some(EventType::PaymentFailed), None, MOST);
        all(tx, &step, which, &operator(), false)
    };
    assert_eq!(fixture.bench.write(job).unwrap().0.results, []);
    assert_eq!(fixture.letter(1).state, State::Open);
}

#[test]
fn the_trail_and_what_it_is_about_cannot_be_changed_or_removed() {
    let mut fixture = Fixture::of(&[0]);
    fixture.replay(1, false).unwrap();
    for sql in [
        "DELETE FROM dead_letter_trail",
        "UPDATE dead_letter_trail SET reason = 'none'",
        "DELETE FROM dead_letters",
    ] {
        assert!(fixture.bench.conn().batch_execute(sql).is_err(), "{sql}");
    }
}

#[test]
fn while_nothing_can_be_stored_a_replay_is_refused_and_counts_for_nothing() {
    let mut fixture = Fixture::of(&[0]);
    let full = |_: &mut Tx<'_>, _: &Event| {
        let text = "database or disk is full".to_owned();
        let kind = diesel::result::DatabaseErrorKind::Unknown;
        let error = diesel::result::Error::DatabaseError(kind, Box::new(text));
        Err(Error::Database(error))
    };
    let job = |tx: &mut Tx<'_>| one(tx, &full, 1, &operator(), false);
    let error = fixture.bench.write(job).unwrap_err();
    assert_eq!(error.fault(), Fault::Storage);
    assert_eq!(fixture.letter(1).attempts, 5);
    assert_eq!(fixture.trail(1), []);
}
