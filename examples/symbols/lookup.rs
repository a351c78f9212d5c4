//! The cached look-up: the one place of this program that knows of the cache.

use crate::elf::Facts;
use crate::name::Name;
use crate::store::Store;
use memokit::{Cache, CallInfo, Error, cached};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static HITS: AtomicU64 = AtomicU64::new(0);
static MISSES: AtomicU64 = AtomicU64::new(0);

/// The facts about a symbol file, or `None` if there is none of this name, which is kept as well: it is what most
/// callers get.
///
/// The store is where the answer comes from and no part of the question, so it is not part of the key.
#[cached(timeout = "1h", cache = "symbols", ignore = store, on_hit = count_hit, on_miss = count_miss)]
fn look_up(store: &Store, file: &str, build_id: &str) -> Option<Facts> {
    store.find(file, build_id)
}

fn count_hit(_: &CallInfo<'_>) {
    HITS.fetch_add(1, Ordering::Relaxed);
}

fn count_miss(_: &CallInfo<'_>) {
    MISSES.fetch_add(1, Ordering::Relaxed);
}

/// Looks up through the cache.
pub(crate) fn cached(store: &Store, name: &Name) -> Option<Facts> {
    look_up(store, name.file(), name.build_id())
}

/// Looks up without the cache.
pub(crate) fn uncached(store: &Store, name: &Name) -> Option<Facts> {
    look_up::uncached(store, name.file(), name.build_id())
}

/// Makes every look-up of this name that starts after the return see what is stored now.
pub(crate) fn invalidate(store: &Store, name: &Name) -> Result<(), Error> {
    look_up::invalidate(store, name.file(), name.build_id()).map(drop)
}

/// Keeps what is looked up from now on in this cache, and forgets what was looked up before, which may have been in
/// another store.
pub(crate) fn keep_in(cache: Arc<dyn Cache>) -> Result<(), Error> {
    memokit::register("symbols", cache);
    memokit::check()?;
    forget_all()
}

/// Forgets all that was looked up, here and in the cache.
pub(crate) fn forget_all() -> Result<(), Error> {
    look_up::invalidate_all().map(drop)
}

/// What the cache has done so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) hits: u64,
    pub(crate) misses: u64,
    /// Runs of the body, and the time they took.
    pub(crate) loads: u64,
    pub(crate) load_time: Duration,
}

/// Reads the counts.
pub(crate) fn counts() -> Counts {
    let stats = look_up::stats();
    Counts {
        hits: HITS.load(Ordering::Relaxed),
        misses: MISSES.load(Ordering::Relaxed),
        loads: stats.loads,
        load_time: stats.load_time,
    }
}

impl Counts {
    /// What was added since then.
    pub(crate) fn since(self, before: Counts) -> Counts {
        Counts {
            hits: self.hits.saturating_sub(before.hits),
            misses: self.misses.saturating_sub(before.misses),
            loads: self.loads.saturating_sub(before.loads),
            load_time: self.load_time.saturating_sub(before.load_time),
        }
    }

    /// The time that callers did not spend looking up: a mean load for each hit.
    pub(crate) fn time_saved(self) -> Duration {
        let nanoseconds = self.load_time.as_nanos() * u128::from(self.hits) / u128::from(self.loads.max(1));
        Duration::from_nanos(u64::try_from(nanoseconds).unwrap_or(u64::MAX))
    }
}
