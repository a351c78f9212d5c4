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
use crate::lookup::{Lookup, Owned};
use flight::{Ending, Flight};
use flights::Flights;
use std::hash::Hash;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// What one instantiation of a function remembers in this process, and the loads it has under way.
pub(crate) struct Memo<K, V> {
    local: Option<Local<K, V>>,
    flights: Flights<K, V>,
}

/// What a caller finds when it looks again under the lock of its key.
enum Entered<K, V> {
    /// A load ended between the two looks.
    Found(Entry<V>),
    /// The caller runs the load.
    Lead(Arc<Flight<K, V>>),
    /// Another caller runs it.
    Follow(Arc<Flight<K, V>>),
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
    fn get(&self, key: &impl Lookup<K>) -> Looked<V> {
        match self.local.as_ref().and_then(|local| local.get(key)) {
            Some(entry) if entry.is_fresh() => Looked::Fresh(entry),
            Some(_) => Looked::Expired,
            None => Looked::Nothing,
        }
    }

    /// A fresh entry of the local level, without any effect.
    fn peek(&self, key: &impl Lookup<K>) -> Option<Entry<V>> {
        self.local.as_ref()?.peek(key).filter(Entry::is_fresh)
    }

    /// Joins the load under way or begins one, for a call of this function.
    fn enter(&self, function: &Function, key: &impl Lookup<K>, join: Join) -> Entered<K, V> {
        // Dropped after the lock, since dropping a value runs its owner's code.
        let _stale;
        let mut loads = self.flights.lock(key);
        if join == Join::Any {
            match loads.joinable(key) {
                Some(flight) if may_wait(function, flight) => return Entered::Follow(Arc::clone(flight)),
                Some(_) => return Entered::Lead(loads.begin(key.to_key(), false, function.is_async)),
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
        Entered::Lead(loads.begin(key.to_key(), join != Join::Alone, function.is_async))
    }

    /// The load under way that a call of this function may wait for; else the number that the next load will have.
    fn scout(&self, function: &Function, key: &impl Lookup<K>) -> Result<Arc<Flight<K, V>>, u64> {
        let loads = self.flights.lock(key);
        loads.joinable(key).filter(|flight| may_wait(function, flight)).map(Arc::clone).ok_or(loads.next())
    }

    /// Ends a load: stores what it brought unless it is doomed, and lets its followers go. `gone` is given what left the
    /// local level by itself.
    fn finish(
        &self,
        flight: Arc<Flight<K, V>>,
        entry: Option<Entry<V>>,
        origin: Origin,
        // `dyn`, as this is long and would be compiled again for each caller.
        ending: &dyn Fn() -> Ending<V>,
        gone: &mut dyn FnMut(Gone<K, V>),
    ) -> Finished {
        if let (Some(entry), Some(local)) = (&entry, &self.local) {
            local.weigh(&flight.key, &entry.value);
        }
        // Dropped after the lock, since dropping a value runs its owner's code.
        let mut pushed_out = None;
        let _unused;
        let mut loads = self.flights.lock(&Owned(&flight.key));
        loads.leave(&flight);
        let stores = entry.is_some() && flight.may_store(origin);
        let followed = match (entry, &self.local) {
            (Some(entry), Some(local)) if stores => {
                // Whatever is older and still under way must not overwrite this.
                drop(loads.doom(&Owned(&flight.key), flight.number));
                if origin == Origin::Loaded {
                    loads.outdate_fetches(&Owned(&flight.key));
                }
                // No follower can come any more, since the load left the table. Without one, its key is free.
                match Arc::try_unwrap(flight) {
                    Ok(Flight { key, .. }) => {
                        pushed_out = Some(local.insert(key, entry));
                        None
                    }
                    Err(flight) => {
                        pushed_out = Some(local.insert(flight.key.clone(), entry));
                        Some(flight)
                    }
                }
            }
            (entry, _) => {
                _unused = entry;
                Some(flight)
            }
        };
        drop(loads);
        if let Some(flight) = followed.filter(|flight| Arc::strong_count(flight) > 1) {
            let mut ends = EndsAnyway(Some(&flight));
            let ending = ending();
            ends.0 = None;
            flight.end(ending);
        }
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
    fn drop_entry(&self, key: &impl Lookup<K>) -> (bool, Vec<Arc<dyn Storing>>) {
        let mut loads = self.flights.lock(key);
        let storing = loads.doom(key, u64::MAX);
        let removed = self.local.as_ref().and_then(|local| local.remove(key));
        drop(loads);
        (removed.is_some_and(|(_, entry)| entry.is_fresh()), storing)
    }

    /// Takes the older loads of a flight's key out of the way before it stores; those that are writing.
    fn supersede(&self, flight: &Flight<K, V>) -> Vec<Arc<dyn Storing>> {
        let key = Owned(&flight.key);
        self.flights.lock(&key).doom(&key, flight.number)
    }

    /// Drops what is remembered under the key of a load that brought a newer value and does not remember it itself:
    /// one that is not to be kept, or of a function without a local level whose prefix others share.
    fn outdate(&self, flight: &Flight<K, V>) {
        let Some(local) = &self.local else { return };
        let key = Owned(&flight.key);
        let mut loads = self.flights.lock(&key);
        if flight.may_store(Origin::Loaded) {
            drop(loads.doom(&key, flight.number));
            loads.outdate_fetches(&key);
            let removed = local.remove(&key);
            drop(loads);
            drop(removed);
        }
    }

    /// Takes the entry of a key out if it has expired.
    fn take_expired(&self, key: &impl Lookup<K>) -> Option<Gone<K, V>> {
        self.local.as_ref()?.remove_expired(key)
    }

    /// Drops an entry that was seen, unless another has taken its place since.
    fn drop_refused(&self, key: &impl Lookup<K>, seen: &Entry<V>) {
        if let Some(local) = &self.local {
            local.remove_same(key, seen);
        }
    }
}

/// Whether a call of this function may wait for a load. The code that the load runs must not wait for itself: it runs
/// the body. Nor must a thread wait for a task, which may need that thread to go on.
fn may_wait<K, V>(function: &Function, flight: &Flight<K, V>) -> bool {
    !context::Mark::of(flight).is_inside() && (function.is_async || !flight.by_task)
}

/// Lets the followers of a load go, also if copying the value for them panics: one of them leads.
struct EndsAnyway<'a, K, V: Clone>(Option<&'a Flight<K, V>>);

impl<K, V: Clone> Drop for EndsAnyway<'_, K, V> {
    fn drop(&mut self) {
        if let Some(flight) = self.0 {
            flight.end(Ending::Abandoned);
        }
    }
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
    fn drop_all(&self) -> Vec<Arc<dyn Storing>>;
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

    fn drop_all(&self) -> Vec<Arc<dyn Storing>> {
        // The loads first: one that ends now can't store any more, and what others stored before goes with the rest.
        let storing = self.flights.doom_all();
        if let Some(local) = &self.local {
            local.clear();
        }
        storing
    }
}

/// A load that is writing to the shared level, to be waited for by whoever doomed it.
pub trait Storing: Send + Sync {
    /// Waits with the thread; `false` if it took longer than `at_most`.
    fn wait_stored(&self, at_most: Duration) -> bool;

    /// Waits as a task.
    fn poll_stored(&self, context: &mut Context<'_>) -> Poll<()>;
}
