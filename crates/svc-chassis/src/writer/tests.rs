#![allow(clippy::unwrap_used, clippy::panic)]

use diesel::connection::SimpleConnection;
use tokio::sync::watch;

use saga_events::Message;

use super::*;
use crate::database::Database;

struct Fixture {
    writer: Writer,
    batches: mpsc::UnboundedReceiver<Batch>,
    health: watch::Receiver<Health>,
    ended: JoinHandle<anyhow::Result<()>>,
    _thread: EventThread,
    database: Database,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let database = Database::from_url(&url).unwrap();
        let mut conn = database.open(&[]).unwrap();
        conn.batch_execute("CREATE TABLE things (n INTEGER NOT NULL PRIMARY KEY) STRICT")
            .unwrap();
        let thread = EventThread::start().unwrap();
        let (relay, batches) = mpsc::unbounded_channel();
        let (to_health, health) = watch::channel(Health::Good);
        let (writer, ended) = Writer::start(&thread, conn, 64, relay, to_health).unwrap();
        Self {
            writer,
            batches,
            health,
            ended,
            database,
            _thread: thread,
            _folder: folder,
        }
    }

    fn things(&self) -> Vec<i64> {
        #[derive(QueryableByName)]
        struct Thing {
            #[diesel(sql_type = diesel::sql_types::BigInt)]
            n: i64,
        }
        let mut conn = self.database.open(&[]).unwrap();
        let things = diesel::sql_query("SELECT n FROM things ORDER BY n").load::<Thing>(&mut conn);
        things.unwrap().into_iter().map(|thing| thing.n).collect()
    }
}

fn insert(n: i64) -> impl FnMut(&mut Tx<'_>) -> Result<i64, Error> {
    move |tx| {
        tx.conn()
            .batch_execute(&format!("INSERT INTO things (n) VALUES ({n})"))?;
        tx.say(created(n), Cause::default())
    }
}

/// A message of the order with this number.
fn created(n: i64) -> Message {
    use saga_events::{EventType, OrderId, Payload, Settled};
    let order_id = OrderId::from_uuid(uuid::Uuid::from_u128(n.unsigned_abs().into()));
    let payload = Payload::Settled(Settled { order_id });
    Message {
        event_type: EventType::NotificationSent,
        attempt: 0,
        payload,
    }
}

#[tokio::test]
async fn a_failing_job_fails_alone_and_says_nothing() {
    let mut fixture = Fixture::new();
    let writer = fixture.writer.clone();
    // The first job keeps the writer busy, so that the others share a batch.
    let (enter, entered) = std::sync::mpsc::channel::<()>();
    let (runs, mut running) = mpsc::unbounded_channel::<()>();
    let busy = tokio::spawn({
        let writer = writer.clone();
        let job = move |_: &mut Tx<'_>| {
            let _ = runs.send(());
            let _ = entered.recv();
            Ok(())
        };
        async move { writer.write(job).await }
    });
    running.recv().await.unwrap();
    let jobs: Vec<_> = (1..=5)
        .map(|n| {
            let writer = writer.clone();
            tokio::spawn(async move {
                let mut insert = insert(n);
                let job = move |tx: &mut Tx<'_>| {
                    let seq = insert(tx)?;
                    match n {
                        2 => Err(Problem::conflict("TWO", "no twos").into()),
                        3 => Err(Error::from(diesel::result::Error::NotFound)),
                        4 => panic!("a job that panics fails like one that returns an error"),
                        _ => Ok(seq),
                    }
                };
                writer.write(job).await
            })
        })
        .collect();
    while writer.waiting() < 5 {
        tokio::task::yield_now().await;
    }
    enter.send(()).unwrap();
    busy.await.unwrap().unwrap();
    let mut results = Vec::new();
    for job in jobs {
        results.push(job.await.unwrap().ok());
    }
    assert_eq!(
        results,
        [Some(1), None, None, None, Some(2)],
        "the sequence has no gaps"
    );
    assert_eq!(fixture.things(), [1, 5]);
    let batches = writer.batches();
    assert_eq!((batches.apart.get(), batches.failed.get()), (1, 3));
    let batch = fixture.batches.recv().await.unwrap();
    let said: Vec<_> = batch.events.iter().map(|event| event.message).collect();
    assert_eq!((batch.first_seq, said), (1, vec![created(1), created(5)]));
}

#[tokio::test]
async fn a_storage_error_fails_all_jobs_and_turns_health_red_until_it_is_mended() {
    let mut fixture = Fixture::new();
    let limit = |pages: i64| {
        move |tx: &mut Tx<'_>| {
            Ok(tx
                .conn()
                .batch_execute(&format!("PRAGMA max_page_count = {pages}"))?)
        }
    };
    fixture.writer.write(limit(1)).await.unwrap();
    let blob = |tx: &mut Tx<'_>| {
        tx.conn()
            .batch_execute("CREATE TABLE big AS SELECT zeroblob(100000) AS z")?;
        Ok(())
    };
    let error = fixture.writer.write(blob).await.unwrap_err();
    assert_eq!(Problem::from(&error).status().as_u16(), 507, "{error}");
    assert_eq!(fixture.writer.batches().refused.get(), 1);
    fixture
        .health
        .wait_for(|health| matches!(health, Health::Storage(_)))
        .await
        .unwrap();
    fixture.writer.write(limit(1_000_000)).await.unwrap();
    fixture.writer.write(blob).await.unwrap();
    fixture
        .health
        .wait_for(|health| *health == Health::Good)
        .await
        .unwrap();
}

#[tokio::test]
async fn closing_commits_what_waits_and_refuses_what_comes_later() {
    let fixture = Fixture::new();
    let write = |n| {
        let writer = fixture.writer.clone();
        tokio::spawn(async move { writer.write(insert(n)).await })
    };
    let running: Vec<_> = (1..=20).map(write).collect();
    while fixture.things().len() + fixture.writer.waiting() < 20 {
        tokio::task::yield_now().await;
    }
    fixture.writer.close();
    for job in running {
        assert!(job.await.unwrap().is_ok());
    }
    fixture.ended.await.unwrap().unwrap();
    let error = fixture.writer.write(insert(99)).await.unwrap_err();
    assert_eq!(Problem::from(&error).status().as_u16(), 503);
    let conn = &mut fixture.database.open(&[]).unwrap();
    assert_eq!(outbox::last_seq(conn).unwrap(), 20);
    assert_eq!(outbox::read_from(conn, 1, 100).unwrap().len(), 20);
}

#[tokio::test]
async fn after_commit_runs_once_and_never_for_an_undone_job() {
    let fixture = Fixture::new();
    let ran = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let count = |by: u32| {
        let ran = ran.clone();
        move |tx: &mut Tx<'_>| {
            let ran = ran.clone();
            tx.after_commit(move || {
                ran.fetch_add(by, std::sync::atomic::Ordering::SeqCst);
            });
            if by > 1 {
                Err(Problem::conflict("NO", "undone").into())
            } else {
                Ok(())
            }
        }
    };
    fixture.writer.write(count(1)).await.unwrap();
    fixture.writer.write(count(100)).await.unwrap_err();
    assert_eq!(ran.load(std::sync::atomic::Ordering::SeqCst), 1);
}
