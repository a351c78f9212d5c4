//! `scope = "thread"`: each thread has a memo of its own, for keys and values that are not `Send`.
//!
//! The expansion is the same as elsewhere: this module has all names of [`crate::private`] that such a function can come
//! to use, over a path of a call that is shorter: there are no other callers to wait for and no shared level.

mod key;
mod memo;
mod outcome;

pub use super::cell::Instance;
pub use super::function::{Function, Registered, count_bypass};
pub use crate::outcome::MaybeNone;
pub use crate::private::agrees;
pub use inventory;
pub use key::{AnyArg, Arg};
pub(crate) use memo::Threads;
pub use outcome::{AnyReturn, Returns, returned, value_of};

use super::call::describe_hit;
use super::guard::entry;
use crate::clock::Stopwatch;
use crate::local::Entry;
use crate::stats::Count;
use key::{Borrowed, Parts};
use memo::{Load, ThreadMemo, memo};
use outcome::Outcome;
use std::hash::Hash;
use std::marker::PhantomData;
use std::rc::Rc;
use std::time::Duration;

/// The prelude of generated code names it; here, [`AnyReturn`] is all there is to ask.
pub trait AnyResult {}

/// A function with `scope = "thread"` has no shared level.
#[derive(Clone, Copy)]
pub struct LocalOnly;

/// What a stored key is.
pub trait Key: Clone + Eq + Hash + 'static {}
impl<K: Clone + Eq + Hash + 'static> Key for K {}

/// A call after its look.
pub enum Started<O: Outcome, K: Key> {
    /// Found.
    Hit(O::Return),
    /// To be loaded.
    Open(Guard<O, K>),
}

/// As [`Started`], for generated code.
pub enum Begun<O: Outcome, K: Key> {
    /// Never: who is to load does so at once.
    Hit(O::Return),
    /// This caller runs the body.
    Miss(Guard<O, K>),
}

/// A load. Dropping it stores nothing.
pub struct Guard<O: Outcome, K: Key> {
    function: &'static Function,
    /// Where the value goes; `None` where the thread is being torn down.
    place: Option<Place<O, K>>,
    refreshes: bool,
}

struct Place<O: Outcome, K: Key> {
    memo: Rc<ThreadMemo<K, O::Value>>,
    key: K,
    load: Load,
}

/// Looks for a call.
pub fn start<T: ?Sized, O: Outcome, P: Parts>(
    function: &'static Function,
    instance: Instance<T>,
    _outcome: O,
    parts: P,
    _door: LocalOnly,
) -> Started<O, P::Owned> {
    let memo = memo::<T, P::Owned, O::Value>(function, instance);
    let key = Borrowed(parts);
    match memo.as_ref().and_then(|memo| memo.get(&key)) {
        Some(entry) if entry.is_fresh() => {
            function.count(Count::LocalHits);
            function.tell_hit(|call| describe_hit(call, &entry));
            return Started::Hit(O::from_value(entry.value));
        }
        Some(_) => {
            function.count(Count::Expired);
            if let Some(memo) = &memo {
                memo.remove_expired(&key);
            }
        }
        None => {}
    }
    Started::Open(Guard { function, place: memo.map(|memo| Place::new(memo, parts.to_owned())), refreshes: false })
}

/// Begins a load whatever is stored: `f::refresh`, and `refresh = …`.
pub fn refresh<T: ?Sized, O: Outcome, P: Parts>(
    function: &'static Function,
    instance: Instance<T>,
    _outcome: O,
    parts: P,
    _door: LocalOnly,
) -> Guard<O, P::Owned> {
    function.count(Count::Refreshes);
    let memo = memo::<T, P::Owned, O::Value>(function, instance);
    Guard { function, place: memo.map(|memo| Place::new(memo, parts.to_owned())), refreshes: true }
}

impl<O: Outcome, K: Key> Place<O, K> {
    fn new(memo: Rc<ThreadMemo<K, O::Value>>, key: K) -> Self {
        let load = memo.begin();
        Place { memo, key, load }
    }

    /// Stores a value. Whether it was stored: not if an invalidation came in between.
    fn store(self, function: &Function, entry: Entry<O::Value>) -> bool {
        let (stored, evicted) = self.memo.store(self.load, self.key, entry);
        function.counters.add(Count::Evicted, evicted as u64);
        stored
    }

    /// What was stored before is old now, whether or not this load's value is stored.
    fn outdate(&self) {
        self.memo.supersede(self.load);
        self.memo.remove(&crate::lookup::Owned(&self.key));
    }
}

impl<O: Outcome, K: Key> Guard<O, K> {
    /// There is nobody to wait for.
    pub fn settle(self) -> Begun<O, K> {
        Begun::Miss(self)
    }

    /// Runs the body and stores what it returned if `keep` says so.
    #[inline(never)]
    pub fn run(self, body: impl FnOnce() -> O::Return, keep: impl FnOnce(&O::Value) -> bool) -> O::Return {
        let function = self.function;
        let watch = Stopwatch::start();
        let returned = body();
        let cost = watch.elapsed();
        let value = O::value(&returned);
        if !self.refreshes {
            function.count(Count::Misses);
        }
        function.count(Count::Loads);
        function.counters.add(Count::LoadNanos, u64::try_from(cost.as_nanos()).unwrap_or(u64::MAX));
        if value.is_none() {
            function.count(Count::LoadErrors);
        }
        if let (Some(place), Some(value)) = (self.place, value) {
            let entry = keep(value).then(|| fresh_entry(function, value)).flatten();
            if self.refreshes {
                place.outdate();
            }
            if let Some(entry) = entry
                && !place.store(function, entry)
            {
                function.count(Count::Discarded);
            }
        }
        function.tell_miss(|mut call| {
            call.load_time = Some(cost);
            call
        });
        returned
    }
}

/// An entry stored now; `None` with a timeout of zero, which is reported.
fn fresh_entry<V: Clone>(function: &Function, value: &V) -> Option<Entry<V>> {
    let left: Option<Duration> = function.fresh_time().inspect_err(|error| function.report(error)).ok()?;
    Some(entry(value.clone(), left))
}

/// One operation on the entry of one call.
#[must_use = "nothing happens until one of its methods is called"]
pub struct Operation<O: Outcome, P: Parts> {
    function: &'static Function,
    memo: Option<Rc<ThreadMemo<P::Owned, O::Value>>>,
    parts: P,
    outcome: PhantomData<O>,
}

/// An operation on the entry of a call with these arguments.
pub fn operation<T: ?Sized, O: Outcome, P: Parts>(
    function: &'static Function,
    instance: Instance<T>,
    _outcome: O,
    parts: P,
    _door: LocalOnly,
) -> Operation<O, P> {
    Operation { function, memo: memo::<T, P::Owned, O::Value>(function, instance), parts, outcome: PhantomData }
}

impl<O: Outcome, P: Parts> Operation<O, P> {
    /// Drops the entry in this thread, and whatever other threads have of the function. Whether there was a fresh one in
    /// this thread.
    pub fn invalidate_local(self) -> bool {
        self.function.count(Count::Invalidations);
        match self.memo {
            Some(memo) => memo.invalidate(&Borrowed(self.parts)),
            None => {
                self.function.threads.raise();
                false
            }
        }
    }

    /// The value in this thread, if it is fresh.
    #[must_use]
    pub fn peek_local(self) -> Option<O::Value> {
        self.memo?.peek(&Borrowed(self.parts)).map(|entry| entry.value)
    }

    /// Whether there is a fresh value in this thread.
    #[must_use]
    pub fn contains_local(self) -> bool {
        self.peek_local().is_some()
    }
}

/// Stores a value in this thread under a call's key, as if the call had loaded it now; nothing for `None`.
pub fn put_local<T: ?Sized, O: Outcome, P: Parts>(
    function: &'static Function,
    instance: Instance<T>,
    _outcome: O,
    parts: P,
    _door: LocalOnly,
    value: Option<O::Value>,
) {
    let (Some(value), Some(memo)) = (value, memo::<T, P::Owned, O::Value>(function, instance)) else { return };
    let place = Place::<O, _>::new(memo, parts.to_owned());
    if let Some(entry) = fresh_entry(function, &value) {
        place.outdate();
        place.store(function, entry);
    }
}

/// Drops every entry of a function, in all threads.
pub fn invalidate_all_local(function: &'static Function) {
    function.count(Count::Invalidations);
    function.threads.raise();
}
