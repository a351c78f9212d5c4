//! Counters of one function, and the figures read from them.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

/// Counter blocks that one thread has for itself as long as it lives: it counts with a plain load and store, since an
/// atomic addition costs as much as a third of a hit.
const OWNED: usize = 8;
/// Counter blocks for the threads there are beyond. They are dealt out over these, so that two that hit at once seldom
/// write to one cache line.
const SHARED: usize = 8;
const BLOCKS: usize = OWNED + SHARED;

/// What is counted, as an index into a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    LocalHits,
    SharedHits,
    Misses,
    Joins,
    Loads,
    LoadErrors,
    Bypasses,
    Refreshes,
    Expired,
    Evicted,
    Invalidations,
    Discarded,
    BackendErrors,
    Skipped,
    Rejected,
    Refused,
    Verified,
    Mismatches,
    HookPanics,
    TooHeavy,
    LoadNanos,
    /// Loads that may have gone unmeasured.
    Begun,
}

const COUNTS: usize = Count::Begun as usize + 1;

/// So many loads of a function are measured by each thread in any case.
const MEASURED: u64 = 64;
/// Of loads that take less than this on average, in nanoseconds, one in [`OF`] is measured and stands for as many: the two
/// readings of the clock are a tenth of what a miss costs.
const SHORT: u64 = 1_000;
const OF: u32 = 16;

/// One block, on cache lines of its own. 128 bytes: two lines are fetched as a pair on common processors.
#[repr(align(128))]
struct Block([AtomicU64; COUNTS]);

/// The counters of one function.
pub(crate) struct Counters([Block; BLOCKS]);

impl Counters {
    pub(crate) const fn new() -> Self {
        Counters([const { Block([const { AtomicU64::new(0) }; COUNTS]) }; BLOCKS])
    }

    #[inline]
    pub(crate) fn add(&self, what: Count, n: u64) {
        let block = BLOCK.get();
        if block < OWNED {
            let count = &self.0[block].0[what as usize];
            count.store(count.load(Ordering::Relaxed).wrapping_add(n), Ordering::Relaxed);
        } else {
            self.add_slowly(what, n);
        }
    }

    /// For a thread's first count, and for threads without a block of their own.
    #[inline(never)]
    fn add_slowly(&self, what: Count, n: u64) {
        if BLOCK.get() == NONE_YET {
            BLOCK.set(take_block());
            return self.add(what, n);
        }
        self.0[BLOCK.get()].0[what as usize].fetch_add(n, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn one(&self, what: Count) {
        self.add(what, 1);
    }

    /// How many loads the time of the one that begins will stand for; zero if that of another stands for it.
    pub(crate) fn measured_for(&self) -> u32 {
        let Some(Block(counts)) = self.0[..OWNED].get(BLOCK.get()) else { return 1 };
        let count = |what| counts[what as usize].load(Ordering::Relaxed);
        let begun = count(Count::Begun);
        counts[Count::Begun as usize].store(begun + 1, Ordering::Relaxed);
        if begun < MEASURED || count(Count::LoadNanos) > count(Count::Loads).saturating_mul(SHORT) {
            return 1;
        }
        // Which one is all but random (a multiplicative hash), or it might always be one of a kind.
        if begun.wrapping_mul(0x9e37_79b9_7f4a_7c15) < u64::MAX / u64::from(OF) { OF } else { 0 }
    }

    fn sum(&self, what: Count) -> u64 {
        self.0.iter().map(|block| block.0[what as usize].load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn read(&self, entries: u64) -> Stats {
        Stats {
            local_hits: self.sum(Count::LocalHits),
            shared_hits: self.sum(Count::SharedHits),
            misses: self.sum(Count::Misses),
            joins: self.sum(Count::Joins),
            loads: self.sum(Count::Loads),
            load_errors: self.sum(Count::LoadErrors),
            bypasses: self.sum(Count::Bypasses),
            refreshes: self.sum(Count::Refreshes),
            expired: self.sum(Count::Expired),
            evicted: self.sum(Count::Evicted),
            invalidations: self.sum(Count::Invalidations),
            discarded: self.sum(Count::Discarded),
            backend_errors: self.sum(Count::BackendErrors),
            skipped: self.sum(Count::Skipped),
            rejected: self.sum(Count::Rejected),
            refused: self.sum(Count::Refused),
            verified: self.sum(Count::Verified),
            mismatches: self.sum(Count::Mismatches),
            hook_panics: self.sum(Count::HookPanics),
            too_heavy: self.sum(Count::TooHeavy),
            load_time: Duration::from_nanos(self.sum(Count::LoadNanos)),
            entries,
            weight: 0,
        }
    }
}

const NONE_YET: usize = usize::MAX;

thread_local! {
    /// The block this thread counts in, of every function. Without a destructor, so that it is one load away.
    static BLOCK: Cell<usize> = const { Cell::new(NONE_YET) };
    static LEASE: Cell<Option<Lease>> = const { Cell::new(None) };
}

/// The blocks that are nobody's own at the moment, one bit each.
static FREE: AtomicU64 = AtomicU64::new((1 << OWNED) - 1);

/// A block that this thread has for itself. It goes back when the thread ends.
struct Lease(usize);

impl Drop for Lease {
    fn drop(&mut self) {
        // Destructors that run after this one count as well.
        BLOCK.set(shared_block());
        // Release, to the Acquire of whoever takes it next: it must see what was counted, or would overwrite it.
        FREE.fetch_or(1 << self.0, Ordering::Release);
    }
}

#[cold]
fn take_block() -> usize {
    let taken = FREE.fetch_update(Ordering::Acquire, Ordering::Relaxed, |free| (free != 0).then(|| free & (free - 1)));
    let Ok(free) = taken else { return shared_block() };
    let lease = Lease(free.trailing_zeros() as usize);
    let block = lease.0;
    // Where the thread is being torn down already, the lease ends here, unused.
    match LEASE.try_with(|mine| mine.set(Some(lease))) {
        Ok(()) => block,
        Err(_) => shared_block(),
    }
}

fn shared_block() -> usize {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    OWNED + NEXT.fetch_add(1, Ordering::Relaxed) % SHARED
}

/// What a cached function has done so far: `f::stats()`.
///
/// A call is one of: a hit (`local_hits`, `shared_hits`), a miss (`misses`), a bypass or a refresh. A miss either
/// runs the body (a load) or waits for a load that another caller runs (a join).
///
/// ```
/// # use memo_core as memokit;
/// let stats = memokit::Stats::default();
/// assert_eq!(stats.hits(), 0);
/// assert_eq!(stats.hit_ratio(), None);
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Hits in the local level.
    pub local_hits: u64,
    /// Hits in the shared level.
    pub shared_hits: u64,
    /// Calls that found no fresh value.
    pub misses: u64,
    /// Misses that waited for another caller's load instead of running the body.
    pub joins: u64,
    /// Runs of the body whose value was to be stored.
    pub loads: u64,
    /// Loads that returned an error.
    pub load_errors: u64,
    /// Calls for which `bypass` was true.
    pub bypasses: u64,
    /// Calls of `f::refresh`, and calls for which `refresh` was true.
    pub refreshes: u64,
    /// Look-ups that found an entry past its timeout.
    pub expired: u64,
    /// Entries dropped to stay within `capacity` or `max_weight`.
    pub evicted: u64,
    /// Calls of `f::invalidate` and `f::invalidate_all`.
    pub invalidations: u64,
    /// Loaded values that were not stored because their key was invalidated, or stored anew, meanwhile.
    pub discarded: u64,
    /// Operations of the shared level that failed.
    pub backend_errors: u64,
    /// Operations of the shared level that were not tried, since its cache does not answer at the moment, or since an
    /// invalidation of the entry has not reached it yet.
    pub skipped: u64,
    /// Stored bytes that were not a value of this function: damaged, foreign, or of an older version.
    pub rejected: u64,
    /// Fresh entries that `valid_if` refused.
    pub refused: u64,
    /// Hits for which `verify` ran the body again.
    pub verified: u64,
    /// Verified hits whose value was not what the body returned.
    pub mismatches: u64,
    /// Hooks that panicked.
    pub hook_panics: u64,
    /// Values that were not kept in the local level because they are heavier than `max_weight`, or `weigh` panicked.
    pub too_heavy: u64,
    /// Time spent in loads, all callers added up. Where loads take less than a microsecond on average, one in sixteen is
    /// measured and stands for all.
    pub load_time: Duration,
    /// Entries in the local level, expired ones that were not dropped yet included.
    pub entries: u64,
    /// What these entries weigh together; zero for a function without `weigh`.
    pub weight: u64,
}

impl Stats {
    /// What was counted since an earlier reading of the same function; `entries` and `weight` are as they are now.
    ///
    /// ```
    /// # use memo_core::Stats;
    /// # let (stats, before) = (Stats::default(), Stats::default());
    /// let hits_of_this_minute = stats.since(&before).hits();
    /// # assert_eq!(hits_of_this_minute, 0);
    /// ```
    #[must_use]
    pub fn since(&self, before: &Stats) -> Stats {
        Stats {
            local_hits: self.local_hits.saturating_sub(before.local_hits),
            shared_hits: self.shared_hits.saturating_sub(before.shared_hits),
            misses: self.misses.saturating_sub(before.misses),
            joins: self.joins.saturating_sub(before.joins),
            loads: self.loads.saturating_sub(before.loads),
            load_errors: self.load_errors.saturating_sub(before.load_errors),
            bypasses: self.bypasses.saturating_sub(before.bypasses),
            refreshes: self.refreshes.saturating_sub(before.refreshes),
            expired: self.expired.saturating_sub(before.expired),
            evicted: self.evicted.saturating_sub(before.evicted),
            invalidations: self.invalidations.saturating_sub(before.invalidations),
            discarded: self.discarded.saturating_sub(before.discarded),
            backend_errors: self.backend_errors.saturating_sub(before.backend_errors),
            skipped: self.skipped.saturating_sub(before.skipped),
            rejected: self.rejected.saturating_sub(before.rejected),
            refused: self.refused.saturating_sub(before.refused),
            verified: self.verified.saturating_sub(before.verified),
            mismatches: self.mismatches.saturating_sub(before.mismatches),
            hook_panics: self.hook_panics.saturating_sub(before.hook_panics),
            too_heavy: self.too_heavy.saturating_sub(before.too_heavy),
            load_time: self.load_time.saturating_sub(before.load_time),
            entries: self.entries,
            weight: self.weight,
        }
    }

    /// Hits at either level.
    #[must_use]
    pub fn hits(&self) -> u64 {
        self.local_hits + self.shared_hits
    }

    /// The share of hits among hits and misses, from 0 to 1; `None` before the first call.
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a ratio for people")]
    pub fn hit_ratio(&self) -> Option<f64> {
        let calls = self.hits() + self.misses;
        (calls > 0).then(|| self.hits() as f64 / calls as f64)
    }

    /// The mean time of a load; `None` before the first one.
    #[must_use]
    pub fn mean_load(&self) -> Option<Duration> {
        let nanos = u64::try_from(self.load_time.as_nanos()).unwrap_or(u64::MAX);
        nanos.checked_div(self.loads).map(Duration::from_nanos)
    }

    /// The time that callers did not spend in the body: hits times the mean load.
    #[must_use]
    pub fn time_saved(&self) -> Duration {
        let nanos = self.mean_load().unwrap_or_default().as_nanos() * u128::from(self.hits());
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_of_all_threads_add_up() {
        let counters = Counters::new();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| {
                    for _ in 0..1000 {
                        counters.one(Count::LocalHits);
                    }
                });
            }
        });
        assert_eq!(counters.read(3).hits(), 20_000);
        assert_eq!(counters.read(3).entries, 3);
    }

    #[test]
    fn a_later_reading_less_an_earlier_one_is_what_came_between() {
        let counters = Counters::new();
        counters.add(Count::Loads, 2);
        let before = counters.read(5);
        counters.add(Count::Loads, 3);
        let since = counters.read(7).since(&before);
        assert_eq!((since.loads, since.entries), (3, 7));
    }

    #[test]
    fn of_short_loads_some_are_measured_and_stand_for_all() {
        let counters = Counters::new();
        let load = |nanos: u64| {
            let stands_for = counters.measured_for();
            counters.one(Count::Loads);
            counters.add(Count::LoadNanos, nanos * u64::from(stands_for));
            stands_for
        };
        counters.add(Count::Misses, 1);
        let measured: Vec<u32> = (0..100_000).map(|_| load(100)).collect();
        assert!(measured[..64].iter().all(|stands_for| *stands_for == 1));
        assert!(measured.iter().filter(|stands_for| **stands_for != 0).count() < 7_000);
        let mean = counters.read(0).mean_load().map(|mean| mean.as_nanos());
        assert!(mean.is_some_and(|mean| (95..105).contains(&mean)), "{mean:?}");
        // They grow long, and are measured as soon as that is known.
        let unknown = (0..1_000).take_while(|_| load(1_000_000_000) != 1).count();
        assert!(unknown < 200, "{unknown}");
        assert!((0..100).all(|_| load(1_000_000) == 1));
    }

    #[test]
    fn a_block_passes_from_thread_to_thread_without_loss() {
        let counters = Counters::new();
        for _ in 0..100 {
            std::thread::scope(|scope| {
                (0..3).for_each(|_| drop(scope.spawn(|| counters.add(Count::Misses, 7))));
            });
        }
        assert_eq!(counters.read(0).misses, 2_100);
    }

    #[test]
    fn time_saved_is_hits_times_the_mean_load() {
        let stats =
            Stats { local_hits: 9, shared_hits: 1, loads: 2, load_time: Duration::from_secs(4), ..Stats::default() };
        assert_eq!(stats.mean_load(), Some(Duration::from_secs(2)));
        assert_eq!(stats.time_saved(), Duration::from_secs(20));
    }
}
