//! The typed values of one thread: the same engine without its locks.

use super::Entry;
use super::engine::SWEEP_AFTER;
use crate::clock::Tick;
use equivalent::Equivalent;
use foldhash::fast::RandomState;
use quick_cache::{Lifecycle, OptionsBuilder, UnitWeighter, unsync::Cache};
use std::hash::Hash;
use std::num::NonZeroUsize;

/// What had to go for an entry to be stored. It is dropped by the caller, once nothing is borrowed.
#[must_use = "dropping it runs the code of the values' owner"]
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

/// The typed values of one memo of one thread.
pub(crate) struct ThreadLocal<K, V> {
    engine: Cache<K, Entry<V>, UnitWeighter, RandomState, KeepPushedOut>,
    /// Entries stored since expired ones were last swept out.
    since_sweep: usize,
}

impl<K: Clone + Eq + Hash, V: Clone> ThreadLocal<K, V> {
    /// Holds up to `capacity` entries, or any number.
    pub(crate) fn new(capacity: Option<NonZeroUsize>) -> Self {
        // Half the range: the engine adds weights, and nobody has 2^63 entries.
        let (expected, bound) = match capacity {
            Some(entries) => (entries.get().min(1024), entries.get() as u64),
            None => (1024, u64::MAX / 2),
        };
        let options = OptionsBuilder::new()
            .estimated_items_capacity(expected)
            .weight_capacity(bound)
            .build()
            .expect("both required options are set");
        let engine = Cache::with_options(options, UnitWeighter, RandomState::default(), KeepPushedOut);
        ThreadLocal { engine, since_sweep: 0 }
    }

    /// The entry, fresh or expired.
    #[inline]
    pub(crate) fn get<Q: Hash + Equivalent<K>>(&self, key: &Q) -> Option<Entry<V>> {
        self.engine.get(key).cloned()
    }

    /// The entry, without marking it as used.
    pub(crate) fn peek<Q: Hash + Equivalent<K>>(&self, key: &Q) -> Option<Entry<V>> {
        self.engine.peek(key).cloned()
    }

    pub(crate) fn insert(&mut self, key: K, entry: Entry<V>) -> PushedOut<K, V> {
        if entry.deadline != Tick::NEVER {
            self.since_sweep += 1;
            if self.since_sweep > SWEEP_AFTER.max(self.engine.len().saturating_sub(self.since_sweep)) {
                self.since_sweep = 0;
                self.engine.retain(|_, entry| entry.is_fresh());
            }
        }
        let mut pushed_out = PushedOut { _replaced: self.engine.remove(&key), ..PushedOut::default() };
        self.engine.insert_with_lifecycle(key, entry, &mut pushed_out);
        pushed_out
    }

    pub(crate) fn remove<Q: Hash + Equivalent<K>>(&mut self, key: &Q) -> Option<(K, Entry<V>)> {
        self.engine.remove(key)
    }

    /// Drops the entry unless it is fresh.
    pub(crate) fn remove_unfit<Q: Hash + Equivalent<K>>(&mut self, key: &Q) {
        drop(self.engine.remove_if(key, |entry| !entry.is_fresh()));
    }

    pub(crate) fn clear(&mut self) {
        self.engine.clear();
    }

    pub(crate) fn len(&self) -> usize {
        self.engine.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn a_capacity_bounds_the_entries() {
        for capacity in [1, 2, 7, 100] {
            let mut level = ThreadLocal::new(NonZeroUsize::new(capacity));
            for key in 0..2_000_u32 {
                drop(
                    level.insert(key, Entry { value: key, created: clock::now(), deadline: Tick::NEVER, marks: None }),
                );
            }
            assert!(level.len() <= capacity && level.len() * 2 > capacity, "{} of {capacity}", level.len());
        }
    }

    #[test]
    fn expired_entries_are_swept_out_as_others_are_stored() {
        let mut level = ThreadLocal::new(None);
        for key in 0..SWEEP_AFTER + 10 {
            drop(level.insert(key, Entry { value: 0, created: clock::now(), deadline: clock::now(), marks: None }));
        }
        assert!(level.len() < 20, "{} entries", level.len());
    }
}
