//! The LMDB environment: opened, checked to be ours, and its errors in our words.

use super::value::HEADER;
use heed::types::Bytes;
use heed::{CommitOrAbort, Database, Env, EnvFlags, EnvOpenOptions, MdbError, WithTls};
use memo_core::{Error, ErrorKind};
use std::io;
use std::path::Path;

/// The unnamed database: one lookup less on each read than a named one.
pub(super) type Entries = Database<'static, Bytes, Bytes>;

/// Keys of our own start with a byte that UTF-8 does not have, so that no entry meets them and all lie behind.
pub(super) const OWN: u8 = 0xff;
/// Says that the database is ours, and in which layout.
const FORMAT_KEY: &[u8] = &[OWN, b'f'];
const FORMAT: &[u8] = b"memokit file cache 2";
/// Where the next sweep starts, and the next eviction: keys. Two, since a sweep of a full folder goes far: evictions that
/// went on where sweeps stop would come to some places again and again, and to others never.
pub(super) const SWEEP_KEY: &[u8] = &[OWN, b'c'];
pub(super) const EVICTION_KEY: &[u8] = &[OWN, b'e'];

/// Reader slots of 64 bytes each: a thread that has read keeps one until it ends, over all processes.
const READERS: u32 = 4_096;

/// Whether a key is one of ours, behind all entries.
pub(super) fn is_own(key: &[u8]) -> bool {
    key.first() == Some(&OWN)
}

/// An open environment and its entries.
pub(super) struct Opened {
    pub(super) env: Env<WithTls>,
    pub(super) entries: Entries,
    pub(super) page_bytes: u64,
}

/// Why an environment was not opened.
pub(super) enum Refused {
    /// It is damaged, of another layout, or none of ours.
    NotOurs,
    Failed(heed::Error),
}

impl From<heed::Error> for Refused {
    fn from(error: heed::Error) -> Self {
        let foreign = matches!(
            error,
            heed::Error::Mdb(
                MdbError::Invalid
                    | MdbError::VersionMismatch
                    | MdbError::Corrupted
                    | MdbError::PageNotFound
                    | MdbError::Incompatible
                    | MdbError::Panic
            )
        );
        if foreign { Refused::NotOurs } else { Refused::Failed(error) }
    }
}

/// Opens what lies in `path`, or starts anew where nothing does. `whole` says that all of it is known to be on the
/// disk, so that a shorter file was cut off.
pub(super) fn open(path: &Path, map_bytes: usize, whole: bool) -> Result<Opened, Refused> {
    let foreign_file = |name: &str| path.join(name).symlink_metadata().is_ok_and(|found| !found.is_file());
    if !path.is_dir() || foreign_file("data.mdb") || foreign_file("lock.mdb") {
        return Err(Refused::NotOurs);
    }
    let env = open_environment(path, map_bytes, EnvFlags::NO_SYNC)?;
    // Slots of killed processes would keep old pages from being used again.
    env.clear_stale_readers()?;
    if whole && env.real_disk_size()? < file_bytes(&env) {
        return Err(Refused::NotOurs);
    }
    let entries = entries_of(&env)?;
    let txn = env.read_txn()?;
    let (format, empty) = (entries.get(&txn, FORMAT_KEY)?, entries.is_empty(&txn)?);
    if format.is_some_and(|format| format != FORMAT) || (format.is_none() && !empty) {
        return Err(Refused::NotOurs);
    }
    drop(txn);
    if empty {
        let mut txn = env.write_txn()?;
        entries.put(&mut txn, FORMAT_KEY, FORMAT)?;
        txn.commit()?;
    }
    let page_bytes = u64::from(env.unnamed_database_stat().page_size);
    Ok(Opened { env, entries, page_bytes })
}

/// How long the file must be for every page to lie in it.
pub(super) fn file_bytes(env: &Env<WithTls>) -> u64 {
    (env.info().last_page_number as u64 + 1) * u64::from(env.unnamed_database_stat().page_size)
}

/// Whether a value of so many bytes (with its times) lies in pages of its own.
pub(super) fn has_pages_of_its_own(key: usize, stored: usize, page_bytes: u64) -> bool {
    (key + stored) as u64 + 16 > page_bytes / 2
}

/// What an entry needs in the file, at most.
pub(super) fn entry_bytes(key: usize, bytes: usize, page_bytes: u64) -> u64 {
    let inline = (key + bytes + HEADER) as u64 + 16;
    if has_pages_of_its_own(key, bytes + HEADER, page_bytes) {
        inline.next_multiple_of(page_bytes) + page_bytes
    } else {
        inline
    }
}

/// Opens what lies in `path` to be read, without the lock file of LMDB, which this process may not write.
///
/// The caller sees to it that nobody writes meanwhile.
pub(super) fn open_to_read(path: &Path, map_bytes: usize) -> Result<Opened, Refused> {
    let env = open_environment(path, map_bytes, EnvFlags::READ_ONLY | EnvFlags::NO_LOCK)?;
    if env.real_disk_size()? < file_bytes(&env) {
        return Err(Refused::NotOurs);
    }
    let entries = entries_of(&env)?;
    let txn = env.read_txn()?;
    if entries.get(&txn, FORMAT_KEY)? != Some(FORMAT) {
        return Err(Refused::NotOurs);
    }
    drop(txn);
    let page_bytes = u64::from(env.unnamed_database_stat().page_size);
    Ok(Opened { env, entries, page_bytes })
}

fn entries_of(env: &Env<WithTls>) -> heed::Result<Entries> {
    let opened = env.open_databases_and_commit(env.read_txn()?, |opener, txn| {
        opener.open_database::<Bytes, Bytes>(txn, None).map(CommitOrAbort::<_, ()>::Commit)
    })?;
    Ok(opened.unwrap_commit().expect("every environment has an unnamed database"))
}

fn open_environment(path: &Path, map_bytes: usize, flags: EnvFlags) -> heed::Result<Env<WithTls>> {
    let mut options = EnvOpenOptions::new();
    options.map_size(map_bytes).max_readers(READERS);
    #[expect(unsafe_code, reason = "heed asks its caller to keep others from the mapped file, and for unsynced writes")]
    // SAFETY: The map is read-only (no WRITE_MAP), and the file changes only through transactions of LMDB under its own
    // locks; without those (NO_LOCK) it is opened only to be read, while our readers lock keeps out all who would write.
    // The folder is private to its owner, is not on a network file system, and our door
    // and users locks keep every process of this library from moving or replacing a file that another has open.
    // NO_SYNC can damage the file only in a crash of the machine; the state file's mark, which is on the disk before
    // the first write is, then has it set aside unopened.
    let env = unsafe {
        options.flags(flags);
        options.open(path)?
    };
    Ok(env)
}

/// An error of LMDB in our words; `attempted` says what was tried.
pub(super) fn translate(error: heed::Error, attempted: String) -> Error {
    let (kind, advice) = match &error {
        heed::Error::Mdb(MdbError::MapFull | MdbError::TxnFull) => (ErrorKind::Full, "raise `max_bytes`"),
        heed::Error::Mdb(MdbError::ReadersFull) => {
            (ErrorKind::Unavailable, "more than 4096 threads have read the folder; end some")
        }
        heed::Error::Mdb(MdbError::Invalid | MdbError::Corrupted | MdbError::PageNotFound | MdbError::Panic) => {
            (ErrorKind::Backend, "the folder is damaged: close it everywhere and remove it")
        }
        heed::Error::Io(error) => of_system(error),
        _ => (ErrorKind::Backend, "LMDB refused it"),
    };
    Error::new(kind, attempted).advise(advice).because(error)
}

fn of_system(error: &io::Error) -> (ErrorKind, &'static str) {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => (ErrorKind::Full, "make room on the disk"),
        io::ErrorKind::FileTooLarge => {
            (ErrorKind::Full, "this process may not make files that long: lower `max_bytes`")
        }
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::Config, "this process may not write there")
        }
        io::ErrorKind::OutOfMemory => (ErrorKind::Config, "there is no address space for `max_bytes`: lower it"),
        _ if cfg!(unix) && error.raw_os_error() == Some(EIO) => {
            (ErrorKind::Full, "a write ended early: make room on the disk, or have it looked at")
        }
        _ => (ErrorKind::Backend, "the system refused it"),
    }
}

/// LMDB's word for a write of fewer bytes than it asked for, which is how a disk tells first that it is full.
const EIO: i32 = 5;
