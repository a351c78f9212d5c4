//! How a cache does, as this process sees it.

use super::cache::Cache;
use super::link::Link;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// How a cache does, as the cached functions of this process see it: [`health`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// Whether it is asked. Where it is not, since it did not answer repeatedly, every call is a miss without a delay,
    /// and this process looks twice a second whether it answers again.
    pub answers: bool,
    /// Whether messages of other processes arrive; never, where the cache has no bus.
    pub hears: bool,
    /// How often it stopped answering.
    pub outages: u64,
    /// Operations that were not tried, because of that or since they were about an entry whose invalidation is owed.
    pub skipped: u64,
    /// Invalidations that failed and wait to be applied.
    pub owed: u64,
    /// Invalidations that failed and were applied later.
    pub applied_late: u64,
    /// Invalidations that failed and were given up: whatever they were about had expired, or the cache can't do them, which
    /// is an error event.
    pub dropped: u64,
}

/// How a cache does, for the page that says so to an operator. It asks nobody.
///
/// ```
/// # use memo_core as memokit;
/// # fn example(cache: std::sync::Arc<dyn memokit::Cache>) {
/// let health = memokit::health(&cache);
/// println!("cache {}: {} invalidations owed", if health.answers { "up" } else { "down" }, health.owed);
/// # }
/// ```
#[must_use]
pub fn health(cache: &Arc<dyn Cache>) -> Health {
    let link = Link::of(cache);
    Health {
        answers: !link.breaker.is_open(),
        hears: link.hears(),
        outages: link.breaker.opened(),
        skipped: link.skips.load(Ordering::Relaxed),
        owed: link.owed.count() as u64,
        applied_late: link.owed.applied(),
        dropped: link.owed.dropped(),
    }
}
