//! The local level: typed values in this process under exact keys.
//!
//! The engine is a private matter of this module: everything above asks for an entry, stores one, or drops some.

use crate::clock::{self, Tick};
use crate::lookup::{Lookup, Owned};
use foldhash::fast::RandomState;
use quick_cache::{Lifecycle, OptionsBuilder, UnitWeighter, sync::Cache};
use std::cell::RefCell;
use std::hash::Hash;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicUsize, Ordering};

/// A stored value and its time.
#[derive(Clone)]
pub(crate) struct Entry<V> {
    pub(crate) value: V,
    pub(crate) created: Tick,
    /// Fresh before this, expired from then on; [`Tick::NEVER`] without a timeout.
    pub(crate) deadline: Tick,
}

impl<V> Entry<V> {
    /// Reads the clock only if the entry can expire.
    #[inline]
    pub(crate) fn is_fresh(&self) -> bool {
        self.deadline == Tick::NEVER || clock::now() < self.deadline
    }
}

/// What had to go for an entry to be stored. It is dropped by the caller, outside every lock, because dropping a
/// value runs its owner's code.
#[must_use = "dropping it runs the code of the values' owner, which must happen outside every lock"]
pub(crate) struct PushedOut<K, V> {
    _replaced: Option<(K, Entry<V>)>,
    evicted: Vec<(K, Entry<V>)>,
}

impl<K, V> Default for PushedOut<K, V> {
    fn default() -> Self {
        PushedOut { _replaced: None, evicted: Vec::new() }
    }
}

impl<K, V> PushedOut<K, V> {
    /// How many entries went for want of room.
    pub(crate) fn evicted(&self) -> usize {
        self.evicted.len()
    }
}

#[derive(Clone)]
struct KeepPushedOut;

impl<K, V> Lifecycle<K, Entry<V>> for KeepPushedOut {
    type RequestState = PushedOut<K, V>;

    fn on_evict(&self, state: &mut PushedOut<K, V>, key: K, entry: Entry<V>) {
        state.evicted.push((key, entry));
    }
}

/// The typed values of one memo.
pub(crate) struct Local<K, V> {
    engine: Cache<K, Entry<V>, UnitWeighter, RandomState, KeepPushedOut>,
    /// Entries stored since expired ones were last swept out.
    since_sweep: AtomicUsize,
}

/// Stores between two sweeps, at the least. A sweep visits every entry, so it comes after as many stores as the one
/// before left entries, and costs each store a constant.
const SWEEP_AFTER: usize = 1024;

impl<K: Clone + Eq + Hash, V: Clone> Local<K, V> {
    /// Holds up to `capacity` entries, or any number.
    pub(crate) fn new(capacity: Option<NonZeroUsize>) -> Self {
        // Half the range: the engine adds weights, and nobody has 2^63 entries.
        let (expected, bound) = match capacity {
            Some(entries) => (entries.get(), entries.get() as u64),
            None => (1024, u64::MAX / 2),
        };
        let options = OptionsBuilder::new()
            .estimated_items_capacity(expected)
            .weight_capacity(bound)
            .build()
            .expect("both required options are set");
        Local {
            engine: Cache::with_options(options, UnitWeighter, RandomState::default(), KeepPushedOut),
            since_sweep: AtomicUsize::new(0),
        }
    }

    /// The entry, fresh or expired.
    #[inline]
    pub(crate) fn get(&self, key: &impl Lookup<K>) -> Option<Entry<V>> {
        self.engine.get(key)
    }

    /// The entry, without marking it as used.
    pub(crate) fn peek(&self, key: &impl Lookup<K>) -> Option<Entry<V>> {
        self.engine.peek(key)
    }

    pub(crate) fn insert(&self, key: K, entry: Entry<V>) -> PushedOut<K, V> {
        if entry.deadline != Tick::NEVER {
            self.since_sweep.fetch_add(1, Ordering::Relaxed);
        }
        // The engine would drop a replaced value inside its lock.
        let mut pushed_out = PushedOut { _replaced: self.engine.remove(&Owned(&key)), evicted: Vec::new() };
        self.engine.insert_with_lifecycle(key, entry, &mut pushed_out);
        pushed_out
    }

    pub(crate) fn remove(&self, key: &impl Lookup<K>) -> Option<(K, Entry<V>)> {
        self.engine.remove(key)
    }

    /// Drops the entry unless it is fresh: another caller may have stored a new one since it was seen expired.
    pub(crate) fn remove_expired(&self, key: &impl Lookup<K>) {
        drop(self.engine.remove_if(key, |entry| !entry.is_fresh()));
    }

    /// Drops every entry that is there now.
    pub(crate) fn clear(&self) {
        for key in self.keys(&|_| true) {
            drop(self.remove(&Owned(&key)));
        }
    }

    /// The keys of these entries. To be dropped one by one, since the engine would drop them inside its locks.
    fn keys(&self, of: &dyn Fn(&Entry<V>) -> bool) -> Vec<K> {
        let keys = RefCell::new(Vec::new());
        self.engine.retain(|key, entry| {
            if of(entry) {
                keys.borrow_mut().push(key.clone());
            }
            true
        });
        keys.into_inner()
    }

    pub(crate) fn len(&self) -> usize {
        self.engine.len()
    }

    /// Drops expired entries once enough were stored since the last time. For the end of a store, outside its locks.
    pub(crate) fn sweep_sometimes(&self) {
        let stored = self.since_sweep.load(Ordering::Relaxed);
        // As many stores as there were entries after the last sweep.
        let due = stored >= SWEEP_AFTER.max(self.engine.len().saturating_sub(stored));
        if due && self.since_sweep.swap(0, Ordering::Relaxed) >= stored {
            for key in self.keys(&|entry| !entry.is_fresh()) {
                self.remove_expired(&Owned(&key));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(value: u32) -> Entry<u32> {
        Entry { value, created: clock::now(), deadline: Tick::NEVER }
    }

    #[test]
    fn without_a_capacity_nothing_is_evicted() {
        let local = Local::new(None);
        for key in 0..50_000_u32 {
            assert_eq!(local.insert(key, entry(key)).evicted(), 0);
        }
        assert_eq!(local.len(), 50_000);
        assert!((0..50_000).all(|key| local.get(&Owned(&key)).is_some_and(|found| found.value == key)));
    }

    #[test]
    fn a_capacity_bounds_the_entries() {
        for capacity in [1, 2, 7, 100, 10_000] {
            let local = Local::new(NonZeroUsize::new(capacity));
            for key in 0..20_000_u32 {
                drop(local.insert(key, entry(key)));
            }
            assert!(local.len() <= capacity, "{} entries with a capacity of {capacity}", local.len());
            assert!(local.len() * 2 > capacity, "only {} entries with a capacity of {capacity}", local.len());
        }
    }

    #[test]
    fn expired_entries_are_swept_out_as_others_are_stored() {
        let local = Local::new(None);
        for key in 0..SWEEP_AFTER {
            let past = Entry { value: 0, created: clock::now(), deadline: clock::now() };
            drop(local.insert(key, past));
        }
        local.sweep_sometimes();
        assert_eq!(local.len(), 0);
    }
}
