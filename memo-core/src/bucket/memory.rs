//! A bucket's copies of entries in this process, in front of the cache.
//!
//! What is kept are the stored bytes: they need no `Clone` of the value, and what comes out of them is what would come
//! out of the cache.

use crate::clock::{self, Tick};
use crate::entry;
use crate::shared::cache::{Found, TimeToLive};
use quick_cache::sync::Cache;
use std::sync::Arc;
use std::time::Duration;

/// The copies of a bucket and its clones. When one may be kept its circle knows.
pub(super) struct Memory {
    copies: Cache<Box<str>, Copied>,
    /// How long a copy may be used.
    trusted: Duration,
}

#[derive(Clone)]
struct Copied {
    bytes: Arc<[u8]>,
    until: Tick,
}

impl Memory {
    pub(super) fn new(capacity: usize, trusted: Duration) -> Self {
        Memory { copies: Cache::new(capacity), trusted }
    }

    /// The copy of what is under a key, unless it is too old.
    pub(super) fn get(&self, key: &str) -> Option<Arc<[u8]>> {
        let copy = self.copies.get(key)?;
        (clock::now() < copy.until).then_some(copy.bytes)
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

    /// Keeps a copy of what was read.
    pub(super) fn keep(&self, key: &str, bytes: Arc<[u8]>, until: Tick) {
        self.copies.insert(key.into(), Copied { bytes, until });
    }

    /// Forgets a copy. Whether there was one.
    pub(super) fn forget(&self, key: &str) -> bool {
        self.copies.remove(key).is_some_and(|(_, copy)| clock::now() < copy.until)
    }

    pub(super) fn forget_all(&self) {
        self.copies.clear();
    }
}
