//! What a disk holds after its power was lost: what was synced, and whatever of the rest a real
//! disk may or may not have written by then.

use std::collections::BTreeSet;
use std::path::Path;

use fastrand::Rng;

use super::disk::{Change, Disk, Names, State};

/// The most that a disk writes as a whole, in bytes.
const SECTOR: usize = 512;

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// It was all in a cache, and is gone.
    Lost,
    /// It was all written already, as after a mere `kill -9`.
    Written,
    /// It was written in its order up to somewhere, where a write is torn.
    UpToSomewhere,
    /// Each write is there, or torn, or lost, in no order.
    Scattered,
}

impl Unsynced {
    /// One of the four.
    pub fn any(rng: &mut Rng) -> Self {
        let all = [
            Self::Lost,
            Self::Written,
            Self::UpToSomewhere,
            Self::Scattered,
        ];
        all[rng.usize(..all.len())]
    }
}

impl Disk {
    /// Makes `folder` what a computer finds on this disk when the power is back. The shared memory
    /// of a WAL (`-shm`) is never there.
    pub fn remains(&self, unsynced: Unsynced, folder: &Path, rng: &mut Rng) {
        let state = self.state();
        std::fs::create_dir(folder).unwrap();
        let last = state
            .files
            .iter()
            .flat_map(|file| &file.unsynced)
            .map(|(number, _)| *number)
            .max();
        let somewhere = last.map_or(0, |last| rng.u64(..=last));
        for (name, id) in names(&state, unsynced, rng) {
            let file = &state.files[id];
            let mut bytes = file.synced.clone();
            // A file may have grown to where nothing was written yet.
            let gap = if rng.bool() { 0 } else { rng.u8(..) };
            for (number, change) in &file.unsynced {
                let fate = match unsynced {
                    Unsynced::Lost => Fate::Lost,
                    Unsynced::Written => Fate::Written,
                    Unsynced::UpToSomewhere if *number == somewhere => Fate::Torn,
                    Unsynced::UpToSomewhere if *number < somewhere => Fate::Written,
                    Unsynced::UpToSomewhere => Fate::Lost,
                    Unsynced::Scattered => Fate::any(rng),
                };
                fate.befall(change, &mut bytes, gap, rng);
            }
            std::fs::write(folder.join(name), bytes).unwrap();
        }
    }
}

/// A name that was made or taken away since the folder was synced may be there or not.
fn names(state: &State, unsynced: Unsynced, rng: &mut Rng) -> Names {
    let all: BTreeSet<_> = state
        .names
        .keys()
        .chain(state.synced_names.keys())
        .collect();
    let there = all.into_iter().filter_map(|name| {
        let is_synced = match unsynced {
            Unsynced::Lost => true,
            Unsynced::Written => false,
            Unsynced::UpToSomewhere | Unsynced::Scattered => rng.bool(),
        };
        let folder = if is_synced {
            &state.synced_names
        } else {
            &state.names
        };
        folder.get(name).map(|id| (name.clone(), *id))
    });
    there.collect()
}

#[derive(Debug, Clone, Copy)]
enum Fate {
    Lost,
    Written,
    Torn,
}

impl Fate {
    fn any(rng: &mut Rng) -> Self {
        [Self::Lost, Self::Written, Self::Torn][rng.usize(..3)]
    }

    fn befall(self, change: &Change, bytes: &mut Vec<u8>, gap: u8, rng: &mut Rng) {
        match (self, change) {
            (Self::Lost, _) => {}
            (Self::Written, _) | (Self::Torn, Change::Truncate(_)) => change.apply(bytes, gap),
            (
                Self::Torn,
                Change::Write {
                    offset,
                    bytes: written,
                },
            ) => {
                let mut from = 0;
                while from < written.len() {
                    // Up to the end of the disk's sector.
                    let room = SECTOR - (offset + from) % SECTOR;
                    let end = written.len().min(from + room);
                    if rng.bool() {
                        let piece = Change::Write {
                            offset: offset + from,
                            bytes: written[from..end].to_vec(),
                        };
                        piece.apply(bytes, gap);
                    }
                    from = end;
                }
            }
        }
    }
}
