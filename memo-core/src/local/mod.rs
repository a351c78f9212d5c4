//! The local level: typed values in this process under exact keys.
//!
//! The engine is a private matter of this module: everything above asks for an entry, stores one, or drops some.

mod by_cost;
mod by_use;
mod engine;
mod ghosts;
mod locked;
mod node;
mod owned;
mod policy;
mod prefetch;
mod queued;
mod ring;
mod seen;
mod shard;
mod slots;
mod sweep;
mod table;
mod thread;
mod waiting;

pub(crate) use engine::{Engine, MAX_SHARDS};
pub(crate) use locked::Locked;
pub(crate) use owned::Owned;
pub(crate) use policy::Bound;
pub(crate) use seen::{Held, Seen};
pub(crate) use thread::ThreadLocal;

use crate::clock::{self, Tick};
use crate::epoch::{Alone, Pin};
use crate::events::Cause;
use crate::invalidations::Marks;
use equivalent::Equivalent;
use node::{Extra, Node, Payload, in_shard};
use owned::Types;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;
use table::Further;

/// A stored value and its time.
#[derive(Clone)]
pub(crate) struct Entry<V> {
    pub(crate) value: V,
    pub(crate) created: Tick,
    /// Fresh before this, expired from then on; [`Tick::NEVER`] without a timeout.
    pub(crate) deadline: Tick,
    /// What it goes with.
    pub(crate) marks: Option<Arc<Marks>>,
}

/// A copy of a stored value that was valid when it was found, and its time. Plain data beside the value, so that a hit
/// goes to its caller in registers.
pub(crate) struct Hit<V> {
    pub(crate) value: V,
    pub(crate) created: Tick,
    pub(crate) deadline: Tick,
}

impl<V> Hit<V> {
    /// Whether its time has not passed. Reads the clock only if the entry can expire.
    pub(crate) fn is_fresh(&self) -> bool {
        is_fresh(self.deadline)
    }
}

impl<V> Entry<V> {
    /// Whether it may be served. Reads the clock only if the entry can expire.
    #[inline]
    pub(crate) fn is_fresh(&self) -> bool {
        is_fresh(self.deadline) && self.is_valid()
    }

    /// Whether nothing it goes with was invalidated since its load began.
    #[inline]
    pub(crate) fn is_valid(&self) -> bool {
        self.marks.as_ref().is_none_or(|marks| marks.is_valid())
    }
}

#[inline(always)]
fn is_fresh(deadline: Tick) -> bool {
    deadline == Tick::NEVER || clock::now() < deadline
}

/// What a look into the local level found.
pub(crate) enum Looked<V> {
    Fresh(Hit<V>),
    Expired,
    Nothing,
}

/// What is to be done with an entry that was found. Apart from its value, so that a hit needs no place in memory.
enum State {
    Fresh,
    Expired,
    /// Something it goes with was invalidated since its load began.
    Void,
}

/// What a glance into the local level tells.
pub(crate) enum Glance<V> {
    Fresh(Hit<V>),
    /// There is one that [can be served](Local::serve), or that has to be looked at.
    Found(Held),
    Nothing,
    /// It may be there: it has to be looked for.
    Unknown,
}

/// An entry that left by itself.
pub struct Gone<'a, K, V> {
    pub(crate) key: &'a K,
    pub(crate) value: &'a V,
    pub(crate) created: Tick,
    pub(crate) deadline: Tick,
    pub(crate) cause: Cause,
}

/// The typed values of one memo.
pub(crate) struct Local<K, V> {
    engine: Engine,
    /// The user's function, where entries have weights.
    weigh: Option<fn(&V) -> u64>,
    /// Whether what is cheap to load goes first.
    by_cost: bool,
    types: PhantomData<fn() -> (K, V)>,
}

impl<K, V> Local<K, V>
where
    K: Eq + Send + Sync + 'static,
    V: Clone + Send + Sync + 'static,
{
    /// Holds as much as `bound` says, by the weights that `weigh` gives, and evicts what is cheap to load first if
    /// `by_cost`.
    #[allow(unsafe_code)]
    pub(crate) fn new(bound: Bound, weigh: Option<fn(&V) -> u64>, by_cost: bool) -> Self {
        // SAFETY: `node` is where its nodes come from.
        let engine = unsafe { Engine::new(bound, by_cost, Types::of::<K, V>()) };
        Local { engine, weigh, by_cost, types: PhantomData }
    }

    /// The entries without their types.
    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// As [`get`](Local::get) for what is found at once and is fresh without a further look, as most hits are.
    #[inline(always)]
    #[allow(unsafe_code)]
    pub(crate) fn glance(&self, pin: Alone, hash: u64, key: &impl Equivalent<K>) -> Glance<V> {
        // SAFETY: the engine holds nodes of these types alone, and the caller is pinned.
        let has_key = |node: Node| key.equivalent(unsafe { &node.payload::<K, V>().key });
        match self.engine.find_at_once(&pin, hash, has_key) {
            Ok(Some(seen)) if seen.is_simply_fresh() => {
                seen.serve_simply();
                Glance::Fresh(self.hit(seen))
            }
            Ok(Some(seen)) => Glance::Found(Held::new(seen.node(), pin)),
            Ok(None) => Glance::Nothing,
            Err(Further) => Glance::Unknown,
        }
    }

    /// The value of an entry that a glance found, if it can expire and is fresh, or has tags and is. Apart, since what it
    /// calls would take the registers of all other hits.
    #[inline(never)]
    #[expect(clippy::needless_pass_by_value, reason = "its pin ends here, and so it is in registers")]
    pub(crate) fn serve(&self, held: Held) -> Option<V> {
        let seen = held.seen();
        seen.is_fresh_by_its_times().then(|| {
            seen.serve();
            self.payload(seen).value.clone()
        })
    }

    /// The entry, if it is fresh, marked as used. It is copied outside of every lock.
    #[inline(always)]
    pub(crate) fn get(&self, pin: &Pin, hash: u64, key: &impl Equivalent<K>) -> Looked<V> {
        let Some(seen) = self.find(pin, hash, key) else { return Looked::Nothing };
        let state = if seen.is_simply_fresh() {
            seen.serve_simply();
            State::Fresh
        } else if seen.is_fresh_by_its_times() {
            seen.serve();
            State::Fresh
        } else {
            self.engine.look_closer(seen)
        };
        match state {
            State::Fresh => Looked::Fresh(self.hit(seen)),
            State::Expired => Looked::Expired,
            State::Void => Looked::Nothing,
        }
    }

    /// The entry, fresh or expired but not invalidated, without marking it as used. Who asks has its tags.
    pub(crate) fn peek(&self, pin: &Pin, hash: u64, key: &impl Equivalent<K>) -> Option<Hit<V>> {
        let seen = self.find(pin, hash, key).filter(|seen| self.engine.is_valid(*seen))?;
        seen.hand_on_tags();
        Some(self.hit(seen))
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    fn find<'a>(&self, pin: &'a Pin, hash: u64, key: &impl Equivalent<K>) -> Option<Seen<'a>> {
        // SAFETY: the engine holds nodes of these types alone, and the caller is pinned.
        self.engine.find(pin, hash, |node| key.equivalent(unsafe { &node.payload::<K, V>().key }))
    }

    #[inline(always)]
    #[allow(unsafe_code)]
    #[expect(clippy::unused_self, reason = "what was seen was seen here, which says what its types are")]
    fn payload<'a>(&self, seen: Seen<'a>) -> &'a Payload<K, V> {
        // SAFETY: the engine holds nodes of these types alone, and the pin lives as long as what was seen.
        unsafe { seen.node().payload::<K, V>() }
    }

    /// A copy of an entry that was found here.
    #[inline(always)]
    pub(crate) fn hit(&self, seen: Seen<'_>) -> Hit<V> {
        Hit { value: self.payload(seen).value.clone(), created: seen.created(), deadline: seen.deadline() }
    }

    /// An entry that left.
    pub(crate) fn gone<'a>(&self, seen: Seen<'a>, cause: Cause) -> Gone<'a, K, V> {
        let Payload { key, value } = self.payload(seen);
        Gone { key, value, created: seen.created(), deadline: seen.deadline(), cause }
    }

    /// An entry that is ready to be stored, and took `cost` to load. Weighs the value, with the user's code: for outside
    /// the locks.
    pub(crate) fn node(&self, hash: u64, key: K, entry: Entry<V>, cost: Duration) -> Owned {
        let weight = self.weigh.map_or(1, |weigh| weight_of(&entry.value, weigh));
        let class = self.by_cost.then(|| by_cost::class(cost, weight, self.weigh.is_some()));
        let Entry { value, created, deadline, marks } = entry;
        let extra = Extra { created, deadline, weight, class };
        Owned::new(in_shard(hash), (key, value), extra, marks, self.engine.others())
    }

    /// What all entries weigh together; zero where they have no weights.
    pub(crate) fn weight(&self) -> u64 {
        if self.weigh.is_some() { self.engine.weight() } else { 0 }
    }
}

/// What weighs nothing counts as 1, or it would never be evicted. What can't be weighed counts as too heavy for any bound,
/// since a panic here would leave others waiting for the load.
// Apart, since few functions have weights and all can store.
#[inline(never)]
fn weight_of<V>(value: &V, weigh: fn(&V) -> u64) -> u64 {
    catch_unwind(AssertUnwindSafe(|| weigh(value))).unwrap_or(u64::MAX).max(1)
}

#[cfg(all(test, shuttle))]
mod models;
#[cfg(all(test, not(shuttle)))]
mod tests;
