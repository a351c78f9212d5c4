//! All loads of one memo that are under way, by key.
//!
//! This table is where the order of things is decided: a load enters it before it looks at anything and leaves it in
//! the same step in which it stores, and an invalidation dooms what is in it. So a value whose load began before an
//! invalidation is never stored after it.
//!
//! It is in the same shards as the entries of the local level, behind their locks. It knows no types, as a [`Flight`]
//! does not: which key is meant is said by its hash and a function that knows it.
//!
//! Lock order: a shard, then a flight's state. Inside these locks runs no code of users but `Hash`, `Eq` and `Clone` of
//! keys, and `Clone` of values.

use super::Origin;
use super::flight::{AnyKey, Ending, Flight};
use crate::local::{Engine, Locked};
use hashbrown::HashTable;
use std::sync::Arc;

/// The loads of one shard.
#[derive(Default)]
pub(crate) struct Underway {
    /// Mostly there is one at a time, which needs no table.
    first: Option<Arc<Flight>>,
    others: HashTable<Arc<Flight>>,
    /// The number of the next load. Only loads of one key are compared, and those are of one shard.
    next: u64,
}

impl Underway {
    fn is_empty(&self) -> bool {
        self.first.is_none() && self.others.is_empty()
    }

    fn of_hash(&self, hash: u64) -> impl Iterator<Item = &Arc<Flight>> {
        let others = (!self.others.is_empty()).then(|| self.others.iter_hash(hash));
        self.first.iter().filter(move |flight| flight.hash == hash).chain(others.into_iter().flatten())
    }

    fn add(&mut self, flight: Arc<Flight>) {
        match &self.first {
            None => self.first = Some(flight),
            Some(_) => drop(self.others.insert_unique(flight.hash, flight, |flight| flight.hash)),
        }
    }

    fn remove(&mut self, flight: &Arc<Flight>) {
        if self.first.as_ref().is_some_and(|first| Arc::ptr_eq(first, flight)) {
            self.first = None;
        } else if let Ok(found) = self.others.find_entry(flight.hash, |other| Arc::ptr_eq(other, flight)) {
            drop(found.remove());
        }
    }

    fn retain(&mut self, mut stays: impl FnMut(&Arc<Flight>) -> bool) {
        self.first.take_if(|flight| !stays(flight));
        self.others.retain(|flight| stays(flight));
    }
}

/// The loads of a memo, wherever they are.
#[derive(Clone, Copy)]
pub(crate) struct Flights<'m>(pub(super) &'m Engine);

impl<'m> Flights<'m> {
    /// The loads of the keys that share a shard with the one of this hash to which `is` says yes, locked.
    pub(crate) fn lock<'a>(self, hash: u64, is: &'a dyn Fn(&AnyKey) -> bool) -> Loads<'a>
    where
        'm: 'a,
    {
        Loads { hash, is, shard: self.0.lock(hash) }
    }

    /// Takes the older loads of a flight's key out of the way before it stores; those that are writing.
    pub(crate) fn supersede(self, flight: &Flight) -> Vec<Arc<Flight>> {
        self.lock(flight.hash, &|key| flight.is_for(key)).doom(flight.number())
    }

    /// Sees to it that a load ends, also if code of users panics on the way there: of its key, or copying its value.
    pub(crate) fn end_anyway<'a>(self, flight: &'a Arc<Flight>) -> Unended<'a>
    where
        'm: 'a,
    {
        Unended { flights: self, flight }
    }

    /// Dooms every load, and takes out of the table all but those that are writing to the shared level; these.
    pub(crate) fn doom_all(self) -> Vec<Arc<Flight>> {
        let mut storing = Vec::new();
        for mut shard in self.0.lock_each() {
            shard.loads_mut().retain(|flight| {
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

/// A load that is about to end. Dropped before it has, one of its followers leads.
#[must_use]
pub(crate) struct Unended<'a> {
    flights: Flights<'a>,
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
    /// Their shard, with the entries of the same keys.
    pub(super) shard: Locked<'a>,
}

impl Loads<'_> {
    /// A load of the key that its callers may join.
    pub(crate) fn joinable(&self) -> Option<&Arc<Flight>> {
        let mut loads = self.shard.loads().of_hash(self.hash);
        loads.find(|flight| flight.is_joinable() && flight.is_of(self.is) && !flight.is_doomed())
    }

    /// The number of the next load. While it stays, no load of the key has begun.
    pub(crate) fn next(&self) -> u64 {
        self.shard.loads().next
    }

    /// Begins a load of the key, which nobody else has yet.
    pub(crate) fn begin(&mut self, flight: &Arc<Flight>, joinable: bool) {
        let loads = self.shard.loads_mut();
        flight.begin(loads.next, joinable);
        loads.next += 1;
        loads.add(Arc::clone(flight));
    }

    /// Takes a load out of the table. It may not be there any more if it was doomed.
    pub(crate) fn leave(&mut self, flight: &Arc<Flight>) {
        self.shard.loads_mut().remove(flight);
    }

    /// Dooms the loads of the key that began before number `before`, and takes out of the table all but those that are
    /// writing to the shared level; these. They stay until they end, so that whoever comes next waits for them too.
    pub(crate) fn doom(&mut self, before: u64) -> Vec<Arc<Flight>> {
        let mut storing: Vec<Arc<Flight>> = Vec::new();
        let mut idle = Vec::new();
        for flight in
            self.shard.loads().of_hash(self.hash).filter(|flight| flight.number() < before && flight.is_of(self.is))
        {
            let list = if flight.doom() { &mut storing } else { &mut idle };
            list.push(Arc::clone(flight));
        }
        for flight in &idle {
            self.shard.loads_mut().remove(flight);
        }
        storing
    }

    /// Takes a load of the key out of the table. Whether it may store; then no other load of the key will overwrite that.
    pub(crate) fn end(&mut self, flight: &Arc<Flight>, stores: bool, origin: Origin) -> bool {
        self.leave(flight);
        let stores = stores && flight.may_store(origin);
        // Mostly it was the only one.
        if stores && !self.shard.loads().is_empty() {
            // Whatever is older and still under way must not overwrite this.
            drop(self.doom(flight.number()));
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
            drop(self.doom(flight.number()));
            self.outdate_fetches();
        }
        is_newest
    }

    /// A newer value of the key was stored: what other loads of it have fetched is old.
    pub(crate) fn outdate_fetches(&self) {
        let loads = self.shard.loads().of_hash(self.hash).filter(|flight| flight.is_of(self.is));
        loads.for_each(|flight| flight.outdate_fetch());
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::local::{Bound, Local};

    #[test]
    fn everybody_who_dooms_a_load_that_is_writing_waits_for_it() {
        let local = Local::<u8, u8>::new(Bound::None, None, false);
        let flights = Flights(local.engine());
        let is = |key: &AnyKey| key.downcast_ref() == Some(&1_u8);
        let loads = || flights.lock(7, &is);
        let new = || Flight::new(1_u8, 7, false);
        let (writing, idle) = (new(), new());
        loads().begin(&writing, true);
        loads().begin(&idle, true);
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
        let local = Local::<u8, u8>::new(Bound::None, None, false);
        let flights = Flights(local.engine());
        let is = |wanted: u8| move |key: &AnyKey| key.downcast_ref() == Some(&wanted);
        let (is_one, is_two) = (is(1), is(2));
        let (one, two) = (Flight::new(1_u8, 7, false), Flight::new(2_u8, 7, false));
        flights.lock(7, &is_one).begin(&one, true);
        flights.lock(7, &is_two).begin(&two, true);
        assert!(flights.supersede(&two).is_empty() && flights.lock(7, &is_two).doom(u64::MAX).is_empty());
        assert!(two.is_doomed() && !one.is_doomed());
        assert!(flights.lock(7, &is_one).joinable().is_some_and(|found| Arc::ptr_eq(found, &one)));
    }
}
