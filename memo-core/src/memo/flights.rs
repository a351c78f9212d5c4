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

    /// Takes every load out of the table and dooms it; those that are writing to the shared level.
    pub(crate) fn doom_all(&self) -> Vec<Arc<dyn Storing>> {
        let mut storing = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            let doomed = shard.table.drain().filter(|flight| flight.doom());
            storing.extend(doomed.map(|flight| flight as Arc<dyn Storing>));
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
        self.shard.table.iter_hash(self.hash).find(|flight| flight.joinable && key.equivalent(&flight.key))
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

    /// Takes a load out of the table. It is not there any more if an invalidation took it out.
    pub(crate) fn leave(&mut self, flight: &Arc<Flight<K, V>>) {
        if let Ok(found) = self.shard.table.find_entry(self.hash, |other| Arc::ptr_eq(other, flight)) {
            drop(found.remove());
        }
    }

    /// Takes the loads of this key that began before number `before` out of the table and dooms them; those that are
    /// writing to the shared level.
    pub(crate) fn doom<L: Lookup<K>>(&mut self, key: &L, before: u64) -> Vec<Arc<dyn Storing>> {
        let mut storing: Vec<Arc<dyn Storing>> = Vec::new();
        while let Ok(found) =
            self.shard.table.find_entry(self.hash, |other| other.number < before && key.equivalent(&other.key))
        {
            let (flight, _) = found.remove();
            if flight.doom() {
                storing.push(flight);
            }
        }
        storing
    }

    /// A newer value of this key was stored: what other loads of it have fetched is old.
    pub(crate) fn outdate_fetches<L: Lookup<K>>(&self, key: &L) {
        let loads = self.shard.table.iter_hash(self.hash).filter(|flight| key.equivalent(&flight.key));
        loads.for_each(|flight| flight.outdate_fetch());
    }
}
