//! All loads of one memo that are under way, by key.
//!
//! This table is where the order of things is decided: a load enters it before it looks at anything and leaves it in
//! the same step in which it stores, and an invalidation dooms what is in it. So a value whose load began before an
//! invalidation is never stored after it.
//!
//! Lock order: a shard of this table, then a flight's state, then the engine of the local level. Inside these locks
//! runs no code of users but `Hash`, `Eq` and `Clone` of keys, and `Clone` of values.

use super::Storing;
use super::flight::Flight;
use crate::lookup::Lookup;
use crate::sync::{Mutex, MutexGuard};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

const SHARDS: usize = 16;

struct Shard<K, V> {
    table: HashTable<Arc<Flight<K, V>>>,
    /// The number of the next load. Only loads of one key are compared, and those are of one shard.
    next: u64,
}

pub(crate) struct Flights<K, V> {
    shards: [Mutex<Shard<K, V>>; SHARDS],
    hasher: RandomState,
}

impl<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Flights<K, V> {
    pub(crate) fn new() -> Self {
        Flights {
            shards: std::array::from_fn(|_| Mutex::new(Shard { table: HashTable::new(), next: 0 })),
            hasher: RandomState::default(),
        }
    }

    /// The loads of the keys that share a shard with this one, locked.
    pub(crate) fn lock<L: Lookup<K>>(&self, key: &L) -> Loads<'_, K, V> {
        let hash = self.hasher.hash_one(key);
        Loads { flights: self, hash, shard: self.shards[shard(hash)].lock() }
    }

    /// Dooms every load, and takes out of the table all but those that are writing to the shared level; these.
    pub(crate) fn doom_all(&self) -> Vec<Arc<dyn Storing>> {
        let mut storing = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.table.retain(|flight| {
                let is_storing = flight.doom();
                if is_storing {
                    storing.push(Arc::clone(flight) as Arc<dyn Storing>);
                }
                is_storing
            });
        }
        storing
    }
}

/// The top bits choose the shard, since the table uses the low ones and the seven highest.
fn shard(hash: u64) -> usize {
    usize::try_from((hash >> 32) % SHARDS as u64).unwrap_or(0)
}

/// A locked shard, and the hash of the key it was locked for.
pub(crate) struct Loads<'a, K, V> {
    flights: &'a Flights<K, V>,
    hash: u64,
    shard: MutexGuard<'a, Shard<K, V>>,
}

impl<K: Hash + Eq + Send + Sync + 'static, V: Clone + Send + Sync + 'static> Loads<'_, K, V> {
    /// A load of this key that its callers may join.
    pub(crate) fn joinable<L: Lookup<K>>(&self, key: &L) -> Option<&Arc<Flight<K, V>>> {
        let mut loads = self.shard.table.iter_hash(self.hash);
        loads.find(|flight| flight.joinable && key.equivalent(&flight.key) && !flight.is_doomed())
    }

    /// The number of the next load. While it stays, no load of this key has begun.
    pub(crate) fn next(&self) -> u64 {
        self.shard.next
    }

    /// Begins a load.
    pub(crate) fn begin(&mut self, key: K, joinable: bool, by_task: bool) -> Arc<Flight<K, V>> {
        let number = self.shard.next;
        self.shard.next += 1;
        let flight = Arc::new(Flight::new(key, number, joinable, by_task));
        let hasher = &self.flights.hasher;
        self.shard.table.insert_unique(self.hash, Arc::clone(&flight), |flight| hasher.hash_one(&flight.key));
        flight
    }

    /// Takes a load out of the table. It may not be there any more if it was doomed.
    pub(crate) fn leave(&mut self, flight: &Arc<Flight<K, V>>) {
        if let Ok(found) = self.shard.table.find_entry(self.hash, |other| Arc::ptr_eq(other, flight)) {
            drop(found.remove());
        }
    }

    /// Dooms the loads of this key that began before number `before`, and takes out of the table all but those that are
    /// writing to the shared level; these. They stay until they end, so that whoever comes next waits for them too.
    pub(crate) fn doom<L: Lookup<K>>(&mut self, key: &L, before: u64) -> Vec<Arc<dyn Storing>> {
        let mut storing: Vec<Arc<dyn Storing>> = Vec::new();
        let mut visit = |other: &Arc<Flight<K, V>>| {
            let is_older = other.number < before && key.equivalent(&other.key);
            let stays = is_older && other.doom();
            if stays && !storing.iter().any(|known| std::ptr::addr_eq(Arc::as_ptr(known), Arc::as_ptr(other))) {
                storing.push(Arc::clone(other) as Arc<dyn Storing>);
            }
            is_older && !stays
        };
        while let Ok(found) = self.shard.table.find_entry(self.hash, &mut visit) {
            drop(found.remove());
        }
        storing
    }

    /// A newer value of this key was stored: what other loads of it have fetched is old.
    pub(crate) fn outdate_fetches<L: Lookup<K>>(&self, key: &L) {
        let loads = self.shard.table.iter_hash(self.hash).filter(|flight| key.equivalent(&flight.key));
        loads.for_each(|flight| flight.outdate_fetch());
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::lookup::Owned;

    #[test]
    fn everybody_who_dooms_a_load_that_is_writing_waits_for_it() {
        let flights = Flights::<u8, u8>::new();
        let writing = flights.lock(&Owned(&1)).begin(1, true, false);
        let idle = flights.lock(&Owned(&1)).begin(1, true, false);
        assert!(writing.start_storing());
        assert_eq!(flights.lock(&Owned(&1)).doom(&Owned(&1), u64::MAX).len(), 1);
        assert!(flights.lock(&Owned(&1)).joinable(&Owned(&1)).is_none(), "a doomed load is joined");
        assert_eq!(flights.lock(&Owned(&1)).doom(&Owned(&1), u64::MAX).len(), 1, "the second one does not wait");
        assert_eq!(flights.doom_all().len(), 1);
        assert_eq!(flights.doom_all().len(), 1);
        assert!(idle.is_doomed());
        writing.stop_storing();
        flights.lock(&Owned(&1)).leave(&writing);
        assert!(flights.doom_all().is_empty());
    }
}
