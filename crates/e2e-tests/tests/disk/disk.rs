//! A disk that loses its power: of each file, what is synced and what is only written; of the
//! folder, which names are. Told by [`vfs`](super::vfs) of whatever SQLite does in its folder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Why the disk does not do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// There is no power any more.
    PowerOff,
    /// There is no room.
    Full,
    /// A sync failed: nobody knows what is on disk.
    SyncFailed,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The database itself.
    Database,
    /// A rollback journal or a WAL: SQLite's VFS for Unix syncs the folder with the first sync of a
    /// new one.
    Journal,
}

/// Names a file as long as it is there, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileId(usize);

/// Something done to a file since its last sync.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate(usize),
}

/// A file as it is on the disk, and as it may become.
#[derive(Debug)]
pub(super) struct File {
    pub(super) synced: Vec<u8>,
    /// Numbered over all files, in the order in which they were done.
    pub(super) unsynced: Vec<(u64, Change)>,
    length: usize,
    kind: Kind,
    /// Its next sync is the first one of a new journal.
    syncs_folder: bool,
}

pub(super) type Names = BTreeMap<String, usize>;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) files: Vec<File>,
    /// The folder, as programs see it.
    pub(super) names: Names,
    /// The folder, as it was synced last.
    pub(super) synced_names: Names,
    operations: u64,
    power_ends_at: Option<u64>,
    power_off: bool,
    capacity: Option<usize>,
    next_sync_fails: Option<Kind>,
    sync_failed_at: Option<u64>,
}

/// A folder's disk. Mounted until it is dropped.
#[derive(Debug)]
pub struct Disk {
    state: Mutex<State>,
}

static MOUNTED: Mutex<BTreeMap<PathBuf, Weak<Disk>>> = Mutex::new(BTreeMap::new());

impl Disk {
    /// Puts a disk under a folder; what is there is synced.
    pub fn mount(folder: &Path) -> Arc<Self> {
        let mut state = State::default();
        for entry in folder.read_dir().unwrap().map(Result::unwrap) {
            let name = entry.file_name().into_string().unwrap();
            let file = File::of(&name, std::fs::read(entry.path()).unwrap());
            state.names.insert(name, state.files.len());
            state.files.push(file);
        }
        state.synced_names = state.names.clone();
        let disk = Arc::new(Self {
            state: Mutex::new(state),
        });
        let folder = folder.canonicalize().unwrap();
        let mut mounted = MOUNTED.lock().unwrap_or_else(PoisonError::into_inner);
        mounted.retain(|_, disk| disk.strong_count() > 0);
        mounted.insert(folder, Arc::downgrade(&disk));
        disk
    }

    /// The disk under this folder.
    pub fn mounted_at(folder: &Path) -> Option<Arc<Self>> {
        let mounted = MOUNTED.lock().unwrap_or_else(PoisonError::into_inner);
        mounted.get(folder)?.upgrade()
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the power after so many more operations (0: with the next one). The last operation is
    /// begun and not finished.
    pub fn power_ends_after(&self, operations: u64) {
        let mut state = self.state();
        state.power_ends_at = Some(state.operations + operations + 1);
    }

    /// Ends the power now.
    pub fn cut(&self) {
        self.state().power_off = true;
    }

    /// There is power.
    pub fn is_on(&self) -> bool {
        !self.state().power_off
    }

    /// Limits what fits on the disk, in bytes; `None`: everything.
    pub fn set_capacity(&self, capacity: Option<usize>) {
        self.state().capacity = capacity;
    }

    /// Lets the next sync of such a file fail, and only that. What was to be synced is lost for
    /// good, and the sync after it says that all is well: so does Linux.
    pub fn fail_next_sync(&self, of: Kind) {
        self.state().next_sync_fails = Some(of);
    }

    /// Operations since the sync that failed, where one did.
    pub fn operations_since_the_failed_sync(&self) -> Option<u64> {
        let state = self.state();
        Some(state.operations - state.sync_failed_at?)
    }

    /// Something is written and not synced.
    pub fn has_unsynced(&self) -> bool {
        self.state()
            .files
            .iter()
            .any(|file| !file.unsynced.is_empty())
    }

    /// What all files hold together, in bytes.
    pub fn size(&self) -> usize {
        self.state().size()
    }

    /// A file is opened, and made where there is none.
    pub fn open(&self, name: &str, kind: Kind) -> Result<FileId, Fault> {
        let mut state = self.state();
        state.powered()?;
        let known = state.names.get(name).copied();
        let id = match known {
            Some(id) => id,
            None => state.make(name, kind)?,
        };
        Ok(FileId(id))
    }

    /// A name is taken out of the folder.
    pub fn delete(&self, name: &str, sync_folder: bool) -> Result<(), Fault> {
        let mut state = self.state();
        if !state.names.contains_key(name) {
            return state.powered();
        }
        let finished = state.operation();
        state.names.remove(name);
        finished?;
        if sync_folder {
            state.synced_names = state.names.clone();
        }
        Ok(())
    }

    /// Bytes are written. Not synced.
    pub fn write(&self, FileId(id): FileId, offset: u64, bytes: &[u8]) -> Result<(), Fault> {
        let offset = usize::try_from(offset).unwrap();
        let end = offset + bytes.len();
        let mut state = self.state();
        state.powered()?;
        let more = end.saturating_sub(state.files[id].length);
        if state
            .capacity
            .is_some_and(|capacity| more > 0 && state.size() + more > capacity)
        {
            return Err(Fault::Full);
        }
        state.change(
            id,
            Change::Write {
                offset,
                bytes: bytes.to_vec(),
            },
        )
    }

    /// The file is cut off. Not synced.
    pub fn truncate(&self, FileId(id): FileId, length: u64) -> Result<(), Fault> {
        let mut state = self.state();
        state.powered()?;
        state.change(id, Change::Truncate(usize::try_from(length).unwrap()))
    }

    /// What was written to this file is put on the disk.
    pub fn sync(&self, FileId(id): FileId) -> Result<(), Fault> {
        let mut state = self.state();
        state.operation()?;
        if state.next_sync_fails == Some(state.files[id].kind) {
            state.next_sync_fails = None;
            state.sync_failed_at = Some(state.operations);
            state.files[id].unsynced.clear();
            return Err(Fault::SyncFailed);
        }
        let file = &mut state.files[id];
        for (_, change) in file.unsynced.drain(..) {
            change.apply(&mut file.synced, 0);
        }
        if std::mem::take(&mut file.syncs_folder) {
            state.synced_names = state.names.clone();
        }
        Ok(())
    }

    /// Reading changes nothing, but needs power.
    pub fn read(&self) -> Result<(), Fault> {
        self.state().powered()
    }
}

impl State {
    fn powered(&self) -> Result<(), Fault> {
        if self.power_off {
            Err(Fault::PowerOff)
        } else {
            Ok(())
        }
    }

    /// Counts something that changes the disk. At the end of the power it is begun, not finished.
    fn operation(&mut self) -> Result<(), Fault> {
        self.powered()?;
        self.operations += 1;
        self.power_off = self.power_ends_at.is_some_and(|end| self.operations >= end);
        self.powered()
    }

    fn make(&mut self, name: &str, kind: Kind) -> Result<usize, Fault> {
        let id = self.files.len();
        let finished = self.operation();
        self.files.push(File {
            kind,
            syncs_folder: kind == Kind::Journal,
            ..File::of(name, Vec::new())
        });
        self.names.insert(name.to_owned(), id);
        finished.map(|()| id)
    }

    fn size(&self) -> usize {
        self.names.values().map(|id| self.files[*id].length).sum()
    }

    fn change(&mut self, id: usize, change: Change) -> Result<(), Fault> {
        let finished = self.operation();
        let number = self.operations;
        let file = &mut self.files[id];
        file.length = match &change {
            Change::Write { offset, bytes } => file.length.max(offset + bytes.len()),
            Change::Truncate(length) => *length,
        };
        file.unsynced.push((number, change));
        finished
    }
}

impl File {
    fn of(name: &str, synced: Vec<u8>) -> Self {
        let is_journal = name.ends_with("-wal") || name.ends_with("-journal");
        Self {
            length: synced.len(),
            synced,
            unsynced: Vec::new(),
            kind: if is_journal {
                Kind::Journal
            } else {
                Kind::Database
            },
            syncs_folder: false,
        }
    }
}

impl Change {
    /// Does it. What lies between the old end and a write behind it becomes `gap`.
    pub(super) fn apply(&self, bytes: &mut Vec<u8>, gap: u8) {
        match self {
            Self::Write {
                offset,
                bytes: written,
            } => {
                let end = offset + written.len();
                if bytes.len() < end {
                    bytes.resize(end, gap);
                }
                bytes[*offset..end].copy_from_slice(written);
            }
            Self::Truncate(length) => bytes.resize(*length, 0),
        }
    }
}
