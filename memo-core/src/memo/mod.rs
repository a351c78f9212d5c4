//! Memos: what cached functions remember, and how a call goes through.

mod call;
mod cell;
mod context;
pub(crate) mod door;
mod explain;
mod flight;
mod flights;
mod function;
mod guard;
mod io;
mod keep;
#[cfg(all(test, shuttle))]
mod models;
pub(crate) mod note;
mod once;
mod operations;
pub(crate) mod spawn;
pub mod thread;
mod valid;
mod verify;

pub use call::{Begun, Open, Settled, Started, refresh, start};
pub use cell::Instance;
pub use door::LocalOnly;
pub use function::{Function, Registered, check, count_bypass};
pub use guard::Guard;
pub use io::{Blocking, Io, Tasks, ready};
pub use keep::{Keep, keep_for};
pub use note::{Note, Noted, key_type};
#[cfg(feature = "shared")]
pub use operations::invalidate_all;
pub use operations::{Operation, invalidate_all_local, operation, put, put_local};
pub use valid::valid_if;
pub use verify::{comparable, verify, verify_due};

use crate::local::{Entry, Gone, Local};
use equivalent::Equivalent;
use flight::{AnyKey, Ending, Flight};
use flights::Flights;
use std::hash::Hash;
use std::sync::Arc;

/// What one instantiation of a function remembers in this process, and the loads it has under way.
pub(crate) struct Memo<K, V> {
    local: Option<Local<K, V>>,
    flights: Flights,
}

/// What a caller finds when it looks again under the lock of its key.
enum Entered<V> {
    /// A load ended between the two looks.
    Found(Entry<V>),
    /// The caller runs the load.
    Lead(Arc<Flight>),
    /// Another caller runs it.
    Follow(Arc<Flight>),
}

/// Whether a load may be shared between callers.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Join {
    /// Join the load under way, or lead one that others may join.
    Any,
    /// Lead a load that others may join, even if one is under way: what is loaded now counts.
    LeadOnly,
    /// Load alone.
    Alone,
}

impl<K, V> Memo<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn new(local: Option<Local<K, V>>) -> Self {
        Memo { local, flights: Flights::new() }
    }

    /// A fresh entry of the local level, marked as used.
    // Always, or the entry goes through memory twice more on its way out.
    #[inline(always)]
    fn get(&self, key: &(impl Hash + Equivalent<K>)) -> Looked<V> {
        match self.local.as_ref().and_then(|local| local.get(key)) {
            Some(entry) if entry.is_fresh() => Looked::Fresh(entry),
            Some(_) => Looked::Expired,
            None => Looked::Nothing,
        }
    }

    /// A fresh entry of the local level, without any effect.
    fn peek(&self, key: &K) -> Option<Entry<V>> {
        self.local.as_ref()?.peek(key).filter(Entry::is_fresh)
    }

    /// Joins the load under way or begins one, for a call of this function.
    fn enter(&self, function: &Function, key: &K, join: Join) -> Entered<V> {
        // Dropped after the lock, since dropping a value runs its owner's code.
        let _stale;
        let is = is(key);
        let mut loads = self.flights.lock(self.flights.hash(key), &is);
        if join == Join::Any {
            match loads.joinable() {
                Some(flight) if may_wait(function, flight) => return Entered::Follow(Arc::clone(flight)),
                Some(_) => return Entered::Lead(loads.begin(key.clone(), false, function.is_async)),
                None => {}
            }
            if function.local
                && let Some(entry) = self.local.as_ref().and_then(|local| local.get(key))
            {
                if entry.is_fresh() {
                    return Entered::Found(entry);
                }
                _stale = entry;
            }
        }
        Entered::Lead(loads.begin(key.clone(), join != Join::Alone, function.is_async))
    }

    /// The load under way that a call of this function may wait for; else the number that the next load will have.
    fn scout(&self, function: &Function, key: &K) -> Result<Arc<Flight>, u64> {
        let is = is(key);
        let loads = self.flights.lock(self.flights.hash(key), &is);
        loads.joinable().filter(|flight| may_wait(function, flight)).map(Arc::clone).ok_or(loads.next())
    }

    /// Ends a load: stores what it brought unless it is doomed, and lets its followers go. `gone` is given what left the
    /// local level by itself.
    fn finish(
        &self,
        flight: &Arc<Flight>,
        entry: Option<Entry<V>>,
        origin: Origin,
        // `dyn`, as this is long and would be compiled again for each caller.
        ending: &dyn Fn() -> Ending,
        gone: &mut dyn FnMut(Gone<K, V>),
    ) -> Finished {
        let unended = self.flights.end_anyway(flight);
        if let (Some(entry), Some(local)) = (&entry, &self.local) {
            local.weigh(flight.key(), &entry.value);
        }
        // Dropped after the lock, since dropping a value runs its owner's code.
        let mut pushed_out = None;
        let _unused;
        let is = |key: &AnyKey| flight.is_for(key);
        let mut loads = self.flights.lock(flight.hash, &is);
        let stores = loads.end(flight, entry.is_some(), origin);
        match (entry, &self.local) {
            (Some(entry), Some(local)) if stores => pushed_out = Some(local.insert(flight.key::<K>().clone(), entry)),
            (entry, _) => _unused = entry,
        }
        drop(loads);
        flight.tell(ending);
        unended.has_ended();
        let (mut evicted, mut too_heavy) = (0, false);
        if let Some(pushed_out) = pushed_out
            && let Some(local) = &self.local
        {
            (evicted, too_heavy) = (pushed_out.evicted(), pushed_out.is_too_heavy());
            pushed_out.each(gone);
            local.sweep_sometimes(gone);
        }
        Finished { stored: stores, evicted, too_heavy }
    }

    /// Drops the entry of a key and dooms its loads. Whether there was a fresh entry, and the loads that are writing to
    /// the shared level.
    fn drop_entry(&self, key: &K) -> (bool, Vec<Arc<Flight>>) {
        let is = is(key);
        let mut loads = self.flights.lock(self.flights.hash(key), &is);
        let storing = loads.doom(u64::MAX);
        let removed = self.local.as_ref().and_then(|local| local.remove(key));
        drop(loads);
        (removed.is_some_and(|(_, entry)| entry.is_fresh()), storing)
    }

    /// Drops what is remembered under the key of a load that brought a newer value and does not remember it itself:
    /// one that is not to be kept, or of a function without a local level whose prefix others share.
    fn outdate(&self, flight: &Flight) {
        let Some(local) = &self.local else { return };
        let is = |key: &AnyKey| flight.is_for(key);
        let mut loads = self.flights.lock(flight.hash, &is);
        if loads.outdate(flight) {
            let removed = local.remove(flight.key::<K>());
            drop(loads);
            drop(removed);
        }
    }

    /// Takes the entry of a key out if it has expired.
    fn take_expired(&self, key: &K) -> Option<Gone<K, V>> {
        self.local.as_ref()?.remove_expired(key)
    }

    /// Drops an entry that was seen, unless another has taken its place since.
    fn drop_refused(&self, key: &K, seen: &Entry<V>) {
        if let Some(local) = &self.local {
            local.remove_same(key, seen);
        }
    }
}

/// Whether a call of this function may wait for a load. The code that the load runs must not wait for itself: it runs
/// the body. Nor must a thread wait for a task, which may need that thread to go on.
fn may_wait(function: &Function, flight: &Flight) -> bool {
    !context::Mark::of(flight).is_inside() && (function.is_async || !flight.by_task)
}

/// Whether a key is this one.
fn is<K: Eq + 'static>(key: &K) -> impl Fn(&AnyKey) -> bool {
    move |other| other.downcast_ref::<K>() == Some(key)
}

/// Where a value that is to be stored comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The body, or a caller of `put`.
    Loaded,
    /// The shared level, which may have got a newer value since it was asked.
    Fetched,
}

/// How a load ended for the local level.
#[derive(Clone, Copy)]
struct Finished {
    stored: bool,
    evicted: usize,
    /// Not in the local level after all, since it is heavier than all there may be.
    too_heavy: bool,
}

/// What a look into the local level found.
enum Looked<V> {
    Fresh(Entry<V>),
    Expired,
    Nothing,
}

/// A memo whose types are forgotten, for what concerns a whole function.
pub(crate) trait AnyMemo: Send + Sync {
    /// Entries in the local level.
    fn entries(&self) -> usize;

    /// What the entries in the local level weigh, where they have weights.
    fn weight(&self) -> u64;

    /// Drops every entry and dooms every load; the loads that are writing to the shared level.
    fn drop_all(&self) -> Vec<Arc<Flight>>;
}

impl<K, V> AnyMemo for Memo<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn entries(&self) -> usize {
        self.local.as_ref().map_or(0, Local::len)
    }

    fn weight(&self) -> u64 {
        self.local.as_ref().map_or(0, Local::weight)
    }

    fn drop_all(&self) -> Vec<Arc<Flight>> {
        // The loads first: one that ends now can't store any more, and what others stored before goes with the rest.
        let storing = self.flights.doom_all();
        if let Some(local) = &self.local {
            local.clear();
        }
        storing
    }
}
