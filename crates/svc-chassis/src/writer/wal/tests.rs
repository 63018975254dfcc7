#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use diesel::connection::SimpleConnection;
use tokio::sync::{mpsc, watch};

use super::super::{Health, Writer};
use super::*;
use crate::database::Database;
use crate::event_thread::EventThread;

const MB: u64 = 1 << 20;

struct Fixture {
    writer: Writer,
    database: Database,
    _batches: mpsc::UnboundedReceiver<super::super::Batch>,
    _thread: EventThread,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}", folder.path().join("test.db").display());
        let database = Database::from_url(&url).unwrap();
        let mut conn = database.open(&[]).unwrap();
        conn.batch_execute("CREATE TABLE things (n INTEGER PRIMARY KEY, body BLOB NOT NULL)")
            .unwrap();
        let (relay, batches) = mpsc::unbounded_channel();
        let (health, _) = watch::channel(Health::Good);
        let thread = EventThread::start().unwrap();
        let (writer, _) = Writer::start(&thread, conn, 64, relay, health).unwrap();
        Self {
            writer,
            database,
            _batches: batches,
            _thread: thread,
            _folder: folder,
        }
    }

    /// Commits so many times a quarter of a megabyte; answers how long the log became.
    async fn write(&self, times: i64) -> u64 {
        let mut longest = 0;
        for _ in 0..times {
            let insert = "INSERT INTO things (body) VALUES (randomblob(262144))";
            let job = move |tx: &mut crate::Tx<'_>| Ok(tx.conn().batch_execute(insert)?);
            self.writer.write(job).await.unwrap();
            longest = longest.max(self.log_bytes());
        }
        longest
    }

    fn log_bytes(&self) -> u64 {
        let log = self.database.path().with_extension("db-wal");
        std::fs::metadata(log).map_or(0, |file| file.len())
    }
}

#[tokio::test]
async fn the_log_stays_short_however_much_is_written_while_others_read() {
    let fixture = Fixture::new();
    let readers = fixture.database.readers(4).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let reading: Vec<_> = (0..4)
        .map(|_| {
            let (readers, over) = (readers.clone(), over.clone());
            tokio::spawn(async move {
                let mut reads = 0;
                while !over.load(Ordering::Relaxed) {
                    let count = |conn: &mut SqliteConnection| {
                        let count = "SELECT sum(length(body)) FROM things WHERE n % 7 = 0";
                        Ok(conn.batch_execute(count)?)
                    };
                    readers.read(count).await.unwrap();
                    reads += 1;
                }
                reads
            })
        })
        .collect();
    let longest = fixture.write(600).await;
    over.store(true, Ordering::Relaxed);
    for reads in reading {
        assert!(reads.await.unwrap() > 0);
    }
    assert!(longest < 32 * MB, "{} MB of 150 written", longest / MB);
}

#[tokio::test]
async fn a_reader_that_stays_lengthens_the_log_and_stops_nobody_and_it_is_cut_afterwards() {
    let fixture = Fixture::new();
    let mut reader = fixture.database.open(&[]).unwrap();
    reader
        .batch_execute("BEGIN; SELECT count(*) FROM things")
        .unwrap();
    let longest = fixture.write(300).await;
    assert!(longest > 64 * MB, "the reader keeps {} MB", longest / MB);
    reader.batch_execute("COMMIT").unwrap();
    // Moving it over takes a look at it, which comes with a batch some time later.
    let short_again = async || match fixture.write(1).await {
        bytes if bytes <= 64 * MB => Ok(()),
        bytes => Err(bytes),
    };
    for _ in 0..1_000 {
        if short_again().await.is_ok() {
            return;
        }
    }
    panic!("{} MB", fixture.log_bytes() / MB);
}

#[test]
fn a_log_that_is_too_long_is_told_once_and_its_end_too() {
    let fixture = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", fixture.path().join("test.db").display());
    let database = Database::from_url(&url).unwrap();
    let (mut conn, mut reader) = (database.open(&[]).unwrap(), database.open(&[]).unwrap());
    database::checkpoint_by_hand(&mut conn).unwrap();
    conn.batch_execute("CREATE TABLE things (body BLOB NOT NULL)")
        .unwrap();
    // Whatever the migrations wrote: the log begins anew with the first batch.
    database::checkpoint(&mut conn).unwrap();
    let limits = Limits {
        checkpoint: 20,
        alarm: 100,
    };
    let mut log = WriteAheadLog::new(limits);
    let mut write = |log: &mut WriteAheadLog| {
        let insert = "INSERT INTO things VALUES (zeroblob(40960))";
        conn.batch_execute(insert).unwrap();
        log.looked = None;
        log.tend(&mut conn).unwrap();
        (log.too_long, database::wal_state(&mut conn).unwrap())
    };
    for _ in 0..50 {
        let (too_long, state) = write(&mut log);
        assert!(!too_long && state.pages < 40, "{state:?}");
    }
    reader
        .batch_execute("BEGIN; SELECT count(*) FROM things")
        .unwrap();
    let grown = (0..50).map(|_| write(&mut log)).last().unwrap();
    assert!(
        grown.0 && grown.1.pages > 100 && grown.1.moved < 40,
        "{grown:?}"
    );
    reader.batch_execute("COMMIT").unwrap();
    let (_, moved) = write(&mut log);
    assert_eq!(moved.pages, moved.moved, "all of it can be moved now");
    let (too_long, anew) = write(&mut log);
    assert!(!too_long && anew.pages < 40, "{anew:?}");
}
