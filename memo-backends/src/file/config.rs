//! The settings of a file cache.

use super::FileCache;
use super::store::Store;
use memo_core::{Error, ErrorKind};
use std::path::PathBuf;
use std::time::Duration;

/// Below this LMDB has no room to write a page anew while readers see the old one.
const LEAST_BYTES: u64 = 256 << 10;
/// A multiple of the page of every system.
const STEP: u64 = 64 << 10;

/// Settings of a [`FileCache`]; see [`FileCache::builder`].
#[derive(Clone, Debug)]
#[must_use = "nothing is opened until `build` is called"]
pub struct FileCacheBuilder {
    pub(super) path: PathBuf,
    max_bytes: u64,
    max_age: Option<Duration>,
    pub(super) evict: Evict,
    pub(super) sync_every: Duration,
}

/// Which entries a full [`FileCache`] drops first, once it has dropped those that have expired.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Evict {
    /// Those whose last use is longest ago, of all processes.
    #[default]
    LastUse,
    /// Those that took the least time to load for the bytes and the time that they lay unused: of two that were used in
    /// the same moment the one that takes ten times as long to load may be ten times as large. The time is in the
    /// entries of `#[cached]` functions; what has none counts as 1 ms.
    LoadCost,
}

impl FileCacheBuilder {
    pub(super) fn new(path: PathBuf) -> Self {
        FileCacheBuilder {
            path,
            max_bytes: 1 << 30,
            max_age: None,
            evict: Evict::LastUse,
            sync_every: Duration::from_secs(30),
        }
    }

    /// The size that the file of the entries never passes; 1 GiB where it is not given, 256 KiB at least. As much
    /// address space is reserved, but no disk. One entry may take a quarter of it.
    ///
    /// The process that opens the folder while no other has it open decides: others take its bound meanwhile.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = max_bytes;
        self
    }

    /// How old an entry gets at most, whatever its timeout; any age where it is not given. Older ones are misses, and go
    /// with the expired ones.
    ///
    /// It counts from when the entry was stored, and goes by what this process was told: another that was told less reads
    /// entries that are misses here, until this one has dropped them. In one process the strictest of all handles on the
    /// folder counts.
    pub fn max_age(mut self, max_age: Duration) -> Self {
        self.max_age = Some(max_age);
        self
    }

    /// Which entries go first when the folder is full; [`Evict::LastUse`] where it is not given. Each process goes by what
    /// its first handle on the folder was told.
    pub fn evict(mut self, evict: Evict) -> Self {
        self.evict = evict;
        self
    }

    /// How long after a write everything is synced to the disk, by a thread of its own; 30 s where it is not given.
    ///
    /// This matters for a crash of the machine only: entries are complete for every process at once, and when a
    /// process is killed. A folder that was written to after its last sync is set aside after such a crash; one that
    /// was not keeps its entries.
    pub fn sync_every(mut self, sync_every: Duration) -> Self {
        self.sync_every = sync_every;
        self
    }

    /// Opens the folder, and makes it if it is missing.
    ///
    /// A folder that this process may read but not write (its permissions, or a file system mounted to be read) is opened
    /// for reading, if nobody else has it open: then what would write is an [`ErrorKind::Config`]. Several processes may
    /// do so, but none can open it for writing meanwhile.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] where the path can't be used as a folder of a cache: it is something else, may not be
    /// written, lies on a network file system; or where a setting is out of range. [`ErrorKind::Unavailable`] where
    /// another process holds the folder's lock for 10 s, or may only read the folder and has it open. Entries that are damaged or not ours are no error: they are
    /// set aside.
    pub fn build(self) -> Result<FileCache, Error> {
        if self.sync_every.is_zero() {
            return Err(Error::new(ErrorKind::Config, format!("opening the file cache {}", self.path.display()))
                .advise("`sync_every` must be more than nothing; call `sync` after a write that must not be lost"));
        }
        self.map_bytes()?;
        if self.max_age.is_some_and(|max_age| max_age.is_zero()) {
            return Err(Error::new(ErrorKind::Config, format!("opening the file cache {}", self.path.display()))
                .advise("`max_age` must be more than nothing"));
        }
        Ok(FileCache { store: Store::open(&self)? })
    }

    /// The size of the map: the bound, on a page.
    pub(super) fn map_bytes(&self) -> Result<u64, Error> {
        let most = u64::try_from(isize::MAX).unwrap_or(u64::MAX) / 4;
        if !(LEAST_BYTES..=most).contains(&self.max_bytes) {
            return Err(Error::new(ErrorKind::Config, format!("opening the file cache {}", self.path.display()))
                .advise(format!("`max_bytes` is {}, not between {LEAST_BYTES} and {most}", self.max_bytes)));
        }
        Ok(self.max_bytes / STEP * STEP)
    }

    /// In milliseconds; 0 is any age.
    pub(super) fn max_age_millis(&self) -> u64 {
        self.max_age.map_or(0, |max_age| u64::try_from(max_age.as_millis()).unwrap_or(u64::MAX).max(1))
    }
}
