//! Who hears of what leaves the local level: the hook of `on_evict`.
//!
//! Its types are those of a memo's entries, which generated code alone knows, so each call brings its hook along. What a
//! call pushes out is told as it ends (`note.rs`). A memo keeps the first hook it was brought, for what the sweeper's
//! thread drops while nobody calls.

use super::function::Function;
use crate::clock::{self, Tick};
use crate::epoch;
use crate::events::{CallInfo, Cause};
use crate::local::{Gone, Hit, Local};
use crate::lookup::Parts;
use crate::outcome::Outcome;
use std::any::Any;
use std::marker::PhantomData;
use std::time::Duration;

/// The type of a stored key.
pub(crate) type KeyType<K> = PhantomData<fn() -> K>;

/// The type of the key that these parts are of.
pub fn key_type<P: Parts>(_parts: P) -> KeyType<P::Owned> {
    PhantomData
}

/// A hook for entries of these types, wanted. The arguments name the types; the key is not made.
pub fn evictions<O: Outcome, K>(
    function: &'static Function,
    _outcome: O,
    _key: impl FnOnce() -> KeyType<K>,
) -> Wanted<K, O> {
    Wanted { function, types: PhantomData }
}

/// A hook for the entries that leave the local level, wanted.
#[must_use = "the hook is given to `tell`"]
pub struct Wanted<K, O> {
    function: &'static Function,
    types: PhantomData<fn() -> (K, O)>,
}

impl<K: Clone + Eq + Send + Sync + 'static, O: Outcome> Wanted<K, O>
where
    O::Value: 'static,
{
    /// Has the hook told of each entry.
    pub fn tell(self, hook: fn(&CallInfo<'_>, &K, &O::Value)) -> Evictions<K, O::Value> {
        Evictions { function: self.function, hook, sweep: Evictions::sweep_and_tell }
    }
}

/// The hook of a function for the entries that leave its local level.
#[must_use = "a note of the call takes it"]
pub struct Evictions<K, V> {
    function: &'static Function,
    hook: fn(&CallInfo<'_>, &K, &V),
    /// How the sweeper tells of what expires. Found here, so that it is compiled for functions with a hook alone.
    sweep: fn(Self, &Local<K, V>, Tick) -> Duration,
}

impl<K, V> Clone for Evictions<K, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K, V> Copy for Evictions<K, V> {}

impl<K, V> Evictions<K, V> {
    /// Drops what had expired from a local level, and tells of it: outside of all locks, and while nothing keeps others
    /// from freeing. How long it told.
    pub(super) fn sweep(self, local: &Local<K, V>, now: Tick) -> Duration {
        (self.sweep)(self, local, now)
    }
}

impl<K: Clone, V: Clone> Evictions<K, V> {
    /// Tells of an entry that left.
    fn tell(self, left: &Left<K, V>) {
        let Left { key, hit, cause } = left;
        let mut call = CallInfo::new(self.function.name());
        let (age, time_left) = times(hit.created, hit.deadline);
        (call.cause, call.age, call.time_to_expiry) = (Some(*cause), Some(age), time_left);
        self.function.run_hook(|| (self.hook)(&call, key, &hit.value));
    }

    /// See [`sweep`](Evictions::sweep).
    fn sweep_and_tell(self, local: &Local<K, V>, now: Tick) -> Duration
    where
        K: Eq + Send + Sync + 'static,
        V: Send + Sync + 'static,
    {
        let mut told = Duration::ZERO;
        let mut sweep = local.engine().sweep(now);
        let mut left = Vec::new();
        loop {
            let pin = epoch::pin();
            let Some(some) = sweep.some(&pin) else { break };
            for seen in some {
                // One that can't be copied can't be told of, and is no reason to keep silent of others.
                self.function.run_hook(|| left.push(Left::new(&local.gone(seen, Cause::Expired))));
            }
            drop(pin);
            let watch = clock::Stopwatch::start();
            left.drain(..).for_each(|left| self.tell(&left));
            told += watch.elapsed();
            sweep.free_sometimes();
        }
        told
    }
}

/// An entry that left the local level, until its hook is told.
pub(super) struct Left<K, V> {
    key: K,
    hit: Hit<V>,
    cause: Cause,
}

impl<K: Clone, V: Clone> Left<K, V> {
    pub(super) fn new(gone: &Gone<'_, K, V>) -> Self {
        let Gone { key, value, created, deadline, cause } = *gone;
        Left { key: key.clone(), hit: Hit { value: value.clone(), created, deadline }, cause }
    }
}

/// A hook whose types are forgotten: a call's door must not name them, or the compiler could not prove futures `Send`
/// that hold one.
pub trait Hears: Send + Sync {
    /// Tells of an entry that left, a `Left` of the hook's types.
    fn hear(&self, left: Box<dyn Any + Send>);

    /// The hook with its types.
    fn any(&self) -> &dyn Any;
}

impl<K: Clone + 'static, V: Clone + 'static> Hears for Evictions<K, V> {
    fn hear(&self, left: Box<dyn Any + Send>) {
        if let Ok(left) = left.downcast::<Left<K, V>>() {
            self.tell(&left);
        }
    }

    fn any(&self) -> &dyn Any {
        self
    }
}

/// How old an entry of the local level is, and how long it stays fresh.
pub(super) fn times(created: Tick, deadline: Tick) -> (Duration, Option<Duration>) {
    let now = clock::now();
    (now.since(created), (deadline != Tick::NEVER).then(|| deadline.since(now)))
}
