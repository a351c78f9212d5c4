//! One cached function: what its attribute said, its counters and its memos.

use super::cell::{self, Instance, Slots};
use super::{AnyMemo, Memo};
use crate::events::{self, CallInfo, Hook};
use crate::stats::{Count, Counters, Stats};
use crate::{Error, ErrorKind};
#[cfg(feature = "shared")]
use crate::{key::Prefix, shared::source::Source};
use std::hash::Hash;
use std::num::NonZeroUsize;
#[cfg(feature = "shared")]
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The `static` behind a cached function.
///
/// Expressions of the attribute are functions here, since a `static` can't hold what only run time knows. They are
/// asked when they are needed: a timeout at every store, a capacity once.
pub struct Function {
    pub(crate) name: &'static str,
    pub(crate) prefix: Option<&'static str>,
    pub(crate) version: u32,
    timeout: Option<fn() -> Duration>,
    local_timeout: Option<fn() -> Duration>,
    capacity: Option<fn() -> usize>,
    on_hit: Option<Hook>,
    on_miss: Option<Hook>,
    pub(crate) local: bool,
    pub(crate) single_flight: bool,
    #[cfg(feature = "shared")]
    pub(crate) source: Option<Source>,
    #[cfg(feature = "shared")]
    shared_prefix: OnceLock<Prefix>,
    /// A cache that nobody registered is reported once, not at every call.
    told_unregistered: AtomicBool,
    pub(crate) counters: Counters,
    slots: Slots,
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
            local_timeout: None,
            capacity: None,
            on_hit: None,
            on_miss: None,
            local: true,
            single_flight: true,
            #[cfg(feature = "shared")]
            source: None,
            #[cfg(feature = "shared")]
            shared_prefix: OnceLock::new(),
            told_unregistered: AtomicBool::new(false),
            counters: Counters::new(),
            slots: Slots::new(),
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

    /// `on_hit = …`
    #[must_use]
    pub const fn on_hit(mut self, hook: Hook) -> Self {
        self.on_hit = Some(hook);
        self
    }

    /// `on_miss = …`
    #[must_use]
    pub const fn on_miss(mut self, hook: Hook) -> Self {
        self.on_miss = Some(hook);
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
        let entries = self.slots.all().iter().map(|memo| memo.entries()).sum::<usize>();
        self.counters.read(entries as u64)
    }

    /// What is wrong with the function's settings, if anything is.
    pub fn check(&self) -> Result<(), Error> {
        self.fresh_time()?;
        self.local_time()?;
        if self.capacity.is_some_and(|capacity| capacity() == 0) {
            return Err(Error::new(ErrorKind::Config, format!("asking `{}` for its `capacity`", self.name))
                .advise("it is zero: give at least 1, or leave it out for no bound"));
        }
        #[cfg(feature = "shared")]
        if let Some(source) = &self.source {
            source.resolve(self.name)?;
        }
        Ok(())
    }

    /// How long a value stored now is fresh; `None` is for ever.
    pub(crate) fn fresh_time(&self) -> Result<Option<Duration>, Error> {
        self.positive("timeout", self.timeout)
    }

    /// How long a local copy of a shared value is trusted; `None` is as long as the shared one.
    pub(crate) fn local_time(&self) -> Result<Option<Duration>, Error> {
        self.positive("local_timeout", self.local_timeout)
    }

    fn positive(&self, option: &str, timeout: Option<fn() -> Duration>) -> Result<Option<Duration>, Error> {
        match timeout.map(|timeout| timeout()) {
            Some(Duration::ZERO) => {
                Err(Error::new(ErrorKind::Config, format!("asking `{}` for its `{option}`", self.name)).advise(
                    "it is zero: give a positive duration, leave it out to keep values for ever, or use `bypass`",
                ))
            }
            timeout => Ok(timeout),
        }
    }

    /// What the function's keys in the shared level start with.
    #[cfg(feature = "shared")]
    pub(crate) fn shared_prefix(&self) -> &Prefix {
        self.shared_prefix.get_or_init(|| Prefix::new(self.prefix.unwrap_or(self.name), self.version))
    }

    /// The memo of this instantiation.
    #[inline]
    pub(crate) fn memo<T, K, V>(&self, instance: Instance<T>) -> &'static Memo<K, V>
    where
        T: ?Sized,
        K: Clone + Eq + Hash + Send + Sync + 'static,
        V: Clone + Send + Sync + 'static,
    {
        self.slots.get(instance, || {
            let make = || {
                // Zero is reported by `check`; it must not mean that there is no bound.
                let capacity = self.capacity.map(|capacity| NonZeroUsize::new(capacity()).unwrap_or(NonZeroUsize::MIN));
                &*Box::leak(Box::new(Memo::new(self.local, capacity)))
            };
            match self.prefix {
                Some(prefix) => cell::shared_by_prefix(prefix, instance, make),
                None => make(),
            }
        })
    }

    /// The memos of all instantiations. Under a prefix those of all its functions, as in the shared level, also if
    /// this function itself was not called yet.
    pub(crate) fn memos(&self) -> Vec<&'static dyn AnyMemo> {
        self.prefix.map_or_else(|| self.slots.all(), cell::all_of_prefix)
    }

    #[inline]
    pub(crate) fn count(&self, what: Count) {
        self.counters.one(what);
    }

    /// Tells the hook about a hit; `describe` is called only if there is a hook.
    #[inline]
    pub(crate) fn tell_hit<'a>(&self, describe: impl FnOnce(CallInfo<'a>) -> CallInfo<'a>) {
        if let Some(hook) = self.on_hit {
            self.tell(hook, describe);
        }
    }

    /// Tells the hook about a miss; `describe` is called only if there is a hook.
    #[inline]
    pub(crate) fn tell_miss<'a>(&self, describe: impl FnOnce(CallInfo<'a>) -> CallInfo<'a>) {
        if let Some(hook) = self.on_miss {
            self.tell(hook, describe);
        }
    }

    #[cold]
    fn tell<'a>(&self, hook: Hook, describe: impl FnOnce(CallInfo<'a>) -> CallInfo<'a>) {
        if !events::run(hook, &describe(CallInfo::new(self.name))) {
            self.count(Count::HookPanics);
        }
    }

    /// Reports what went wrong without failing the call.
    pub(crate) fn report(&self, error: &Error) {
        if error.kind() == ErrorKind::NotRegistered && self.told_unregistered.swap(true, Ordering::Relaxed) {
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

/// A function in the list of all cached functions of the program.
pub struct Registered(pub &'static Function);

inventory::collect!(Registered);

/// Checks the settings of every cached function of the program, called yet or not: timeouts above zero, and a cache
/// registered under each name that a `cache = "…"` gives. For the start of a program, after its
/// [`register`](crate::register) calls.
///
/// # Errors
/// The first wrong setting, with the function it belongs to: [`ErrorKind::Config`] or [`ErrorKind::NotRegistered`].
///
/// ```
/// fn main() -> Result<(), memo_core::Error> {
///     memo_core::check()?;
///     Ok(())
/// }
/// ```
pub fn check() -> Result<(), Error> {
    inventory::iter::<Registered>.into_iter().try_for_each(|Registered(function)| function.check())
}
