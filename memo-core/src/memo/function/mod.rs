//! One cached function: what its attribute said, its counters and its memos.

mod settings;

pub use settings::{Registered, check};

use super::cell::{self, Id, Instance, Slot, Slots};
use super::thread::Threads;
use super::untyped::Finished;
use super::{AnyMemo, Memo, sweeper};
use crate::events;
use crate::local::{Bound, Local};
use crate::lookup::Parts;
use crate::outcome::Outcome;
use crate::stats::{Count, Counters, Stats};
use crate::{Error, ErrorKind};
#[cfg(feature = "shared")]
use crate::{key::Prefix, shared::source::Source};
use std::hash::Hash;
use std::num::{NonZeroU64, NonZeroUsize};
#[cfg(feature = "shared")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// The `static` behind a cached function.
///
/// Expressions of the attribute are functions here, since a `static` can't hold what only run time knows. They are
/// asked when they are needed: a timeout at every store, a capacity once.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of the attribute, or what it stands on")]
pub struct Function {
    pub(crate) name: &'static str,
    pub(crate) prefix: Option<&'static str>,
    pub(crate) version: u32,
    timeout: Option<fn() -> Duration>,
    /// The timeout that was set at run time, in nanoseconds; 0 for none.
    set_timeout: AtomicU64,
    err_timeout: Option<fn() -> Duration>,
    local_timeout: Option<fn() -> Duration>,
    capacity: Option<fn() -> usize>,
    max_weight: Option<fn() -> u64>,
    pub(super) evicts_by_cost: bool,
    pub(crate) local: bool,
    pub(crate) single_flight: bool,
    /// Whether one process of all that share the cache loads a key at a time.
    #[cfg(feature = "shared")]
    pub(crate) is_fleet: bool,
    #[cfg(feature = "shared")]
    pub(crate) source: Option<Source>,
    #[cfg(feature = "shared")]
    /// The longest time that a value was stored for in the shared level so far, in nanoseconds.
    stored_for: AtomicU64,
    #[cfg(feature = "shared")]
    /// Of the owner that asked first, which is the only one but in a trait.
    shared_prefix: OnceLock<(Option<&'static str>, Result<Prefix, Error>)>,
    /// Whether `Self` is part of its keys, so that its name need not be its own.
    is_method: bool,
    /// Whether calls are tasks.
    pub(crate) is_async: bool,
    /// A wrong setting is reported once, not at every call.
    told_setting: AtomicBool,
    pub(crate) counters: Counters,
    pub(super) slots: Slots,
    /// With `scope = "thread"`, where it has no slots.
    pub(super) threads: Threads,
}

impl Function {
    /// A function of this name with every option at its default.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Function {
            name,
            prefix: None,
            version: 0,
            timeout: None,
            set_timeout: AtomicU64::new(0),
            err_timeout: None,
            local_timeout: None,
            capacity: None,
            max_weight: None,
            evicts_by_cost: false,
            local: true,
            single_flight: true,
            #[cfg(feature = "shared")]
            is_fleet: false,
            #[cfg(feature = "shared")]
            source: None,
            #[cfg(feature = "shared")]
            stored_for: AtomicU64::new(0),
            #[cfg(feature = "shared")]
            shared_prefix: OnceLock::new(),
            is_method: false,
            is_async: false,
            told_setting: AtomicBool::new(false),
            counters: Counters::new(),
            slots: Slots::new(),
            threads: Threads::new(),
        }
    }

    /// `prefix = …`
    #[must_use]
    pub const fn prefix(mut self, prefix: &'static str) -> Self {
        self.prefix = Some(prefix);
        self
    }

    /// `version = …`
    #[must_use]
    pub const fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// `timeout = …`
    #[must_use]
    pub const fn timeout(mut self, timeout: fn() -> Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// `err_timeout = …`
    #[must_use]
    pub const fn err_timeout(mut self, timeout: fn() -> Duration) -> Self {
        self.err_timeout = Some(timeout);
        self
    }

    /// `local_timeout = …`
    #[must_use]
    pub const fn local_timeout(mut self, timeout: fn() -> Duration) -> Self {
        self.local_timeout = Some(timeout);
        self
    }

    /// `capacity = …`
    #[must_use]
    pub const fn capacity(mut self, capacity: fn() -> usize) -> Self {
        self.capacity = Some(capacity);
        self
    }

    /// `max_weight = …`
    #[must_use]
    pub const fn max_weight(mut self, max_weight: fn() -> u64) -> Self {
        self.max_weight = Some(max_weight);
        self
    }

    /// `evict = "cost"`
    #[must_use]
    pub const fn by_cost(mut self) -> Self {
        self.evicts_by_cost = true;
        self
    }

    /// The function stands in an `impl`.
    #[must_use]
    pub const fn method(mut self) -> Self {
        self.is_method = true;
        self
    }

    /// The function is an `async fn`.
    #[must_use]
    pub const fn asynchronous(mut self) -> Self {
        self.is_async = true;
        self
    }

    /// `local = false`
    #[must_use]
    pub const fn without_local(mut self) -> Self {
        self.local = false;
        self
    }

    /// `single_flight = false`
    #[must_use]
    pub const fn without_single_flight(mut self) -> Self {
        self.single_flight = false;
        self
    }

    /// `single_flight = "fleet"`
    #[cfg(feature = "shared")]
    #[must_use]
    pub const fn fleet(mut self) -> Self {
        self.is_fleet = true;
        self
    }

    /// `cache = …`
    #[cfg(feature = "shared")]
    #[must_use]
    pub const fn cache(mut self, source: Source) -> Self {
        self.source = Some(source);
        self
    }

    /// The function's path: its prefix, unless the attribute names another.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What the function has done so far.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let memos = self.memos();
        let entries = memos.iter().map(|memo| memo.entries()).sum::<usize>() + self.threads.entries();
        Stats { weight: memos.iter().map(|memo| memo.weight()).sum(), ..self.counters.read(entries as u64) }
    }

    /// The memo of this instantiation.
    #[inline]
    pub(crate) fn memo<T, O, P>(&self, instance: Instance<T>, outcome: O) -> &'static Memo<P::Owned, O::Value>
    where
        T: ?Sized,
        O: Outcome + 'static,
        P: Parts,
    {
        self.memo_of(instance, move || self.local_level::<O, P>(outcome))
    }

    /// The memo of this instantiation for entries of these types, whose local level is made at first use.
    #[inline]
    pub(super) fn memo_of<T, K, V>(
        &self,
        instance: Instance<T>,
        local: impl Fn() -> Option<Local<K, V>>,
    ) -> &'static Memo<K, V>
    where
        T: ?Sized,
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        // What moves goes in registers, and only where the memo is not the first one.
        self.slots.get(instance, move |id| {
            self.find(id, &|| {
                let memo: &'static Memo<K, V> = Box::leak(Box::new(Memo::new(local())));
                sweeper::register(memo);
                Slot::new(id, memo)
            })
        })
    }

    /// The slot of an instantiation, made by `make` at first use.
    fn find(&self, id: Id, make: &dyn Fn() -> Slot) -> Slot {
        self.slots.find(id, &|| match self.prefix {
            Some(prefix) => cell::shared_by_prefix((prefix, self.version, Self::place(self)), id, &make),
            None => make(),
        })
    }

    /// The local level of a memo, if it has one. A bound of zero is reported by `check`; it must not mean that there is
    /// none.
    fn local_level<O, P>(&self, outcome: O) -> Option<Local<P::Owned, O::Value>>
    where
        O: Outcome + 'static,
        P: Parts,
    {
        self.keeps_local().then(|| match (outcome.weigher(), self.max_weight) {
            (Some(weigh), Some(max_weight)) => {
                let max_weight = NonZeroU64::new(max_weight()).unwrap_or(NonZeroU64::MIN);
                Local::new(Bound::Weight(max_weight), Some(weigh), self.evicts_by_cost)
            }
            _ => Local::new(self.entries_bound().map_or(Bound::None, Bound::Entries), None, self.evicts_by_cost),
        })
    }

    /// `capacity = …`
    pub(super) fn entries_bound(&self) -> Option<NonZeroUsize> {
        self.capacity.map(|capacity| NonZeroUsize::new(capacity()).unwrap_or(NonZeroUsize::MIN))
    }

    /// Whether its memo has a local level. One that functions of a prefix share has it for those that want it; the
    /// others look past it.
    fn keeps_local(&self) -> bool {
        let shares = |other: &Function| {
            other.prefix == self.prefix && other.version == self.version && Self::place(other) == Self::place(self)
        };
        let mut all = inventory::iter::<Registered>.into_iter();
        self.local || (self.prefix.is_some() && all.any(|Registered(other)| other.local && shares(other)))
    }

    /// Where the function's entries are, so that functions of one prefix share a memo only if they share all of it.
    #[cfg(feature = "shared")]
    fn place(function: &Function) -> &'static str {
        match &function.source {
            None => "",
            Some(Source::Named(name, _)) => name,
            Some(Source::Given(_)) => function.name,
        }
    }

    #[cfg(not(feature = "shared"))]
    fn place(_function: &Function) -> &'static str {
        ""
    }

    /// The memos that an invalidation of the whole function reaches: those of its instantiations, and those of every
    /// function of its prefix, since their entries are its own, also where it was never called itself.
    pub(crate) fn reached(&self) -> Vec<&'static dyn AnyMemo> {
        match self.prefix {
            Some(prefix) => cell::all_of_prefix((prefix, self.version, Self::place(self))),
            None => self.memos(),
        }
    }

    /// The memos of all instantiations.
    fn memos(&self) -> Vec<&'static dyn AnyMemo> {
        self.slots.all()
    }

    #[inline]
    pub(crate) fn count(&self, what: Count) {
        self.counters.one(what);
    }

    /// Runs a hook, which fails nothing if it panics.
    pub(crate) fn run_hook(&self, hook: impl FnOnce()) {
        if !events::run(hook) {
            self.count(Count::HookPanics);
        }
    }

    /// Counts a run of the body.
    pub(super) fn count_load(&self, cost: Duration, is_miss: bool, failed: bool) {
        if is_miss {
            self.count(Count::Misses);
        }
        self.count(Count::Loads);
        self.count_time(cost);
        if failed {
            self.count(Count::LoadErrors);
        }
    }

    /// Counts time spent in loads.
    pub(super) fn count_time(&self, time: Duration) {
        self.counters.add(Count::LoadNanos, u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// How many loads the time of the one that begins will stand for; zero if nobody needs to know it. `measures` if
    /// somebody wants to know it of each.
    pub(super) fn measured_for(&self, measures: bool) -> u32 {
        if measures || self.evicts_by_cost { 1 } else { self.counters.measured_for() }
    }

    /// What a value costs that a caller brought: nobody knows, so what loads cost on average.
    pub(super) fn usual_cost(&self) -> Duration {
        match self.evicts_by_cost {
            true => self.counters.read(0).mean_load().unwrap_or_default(),
            false => Duration::ZERO,
        }
    }

    /// Counts what became of the entries as a load ended.
    pub(super) fn count_finished(&self, finished: Finished) {
        self.counters.add(Count::Evicted, finished.evicted as u64);
        if finished.too_heavy {
            self.count(Count::TooHeavy);
        }
    }

    /// Reports what went wrong without failing the call.
    pub(crate) fn report(&self, error: &Error) {
        if error.is_skip() {
            // Why it was is told once, by what follows from it.
            return self.count(Count::Skipped);
        }
        let is_setting = matches!(error.kind(), ErrorKind::NotRegistered | ErrorKind::Config);
        if is_setting && self.told_setting.swap(true, Ordering::Relaxed) {
            return;
        }
        self.count(Count::BackendErrors);
        #[cfg(feature = "shared")]
        {
            let source = std::error::Error::source(error).map(ToString::to_string);
            tracing::error!(function = self.name, kind = ?error.kind(), cause = source, "{error}");
        }
        #[cfg(not(feature = "shared"))]
        let _ = error;
    }
}

/// Counts a call for which `bypass` was true.
pub fn count_bypass(function: &Function) {
    function.count(Count::Bypasses);
}
