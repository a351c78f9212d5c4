//! Bytes in a folder: an LMDB environment that several processes share and that survives them.

mod cache;
mod coherence;
mod conditional;
mod config;
mod env;
mod evict;
mod folder;
mod network;
mod opening;
mod prune;
mod room;
mod scan;
mod session;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod uses;
mod value;

pub use self::config::{Evict, FileCacheBuilder};
use self::env::entry_bytes;
pub use self::scan::EntryInfo;
use self::store::{Failure, Store};
use self::uses::moment;
use self::value::{HEADER, Stored, Times};
use crate::batches::batches;
use heed::{RoTxn, RwTxn};
use memo_core::{Error, ErrorKind, check_key};
use std::fmt;
use std::io::Write;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Keys that a scan or a clear takes at a time, so that no transaction lasts long.
const PAGE: usize = 1_000;

/// A [`Cache`](memo_core::Cache) in a folder of this machine, open to several processes at once.
///
/// - **Killed processes lose nothing.** Each write is one transaction that is complete for every process when it
///   returns, and stays so when its process is killed.
/// - **No `fsync` per write.** Everything is synced at intervals ([`FileCacheBuilder::sync_every`]), on
///   [`sync`](FileCache::sync), and when the folder is closed. Entries that were written to after the last sync when
///   the *machine* crashes may be damaged, so the folder starts anew then; the old entries are set aside, as are
///   those that are damaged, cut off, or of something else. Nothing that is set aside is ever deleted.
/// - **Bounded.** The file never passes [`FileCacheBuilder::max_bytes`]. A full one drops expired entries, then those
///   whose last use by any process is longest ago, or that are cheapest to load again
///   ([`FileCacheBuilder::evict`]), approximately. No entry gets older than [`FileCacheBuilder::max_age`].
/// - **Open to be looked at.** [`entries`](FileCache::entries) shows what there is, [`prune`](FileCache::prune) drops
///   what is there for nothing.
/// - **A full disk is no end.** A write is then an [`ErrorKind::Full`], and what is there can still be read. A folder that
///   may only be read is opened for reading.
/// - **Private.** Files and folders it makes can be read by their owner only.
///
/// Timeouts go by the wall clock of the machine, in milliseconds: setting it back makes entries live longer.
/// Reads wait for nobody; a write waits for the writes of other processes, and so for one that is stopped
/// (`SIGSTOP`) in the middle of its own. Do not use it across a `fork`. The folder's layout is in `docs/file-layout.md`.
///
/// A clone is a second handle on the same folder, as is another `open` of it; the last one closes it.
///
/// ```
/// # mod memokit { pub use memo_backends::*; pub use memo_core::*; }
/// use memokit::{Cache, FileCache};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("cache");
/// let cache = FileCache::open(&path)?;
/// cache.set("greeting", b"hello", Some(Duration::from_secs(60)))?;
///
/// let second = FileCache::open(&path)?;
/// assert_eq!(second.get("greeting")?.as_deref(), Some(&b"hello"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct FileCache {
    store: Arc<Store>,
}

impl FileCache {
    /// Opens a folder with the settings of [`builder`](FileCache::builder) left as they are. Errors: see
    /// [`build`](FileCacheBuilder::build).
    pub fn open(path: impl Into<PathBuf>) -> Result<FileCache, Error> {
        Self::builder(path).build()
    }

    /// Settings, to be ended by [`build`](FileCacheBuilder::build).
    ///
    /// ```
    /// # use memo_backends::FileCache;
    /// # use std::time::Duration;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let folder = tempfile::tempdir()?;
    /// let cache = FileCache::builder(folder.path())
    ///     .max_bytes(64 << 20)
    ///     .max_age(Duration::from_secs(86_400))
    ///     .sync_every(Duration::from_secs(5))
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(path: impl Into<PathBuf>) -> FileCacheBuilder {
        FileCacheBuilder::new(path.into())
    }

    /// Waits until everything that was written before the call is on the disk and survives a crash of the machine
    /// (unless someone writes again after that, see [`FileCacheBuilder::sync_every`]).
    ///
    /// # Errors
    ///
    /// Those of the disk, as [`ErrorKind::Backend`] or [`ErrorKind::Full`].
    pub fn sync(&self) -> Result<(), Error> {
        self.store.sync()
    }

    /// The folder, without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.store.folder().path()
    }

    /// The folders of entries that were set aside, in no order: damaged, foreign, or in doubt after a crash of the
    /// machine. They count towards no bound; remove them when they are of no use.
    pub fn set_aside(&self) -> Result<Vec<PathBuf>, Error> {
        self.store.folder().set_aside().map_err(|error| self.store.folder().failed("listing", error))
    }

    #[inline]
    fn live<'a>(&self, stored: &'a [u8]) -> Option<Stored<'a>> {
        Stored::live(stored, self.store.room().max_age())
    }

    /// What is live under a key, where it lies.
    #[inline]
    fn find<'t>(&self, txn: &'t RoTxn<'_>, key: &str) -> heed::Result<Option<Stored<'t>>> {
        let stored = self.store.opened().entries.get(txn, key.as_bytes())?;
        Ok(stored.and_then(|stored| self.live(stored)))
    }

    fn attempted(&self, what: &str) -> String {
        format!("{what} in the file cache {}", self.path().display())
    }

    /// Looks at a live entry where it lies, and notes that it was used.
    #[inline]
    fn look<T>(&self, key: &str, look: impl FnOnce(Stored<'_>) -> T) -> Result<Option<T>, Error> {
        check_key(key)?;
        let used = self.store.room().uses.of(key.as_bytes());
        let found = self.store.snapshot().and_then(|txn| {
            let Some(stored) = self.find(&txn, key)? else { return Ok(None) };
            used.note(moment(txn.id()));
            Ok(Some(look(stored)))
        });
        found.map_err(|error| env::translate(error, self.attempted(&format!("reading {key}"))))
    }

    /// What an entry takes, if a folder of this size takes it.
    fn size(&self, key: &str, bytes: &[u8]) -> Result<u64, Error> {
        check_key(key)?;
        let size = entry_bytes(key.len(), bytes.len(), self.store.opened().page_bytes);
        if size > self.store.room().entry() {
            return Err(Error::new(ErrorKind::Full, self.attempted(&format!("storing {} bytes", bytes.len())))
                .advise("one entry may take a quarter of `max_bytes`: raise it"));
        }
        Ok(size)
    }

    /// Runs `work` on what is live under `key`, in a transaction of its own.
    fn change<T>(
        &self,
        size: u64,
        what: &str,
        key: &str,
        mut work: impl FnMut(&mut RwTxn<'_>, Option<Stored<'_>>) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        self.store.write(
            size,
            || self.attempted(&format!("{what} {key}")),
            |txn| {
                // Copied, since the map may change under it once the transaction writes.
                let stored = self.find(txn, key)?.map(|stored| (stored.times, stored.bytes.to_vec()));
                work(txn, stored.as_ref().map(|(times, bytes)| Stored { times: *times, bytes }))
            },
        )
    }

    fn put(&self, txn: &mut RwTxn<'_>, key: &str, bytes: &[u8], times: Times) -> heed::Result<()> {
        self.store.room().uses.of(key.as_bytes()).note(moment(txn.id()));
        self.store.opened().entries.put_reserved(txn, key.as_bytes(), HEADER + bytes.len(), |space| {
            space.write_all(&times.to_bytes())?;
            space.write_all(bytes)
        })
    }

    /// The entries of one transaction each, with what they take.
    fn transactions<'a, E>(&self, entries: &'a [(u64, E)]) -> impl Iterator<Item = &'a [(u64, E)]> {
        let bytes = usize::try_from(self.store.room().transaction()).unwrap_or(usize::MAX);
        batches(entries, usize::MAX, bytes, |(size, _)| usize::try_from(*size).unwrap_or(usize::MAX))
    }

    /// Stores entries in one transaction, each by `put`.
    fn write_many<E, T>(
        &self,
        entries: &[(u64, E)],
        put: impl Fn(&mut RwTxn<'_>, &E) -> Result<T, Failure>,
    ) -> Result<Vec<T>, Error> {
        self.store.write(
            entries.iter().map(|(size, _)| size).sum(),
            || self.attempted(&format!("storing {} entries", entries.len())),
            |txn| entries.iter().map(|(_, entry)| put(txn, entry)).collect(),
        )
    }

    fn delete(&self, txn: &mut RwTxn<'_>, key: &str) -> Result<bool, Failure> {
        let live = self.find(txn, key)?.is_some();
        self.store.opened().entries.delete(txn, key.as_bytes())?;
        Ok(live)
    }

    /// The next keys with this prefix behind `after`, with whether they are live.
    fn page(&self, txn: &RoTxn<'_>, prefix: &str, after: &str) -> heed::Result<Vec<(String, bool)>> {
        let start = match (prefix, after) {
            ("", "") => Bound::Unbounded,
            (prefix, "") => Bound::Included(prefix.as_bytes()),
            (_, after) => Bound::Excluded(after.as_bytes()),
        };
        let mut keys = Vec::new();
        for entry in self.store.opened().entries.range(txn, &(start, Bound::Unbounded))? {
            let (key, stored) = entry?;
            // Keys of our own are no UTF-8, and lie behind all others.
            let Ok(key) = std::str::from_utf8(key) else { break };
            if keys.len() == PAGE || !key.starts_with(prefix) {
                break;
            }
            keys.push((key.to_owned(), self.live(stored).is_some()));
        }
        Ok(keys)
    }
}

impl fmt::Debug for FileCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FileCache").field("path", &self.path()).finish_non_exhaustive()
    }
}
