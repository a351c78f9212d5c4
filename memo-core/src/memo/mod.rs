//! Memos: what cached functions remember, and how a call goes through.

mod call;
mod cell;
pub(crate) mod context;
pub(crate) mod door;
pub(crate) mod each;
mod evictions;
mod explain;
mod flight;
mod flights;
mod function;
mod given;
mod guard;
mod io;
mod keep;
#[cfg(all(test, shuttle))]
mod models;
#[cfg(all(test, shuttle))]
pub(crate) use models::explore;
pub(crate) mod note;
mod once;
mod operations;
mod settle;
pub(crate) mod spawn;
pub(crate) mod sweeper;
mod tagged;
pub mod thread;
mod untyped;
mod valid;
mod verify;
mod waits;

pub use call::{Begun, Open, Settled, Started, refresh, start};
pub use cell::Instance;
pub use context::tag_with;
pub use door::LocalOnly;
pub use evictions::{evictions, key_type};
pub use function::{Function, Registered, check, count_bypass};
pub use given::put;
pub use guard::Guard;
pub use io::{Blocking, Io, Tasks, ready};
pub use keep::{Keep, keep_for};
pub use note::{Note, Noted};
#[cfg(feature = "shared")]
pub use operations::invalidate_all;
pub use operations::{Operation, invalidate_all_local, operation};
pub use tagged::Tagged;
pub use valid::valid_if;
pub use verify::{comparable, verify, verify_due};

use crate::clock::Tick;
use crate::epoch;
use crate::events::Cause;
use crate::local::{Bound, Entry, Glance, Gone, Held, Hit, Local, Looked, Seen};
use crate::sync::OnceLock;
use equivalent::Equivalent;
use evictions::Evictions;
use flight::{AnyKey, Ending, Flight};
use flights::Flights;
pub(crate) use flights::Underway;
use foldhash::fast::RandomState;
use std::hash::{BuildHasher, Hash};
use std::sync::Arc;
use std::time::Duration;
use untyped::{Entered, Finished, Untyped, may_wait};

/// What one instantiation of a function remembers in this process, and the loads it has under way.
pub(crate) struct Memo<K, V> {
    /// Entries, and the loads under way.
    local: Local<K, V>,
    /// Whether it has entries at all: of a function without a local level there are loads alone.
    keeps: bool,
    hasher: RandomState,
    /// Who hears of what leaves while nobody calls: the first hook that a call brought.
    hook: OnceLock<Evictions<K, V>>,
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
        let keeps = local.is_some();
        let local = local.unwrap_or_else(|| Local::new(Bound::None, None, false));
        Memo { local, keeps, hasher: RandomState::default(), hook: OnceLock::new() }
    }

    /// From now on what the sweeper drops is told of, if it was not so already.
    fn keep_hook(&self, hook: Evictions<K, V>) {
        let _ = self.hook.set(hook);
    }

    fn untyped(&self) -> Untyped<'_> {
        Untyped { engine: self.local.engine(), keeps: self.keeps }
    }

    fn flights(&self) -> Flights<'_> {
        self.untyped().flights()
    }

    /// The local level, if there is one.
    fn local(&self) -> Option<&Local<K, V>> {
        self.keeps.then_some(&self.local)
    }

    /// What a key is called among loads and entries.
    #[inline(always)]
    fn hash(&self, key: &impl Hash) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Which shard of loads and entries a key is in.
    fn shard_of(&self, key: &impl Hash) -> usize {
        self.local.engine().shard_of(self.hash(key))
    }

    /// As [`get`](Memo::get), where a glance tells. Where there are no entries it finds none.
    #[inline(always)]
    fn glance(&self, key: &(impl Hash + Equivalent<K>)) -> Glance<V> {
        // Before the pin, which nothing is moved across: the argument need not be read from memory again.
        let hash = self.hash(key);
        match epoch::pin_alone() {
            Some(pin) => self.local.glance(pin, hash, key),
            None => Glance::Unknown,
        }
    }

    /// A fresh entry of the local level, marked as used.
    // Always, or the entry goes through memory twice more on its way out.
    #[inline(always)]
    fn get(&self, key: &(impl Hash + Equivalent<K>)) -> Looked<V> {
        match self.local() {
            Some(local) => {
                // Before the pin, which nothing is moved across: the argument need not be read from memory again.
                let hash = self.hash(key);
                local.get(&epoch::pin(), hash, key)
            }
            None => Looked::Nothing,
        }
    }

    /// The value of an entry that a glance found, if that is all there is to know of it.
    #[inline(always)]
    fn serve(&self, held: Held) -> Option<V> {
        self.local.serve(held)
    }

    /// An entry of the local level, fresh or expired, without any effect.
    fn peek(&self, key: &K) -> Option<Hit<V>> {
        self.local()?.peek(&epoch::pin(), self.hash(key), key)
    }

    /// A load of this key that has not begun.
    fn flight(&self, function: &Function, key: K) -> Arc<Flight> {
        let hash = self.hash(&key);
        self.local.engine().prefetch(hash);
        Flight::new(key, hash, function.is_async)
    }

    /// Joins the load under way or begins this one, for a call of this function.
    fn enter(&self, function: &Function, flight: &Arc<Flight>, join: Join) -> Entered<Hit<V>> {
        let pin = epoch::pin();
        match self.untyped().enter(&pin, function, flight, join) {
            Entered::Found(seen) => Entered::Found(self.local.hit(seen)),
            Entered::Lead => Entered::Lead,
            Entered::Follow(flight) => Entered::Follow(flight),
        }
    }

    /// The load under way that a call of this function may wait for; else the number that the next load will have.
    fn scout(&self, function: &Function, key: &K) -> Result<Arc<Flight>, u64> {
        let is = is(key);
        let loads = self.flights().lock(self.hash(key), &is);
        loads.joinable().filter(|flight| may_wait(function, flight)).map(Arc::clone).ok_or(loads.next())
    }

    /// Ends a load: stores what it brought, and at what cost, unless it is doomed, and lets its followers go. `gone` is
    /// given what left the local level by itself.
    fn finish(
        &self,
        flight: &Arc<Flight>,
        entry: Option<Entry<V>>,
        (origin, cost): (Origin, Duration),
        ending: &dyn Fn() -> Ending,
        gone: &mut dyn FnMut(Gone<'_, K, V>),
    ) -> Finished {
        let unended = self.flights().end_anyway(flight);
        let brings = (entry.is_some(), origin);
        // Weighed, and its key copied, outside of the locks.
        let entry = entry.filter(|_| self.keeps);
        let node = entry.map(|entry| self.local.node(flight.hash, flight.key::<K>().clone(), entry, cost));
        let pin = epoch::pin();
        let mut gone = |seen: Seen<'_>, cause| gone(self.local.gone(seen, cause));
        let (finished, is_due) = self.untyped().finish(&pin, flight, node, brings, ending, &mut gone);
        unended.has_ended();
        if is_due {
            drop(pin);
            self.untyped().free_sometimes(flight.hash);
        }
        finished
    }

    /// Ends a load that brought nothing: one of its followers leads.
    fn abandon(&self, flight: &Arc<Flight>) {
        let nothing = (false, Origin::Loaded);
        self.untyped().finish(&epoch::pin(), flight, None, nothing, &|| Ending::Abandoned, &mut |_, _| ());
    }

    /// Drops the entry of a key and dooms its loads. Whether there was a fresh entry, and the loads that are writing to
    /// the shared level.
    fn drop_entry(&self, key: &K) -> (bool, Vec<Arc<Flight>>) {
        self.untyped().drop_entry(self.hash(key), key, &is(key))
    }

    /// Takes the entry of a key out if it has expired.
    fn take_expired(&self, flight: &Flight, gone: &mut dyn FnMut(Gone<'_, K, V>)) {
        let mut gone = |seen: Seen<'_>| gone(self.local.gone(seen, Cause::Expired));
        self.untyped().take_expired(flight, &mut gone);
    }

    /// Drops an entry that was seen, unless another has taken its place since, as far as its times tell: another one
    /// that goes for its sake is a load more.
    fn drop_refused(&self, key: &K, refused: &Hit<V>) {
        let engine = self.local.engine();
        let is = |seen: Seen<'_>| seen.created() == refused.created && seen.deadline() == refused.deadline;
        let hash = self.hash(key);
        engine.remove(&epoch::pin(), hash, key, &is);
        engine.free_sometimes(hash);
    }
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

/// A memo whose types are forgotten, for what concerns a whole function.
pub(crate) trait AnyMemo: Send + Sync {
    /// Entries in the local level.
    fn entries(&self) -> usize;

    /// What the entries in the local level weigh, where they have weights.
    fn weight(&self) -> u64;

    /// Drops every entry and dooms every load; the loads that are writing to the shared level.
    fn drop_all(&self) -> Vec<Arc<Flight>>;

    /// Drops what had expired by then, tells of it whoever wants to hear that, and frees what waits for it.
    fn sweep(&self, now: Tick) -> Swept;
}

/// What came of dropping what had expired.
pub(crate) struct Swept {
    /// When the next entry expires.
    next: Tick,
    /// How long a hook took to be told.
    told: Duration,
}

impl<K, V> AnyMemo for Memo<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    fn entries(&self) -> usize {
        self.local.engine().len()
    }

    fn weight(&self) -> u64 {
        self.local.weight()
    }

    fn drop_all(&self) -> Vec<Arc<Flight>> {
        self.untyped().drop_all()
    }

    fn sweep(&self, now: Tick) -> Swept {
        let told = match self.hook.get() {
            Some(hook) => hook.sweep(&self.local, now),
            None => {
                self.untyped().sweep(now);
                Duration::ZERO
            }
        };
        self.local.engine().free_now();
        Swept { next: self.local.engine().earliest(), told }
    }
}
