//! Why the next call would hit or miss.

use crate::Error;
use crate::events::Level;
#[cfg(feature = "shared")]
use crate::key::Key;
use std::fmt;
use std::time::Duration;

/// Why the next call with these arguments would hit or miss: `f::explain(…)`.
///
/// It tells how things stand at this moment; asking counts nothing, marks no entry as used and loads nothing.
/// [`Display`](fmt::Display) writes it down for people, a line for each level.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::{Explanation, LocalState};
///
/// fn warm(explanation: &Explanation) -> bool {
///     matches!(explanation.local(), LocalState::Fresh { age, .. } if age.as_secs() < 60)
/// }
/// # let _ = warm;
/// ```
#[derive(Clone, Debug)]
pub struct Explanation {
    pub(crate) function: &'static str,
    pub(crate) steered: Option<Steered>,
    pub(crate) local: LocalState,
    pub(crate) load: LoadState,
    pub(crate) shared: SharedState,
    #[cfg(feature = "shared")]
    pub(crate) key: Option<Key>,
}

/// What the next call would do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum NextCall {
    /// Find a fresh value there.
    Hit(Level),
    /// Wait for the load that is under way.
    Join,
    /// Run the body, and store what it returns.
    Load,
    /// Run the body because `refresh = …` is true, and store what it returns.
    Refresh,
    /// Run the body because `bypass = …` is true, and store nothing.
    Bypass,
}

/// What the local level has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum LocalState {
    /// A fresh value.
    Fresh {
        /// How long ago it was stored.
        age: Duration,
        /// How long it stays fresh; `None` without a timeout.
        left: Option<Duration>,
    },
    /// A value whose time has passed.
    Expired {
        /// How long ago it was stored.
        age: Duration,
        /// How long ago its time passed.
        since: Duration,
    },
    /// A fresh value that `valid_if` does not let count as a hit.
    Refused {
        /// How long ago it was stored.
        age: Duration,
    },
    /// Nothing, and no entry was ever dropped: no call with these arguments has stored one.
    NeverStored,
    /// Nothing: it was never stored, or it was dropped.
    Nothing {
        /// How many entries this function has dropped for want of room so far.
        evicted: u64,
        /// How often this function was invalidated so far.
        invalidations: u64,
        /// How often a look-up of this function found an expired entry so far, which it dropped.
        expired: u64,
    },
    /// The function has no local level.
    Off,
}

/// Whether a load of the key is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum LoadState {
    /// None is.
    None,
    /// One is, and a call would wait for it.
    Joinable,
    /// One is, but a call from here would not wait for it: it runs in a task, or the asking code is part of it.
    Apart,
}

/// What the shared level has.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum SharedState {
    /// A fresh value.
    Fresh {
        /// How long ago it was stored, by any process.
        age: Duration,
        /// How long it stays fresh; `None` without a timeout, and where the backend was not asked for it.
        left: Option<Duration>,
    },
    /// A fresh value that `valid_if` does not let count as a hit.
    Refused {
        /// How long ago it was stored, by any process.
        age: Duration,
    },
    /// Nothing.
    Nothing,
    /// Bytes that are no value of this function.
    Rejected {
        /// What is wrong with them, in one or two words: "schema" is another type, "version" another format.
        reason: &'static str,
    },
    /// It could not be asked.
    Failed(Error),
    /// The function has no shared level.
    Off,
}

/// An option that keeps a call from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Steered {
    /// `bypass = …`
    Bypass,
    /// `refresh = …`
    Refresh,
}

impl Steered {
    pub(crate) fn of(bypass: bool, refresh: bool) -> Option<Self> {
        match (bypass, refresh) {
            (true, _) => Some(Steered::Bypass),
            (false, true) => Some(Steered::Refresh),
            (false, false) => None,
        }
    }
}

impl Explanation {
    /// The function, as `module::path::name`.
    #[must_use]
    pub fn function(&self) -> &'static str {
        self.function
    }

    /// What the next call would do.
    #[must_use]
    pub fn next_call(&self) -> NextCall {
        match (self.steered, self.local, self.load, &self.shared) {
            (Some(Steered::Bypass), ..) => NextCall::Bypass,
            (Some(Steered::Refresh), ..) => NextCall::Refresh,
            (_, LocalState::Fresh { .. }, ..) => NextCall::Hit(Level::Local),
            (_, _, LoadState::Joinable, _) => NextCall::Join,
            (_, _, _, SharedState::Fresh { .. }) => NextCall::Hit(Level::Shared),
            _ => NextCall::Load,
        }
    }

    /// Whether the next call would be a hit.
    #[must_use]
    pub fn would_hit(&self) -> bool {
        matches!(self.next_call(), NextCall::Hit(_))
    }

    /// What the local level has.
    #[must_use]
    pub fn local(&self) -> LocalState {
        self.local
    }

    /// What the shared level has. It is asked also where the local level has a fresh value.
    #[must_use]
    pub fn shared(&self) -> &SharedState {
        &self.shared
    }

    /// Whether a load of the key is under way.
    #[must_use]
    pub fn load(&self) -> LoadState {
        self.load
    }

    /// The failure of the shared level, if it could not be asked.
    #[must_use]
    pub fn backend_error(&self) -> Option<&Error> {
        match &self.shared {
            SharedState::Failed(error) => Some(error),
            _ => None,
        }
    }

    /// The key of the shared level; `None` for a function without one, and where the key could not be made.
    #[cfg(feature = "shared")]
    #[must_use]
    pub fn key(&self) -> Option<&Key> {
        self.key.as_ref()
    }
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the next call {}", self.function, self.next_call())?;
        #[cfg(feature = "shared")]
        if let Some(key) = &self.key {
            write!(f, "\n  key: {key}")?;
        }
        write!(f, "\n  local level: {}", self.local)?;
        if !matches!(self.shared, SharedState::Off) {
            write!(f, "\n  shared level: {}", self.shared)?;
        }
        match self.load {
            LoadState::None => Ok(()),
            LoadState::Joinable => f.write_str("\n  a load of this key is under way"),
            LoadState::Apart => f.write_str("\n  a load of this key is under way, for which this call would not wait"),
        }
    }
}

impl fmt::Display for NextCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NextCall::Hit(level) => write!(f, "is a hit in the {level}"),
            NextCall::Join => f.write_str("is a miss, and waits for the load under way"),
            NextCall::Load => f.write_str("is a miss, and runs the body"),
            NextCall::Refresh => f.write_str("runs the body, since `refresh` is true"),
            NextCall::Bypass => f.write_str("runs the body and stores nothing, since `bypass` is true"),
        }
    }
}

impl fmt::Display for LocalState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LocalState::Fresh { age, left } => fresh(f, *age, *left),
            LocalState::Expired { age, since } => write!(f, "expired {} ago, stored {} ago", Span(*since), Span(*age)),
            LocalState::Refused { age } => refused(f, *age),
            LocalState::NeverStored => f.write_str("nothing, since no call stored it"),
            LocalState::Nothing { evicted, invalidations, expired } => write!(
                f,
                "nothing: never stored, or gone; so far {evicted} evicted, {expired} found expired, {invalidations} \
                 invalidations"
            ),
            LocalState::Off => f.write_str("off"),
        }
    }
}

impl fmt::Display for SharedState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SharedState::Fresh { age, left } => fresh(f, *age, *left),
            SharedState::Refused { age } => refused(f, *age),
            SharedState::Nothing => f.write_str("nothing"),
            SharedState::Rejected { reason } => write!(f, "an entry that can't be used: {reason}"),
            SharedState::Failed(error) => write!(f, "can't be asked: {error}"),
            SharedState::Off => f.write_str("off"),
        }
    }
}

fn fresh(f: &mut fmt::Formatter<'_>, age: Duration, left: Option<Duration>) -> fmt::Result {
    write!(f, "fresh, stored {} ago", Span(age))?;
    match left {
        Some(left) => write!(f, ", expires in {}", Span(left)),
        None => Ok(()),
    }
}

fn refused(f: &mut fmt::Formatter<'_>, age: Duration) -> fmt::Result {
    write!(f, "refused by `valid_if`, stored {} ago", Span(age))
}

/// A span of time for people: the clock steps by milliseconds, so nothing finer is shown.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            short if short < Duration::from_secs(1) => write!(f, "{}ms", short.as_millis()),
            long => write!(f, "{:.1}s", long.as_secs_f64()),
        }
    }
}
