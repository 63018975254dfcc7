//! SQLite's door to the file system, with a [`Disk`] in it: a VFS that passes everything on to the
//! real one and tells the disk of the file's folder about it first, so that the disk can keep count
//! of what is synced, or refuse. The one file of the project with `unsafe` in it: SQLite calls it.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::Path;
use std::ptr;
use std::sync::{Arc, OnceLock};

use libsqlite3_sys as ffi;

use super::disk::{Disk, Fault, FileId, Kind};

/// What SQLite takes for a file. Right behind it in memory lies the real VFS's own.
#[repr(C)]
struct Shim {
    methods: *const ffi::sqlite3_io_methods,
    /// Where it is on a disk; null for a file in any other folder.
    place: *mut Place,
}

struct Place {
    disk: Arc<Disk>,
    file: FileId,
}

/// The real VFS.
struct Real(*mut ffi::sqlite3_vfs);

// SAFETY: SQLite's own VFS objects live as long as the process and may be used by any thread.
unsafe impl Send for Real {}
// SAFETY: as above.
unsafe impl Sync for Real {}

static REAL: OnceLock<Real> = OnceLock::new();

/// Makes this VFS the one that every connection of this process is opened with, unless it names
/// another (`?vfs=unix`). Files outside of mounted disks are passed on unchanged.
pub fn install() {
    REAL.get_or_init(|| {
        // SAFETY: SQLite is asked for its VFS by name; a copy of it with our functions and our name
        // is registered and lives for ever.
        unsafe {
            let real = ffi::sqlite3_vfs_find(c"unix".as_ptr());
            assert!(!real.is_null(), "SQLite has no VFS for Unix");
            let shim = Box::leak(Box::new(*real));
            shim.zName = c"disk".as_ptr();
            shim.pNext = ptr::null_mut();
            shim.szOsFile += c_int::try_from(size_of::<Shim>()).unwrap();
            shim.xOpen = Some(open);
            shim.xDelete = Some(delete);
            let registered = ffi::sqlite3_vfs_register(shim, 1);
            assert_eq!(registered, ffi::SQLITE_OK);
            Real(real)
        }
    });
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    // The version without memory-mapped reads and writes, which nobody could keep count of.
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// The code that SQLite is told; to the service all are what a real disk's would be.
fn code(fault: Fault) -> c_int {
    match fault {
        Fault::PowerOff => ffi::SQLITE_IOERR,
        Fault::Full => ffi::SQLITE_FULL,
        Fault::SyncFailed => ffi::SQLITE_IOERR_FSYNC,
    }
}

/// Asks the disk, if the file is on one.
fn ask(place: Option<&Place>, what: impl FnOnce(&Disk, FileId) -> Result<(), Fault>) -> c_int {
    match place.map(|place| what(&place.disk, place.file)) {
        Some(Err(fault)) => code(fault),
        Some(Ok(())) | None => ffi::SQLITE_OK,
    }
}

fn real() -> *mut ffi::sqlite3_vfs {
    REAL.get().map_or(ptr::null_mut(), |real| real.0)
}

/// The real VFS's file, with its functions.
unsafe fn inner(
    file: *mut ffi::sqlite3_file,
) -> (*mut ffi::sqlite3_file, &'static ffi::sqlite3_io_methods) {
    // SAFETY: `szOsFile` above makes room for both, one behind the other; an opened file has its
    // functions, which are static.
    unsafe {
        let inner = file.cast::<Shim>().add(1).cast::<ffi::sqlite3_file>();
        (inner, &*(*inner).pMethods)
    }
}

unsafe fn place<'a>(file: *mut ffi::sqlite3_file) -> Option<&'a Place> {
    // SAFETY: every file of ours begins with a Shim, whose place is null or lives until the close.
    unsafe { (*file.cast::<Shim>()).place.as_ref() }
}

/// The path's disk and its name there.
unsafe fn disk_of(name: *const c_char) -> Option<(Arc<Disk>, String)> {
    if name.is_null() {
        return None;
    }
    // SAFETY: SQLite's file names end with a zero.
    let path = Path::new(unsafe { CStr::from_ptr(name) }.to_str().ok()?);
    let disk = Disk::mounted_at(path.parent()?)?;
    Some((disk, path.file_name()?.to_str()?.to_owned()))
}

unsafe extern "C" fn open(
    _: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite hands over `szOsFile` bytes, room for a Shim and the real VFS's file.
    unsafe {
        let shim = file.cast::<Shim>();
        shim.write(Shim {
            methods: ptr::null(),
            place: ptr::null_mut(),
        });
        let mut on_disk = None;
        if let Some((disk, name)) = disk_of(name) {
            let journals = ffi::SQLITE_OPEN_WAL
                | ffi::SQLITE_OPEN_MAIN_JOURNAL
                | ffi::SQLITE_OPEN_SUPER_JOURNAL;
            let kind = if flags & journals == 0 {
                Kind::Database
            } else {
                Kind::Journal
            };
            match disk.open(&name, kind) {
                Ok(file) => on_disk = Some(Place { disk, file }),
                Err(fault) => return code(fault),
            }
        }
        let inner = shim.add(1).cast::<ffi::sqlite3_file>();
        let opened = (*real()).xOpen.map_or(ffi::SQLITE_CANTOPEN, |open| {
            open(real(), name, inner, flags, out_flags)
        });
        if opened != ffi::SQLITE_OK {
            return opened;
        }
        (*shim).methods = &METHODS;
        (*shim).place = on_disk.map_or(ptr::null_mut(), |place| Box::into_raw(Box::new(place)));
        ffi::SQLITE_OK
    }
}

unsafe extern "C" fn delete(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    sync_folder: c_int,
) -> c_int {
    // SAFETY: SQLite's file names end with a zero; the real VFS is SQLite's own.
    unsafe {
        if let Some((disk, name)) = disk_of(name)
            && let Err(fault) = disk.delete(&name, sync_folder != 0)
        {
            return code(fault);
        }
        (*real())
            .xDelete
            .map_or(ffi::SQLITE_IOERR, |delete| delete(real(), name, 0))
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes an opened file once; the place was made by `open`.
    unsafe {
        let (inner, methods) = inner(file);
        let closed = methods.xClose.map_or(ffi::SQLITE_OK, |close| close(inner));
        let shim = file.cast::<Shim>();
        if !(*shim).place.is_null() {
            drop(Box::from_raw((*shim).place));
        }
        shim.write(Shim {
            methods: ptr::null(),
            place: ptr::null_mut(),
        });
        closed
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: SQLite hands over `count` bytes to be written.
    unsafe {
        let bytes =
            std::slice::from_raw_parts(from.cast::<u8>(), usize::try_from(count).unwrap_or(0));
        let offset_there = u64::try_from(offset).unwrap_or(0);
        let asked = ask(place(file), |disk, id| disk.write(id, offset_there, bytes));
        if asked != ffi::SQLITE_OK {
            return asked;
        }
        let (inner, methods) = inner(file);
        methods
            .xWrite
            .map_or(ffi::SQLITE_IOERR, |write| write(inner, from, count, offset))
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: an opened file.
    unsafe {
        let asked = ask(place(file), |disk, id| {
            disk.truncate(id, u64::try_from(size).unwrap_or(0))
        });
        if asked != ffi::SQLITE_OK {
            return asked;
        }
        let (inner, methods) = inner(file);
        methods
            .xTruncate
            .map_or(ffi::SQLITE_IOERR, |truncate| truncate(inner, size))
    }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, flags: c_int) -> c_int {
    // SAFETY: an opened file.
    unsafe {
        if let Some(place) = place(file) {
            // The disk remembers what is synced; the real one need not be asked to.
            return ask(Some(place), Disk::sync);
        }
        let (inner, methods) = inner(file);
        methods
            .xSync
            .map_or(ffi::SQLITE_IOERR, |sync| sync(inner, flags))
    }
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    to: *mut c_void,
    count: c_int,
    offset: i64,
) -> c_int {
    // SAFETY: an opened file; `to` has room for `count` bytes.
    unsafe {
        let asked = ask(place(file), |disk, _| disk.read());
        if asked != ffi::SQLITE_OK {
            return asked;
        }
        let (inner, methods) = inner(file);
        methods
            .xRead
            .map_or(ffi::SQLITE_IOERR, |read| read(inner, to, count, offset))
    }
}

/// Power loss does not damage what lies beside a write; nothing else is promised.
unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_barrier(file: *mut ffi::sqlite3_file) {
    // SAFETY: an opened file.
    unsafe {
        let (inner, methods) = inner(file);
        if let Some(barrier) = methods.xShmBarrier {
            barrier(inner);
        }
    }
}

/// Functions that are the real VFS's, whatever the disk.
macro_rules! passed_on {
    ($($name:ident = $method:ident($($argument:ident: $type:ty),*);)+) => {$(
        unsafe extern "C" fn $name(file: *mut ffi::sqlite3_file $(, $argument: $type)*) -> c_int {
            // SAFETY: an opened file; the arguments are SQLite's.
            unsafe {
                let (inner, methods) = inner(file);
                methods.$method.map_or(ffi::SQLITE_IOERR, |method| method(inner $(, $argument)*))
            }
        }
    )+};
}

passed_on! {
    file_size = xFileSize(size: *mut i64);
    lock = xLock(level: c_int);
    unlock = xUnlock(level: c_int);
    check_reserved_lock = xCheckReservedLock(out: *mut c_int);
    file_control = xFileControl(operation: c_int, argument: *mut c_void);
    sector_size = xSectorSize();
    shm_map = xShmMap(page: c_int, size: c_int, extend: c_int, at: *mut *mut c_void);
    shm_lock = xShmLock(offset: c_int, count: c_int, flags: c_int);
    shm_unmap = xShmUnmap(delete: c_int);
}
