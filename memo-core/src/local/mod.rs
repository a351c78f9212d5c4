//! The local level: typed values in this process under exact keys.
//!
//! The engine is a private matter of this module: everything above asks for an entry, stores one, or drops some.

mod thread;

pub(crate) use thread::ThreadLocal;

use crate::clock::{self, Tick};
use crate::events::Cause;
use crate::weight::{ByWeight, Weighing};
use equivalent::Equivalent;
use foldhash::fast::RandomState;
use quick_cache::{Lifecycle, OptionsBuilder, sync::Cache};
use std::cell::RefCell;
use std::hash::Hash;
use std::num::{NonZeroU64, NonZeroUsize};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

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

/// An entry that left by itself.
pub struct Gone<K, V> {
    pub(crate) key: K,
    pub(crate) entry: Entry<V>,
    pub(crate) cause: Cause,
}

/// What had to go for an entry to be stored. It is dropped by the caller, outside every lock, because dropping a
/// value runs its owner's code.
#[must_use = "dropping it runs the code of the values' owner, which must happen outside every lock"]
pub(crate) struct PushedOut<K, V> {
    replaced: Option<(K, Entry<V>)>,
    evicted: Vec<(K, Entry<V>)>,
    too_heavy: Option<(K, Entry<V>)>,
}

impl<K, V> Default for PushedOut<K, V> {
    fn default() -> Self {
        PushedOut { replaced: None, evicted: Vec::new(), too_heavy: None }
    }
}

impl<K, V> PushedOut<K, V> {
    /// How many entries went for want of room.
    pub(crate) fn evicted(&self) -> usize {
        self.evicted.len()
    }

    /// Whether the entry itself was not stored, since it is heavier than all there may be.
    pub(crate) fn is_too_heavy(&self) -> bool {
        self.too_heavy.is_some()
    }

    /// Hands over what left by itself: a fresh entry that was replaced is dropped, since its caller knows.
    pub(crate) fn each(self, gone: &mut dyn FnMut(Gone<K, V>)) {
        if let Some((key, entry)) = self.replaced.filter(|(_, entry)| !entry.is_fresh()) {
            gone(Gone { key, entry, cause: Cause::Expired });
        }
        self.evicted.into_iter().for_each(|(key, entry)| gone(Gone { key, entry, cause: Cause::Evicted }));
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
    /// Entries weigh what their keys say, or 1: the engine takes it amiss if the weight of an entry changes, so it does
    /// not ask the user's function, which it would do inside its locks, too.
    engine: Cache<K, Entry<V>, ByWeight<K>, RandomState, KeepPushedOut>,
    weighing: Option<Weighing<K, V>>,
    /// Entries stored since expired ones were last swept out.
    since_sweep: AtomicUsize,
    /// Whether an entry has ever left, other than for another one of its key.
    has_dropped: AtomicBool,
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
            engine: Cache::with_options(options, ByWeight::ONE, RandomState::default(), KeepPushedOut),
            weighing: None,
            since_sweep: AtomicUsize::new(0),
            has_dropped: AtomicBool::new(false),
        }
    }

    /// Holds entries that weigh up to `max_weight` together.
    pub(crate) fn weighed(weighing: Weighing<K, V>, max_weight: NonZeroU64) -> Self {
        // One shard, and all of it for whatever comes: with several, each has a part of the bound, and an entry that is
        // heavier than a part would never be stored.
        let options = OptionsBuilder::new()
            .shards(1)
            .hot_allocation(1.0)
            .estimated_items_capacity(1024)
            .weight_capacity(max_weight.get().min(u64::MAX / 2))
            .build()
            .expect("both required options are set");
        let by_weight = ByWeight::of_keys(&weighing);
        Local {
            engine: Cache::with_options(options, by_weight, RandomState::default(), KeepPushedOut),
            weighing: Some(weighing),
            since_sweep: AtomicUsize::new(0),
            has_dropped: AtomicBool::new(false),
        }
    }

    /// The entry, fresh or expired.
    #[inline]
    pub(crate) fn get(&self, key: &(impl Hash + Equivalent<K>)) -> Option<Entry<V>> {
        self.engine.get(key)
    }

    /// The entry, without marking it as used.
    pub(crate) fn peek(&self, key: &K) -> Option<Entry<V>> {
        self.engine.peek(key)
    }

    pub(crate) fn insert(&self, key: K, entry: Entry<V>) -> PushedOut<K, V> {
        if entry.deadline != Tick::NEVER {
            self.since_sweep.fetch_add(1, Ordering::Relaxed);
        }
        // The engine would drop a replaced value inside its lock.
        let mut pushed_out = PushedOut { replaced: self.take(&key, &|_| true), ..PushedOut::default() };
        if self.weighing.as_ref().is_some_and(|weighing| weighing.weight_of(&key) > self.engine.capacity()) {
            // What it would have replaced is gone.
            self.has_dropped.store(true, Ordering::Relaxed);
            pushed_out.too_heavy = Some((key, entry));
        } else {
            self.engine.insert_with_lifecycle(key, entry, &mut pushed_out);
        }
        if pushed_out.evicted() > 0 {
            self.has_dropped.store(true, Ordering::Relaxed);
        }
        pushed_out
    }

    /// Lets the key know what the value weighs, where entries have weights. Runs the user's code: for outside the locks.
    pub(crate) fn weigh(&self, key: &K, value: &V) {
        if let Some(weighing) = &self.weighing {
            weighing.weigh(key, value);
        }
    }

    /// What all entries weigh together; zero where they have no weights.
    pub(crate) fn weight(&self) -> u64 {
        if self.weighing.is_some() { self.engine.weight() } else { 0 }
    }

    pub(crate) fn remove(&self, key: &K) -> Option<(K, Entry<V>)> {
        self.note_drop(self.take(key, &|_| true))
    }

    /// Takes an entry out if it is such. The one way out, so that the engine's is compiled once for a function.
    fn take(&self, key: &K, is: &dyn Fn(&Entry<V>) -> bool) -> Option<(K, Entry<V>)> {
        self.engine.remove_if(key, is)
    }

    /// Takes the entry out unless it is fresh: another caller may have stored a new one since it was seen expired.
    pub(crate) fn remove_expired(&self, key: &K) -> Option<Gone<K, V>> {
        let removed = self.note_drop(self.take(key, &|entry| !entry.is_fresh()));
        removed.map(|(key, entry)| Gone { key, entry, cause: Cause::Expired })
    }

    fn note_drop(&self, removed: Option<(K, Entry<V>)>) -> Option<(K, Entry<V>)> {
        if removed.is_some() {
            self.has_dropped.store(true, Ordering::Relaxed);
        }
        removed
    }

    /// Whether every entry that was ever stored is still there, or a newer one of its key.
    pub(crate) fn dropped_nothing(&self) -> bool {
        !self.has_dropped.load(Ordering::Relaxed)
    }

    /// Drops the entry if it is the one that was seen, as far as its times tell. Another one that goes for its sake is
    /// a load more.
    pub(crate) fn remove_same(&self, key: &K, seen: &Entry<V>) {
        let is_same = |entry: &Entry<V>| entry.created == seen.created && entry.deadline == seen.deadline;
        drop(self.note_drop(self.take(key, &is_same)));
    }

    /// Drops every entry that is there now.
    pub(crate) fn clear(&self) {
        self.has_dropped.store(true, Ordering::Relaxed);
        for key in self.keys(&|_| true) {
            drop(self.remove(&key));
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

    /// Takes expired entries out once enough were stored since the last time, one by one. For the end of a store, outside
    /// its locks.
    pub(crate) fn sweep_sometimes(&self, gone: &mut dyn FnMut(Gone<K, V>)) {
        let stored = self.since_sweep.load(Ordering::Relaxed);
        // As many stores as there were entries after the last sweep.
        let due = stored >= SWEEP_AFTER.max(self.engine.len().saturating_sub(stored));
        if due && self.since_sweep.swap(0, Ordering::Relaxed) >= stored {
            for key in self.keys(&|entry| !entry.is_fresh()) {
                if let Some(expired) = self.remove_expired(&key) {
                    gone(expired);
                }
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
        assert!((0..50_000).all(|key| local.get(&key).is_some_and(|found| found.value == key)));
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
        local.sweep_sometimes(&mut drop);
        assert_eq!(local.len(), 0);
    }
}
