//! All loads of one memo that are under way, by key.
//!
//! This table is where the order of things is decided: a load enters it before it looks at anything and leaves it in
//! the same step in which it stores, and an invalidation dooms what is in it. So a value whose load began before an
//! invalidation is never stored after it.
//!
//! It knows no types, as a [`Flight`] does not: which key is meant is said by its hash and a function that knows it.
//!
//! Lock order: a shard of this table, then a flight's state, then the engine of the local level. Inside these locks
//! runs no code of users but `Hash`, `Eq` and `Clone` of keys, and `Clone` of values.

use super::Origin;
use super::flight::{AnyKey, Ending, Flight};
use crate::sync::{Mutex, MutexGuard};
use foldhash::fast::RandomState;
use hashbrown::HashTable;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;

const SHARDS: usize = 16;

struct Shard {
    table: HashTable<Arc<Flight>>,
    /// The number of the next load. Only loads of one key are compared, and those are of one shard.
    next: u64,
}

pub(crate) struct Flights {
    shards: [Mutex<Shard>; SHARDS],
    hasher: RandomState,
}

impl Flights {
    pub(crate) fn new() -> Self {
        Flights {
            shards: std::array::from_fn(|_| Mutex::new(Shard { table: HashTable::new(), next: 0 })),
            hasher: RandomState::default(),
        }
    }

    /// What a key is called in [`lock`](Flights::lock).
    pub(crate) fn hash(&self, key: &impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    /// The loads of the keys that share a shard with the one of this hash to which `is` says yes, locked.
    pub(crate) fn lock<'a>(&'a self, hash: u64, is: &'a dyn Fn(&AnyKey) -> bool) -> Loads<'a> {
        Loads { hash, is, shard: self.shards[shard(hash)].lock() }
    }

    /// Takes the older loads of a flight's key out of the way before it stores; those that are writing.
    pub(crate) fn supersede(&self, flight: &Flight) -> Vec<Arc<Flight>> {
        self.lock(flight.hash, &|key| flight.is_for(key)).doom(flight.number)
    }

    /// Sees to it that a load ends, also if code of users panics on the way there: of its key, or copying its value.
    pub(crate) fn end_anyway<'a>(&'a self, flight: &'a Arc<Flight>) -> Unended<'a> {
        Unended { flights: self, flight }
    }

    /// Dooms every load, and takes out of the table all but those that are writing to the shared level; these.
    pub(crate) fn doom_all(&self) -> Vec<Arc<Flight>> {
        let mut storing = Vec::new();
        for shard in &self.shards {
            let mut shard = shard.lock();
            shard.table.retain(|flight| {
                let is_storing = flight.doom();
                if is_storing {
                    storing.push(Arc::clone(flight));
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

/// A load that is about to end. Dropped before it has, one of its followers leads.
#[must_use]
pub(crate) struct Unended<'a> {
    flights: &'a Flights,
    flight: &'a Arc<Flight>,
}

impl Unended<'_> {
    pub(crate) fn has_ended(self) {
        std::mem::forget(self);
    }
}

impl Drop for Unended<'_> {
    fn drop(&mut self) {
        self.flights.lock(self.flight.hash, &|_| false).leave(self.flight);
        self.flight.tell(&|| Ending::Abandoned);
    }
}

/// A locked shard, and the key it was locked for.
pub(crate) struct Loads<'a> {
    hash: u64,
    is: &'a dyn Fn(&AnyKey) -> bool,
    shard: MutexGuard<'a, Shard>,
}

impl Loads<'_> {
    /// A load of the key that its callers may join.
    pub(crate) fn joinable(&self) -> Option<&Arc<Flight>> {
        let mut loads = self.shard.table.iter_hash(self.hash);
        loads.find(|flight| flight.joinable && flight.is_of(self.is) && !flight.is_doomed())
    }

    /// The number of the next load. While it stays, no load of the key has begun.
    pub(crate) fn next(&self) -> u64 {
        self.shard.next
    }

    /// Begins a load of the key, which is this one.
    pub(crate) fn begin<K: Eq + Send + Sync + 'static>(
        &mut self,
        key: K,
        joinable: bool,
        by_task: bool,
    ) -> Arc<Flight> {
        self.add(Flight::new(key, self.hash, self.shard.next, joinable, by_task))
    }

    fn add(&mut self, flight: Flight) -> Arc<Flight> {
        self.shard.next += 1;
        let flight = Arc::new(flight);
        self.shard.table.insert_unique(self.hash, Arc::clone(&flight), |flight| flight.hash);
        flight
    }

    /// Takes a load out of the table. It may not be there any more if it was doomed.
    pub(crate) fn leave(&mut self, flight: &Arc<Flight>) {
        if let Ok(found) = self.shard.table.find_entry(self.hash, |other| Arc::ptr_eq(other, flight)) {
            drop(found.remove());
        }
    }

    /// Dooms the loads of the key that began before number `before`, and takes out of the table all but those that are
    /// writing to the shared level; these. They stay until they end, so that whoever comes next waits for them too.
    pub(crate) fn doom(&mut self, before: u64) -> Vec<Arc<Flight>> {
        let mut storing: Vec<Arc<Flight>> = Vec::new();
        let mut visit = |other: &Arc<Flight>| {
            let is_older = other.number < before && other.is_of(self.is);
            let stays = is_older && other.doom();
            if stays && !storing.iter().any(|known| Arc::ptr_eq(known, other)) {
                storing.push(Arc::clone(other));
            }
            is_older && !stays
        };
        while let Ok(found) = self.shard.table.find_entry(self.hash, &mut visit) {
            drop(found.remove());
        }
        storing
    }

    /// Takes a load of the key out of the table. Whether it may store; then no other load of the key will overwrite that.
    pub(crate) fn end(&mut self, flight: &Arc<Flight>, stores: bool, origin: Origin) -> bool {
        self.leave(flight);
        let stores = stores && flight.may_store(origin);
        if stores {
            // Whatever is older and still under way must not overwrite this.
            drop(self.doom(flight.number));
            if origin == Origin::Loaded {
                self.outdate_fetches();
            }
        }
        stores
    }

    /// The load of the key brought a newer value than all before, unless it is doomed; whether it did.
    pub(crate) fn outdate(&mut self, flight: &Flight) -> bool {
        let is_newest = flight.may_store(Origin::Loaded);
        if is_newest {
            drop(self.doom(flight.number));
            self.outdate_fetches();
        }
        is_newest
    }

    /// A newer value of the key was stored: what other loads of it have fetched is old.
    pub(crate) fn outdate_fetches(&self) {
        let loads = self.shard.table.iter_hash(self.hash).filter(|flight| flight.is_of(self.is));
        loads.for_each(|flight| flight.outdate_fetch());
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn everybody_who_dooms_a_load_that_is_writing_waits_for_it() {
        let flights = Flights::new();
        let is = |key: &AnyKey| key.downcast_ref() == Some(&1_u8);
        let loads = || flights.lock(flights.hash(&1_u8), &is);
        let writing = loads().begin(1_u8, true, false);
        let idle = loads().begin(1_u8, true, false);
        assert!(writing.start_storing());
        assert_eq!(loads().doom(u64::MAX).len(), 1);
        assert!(loads().joinable().is_none(), "a doomed load is joined");
        assert_eq!(loads().doom(u64::MAX).len(), 1, "the second one does not wait");
        assert_eq!(flights.doom_all().len(), 1);
        assert_eq!(flights.doom_all().len(), 1);
        assert!(idle.is_doomed());
        writing.stop_storing();
        loads().leave(&writing);
        assert!(flights.doom_all().is_empty());
    }

    #[test]
    fn loads_of_other_keys_of_one_hash_are_let_alone() {
        let flights = Flights::new();
        let is = |wanted: u8| move |key: &AnyKey| key.downcast_ref() == Some(&wanted);
        let (is_one, is_two) = (is(1), is(2));
        let one = flights.lock(7, &is_one).begin(1_u8, true, false);
        let two = flights.lock(7, &is_two).begin(2_u8, true, false);
        assert!(flights.supersede(&two).is_empty() && flights.lock(7, &is_two).doom(u64::MAX).is_empty());
        assert!(two.is_doomed() && !one.is_doomed());
        assert!(flights.lock(7, &is_one).joinable().is_some_and(|found| Arc::ptr_eq(found, &one)));
    }
}
