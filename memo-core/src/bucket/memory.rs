//! A bucket's copies of entries in this process, in front of the cache.
//!
//! What is kept are the stored bytes: they need no `Clone` of the value, and what comes out of them is what would come
//! out of the cache.

use crate::clock::{self, Tick};
use crate::entry;
use crate::shared::cache::{Found, TimeToLive};
use foldhash::fast::RandomState;
use parking_lot::Mutex;
use quick_cache::sync::Cache;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Duration;

/// The copies of a bucket and its clones.
///
/// Invariant: a copy is stored only if nothing of its shard was changed since before it was read (`changes`), checked
/// in one step with storing it, and every [`Change`](super::change::Change) of an entry forgets the copy when the cache
/// has carried it out. So what was read before a change is not found after it.
pub(super) struct Memory {
    copies: Cache<Box<str>, Copied>,
    /// How long a copy may be used.
    trusted: Duration,
    hasher: RandomState,
    /// How often something was changed. Its lock is held while a copy is stored or forgotten; inside it runs no code of
    /// users.
    changes: [Mutex<u64>; SHARDS],
}

const SHARDS: usize = 64;

#[derive(Clone)]
struct Copied {
    bytes: Arc<[u8]>,
    until: Tick,
}

/// Stands for the moment in which a read began.
#[derive(Clone, Copy)]
pub(super) struct Before(u64);

impl Memory {
    pub(super) fn new(capacity: usize, trusted: Duration) -> Self {
        Memory {
            copies: Cache::new(capacity),
            trusted,
            hasher: RandomState::default(),
            changes: std::array::from_fn(|_| Mutex::new(0)),
        }
    }

    /// The copy of what is under a key, unless it is too old.
    pub(super) fn get(&self, key: &str) -> Option<Arc<[u8]>> {
        let copy = self.copies.get(key)?;
        (clock::now() < copy.until).then_some(copy.bytes)
    }

    /// To be asked before the cache is read.
    pub(super) fn before(&self, key: &str) -> Before {
        Before(*self.shard(key).lock())
    }

    /// How long a copy of what was read now may be used.
    pub(super) fn until(&self, key: &str, found: &Found<&[u8]>) -> Tick {
        let left = match found.time_to_live {
            TimeToLive::Left(left) => left,
            TimeToLive::Forever => Duration::MAX,
            // The header bounds, but does not refuse.
            TimeToLive::Unknown => match entry::read(key, found.bytes) {
                Ok(entry) => entry.header.left().unwrap_or(Duration::MAX),
                Err(_) => Duration::ZERO,
            },
        };
        clock::now().after(left.min(self.trusted))
    }

    /// Keeps a copy of what was read, unless something was changed since.
    pub(super) fn keep(&self, key: &str, before: Before, bytes: Arc<[u8]>, until: Tick) {
        let changes = self.shard(key).lock();
        if *changes == before.0 {
            self.copies.insert(key.into(), Copied { bytes, until });
        }
    }

    /// Forgets a copy, and those that are being read. Whether there was one.
    pub(super) fn forget(&self, key: &str) -> bool {
        let mut changes = self.shard(key).lock();
        *changes += 1;
        self.copies.remove(key).is_some_and(|(_, copy)| clock::now() < copy.until)
    }

    pub(super) fn forget_all(&self) {
        // First this: a read under way stores its copy before, and it is cleared, or finds that it must not.
        for changes in &self.changes {
            *changes.lock() += 1;
        }
        self.copies.clear();
    }

    fn shard(&self, key: &str) -> &Mutex<u64> {
        // The remainder is below 64.
        #[expect(clippy::cast_possible_truncation, reason = "it is below the number of shards")]
        let position = (self.hasher.hash_one(key) % SHARDS as u64) as usize;
        &self.changes[position]
    }
}
