//! Bytes in this process: for tests, and the default of a named cache until another is registered.

mod ledger;
mod table;
mod tombstones;

use self::ledger::Ledger;
use self::table::{Table, weight};
use crate::common::MOST_NAMES;
use crate::number;
use foldhash::fast::RandomState;
use memo_core::clock::{self, Tick};
use memo_core::invalidation::{Invalidated, Invalidation, Records, Stored, check_records, prefix_of};
use memo_core::{Cache, Capabilities, Error, ErrorKind, Found, TimeToLive, Want, check_key, is_reserved};
use parking_lot::RwLock;
use std::fmt;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// More than the threads that write at once on most machines, and few enough that a scan of all is cheap.
const SHARDS: usize = 16;

/// A [`Cache`] in the memory of this process.
///
/// Readers of one key share a lock that is held while its entry is looked up, not while the bytes are looked at.
/// Expired entries are dropped when they are met, and each write looks at a few others, so that they do not stay.
/// With a bound, a write that goes past it evicts: of a few entries taken at random an expired one, else the one that
/// was stored the longest time ago.
///
/// ```
/// # mod memokit { pub use memo_backends::*; pub use memo_core::*; }
/// use memokit::{Cache, MemoryCache};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), memokit::Error> {
/// let cache = MemoryCache::builder().max_bytes(64 << 20).build();
/// cache.set("greeting", b"hello", Some(Duration::from_secs(60)))?;
/// assert_eq!(cache.get("greeting")?.as_deref(), Some(&b"hello"[..]));
/// assert_eq!(cache.increment("visits", 1, None)?, 1);
/// # Ok(())
/// # }
/// ```
pub struct MemoryCache {
    shards: [RwLock<Table>; SHARDS],
    hasher: RandomState,
    max_bytes: Option<usize>,
    /// The weight of all shards together; kept only where there is a bound.
    weight: AtomicUsize,
    /// Numbers the writes, so that the oldest of some entries is known; kept only where there is a bound.
    writes: AtomicU64,
    /// Which shard the next eviction starts with.
    next_victim: AtomicUsize,
    /// Taken and left before a shard is locked.
    ledger: RwLock<Ledger>,
}

/// Settings of a [`MemoryCache`]; see [`MemoryCache::builder`].
#[derive(Clone, Debug, Default)]
#[must_use = "nothing is made until `build` is called"]
pub struct MemoryCacheBuilder {
    max_bytes: Option<u64>,
}

impl MemoryCacheBuilder {
    /// Bounds what all entries take together: keys, values, and about 112 bytes an entry for its upkeep. An entry
    /// that is over it by itself is refused with [`ErrorKind::Full`]. Without it nothing is evicted. What is remembered of
    /// invalidations is not counted; it has bounds of its own, about a quarter of this one.
    pub fn max_bytes(mut self, max_bytes: u64) -> Self {
        self.max_bytes = Some(max_bytes);
        self
    }

    /// An empty cache with these settings.
    #[must_use]
    pub fn build(self) -> MemoryCache {
        MemoryCache {
            shards: std::array::from_fn(|_| RwLock::default()),
            hasher: RandomState::default(),
            max_bytes: self.max_bytes.map(|max| usize::try_from(max).unwrap_or(usize::MAX)),
            weight: AtomicUsize::new(0),
            writes: AtomicU64::new(0),
            next_victim: AtomicUsize::new(0),
            ledger: RwLock::default(),
        }
    }
}

impl MemoryCache {
    /// An empty cache without a bound.
    #[must_use]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Settings, to be ended by [`build`](MemoryCacheBuilder::build).
    pub fn builder() -> MemoryCacheBuilder {
        MemoryCacheBuilder::default()
    }

    /// What all entries take together, as the bound counts it; expired ones that were not met yet among them.
    ///
    /// ```
    /// # use memo_backends::MemoryCache;
    /// assert_eq!(MemoryCache::new().bytes(), 0);
    /// ```
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.shards.iter().map(|shard| shard.read().weight() as u64).sum()
    }

    /// How many entries are there.
    ///
    /// ```
    /// # use memo_backends::MemoryCache;
    /// assert_eq!(MemoryCache::new().len(), 0);
    /// ```
    #[must_use]
    pub fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().live().count()).sum()
    }

    /// Whether no entry is there.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.read().live().next().is_none())
    }

    fn shard(&self, key: &str) -> (u64, &RwLock<Table>) {
        let hash = self.hasher.hash_one(key);
        // Bits that the index of the shard looks at neither for the place nor for the tag of an entry.
        (hash, &self.shards[(hash >> 44) as usize % SHARDS])
    }

    /// Runs `work` on the shard of `key` with its write lock and the number of this write, then evicts if that went
    /// past the bound.
    fn write<T>(&self, key: &str, work: impl FnOnce(u64, &mut Table, u64) -> T) -> T {
        let (hash, shard) = self.shard(key);
        let Some(max) = self.max_bytes else { return work(hash, &mut shard.write(), 0) };
        let number = self.writes.fetch_add(1, Ordering::Relaxed);
        let output = self.count(&mut shard.write(), |table| work(hash, table, number));
        self.evict(max, number);
        output
    }

    /// Runs `work` on a shard and counts what that changed. The sum is right whenever no write is under way.
    fn count<T>(&self, table: &mut Table, work: impl FnOnce(&mut Table) -> T) -> T {
        let before = table.weight();
        let output = work(table);
        if self.max_bytes.is_some() {
            // Wraps for a shard that became lighter, which takes away as much.
            self.weight.fetch_add(table.weight().wrapping_sub(before), Ordering::Relaxed);
        }
        output
    }

    /// Evicts until all fits, sparing what the write of this number stored. One shard is locked at a time, and none by
    /// the caller.
    fn evict(&self, max: usize, spared: u64) {
        let mut without_victim = 0;
        while self.weight.load(Ordering::Relaxed) > max && without_victim < SHARDS {
            let position = self.next_victim.fetch_add(1, Ordering::Relaxed) % SHARDS;
            let dropped = self.count(&mut self.shards[position].write(), |table| table.evict(spared));
            without_victim = if dropped { 0 } else { without_victim + 1 };
        }
    }

    /// The part of `most` that goes with the bound on bytes, if `each` is what one takes: about an eighth of it.
    fn part(&self, most: usize, each: usize) -> usize {
        self.max_bytes.map_or(most, |max| (max / 8 / each).clamp(16, most))
    }

    fn check(&self, key: &str, bytes: &[u8]) -> Result<(), Error> {
        check_key(key)?;
        if self.max_bytes.is_some_and(|max| weight(key, bytes) > max) {
            return Err(Error::new(ErrorKind::Full, format!("storing {} bytes in the memory cache", bytes.len()))
                .advise("raise `max_bytes`"));
        }
        Ok(())
    }

    /// The bytes and the deadline of a live entry. An expired one is dropped on the way.
    fn find(&self, key: &str) -> Result<Option<Live>, Error> {
        check_key(key)?;
        let (hash, shard) = self.shard(key);
        {
            let table = shard.read();
            match table.find(hash, key) {
                None => return Ok(None),
                Some(slot) if !slot.is_expired() => return Ok(Some((Arc::clone(&slot.bytes), slot.expires))),
                Some(_) => {}
            }
        }
        self.write(key, |hash, table, _| table.remove_expired(hash, key));
        Ok(None)
    }
}

impl Default for MemoryCache {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for MemoryCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryCache")
            .field("entries", &self.len())
            .field("bytes", &self.bytes())
            .field("max_bytes", &self.max_bytes)
            .finish_non_exhaustive()
    }
}

/// The bytes of an entry and its deadline.
type Live = (Arc<[u8]>, Tick);

/// When an entry stored now expires. A timeout below a millisecond is one.
fn deadline(timeout: Option<Duration>) -> Tick {
    timeout.map_or(Tick::NEVER, |timeout| clock::now().after(timeout.max(Duration::from_millis(1))))
}

impl Cache for MemoryCache {
    fn capabilities(&self) -> Capabilities {
        let mut capable = Capabilities::new("memory");
        (capable.scan, capable.increment, capable.touch, capable.conditional) = (true, true, true, true);
        capable
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.find(key)?.map(|(bytes, _)| bytes.to_vec()))
    }

    fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        self.check(key, bytes)?;
        // Copied before the lock is taken.
        let (bytes, expires) = (Arc::from(bytes), deadline(timeout));
        self.write(key, |hash, table, number| table.put(hash, key, bytes, expires, number));
        Ok(())
    }

    fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        self.check(key, bytes)?;
        Ok(self.write(key, |hash, table, number| {
            let absent = table.find_live(hash, key).is_none();
            if absent {
                table.put(hash, key, bytes.into(), deadline(timeout), number);
            }
            absent
        }))
    }

    fn remove(&self, key: &str) -> Result<bool, Error> {
        check_key(key)?;
        Ok(self.write(key, |hash, table, _| table.remove(hash, key)))
    }

    fn read(&self, key: &str, want: Want, visit: &mut dyn FnMut(Found<&[u8]>)) -> Result<(), Error> {
        if let Some((bytes, expires)) = self.find(key)? {
            let time_to_live = match want {
                Want::Bytes => TimeToLive::Unknown,
                Want::BytesAndTimeToLive if expires == Tick::NEVER => TimeToLive::Forever,
                Want::BytesAndTimeToLive => TimeToLive::Left(expires.since(clock::now())),
            };
            visit(Found { bytes: &bytes, time_to_live });
        }
        Ok(())
    }

    fn increment(&self, key: &str, by: i64, timeout: Option<Duration>) -> Result<i64, Error> {
        // The longest text a number can have.
        self.check(key, i64::MIN.to_string().as_bytes())?;
        self.write(key, |hash, table, number| {
            let stored = table.find_live(hash, key);
            let sum = number::add(key, stored.map(|slot| &*slot.bytes), by)?;
            let expires = stored.map_or_else(|| deadline(timeout), |slot| slot.expires);
            table.put(hash, key, sum.to_string().as_bytes().into(), expires, number);
            Ok(sum)
        })
    }

    fn touch(&self, key: &str, timeout: Option<Duration>) -> Result<bool, Error> {
        check_key(key)?;
        Ok(self.write(key, |hash, table, _| table.touch(hash, key, deadline(timeout))))
    }

    fn scan(&self, prefix: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Error> {
        for shard in &self.shards {
            // Copied, so that `visit` runs without the lock and may call the cache.
            let keys: Vec<Box<str>> =
                shard.read().live().map(|(key, _)| key).filter(|key| key.starts_with(prefix)).map(Box::from).collect();
            keys.iter().filter(|key| !is_reserved(key)).for_each(|key| visit(key));
        }
        Ok(())
    }

    fn clear(&self, prefix: &str) -> Result<u64, Error> {
        Ok(self.shards.iter().map(|shard| self.count(&mut shard.write(), |table| table.clear(prefix))).sum())
    }

    /// Frees the entries of functions that are invalidated as a whole, too.
    fn invalidate(&self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        what.check()?;
        let most = self.part(MOST_NAMES, 128);
        let sequence = self.ledger.write().invalidate(what.names, what.seen, most);
        let (until, most) = (deadline(Some(what.keep)), self.part(tombstones::MOST * SHARDS, 256) / SHARDS);
        let mut removed = 0;
        for key in what.keys {
            removed += u64::from(self.write(key, |hash, table, _| {
                table.tombstones.put(key, sequence, until, most);
                table.remove(hash, key)
            }));
        }
        for prefix in what.names.iter().filter_map(|name| prefix_of(name)) {
            self.clear(prefix)?;
        }
        Ok(Invalidated { sequence, removed })
    }

    fn store(&self, key: &str, bytes: &[u8], timeout: Option<Duration>, since: u64) -> Result<Stored, Error> {
        self.check(key, bytes)?;
        let (bytes, expires) = (Arc::from(bytes), deadline(timeout));
        Ok(self.write(key, |hash, table, number| {
            let sequence = table.tombstones.newest(key);
            if sequence > since {
                return Stored::Refused { sequence };
            }
            table.put(hash, key, bytes, expires, number);
            Stored::Stored
        }))
    }

    fn records(&self, names: &[&str], seen: u64) -> Result<Records, Error> {
        check_records(names, seen)?;
        let ledger = self.ledger.read();
        if ledger.knows(seen) {
            return Ok(ledger.records(names));
        }
        drop(ledger);
        let mut ledger = self.ledger.write();
        ledger.start_over_below(seen);
        Ok(ledger.records(names))
    }

    fn remove_if(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        check_key(key)?;
        Ok(self.write(key, |hash, table, _| table.holds(hash, key, bytes) && table.remove(hash, key)))
    }

    fn touch_if(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        check_key(key)?;
        Ok(self.write(key, |hash, table, _| table.holds(hash, key, bytes) && table.touch(hash, key, deadline(timeout))))
    }
}
