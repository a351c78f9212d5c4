//! What a function returns, and which part of it is stored.
//!
//! Only the `Ok` of a `Result` is stored, under whatever alias the `Result` is spelled, and its error needs nothing
//! of `Clone`. The expansion asks [`Returns`] for the [`Outcome`] of the return type; method resolution finds the
//! most special answer, which works on stable Rust because an inherent method whose bounds hold wins over a trait's.

mod errors;
mod once;

pub use errors::storing_errors;
pub use once::{AnyOnce, once_plain};

use std::any::Any;
use std::marker::PhantomData;
use std::sync::Arc;

/// An error that every follower of a failed load gets a copy of.
pub(crate) type SharedError = Arc<dyn Any + Send + Sync>;

/// How a function's return value is taken apart and put together.
///
/// Nothing here asks for `'static`, though whoever stores a value does: the compiler forgets lifetimes inside of
/// futures, and could not prove a future to be `Send` that has to do with `&'static str` or `Box<dyn Error>`.
pub trait Outcome: Copy + Send + Sync {
    /// What the function returns.
    type Return;
    /// What is stored.
    type Value: Clone + Send + Sync;

    /// Whether what is stored is the mark of a run. Where others see it, it is set before the body runs, and a run that
    /// fails takes it back.
    const ONCE: bool = false;

    /// The mark of the run with this number.
    #[must_use]
    fn mark(_number: u64) -> Option<Self::Value> {
        None
    }

    /// Whether a stored value is asked before it counts as a hit.
    const CHECKS: bool = false;

    /// Whether a stored value counts as a hit. It runs code of users: call it outside of every lock.
    fn is_valid(self, _value: &Self::Value) -> bool {
        true
    }

    /// Whether the load failed.
    fn is_error(returned: &Self::Return) -> bool {
        Self::value(returned).is_none()
    }

    /// Whether a stored value is an error.
    fn is_failure(_value: &Self::Value) -> bool {
        false
    }

    /// The part that is stored; `None` for an error that is not.
    fn value(returned: &Self::Return) -> Option<&Self::Value>;

    /// The part that is stored, by itself.
    fn into_value(returned: Self::Return) -> Option<Self::Value>;

    /// What a hit returns.
    fn from_value(value: Self::Value) -> Self::Return;

    /// What a stored value weighs, where `weigh = …` says so.
    #[inline]
    fn weigher(self) -> Option<fn(&Self::Value) -> u64> {
        None
    }

    /// The error, if followers can be given a copy.
    fn to_shared_error(returned: &Self::Return) -> Option<SharedError>
    where
        Self: 'static;

    /// What a follower of a failed load returns.
    fn from_shared_error(error: &SharedError) -> Option<Self::Return>
    where
        Self: 'static;
}

/// Asks what to do with a return type: `Returns::<R>::new().outcome()`.
pub struct Returns<R>(PhantomData<fn() -> R>);

impl<R> Returns<R> {
    /// The question; [`outcome`](Returns::outcome) is the answer.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "only generated code makes one")]
    pub const fn new() -> Self {
        Returns(PhantomData)
    }
}

impl<T: Clone + Send + Sync + 'static, E: Clone + Send + Sync + 'static> Returns<Result<T, E>> {
    /// A `Result` whose error can be handed to every follower.
    #[inline]
    #[must_use]
    pub fn outcome(self) -> SharingResult<T, E> {
        SharingResult(PhantomData)
    }
}

/// The second answer of [`Returns::outcome`]: a `Result` whose error can't be copied.
pub trait AnyResult {
    /// The outcome.
    type Outcome;

    /// The outcome of this return type.
    fn outcome(self) -> Self::Outcome;
}

impl<T: Clone + Send + Sync + 'static, E: 'static> AnyResult for Returns<Result<T, E>> {
    type Outcome = OwningResult<T, E>;

    #[inline]
    fn outcome(self) -> OwningResult<T, E> {
        OwningResult(PhantomData)
    }
}

/// The last answer of [`Returns::outcome`]: every other type, stored whole.
pub trait AnyReturn {
    /// The outcome.
    type Outcome;

    /// The outcome of this return type.
    fn outcome(self) -> Self::Outcome;
}

impl<R: Clone + Send + Sync + 'static> AnyReturn for &Returns<R> {
    type Outcome = Whole<R>;

    #[inline]
    fn outcome(self) -> Whole<R> {
        Whole(PhantomData)
    }
}

/// The outcome of a type that is stored whole.
pub struct Whole<R>(PhantomData<fn() -> R>);
/// The outcome of a `Result` whose error is cloned for followers.
pub struct SharingResult<T, E>(PhantomData<fn() -> (T, E)>);
/// The outcome of a `Result` whose error stays with the caller whose load failed.
pub struct OwningResult<T, E>(PhantomData<fn() -> (T, E)>);

impl<R> Clone for Whole<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Whole<R> {}
impl<T, E> Clone for SharingResult<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T, E> Copy for SharingResult<T, E> {}
impl<T, E> Clone for OwningResult<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T, E> Copy for OwningResult<T, E> {}

impl<R: Clone + Send + Sync> Outcome for Whole<R> {
    type Return = R;
    type Value = R;

    #[inline]
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

impl<T: Clone + Send + Sync, E: Clone + Send + Sync> Outcome for SharingResult<T, E> {
    type Return = Result<T, E>;
    type Value = T;

    #[inline]
    fn value(returned: &Result<T, E>) -> Option<&T> {
        returned.as_ref().ok()
    }

    fn into_value(returned: Result<T, E>) -> Option<T> {
        returned.ok()
    }

    #[inline]
    fn from_value(value: T) -> Result<T, E> {
        Ok(value)
    }

    fn to_shared_error(returned: &Result<T, E>) -> Option<SharedError>
    where
        Self: 'static,
    {
        returned.as_ref().err().map(|error| Arc::new(error.clone()) as SharedError)
    }

    fn from_shared_error(error: &SharedError) -> Option<Result<T, E>>
    where
        Self: 'static,
    {
        error.downcast_ref::<E>().map(|error| Err(error.clone()))
    }
}

impl<T: Clone + Send + Sync, E> Outcome for OwningResult<T, E> {
    type Return = Result<T, E>;
    type Value = T;

    #[inline]
    fn value(returned: &Result<T, E>) -> Option<&T> {
        returned.as_ref().ok()
    }

    fn into_value(returned: Result<T, E>) -> Option<T> {
        returned.ok()
    }

    #[inline]
    fn from_value(value: T) -> Result<T, E> {
        Ok(value)
    }

    fn to_shared_error(_returned: &Result<T, E>) -> Option<SharedError>
    where
        Self: 'static,
    {
        None
    }

    fn from_shared_error(_error: &SharedError) -> Option<Result<T, E>>
    where
        Self: 'static,
    {
        None
    }
}

/// An `Option`, for `cache_none = false`.
#[diagnostic::on_unimplemented(
    message = "`cache_none = false` needs a function that returns an `Option`",
    label = "this is never `None`",
    note = "remove `cache_none`, or choose what is stored with `cache_if = |value| …`"
)]
pub trait MaybeNone {
    /// Whether there is something.
    fn is_present(&self) -> bool;
}

impl<T> MaybeNone for Option<T> {
    fn is_present(&self) -> bool {
        self.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Odd<T> = Result<T, NotClone>;
    #[derive(Debug)]
    struct NotClone;

    #[test]
    fn every_alias_of_result_stores_its_ok() {
        #[allow(unused_imports, reason = "one of them is not needed for each type")]
        use super::{AnyResult as _, AnyReturn as _};
        fn value_of<O: Outcome<Value = u8>>(_: O, returned: &O::Return) -> Option<u8> {
            O::value(returned).copied()
        }
        assert_eq!(value_of(Returns::<Result<u8, String>>::new().outcome(), &Ok(1)), Some(1));
        assert_eq!(value_of(Returns::<Odd<u8>>::new().outcome(), &Ok(2)), Some(2));
        assert_eq!(value_of(Returns::<std::io::Result<u8>>::new().outcome(), &Ok(3)), Some(3));
        assert_eq!(value_of(Returns::<Odd<u8>>::new().outcome(), &Err(NotClone)), None);
        assert_eq!(value_of(Returns::<u8>::new().outcome(), &4), Some(4));
    }

    #[test]
    fn a_clonable_error_reaches_followers_and_another_does_not() {
        #[allow(unused_imports, reason = "one of them is not needed for each type")]
        use super::{AnyResult as _, AnyReturn as _};
        fn shared<O: Outcome + 'static>(_: O, returned: &O::Return) -> Option<O::Return> {
            O::from_shared_error(&O::to_shared_error(returned)?)
        }
        let outcome = Returns::<Result<u8, String>>::new().outcome();
        assert_eq!(shared(outcome, &Err("down".into())), Some(Err("down".into())));
        assert!(shared(Returns::<Odd<u8>>::new().outcome(), &Err(NotClone)).is_none());
    }
}
