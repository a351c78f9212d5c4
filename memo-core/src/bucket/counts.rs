//! What a bucket counts.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a [`Bucket`](crate::Bucket) and its clones did so far in this process, see
/// [`Bucket::stats`](crate::Bucket::stats).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct BucketStats {
    /// Keys that were asked for and had a value.
    pub hits: u64,
    /// Keys that were asked for and had none.
    pub misses: u64,
    /// Values that were stored.
    pub writes: u64,
}

impl BucketStats {
    /// What was counted since `before`.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// # fn example(bucket: memokit::Bucket<u32>) -> Result<(), memokit::Error> {
    /// let before = bucket.stats();
    /// bucket.get("k")?;
    /// assert_eq!(bucket.stats().since(&before).misses, 1);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn since(&self, before: &BucketStats) -> BucketStats {
        BucketStats {
            hits: self.hits.saturating_sub(before.hits),
            misses: self.misses.saturating_sub(before.misses),
            writes: self.writes.saturating_sub(before.writes),
        }
    }

    /// The share of hits among all keys that were asked for; `None` where none was.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// assert_eq!(memokit::BucketStats::default().hit_ratio(), None);
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio of counts beyond 2^52 needs no more digits")]
    pub fn hit_ratio(&self) -> Option<f64> {
        let asked = self.hits + self.misses;
        (asked > 0).then(|| self.hits as f64 / asked as f64)
    }
}

/// Every operation goes to a cache, or takes a lock of the memory: next to that an atomic addition is nothing.
#[derive(Default)]
pub(super) struct Counts {
    hits: AtomicU64,
    misses: AtomicU64,
    writes: AtomicU64,
}

impl Counts {
    pub(super) fn read(&self) -> BucketStats {
        BucketStats {
            hits: self.hits.load(Ordering::Relaxed),
            misses: self.misses.load(Ordering::Relaxed),
            writes: self.writes.load(Ordering::Relaxed),
        }
    }

    /// Counts a key that was asked for, and passes on what was found.
    pub(super) fn asked<V>(&self, found: Option<V>) -> Option<V> {
        let count = if found.is_some() { &self.hits } else { &self.misses };
        count.fetch_add(1, Ordering::Relaxed);
        found
    }

    pub(super) fn wrote(&self, count: usize) {
        self.writes.fetch_add(count as u64, Ordering::Relaxed);
    }
}
