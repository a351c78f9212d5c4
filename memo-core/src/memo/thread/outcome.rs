//! What a function returns, and which part of it is stored: what [`crate::outcome`] does, without asking for `Send` and
//! `Sync`, and without followers.

use std::marker::PhantomData;

/// How a function's return value is taken apart and put together.
pub trait Outcome: Copy {
    /// What the function returns.
    type Return;
    /// What is stored.
    type Value: Clone + 'static;

    /// Whether a stored value counts as a hit.
    fn is_valid(self, _value: &Self::Value) -> bool {
        true
    }

    /// The part that is stored; `None` for an error.
    fn value(returned: &Self::Return) -> Option<&Self::Value>;

    /// The part that is stored, by itself.
    fn into_value(returned: Self::Return) -> Option<Self::Value>;

    /// What a hit returns.
    fn from_value(value: Self::Value) -> Self::Return;
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

impl<T: Clone + 'static, E> Returns<Result<T, E>> {
    /// A `Result`, of which the `Ok` is stored.
    #[inline]
    #[must_use]
    pub fn outcome(self) -> OnlyOk<T, E> {
        OnlyOk(PhantomData)
    }
}

/// The other answer of [`Returns::outcome`]: every other type, stored whole.
pub trait AnyReturn {
    /// The outcome.
    type Outcome;

    /// The outcome of this return type.
    fn outcome(self) -> Self::Outcome;
}

impl<R: Clone + 'static> AnyReturn for Returns<R> {
    type Outcome = Whole<R>;

    #[inline]
    fn outcome(self) -> Whole<R> {
        Whole(PhantomData)
    }
}

/// The outcome of a type that is stored whole.
pub struct Whole<R>(PhantomData<fn() -> R>);
/// The outcome of a `Result`.
pub struct OnlyOk<T, E>(PhantomData<fn() -> (T, E)>);

impl<R> Clone for Whole<R> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<R> Copy for Whole<R> {}
impl<T, E> Clone for OnlyOk<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T, E> Copy for OnlyOk<T, E> {}

impl<R: Clone + 'static> Outcome for Whole<R> {
    type Return = R;
    type Value = R;

    fn value(returned: &R) -> Option<&R> {
        Some(returned)
    }

    fn into_value(returned: R) -> Option<R> {
        Some(returned)
    }

    fn from_value(value: R) -> R {
        value
    }
}

impl<T: Clone + 'static, E> Outcome for OnlyOk<T, E> {
    type Return = Result<T, E>;
    type Value = T;

    fn value(returned: &Result<T, E>) -> Option<&T> {
        returned.as_ref().ok()
    }

    fn into_value(returned: Result<T, E>) -> Option<T> {
        returned.ok()
    }

    fn from_value(value: T) -> Result<T, E> {
        Ok(value)
    }
}

/// An outcome whose stored values are asked before they count as hits.
pub struct ValidIf<O: Outcome> {
    outcome: O,
    predicate: fn(&O::Value) -> bool,
}

/// `valid_if = …`
pub fn valid_if<O: Outcome>(outcome: O, predicate: fn(&O::Value) -> bool) -> ValidIf<O> {
    ValidIf { outcome, predicate }
}

#[expect(clippy::expl_impl_clone_on_copy, reason = "deriving it would ask for `Copy` of the value")]
impl<O: Outcome> Clone for ValidIf<O> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<O: Outcome> Copy for ValidIf<O> {}

impl<O: Outcome> Outcome for ValidIf<O> {
    type Return = O::Return;
    type Value = O::Value;

    fn is_valid(self, value: &O::Value) -> bool {
        (self.predicate)(value) && self.outcome.is_valid(value)
    }

    fn value(returned: &O::Return) -> Option<&O::Value> {
        O::value(returned)
    }

    fn into_value(returned: O::Return) -> Option<O::Value> {
        O::into_value(returned)
    }

    fn from_value(value: O::Value) -> O::Return {
        O::from_value(value)
    }
}
