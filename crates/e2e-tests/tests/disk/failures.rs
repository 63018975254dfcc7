//! A disk that has power, and fails: no room, and a sync that does not succeed.

use std::sync::Arc;

use diesel::connection::SimpleConnection;
use fastrand::Rng;
use svc_chassis::http::Problem;
use svc_chassis::testing::RunningWriter;
use svc_chassis::writer::Health;
use svc_chassis::{Error, Tx};
use tempfile::TempDir;

use crate::bank::{self, Answered, Verdict};
use crate::disk::{Disk, Kind};
use crate::remains::Unsynced;
use crate::vfs;

/// A service at work on a disk that can fail.
struct AtWork {
    disk: Arc<Disk>,
    running: RunningWriter,
    answered: Answered,
    rng: Rng,
    folder: TempDir,
}

impl AtWork {
    /// It has answered some already.
    async fn begun() -> Self {
        vfs::install();
        let folder = TempDir::new().unwrap();
        let disk = Disk::mount(folder.path());
        let running = bank::open(folder.path(), None).unwrap();
        let mut at_work = Self {
            disk,
            running,
            answered: Answered::default(),
            rng: Rng::with_seed(1),
            folder,
        };
        at_work.work(20).await;
        at_work
    }

    /// Lets each caller have so many answers, or the first refusal. Returns how many were answered.
    async fn work(&mut self, each: usize) -> usize {
        let before = self.answered.count();
        bank::work(
            &self.running.writer,
            &mut self.answered,
            each,
            &mut self.rng,
        )
        .await;
        self.answered.count() - before
    }

    /// One big write, answered or refused.
    async fn write_much(&self) -> Result<(), Error> {
        let much = "INSERT OR REPLACE INTO idempotency_keys (scope, key, body, made, created_at)
                    VALUES ('', '', printf('%.*c', 300000, 'x'), '', 0)";
        self.run(much).await
    }

    async fn run(&self, sql: &'static str) -> Result<(), Error> {
        let job = move |tx: &mut Tx<'_>| Ok(tx.conn().batch_execute(sql)?);
        self.running.writer.write(job).await
    }

    /// What was answered is on the disk, as it is when the power goes now.
    fn assert_nothing_is_lost(mut self) {
        self.disk.cut();
        let after = self.folder.path().join("after");
        self.disk.remains(Unsynced::Lost, &after, &mut self.rng);
        assert_eq!(bank::judge(&after, &self.answered), Verdict::default());
    }
}

#[tokio::test]
async fn a_sync_that_fails_ends_the_writer_at_once_and_nothing_more_is_written() {
    let mut bank = AtWork::begun().await;
    bank.disk.fail_next_sync(Kind::Journal);
    bank.work(2_000).await;
    let refused = bank.write_much().await.unwrap_err();
    assert_eq!(Problem::from(&refused).status().as_u16(), 503, "{refused}");

    let why = bank.running.ended().await.unwrap_err().to_string();
    assert!(
        why.contains("disk I/O error") && why.contains("restart"),
        "{why}"
    );
    assert_eq!(
        bank.disk.operations_since_the_failed_sync(),
        Some(0),
        "nothing was tried again"
    );
    bank.assert_nothing_is_lost();
}

#[tokio::test]
async fn a_full_disk_refuses_everything_until_there_is_room_and_loses_nothing() {
    let mut bank = AtWork::begun().await;
    bank.disk.set_capacity(Some(bank.disk.size() + 100_000));
    bank.work(2_000).await;
    for _ in 0..3 {
        let refused = bank.write_much().await.unwrap_err();
        assert_eq!(Problem::from(&refused).status().as_u16(), 507, "{refused}");
        assert!(matches!(&*bank.running.health.borrow(), Health::Storage(_)));
    }

    bank.disk.set_capacity(None);
    bank.write_much().await.unwrap();
    assert!(bank.work(10).await > 0, "there is room again");
    assert_eq!(*bank.running.health.borrow(), Health::Good);
    bank.assert_nothing_is_lost();
}

/// SQLite keeps quiet about it, and may: what a checkpoint copies stays in the WAL until it is done.
#[tokio::test]
async fn a_checkpoint_of_sqlites_own_whose_sync_fails_loses_nothing() {
    let mut bank = AtWork::begun().await;
    bank.disk.fail_next_sync(Kind::Database);
    let mut turns = 0;
    while bank.disk.operations_since_the_failed_sync().is_none() {
        assert!(bank.work(10).await > 0);
        turns += 1;
        assert!(turns < 1_000, "no checkpoint syncs the file");
    }
    assert!(bank.work(100).await > 0);
    bank.assert_nothing_is_lost();
}

/// The writer's own, between two batches.
#[tokio::test]
async fn a_checkpoint_of_the_writers_whose_sync_fails_ends_it_and_loses_nothing() {
    let mut bank = AtWork::begun().await;
    bank.run("PRAGMA wal_autocheckpoint = 0").await.unwrap();
    bank.disk.fail_next_sync(Kind::Database);
    let mut writes = 0;
    while bank.write_much().await.is_ok() {
        writes += 1;
        assert!(writes < 1_000, "the log is never moved to the file");
    }
    let why = format!("{:#}", bank.running.ended().await.unwrap_err());
    assert!(
        why.contains("write-ahead log") && why.contains("disk I/O error"),
        "{why}"
    );
    assert_eq!(bank.disk.operations_since_the_failed_sync(), Some(0));
    bank.assert_nothing_is_lost();
}
