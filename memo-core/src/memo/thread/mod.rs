//! `scope = "thread"`: each thread has a memo of its own, for keys and values that are not `Send`.
//!
//! The expansion is the same as elsewhere: this module has all names of [`crate::private`] that such a function can come
//! to use, over a path of a call that is shorter: there are no other callers to wait for and no shared level.

mod key;
mod memo;
mod outcome;

pub use super::cell::Instance;
pub use super::context::tag_with;
pub use super::door::LocalOnly;
pub use super::function::{Function, Registered, count_bypass};
pub use super::io::{Blocking, ready};
pub use super::keep::{Keep, keep_for};
pub use super::note::{Note, Noted};
pub use super::tagged::Tagged;
pub use crate::hooks::{
    AnyShown, Fallible, KeepArguments, KeepNothing, Shown, call_hook, call_hook_2, call_hook_3, error_hook,
    error_hook_2, error_hook_3, hook_1, keep, kept_for_call, kept_for_error,
};
pub use crate::known::KnownArg;
pub use crate::outcome::MaybeNone;
pub use crate::private::{agrees, companions};
pub use crate::tags::Tags;
pub use inventory;
pub use key::{AnyArg, Arg};
pub(crate) use memo::Threads;
pub use outcome::{AnyReturn, Returns, valid_if};

use super::context::{self, Mark};
use super::explain::entry_state;
use super::guard::entry;
use super::keep::Fresh;
use super::note::Notes;
use crate::clock::LoadWatch;
use crate::explain::{Explanation, LoadState, SharedState, Steered};
use crate::invalidations::Marks;
use crate::local::Entry;
use crate::stats::Count;
use key::{Borrowed, Parts};
use memo::{Load, ThreadMemo, memo};
use outcome::Outcome;
use std::hash::Hash;
use std::rc::Rc;
use std::time::Duration;

/// The prelude of generated code names it; here, [`AnyReturn`] is all there is to ask.
pub trait AnyResult {}

/// What a stored key is.
pub trait Key: Clone + Eq + Hash + 'static {}
impl<K: Clone + Eq + Hash + 'static> Key for K {}

/// A call after its look.
pub enum Started<O: Outcome, K: Key, N: Notes> {
    /// Found.
    Hit(O::Return),
    /// To be loaded.
    Open(Guard<O, K, N>),
}

/// As [`Started`], for generated code.
pub enum Begun<O: Outcome, K: Key, N: Notes> {
    /// Never: who is to load does so at once.
    Hit(O::Return),
    /// This caller runs the body.
    Miss(Guard<O, K, N>),
}

/// A load. Dropping it stores nothing.
pub struct Guard<O: Outcome, K: Key, N: Notes> {
    function: &'static Function,
    /// Where the value goes; `None` where the thread is being torn down.
    place: Option<Place<O, K>>,
    notes: N,
    refreshes: bool,
}

struct Place<O: Outcome, K: Key> {
    memo: Rc<ThreadMemo<K, O::Value>>,
    key: K,
    load: Load,
}

/// Looks for a call.
pub fn start<T: ?Sized, O: Outcome, P: Parts, N: Notes>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    notes: N,
) -> Started<O, P::Owned, N> {
    let memo = memo::<T, P::Owned, O::Value>(function, instance);
    let key = Borrowed(parts);
    if let Some(memo) = &memo
        && let Some(entry) = memo.get(&key)
    {
        if !entry.is_fresh() {
            // What was invalidated is not counted a second time.
            if entry.is_valid() {
                function.count(Count::Expired);
            }
            memo.remove_unfit(&key);
        } else if outcome.is_valid(&entry.value) {
            function.count(Count::LocalHits);
            notes.note(|facts| facts.local_hit(entry.created, entry.deadline));
            context::inherit_from(entry.marks.as_deref());
            return Started::Hit(O::from_value(entry.value));
        } else {
            function.count(Count::Refused);
            memo.remove(&key);
        }
    }
    let place = memo.map(|memo| Place::new(memo, parts.to_owned()));
    Started::Open(Guard { function, place, notes, refreshes: false })
}

/// Begins a load whatever is stored: `f::refresh`, and `refresh = …`.
pub fn refresh<T: ?Sized, O: Outcome, P: Parts, N: Notes>(
    function: &'static Function,
    instance: Instance<T>,
    _outcome: O,
    parts: P,
    notes: N,
) -> Guard<O, P::Owned, N> {
    function.count(Count::Refreshes);
    let memo = memo::<T, P::Owned, O::Value>(function, instance);
    Guard { function, place: memo.map(|memo| Place::new(memo, parts.to_owned())), notes, refreshes: true }
}

impl<O: Outcome, K: Key> Place<O, K> {
    fn new(memo: Rc<ThreadMemo<K, O::Value>>, key: K) -> Self {
        let load = memo.begin();
        Place { memo, key, load }
    }

    /// Stores a value with its tags. Whether it was stored: not if an invalidation came in between.
    fn store(self, function: &Function, entry: Entry<O::Value>, tags: Tags) -> bool {
        let entry = Entry { marks: Marks::new(self.load.stamp, None, tags), ..entry };
        let (stored, evicted) = self.memo.store(self.load, self.key, entry);
        function.counters.add(Count::Evicted, evicted as u64);
        stored
    }

    /// What was stored before is old now, whether or not this load's value is stored.
    fn outdate(&self) {
        self.memo.supersede(self.load);
        self.memo.remove(&self.key);
    }
}

impl<O: Outcome, K: Key, N: Notes> Guard<O, K, N> {
    /// There is nobody to wait for.
    pub fn settle_local(self) -> Begun<O, K, N> {
        Begun::Miss(self)
    }

    /// Runs the body and stores what it returned if `keep` says so.
    #[inline(never)]
    pub fn run<A: Into<Keep>>(self, body: impl FnOnce() -> O::Return, keep: impl FnOnce(&O::Value) -> A) -> O::Return {
        let function = self.function;
        let mut tags = self.notes.tags();
        let watch = LoadWatch::start();
        let inside = Mark::NAMELESS.enter();
        let returned = body();
        let cost = watch.elapsed();
        tags.extend(&inside.leave());
        context::inherit(&tags);
        let value = O::value(&returned);
        function.count_load(cost, !self.refreshes, value.is_none());
        if let (Some(place), Some(value)) = (self.place, value) {
            let entry = fresh_entry(function, value, keep(value));
            if self.refreshes {
                place.outdate();
            }
            if let Some(entry) = entry
                && !place.store(function, entry, tags)
            {
                function.count(Count::Discarded);
            }
        }
        self.notes.note(|facts| facts.miss(Some(cost)));
        returned
    }
}

/// An entry stored now, if it is to be stored; `None` with a timeout of zero, which is reported.
fn fresh_entry<V: Clone>(function: &Function, value: &V, keep: impl Into<Keep>) -> Option<Entry<V>> {
    let fresh: Fresh = keep.into().0?;
    let left: Option<Duration> = function.time_of(fresh).inspect_err(|error| function.report(error)).ok()?;
    Some(entry(value.clone(), left))
}

/// One operation on the entry of one call. It owns the key, since an expression of the attribute may have made it.
#[must_use = "nothing happens until one of its methods is called"]
pub struct Operation<O: Outcome, K: Key> {
    function: &'static Function,
    memo: Option<Rc<ThreadMemo<K, O::Value>>>,
    key: K,
    outcome: O,
}

/// An operation on the entry of a call with these arguments.
pub fn operation<T: ?Sized, O: Outcome, P: Parts>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    _door: LocalOnly,
) -> Operation<O, P::Owned> {
    Operation { function, memo: memo::<T, P::Owned, O::Value>(function, instance), key: parts.to_owned(), outcome }
}

impl<O: Outcome, K: Key> Operation<O, K> {
    /// Drops the entry in this thread, and whatever other threads have of the function. Whether there was a fresh one in
    /// this thread.
    pub fn invalidate_local(self) -> bool {
        self.function.count(Count::Invalidations);
        match self.memo {
            Some(memo) => memo.invalidate(&self.key),
            None => {
                self.function.threads.raise();
                false
            }
        }
    }

    /// The value in this thread, if it is fresh.
    #[must_use]
    pub fn peek_local(self) -> Option<O::Value> {
        let Entry { value, marks, .. } = self.memo?.peek(&self.key)?;
        context::inherit_from(marks.as_deref());
        self.outcome.is_valid(&value).then_some(value)
    }

    /// What the function would return, if its value in this thread is fresh.
    #[must_use]
    pub fn peek_whole_local(self) -> Option<O::Return> {
        self.peek_local().map(O::from_value)
    }

    /// Whether there is a fresh value in this thread.
    #[must_use]
    pub fn contains_local(self) -> bool {
        self.peek_local().is_some()
    }

    /// Why the next call of these arguments in this thread would hit or miss.
    pub fn explain<I>(self, bypass: bool, refresh: bool) -> std::future::Ready<Explanation> {
        let local = match self.memo.and_then(|memo| memo.look(&self.key)) {
            Some(entry) => {
                let times = (entry.created, entry.deadline);
                entry_state(&entry.value, times, |value| self.outcome.is_valid(value))
            }
            None => self.function.gone_so_far(),
        };
        std::future::ready(Explanation {
            function: self.function.name(),
            steered: Steered::of(bypass, refresh),
            local,
            load: LoadState::None,
            shared: SharedState::Off,
            #[cfg(feature = "shared")]
            key: None,
        })
    }
}

/// A call that a value is given for.
#[must_use = "nothing is stored until one of its methods is called"]
pub struct Given<O: Outcome, K: Key> {
    function: &'static Function,
    place: Option<Place<O, K>>,
    tags: Tags,
}

/// A value is to be stored for a call with these arguments.
#[expect(clippy::needless_pass_by_value, reason = "as elsewhere: the expansion is the same")]
pub fn put<T: ?Sized, O: Outcome, P: Parts, N: Notes>(
    function: &'static Function,
    instance: Instance<T>,
    _outcome: O,
    parts: P,
    notes: N,
) -> Given<O, P::Owned> {
    let memo = memo::<T, P::Owned, O::Value>(function, instance);
    Given { function, place: memo.map(|memo| Place::new(memo, parts.to_owned())), tags: notes.tags() }
}

impl<O: Outcome, K: Key> Given<O, K> {
    /// Stores a value in this thread, as if the call had loaded it now.
    #[expect(clippy::needless_pass_by_value, reason = "as elsewhere: the expansion is the same")]
    pub fn store_local<A: Into<Keep>>(self, value: O::Value, keep: impl FnOnce(&O::Value) -> A) {
        let Some(place) = self.place else { return };
        let entry = fresh_entry(self.function, &value, keep(&value));
        place.outdate();
        if let Some(entry) = entry {
            place.store(self.function, entry, self.tags);
        }
    }

    /// Stores what the function would return; nothing for what is not stored of it.
    pub fn store_whole_local<A: Into<Keep>>(self, returned: O::Return, keep: impl FnOnce(&O::Value) -> A) {
        if let Some(value) = O::into_value(returned) {
            self.store_local(value, keep);
        }
    }
}

/// Drops every entry of a function, in all threads.
pub fn invalidate_all_local(function: &'static Function) {
    function.count(Count::Invalidations);
    function.threads.raise();
}
