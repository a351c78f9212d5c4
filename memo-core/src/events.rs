//! What hooks are told.

use crate::Error;
#[cfg(feature = "shared")]
use crate::key::Key;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
#[cfg(feature = "shared")]
use std::sync::OnceLock;
use std::time::Duration;

/// A hook in its shortest form: `on_hit = …`, `on_miss = …`, `on_error = …`, `on_evict = …`.
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

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Level::Local => "local level",
            Level::Shared => "shared level",
        })
    }
}

/// Why an entry left the local level by itself, as the hook of `on_evict` is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// For want of room: see `capacity`.
    Evicted,
    /// Its time had passed.
    Expired,
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Cause::Evicted => "evicted",
            Cause::Expired => "expired",
        })
    }
}

/// One call of a cached function as its hooks see it, or one entry that left the local level.
///
/// ```
/// # use memo_core as memokit;
/// fn log(call: &memokit::CallInfo<'_>) {
///     println!("{}: {:?} after {:?}", call.function(), call.level(), call.age());
/// }
/// # let _ = log as memokit::Hook;
/// ```
#[derive(Clone)]
pub struct CallInfo<'a> {
    pub(crate) function: &'static str,
    pub(crate) level: Option<Level>,
    pub(crate) age: Option<Duration>,
    pub(crate) time_to_expiry: Option<Duration>,
    pub(crate) load_time: Option<Duration>,
    pub(crate) cause: Option<Cause>,
    pub(crate) backend_error: Option<&'a Error>,
    #[cfg(feature = "shared")]
    pub(crate) key: KeyOf<'a>,
}

impl CallInfo<'_> {
    pub(crate) fn new(function: &'static str) -> Self {
        CallInfo {
            function,
            level: None,
            age: None,
            time_to_expiry: None,
            load_time: None,
            cause: None,
            backend_error: None,
            #[cfg(feature = "shared")]
            key: KeyOf::Nothing,
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

    /// How long ago the value was stored: on a hit, and of an entry that left the local level.
    #[must_use]
    pub fn age(&self) -> Option<Duration> {
        self.age
    }

    /// How long the value stays fresh, on a hit of an entry that has a timeout. Of an entry that left the local level, how
    /// long it would have stayed; zero if it had expired.
    #[must_use]
    pub fn time_to_expiry(&self) -> Option<Duration> {
        self.time_to_expiry
    }

    /// How long the body ran, on a miss; `None` where the call waited for another caller's load.
    #[must_use]
    pub fn load_time(&self) -> Option<Duration> {
        self.load_time
    }

    /// Why the entry left the local level, for the hook of `on_evict`.
    #[must_use]
    pub fn cause(&self) -> Option<Cause> {
        self.cause
    }

    /// The first failure of the shared level in this call, of looking there or of storing there. It does not fail the
    /// call, which runs the body and returns what that returns.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// fn missed(call: &memokit::CallInfo<'_>) {
    ///     if let Some(error) = call.backend_error() {
    ///         eprintln!("{} runs without its shared level: {error}", call.function());
    ///     }
    /// }
    /// # let _ = missed as memokit::Hook;
    /// ```
    #[must_use]
    pub fn backend_error(&self) -> Option<&Error> {
        self.backend_error
    }

    /// The key of the shared level, whose text the backend stores the entry under; `None` for a function without one,
    /// and for an entry that left the local level. On a hit in the local level it is made when it is first asked for.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// fn log(call: &memokit::CallInfo<'_>) {
    ///     println!("{}", call.key().map_or("no shared level", |key| key.text()));
    /// }
    /// # let _ = log as memokit::Hook;
    /// ```
    #[cfg(feature = "shared")]
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        match &self.key {
            KeyOf::Nothing => None,
            KeyOf::Known(key) => Some(key),
            KeyOf::Made { make, made } => made.get_or_init(make).as_ref(),
        }
    }
}

impl fmt::Debug for CallInfo<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut call = f.debug_struct("CallInfo");
        call.field("function", &self.function)
            .field("level", &self.level)
            .field("age", &self.age)
            .field("time_to_expiry", &self.time_to_expiry)
            .field("load_time", &self.load_time)
            .field("cause", &self.cause)
            .field("backend_error", &self.backend_error);
        #[cfg(feature = "shared")]
        call.field("key", &self.key());
        call.finish()
    }
}

/// The key of a call in the shared level.
#[cfg(feature = "shared")]
#[derive(Clone)]
pub(crate) enum KeyOf<'a> {
    Nothing,
    Known(&'a Key),
    /// A hit in the local level needs none, so it is made for a hook that asks.
    Made {
        make: &'a dyn Fn() -> Option<Key>,
        made: OnceLock<Option<Key>>,
    },
}

/// Runs a hook. A hook that panics never fails the call; whether it did not panic.
pub(crate) fn run(hook: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(hook)).is_ok()
}
