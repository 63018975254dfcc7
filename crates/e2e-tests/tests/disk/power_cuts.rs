//! The power goes, again and again: whatever was answered before is there afterwards.

use std::path::Path;

use fastrand::Rng;
use tempfile::TempDir;

use crate::bank::{self, Answered, Verdict};
use crate::disk::Disk;
use crate::remains::Unsynced;
use crate::vfs;

/// What one cut came to.
struct Cut {
    unsynced: Unsynced,
    /// Some write was not synced yet.
    dropped: bool,
    /// How many answers were given in this life.
    answered: usize,
    verdict: Verdict,
}

/// A computer in whose folder a service runs until the power goes, one life after another on the
/// same file: what a cut has left behind is opened, mended and cut again.
struct Computer {
    folder: TempDir,
    lives: usize,
    answered: Answered,
    rng: Rng,
}

impl Computer {
    fn new(seed: u64) -> Self {
        let folder = TempDir::new().unwrap();
        std::fs::create_dir(folder.path().join("0")).unwrap();
        Self {
            folder,
            lives: 0,
            answered: Answered::default(),
            rng: Rng::with_seed(seed),
        }
    }

    /// Starts the service, lets it work until the power goes at some moment, and looks at what is
    /// on the disk.
    fn live(&mut self, synchronous: Option<&str>) -> Cut {
        let before = self.folder.path().join(self.lives.to_string());
        self.lives += 1;
        let after = self.folder.path().join(self.lives.to_string());
        let disk = Disk::mount(&before);
        // Mostly soon, now and then late enough for several checkpoints.
        let span = [100, 400, 400, 2_000][self.rng.usize(..4)];
        disk.power_ends_after(self.rng.u64(..span));
        // Some end in order, and the power goes while the file is closed, or later.
        let each = if self.rng.u8(..5) == 0 {
            self.rng.usize(..30)
        } else {
            usize::MAX
        };
        let answered = self.answered.count();
        self.run(&before, &disk, synchronous, each);
        disk.cut();
        let answered = self.answered.count() - answered;
        let dropped = disk.has_unsynced();
        let unsynced = Unsynced::any(&mut self.rng);
        disk.remains(unsynced, &after, &mut self.rng);
        drop(disk);
        std::fs::remove_dir_all(&before).unwrap();
        Cut {
            unsynced,
            dropped,
            answered,
            verdict: bank::judge(&after, &self.answered),
        }
    }

    fn run(&mut self, folder: &Path, disk: &Disk, synchronous: Option<&str>, each: usize) {
        let mut running = match bank::open(folder, synchronous) {
            Ok(running) => running,
            Err(error) => {
                assert!(
                    !disk.is_on(),
                    "what a cut left behind must open again: {error:#}"
                );
                return;
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        runtime.block_on(async {
            bank::work(&running.writer, &mut self.answered, each, &mut self.rng).await;
            running.close();
            let ended = running.ended().await;
            assert!(
                ended.is_err() || each != usize::MAX,
                "without power the writer ends"
            );
        });
    }
}

/// Lets so many computers live so many lives each, spread over the cores.
fn cuts(synchronous: Option<&'static str>, computers: usize, lives: usize) -> Vec<Cut> {
    vfs::install();
    let seed = match std::env::var("SEED") {
        Ok(seed) => seed.parse().expect("SEED is a number"),
        Err(_) => fastrand::u64(..),
    };
    eprintln!(
        "SEED={seed} makes the same plan again: what is done, when the power goes, what remains"
    );
    let mut seeds = Rng::with_seed(seed);
    let seeds: Vec<_> = (0..computers).map(|_| seeds.u64(..)).collect();
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        let run = |seeds: &[u64]| {
            // What a bad cut leaves behind is not lived on with.
            let all_lives = |seed: &u64| {
                let mut computer = Computer::new(*seed);
                let mut is_good = true;
                let live = move || {
                    let cut = is_good.then(|| computer.live(synchronous))?;
                    is_good = cut.verdict == Verdict::default();
                    Some(cut)
                };
                std::iter::from_fn(live).take(lives)
            };
            seeds.iter().flat_map(all_lives).collect::<Vec<_>>()
        };
        let shares = seeds.chunks(computers.div_ceil(cores));
        let threads: Vec<_> = shares
            .map(|share| scope.spawn(move || run(share)))
            .collect();
        threads
            .into_iter()
            .flat_map(|thread| thread.join().unwrap())
            .collect()
    })
}

#[test]
fn whatever_was_answered_before_one_of_500_power_cuts_is_there_afterwards() {
    let cuts = cuts(None, 25, 20);
    for (number, cut) in cuts.iter().enumerate() {
        let Verdict { lost, broken } = &cut.verdict;
        assert!(
            lost.is_empty() && broken.is_empty(),
            "cut {number}: {} answers lost, {} contradictions; what was not synced was {:?}: {lost:?} {broken:?}",
            lost.len(),
            broken.len(),
            cut.unsynced
        );
    }
    assert_eq!(cuts.len(), 500);
    let answered: usize = cuts.iter().map(|cut| cut.answered).sum();
    assert!(answered > 5_000, "only {answered} answers were at stake");
    let dropped = cuts.iter().filter(|cut| cut.dropped).count();
    eprintln!("500 cuts, {dropped} with something not synced; {answered} answers, none lost");
    assert!(
        dropped > 100,
        "only {dropped} cuts found something that was not synced"
    );
}

/// The control: what the service must not be set to loses what it has answered, and the cuts above
/// would have seen it.
#[test]
fn without_a_sync_before_each_answer_the_same_cuts_lose_answers() {
    let cuts = cuts(Some("NORMAL"), 40, 1);
    let lost = cuts
        .iter()
        .filter(|cut| !cut.verdict.lost.is_empty())
        .count();
    assert!(
        lost >= 5,
        "synchronous=NORMAL lost answers in {lost} of {} cuts only",
        cuts.len()
    );
    let broken = cuts.iter().flat_map(|cut| &cut.verdict.broken);
    assert_eq!(
        broken.count(),
        0,
        "it forgets, but does not contradict itself"
    );
}

/// The control of the control: without any sync at all not even the order of writes is kept.
#[test]
fn without_any_sync_the_same_cuts_lose_answers() {
    let cuts = cuts(Some("OFF"), 40, 1);
    let lost = cuts
        .iter()
        .filter(|cut| cut.verdict != Verdict::default())
        .count();
    assert!(
        lost >= 5,
        "synchronous=OFF did harm in {lost} of {} cuts only",
        cuts.len()
    );
}
