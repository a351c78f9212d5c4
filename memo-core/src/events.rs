//! What hooks are told about a call.

#[cfg(feature = "shared")]
use crate::key::Key;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A hook: `on_hit = …`, `on_miss = …`.
pub type Hook = fn(&CallInfo<'_>);

/// Where a value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Level {
    /// In this process, as a typed value.
    Local,
    /// In the backend, as bytes.
    Shared,
}

/// One call of a cached function, as its hooks see it.
///
/// ```
/// # use memo_core as memokit;
/// fn log(call: &memokit::CallInfo<'_>) {
///     println!("{}: {:?} after {:?}", call.function(), call.level(), call.age());
/// }
/// # let _ = log as memokit::Hook;
/// ```
#[derive(Clone, Debug)]
pub struct CallInfo<'a> {
    pub(crate) function: &'static str,
    pub(crate) level: Option<Level>,
    pub(crate) age: Option<Duration>,
    pub(crate) time_to_expiry: Option<Duration>,
    pub(crate) load_time: Option<Duration>,
    #[cfg(feature = "shared")]
    pub(crate) key: Option<&'a Key>,
    #[cfg(not(feature = "shared"))]
    pub(crate) key: std::marker::PhantomData<&'a ()>,
}

impl CallInfo<'_> {
    pub(crate) fn new(function: &'static str) -> Self {
        CallInfo {
            function,
            level: None,
            age: None,
            time_to_expiry: None,
            load_time: None,
            #[expect(clippy::default_trait_access, reason = "its type depends on a feature")]
            key: Default::default(),
        }
    }

    /// The function, as `module::path::name`.
    #[must_use]
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// Where the value was found; `None` on a miss.
    #[must_use]
    pub fn level(&self) -> Option<Level> {
        self.level
    }

    /// How long ago the value was stored, on a hit.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.age
    }

    /// How long the value stays fresh, on a hit of an entry that has a timeout.
    #[must_use]
    pub fn time_to_expiry(&self) -> Option<Duration> {
        self.time_to_expiry
    }

    /// How long the body ran, on a miss; `None` where the call waited for another caller's load.
    #[must_use]
    pub fn load_time(&self) -> Option<Duration> {
        self.load_time
    }

    /// The key of the shared level; `None` for a function without one.
    #[cfg(feature = "shared")]
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.key
    }
}

/// Runs a hook. A hook that panics never fails the call; whether it did not panic.
pub(crate) fn run(hook: Hook, call: &CallInfo<'_>) -> bool {
    catch_unwind(AssertUnwindSafe(|| hook(call))).is_ok()
}
