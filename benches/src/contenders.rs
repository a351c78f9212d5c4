//! Those who keep `u64` for `u64`, each as a function that looks, and loads and stores on a miss.
//!
//! Where a contender is an attribute, its bound is part of the attribute: [`bounded!`](crate::bounded) writes such
//! functions for one bound, and [`rows`](crate::rows) for a table of them. The others are made here.

use foldhash::fast::RandomState;
use lru::LruCache;
use std::cell::Cell;
use std::num::NonZeroUsize;
use std::sync::{Mutex, PoisonError};

/// A call of the cached function.
pub type Call = Box<dyn Fn(u64) -> u64 + Send + Sync>;

/// What the tables call memokit with a bound.
pub const MEMOKIT: &str = "memokit";
/// The same with `evict = "cost"`: its body takes as long as its key costs, since that is what is measured.
pub const MEMOKIT_BY_COST: &str = "memokit, by cost";
/// `#[cached(max_size = …)]`: a lock around a list in the order of use.
pub const CACHED: &str = "cached";
/// `#[concurrent_cached(max_size = …)]`: the same, in shards.
pub const CACHED_CONCURRENT: &str = "cached, concurrent";
/// The engine by hand.
pub const QUICK: &str = "quick_cache";
/// `moka::sync` by hand.
pub const MOKA: &str = "moka";
/// The plain list in the order of use, behind a lock.
pub const LRU: &str = "lru";
/// `scc::HashIndex`: reads without locks, no bound.
pub const SCC: &str = "scc, no bound";
/// `papaya::HashMap`: reads without locks, no bound.
pub const PAPAYA: &str = "papaya, no bound";

thread_local! {
    static LOADS: Cell<u64> = const { Cell::new(0) };
}

/// The body of every contender's function: its answer is not worth storing, but that it ran is counted.
#[must_use]
pub fn load(key: u64) -> u64 {
    LOADS.set(LOADS.get() + 1);
    key
}

/// How often bodies ran on this thread.
#[must_use]
pub fn loads() -> u64 {
    LOADS.get()
}

/// How often a body runs on this thread while the function is called with these keys.
pub fn misses(call: &Call, keys: impl IntoIterator<Item = u64>) -> u64 {
    let before = loads();
    for key in keys {
        std::hint::black_box(call(key));
    }
    loads() - before
}

/// Functions for one bound: an array of memokit's, `cached`'s and its concurrent one, and memokit's by cost.
#[macro_export]
macro_rules! bounded {
    ($capacity:tt) => {{
        #[memokit::cached(capacity = $capacity)]
        fn memo(key: u64) -> u64 {
            $crate::contenders::load(key)
        }

        #[memokit::cached(capacity = $capacity, evict = "cost")]
        fn by_cost(key: u64) -> u64 {
            $crate::costs::spend(key);
            $crate::contenders::load(key)
        }

        #[cached::macros::cached(max_size = $capacity)]
        fn locked(key: u64) -> u64 {
            $crate::contenders::load(key)
        }

        #[cached::macros::concurrent_cached(max_size = $capacity)]
        fn sharded(key: u64) -> u64 {
            $crate::contenders::load(key)
        }

        [memo as fn(u64) -> u64, locked, sharded, by_cost]
    }};
}

/// `quick_cache` with this bound.
#[must_use]
pub fn quick_cache(capacity: usize) -> Call {
    let cache = quick_cache::sync::Cache::<u64, u64>::new(capacity);
    Box::new(move |key| {
        cache.get(&key).unwrap_or_else(|| {
            let value = load(key);
            cache.insert(key, value);
            value
        })
    })
}

/// `moka` with this bound.
#[must_use]
pub fn moka(capacity: usize) -> Call {
    let cache = moka::sync::Cache::builder().max_capacity(capacity as u64);
    let cache: moka::sync::Cache<u64, u64, RandomState> = cache.build_with_hasher(RandomState::default());
    Box::new(move |key| {
        cache.get(&key).unwrap_or_else(|| {
            let value = load(key);
            cache.insert(key, value);
            value
        })
    })
}

/// `lru` with this bound, behind a lock.
#[must_use]
pub fn lru(capacity: usize) -> Call {
    let capacity = NonZeroUsize::new(capacity).unwrap_or(NonZeroUsize::MIN);
    let cache = Mutex::new(LruCache::<u64, u64, RandomState>::with_hasher(capacity, RandomState::default()));
    Box::new(move |key| {
        let lock = || cache.lock().unwrap_or_else(PoisonError::into_inner);
        let found = lock().get(&key).copied();
        found.unwrap_or_else(|| {
            let value = load(key);
            lock().put(key, value);
            value
        })
    })
}

/// `scc`'s index for reads.
#[must_use]
pub fn scc() -> Call {
    let map = scc::HashIndex::<u64, u64, RandomState>::with_hasher(RandomState::default());
    Box::new(move |key| {
        map.peek_with(&key, |_, value| *value).unwrap_or_else(|| {
            let value = load(key);
            let _ = map.insert_sync(key, value);
            value
        })
    })
}

/// `papaya`'s map.
#[must_use]
pub fn papaya() -> Call {
    let map = papaya::HashMap::<u64, u64, RandomState>::with_hasher(RandomState::default());
    Box::new(move |key| {
        let map = map.pin();
        map.get(&key).copied().unwrap_or_else(|| {
            let value = load(key);
            map.insert(key, value);
            value
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_contender_loads_a_key_once_while_there_is_room() {
        let [memo, locked, sharded, by_cost] = bounded!(1_000);
        let calls: [(&str, Call); 9] = [
            (MEMOKIT, Box::new(memo)),
            (MEMOKIT_BY_COST, Box::new(by_cost)),
            (CACHED, Box::new(locked)),
            (CACHED_CONCURRENT, Box::new(sharded)),
            (QUICK, quick_cache(1_000)),
            (MOKA, moka(1_000)),
            (LRU, lru(1_000)),
            (SCC, scc()),
            (PAPAYA, papaya()),
        ];
        for (name, call) in calls {
            assert_eq!(misses(&call, (0..100).chain(0..100)), 100, "{name}");
        }
    }
}
