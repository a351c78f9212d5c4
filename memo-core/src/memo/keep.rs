//! Whether a loaded value is stored, and for how long.

use std::time::Duration;

/// What the options that look at a loaded value say of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "it says whether a value is stored"]
pub struct Keep(pub(crate) Option<Fresh>);

/// How long a value that is stored is fresh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fresh {
    /// As long as the function's `timeout` says.
    AsFunction,
    /// As long as the function's `err_timeout` says, or its `timeout`.
    AsError,
    /// This long, as `timeout_with` said of this value.
    For(Duration),
}

/// `true` is stored for the function's timeout.
impl From<bool> for Keep {
    #[inline]
    fn from(keep: bool) -> Self {
        Keep::value(keep)
    }
}

impl Keep {
    /// `true` is stored for the function's timeout. Not a trait's, which generated code may not have in scope.
    #[inline]
    pub fn value(keep: bool) -> Self {
        Keep(keep.then_some(Fresh::AsFunction))
    }

    /// `true` is an error that is stored for the time of errors.
    pub fn error(keep: bool) -> Self {
        Keep(keep.then_some(Fresh::AsError))
    }
}

/// Asks the closure of `timeout_with`. The value comes first, so that the closure's argument has a type.
pub fn keep_for<V>(value: &V, timeout: impl FnOnce(&V) -> Option<Duration>) -> Keep {
    Keep(timeout(value).map(Fresh::For))
}
