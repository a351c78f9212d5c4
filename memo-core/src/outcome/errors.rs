//! `cache_err`: a `Result` that is stored whole.

use super::{Outcome, SharedError};
use std::marker::PhantomData;

/// What a function with `cache_err` returns.
#[diagnostic::on_unimplemented(
    message = "`cache_err` needs a function that returns a `Result`",
    label = "this is never an error",
    note = "remove `cache_err`; which values are stored is said with `cache_if = |value| …`"
)]
pub trait Fallible {
    /// Whether it is an error.
    fn is_err(&self) -> bool;
}

impl<T, E: StoredError> Fallible for Result<T, E> {
    fn is_err(&self) -> bool {
        Result::is_err(self)
    }
}

/// An error that can be stored.
#[diagnostic::on_unimplemented(
    message = "an error of type `{Self}` can't be stored",
    label = "`cache_err` needs errors that are `Clone + Send + Sync + 'static`, since every hit returns one",
    note = "return an error that can be cloned, as in `Result<T, Arc<{Self}>>`, or remove `cache_err`"
)]
pub trait StoredError: Clone + Send + Sync + 'static {}
impl<E: Clone + Send + Sync + 'static> StoredError for E {}

/// The outcome of a `Result` whose errors are stored.
pub struct StoringErrors<R>(PhantomData<fn() -> R>);

/// The outcome of a function with `cache_err`.
#[must_use]
pub fn storing_errors<R: Fallible>() -> StoringErrors<R> {
    StoringErrors(PhantomData)
}

impl<R> Clone for StoringErrors<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for StoringErrors<R> {}

impl<R: Fallible + Clone + Send + Sync> Outcome for StoringErrors<R> {
    type Return = R;
    type Value = R;

    fn is_error(returned: &R) -> bool {
        returned.is_err()
    }

    fn is_failure(value: &R) -> bool {
        value.is_err()
    }

    fn value(returned: &R) -> Option<&R> {
        Some(returned)
    }

    fn into_value(returned: R) -> Option<R> {
        Some(returned)
    }

    #[inline]
    fn from_value(value: R) -> R {
        value
    }

    fn to_shared_error(_returned: &R) -> Option<SharedError>
    where
        Self: 'static,
    {
        None
    }

    fn from_shared_error(_error: &SharedError) -> Option<R>
    where
        Self: 'static,
    {
        None
    }
}
