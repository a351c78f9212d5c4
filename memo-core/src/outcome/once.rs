//! `store_result = false`: what is stored is that the body ran, not what it returned.

use super::{Outcome, Returns, SharedError};
use std::marker::PhantomData;

/// The mark that a run leaves: a number that tells it from those of other runs and processes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ran(u64);

/// The mark of a run of this process, where nobody else sees it.
const HERE: Ran = Ran(0);

#[cfg(feature = "shared")]
impl serde::Serialize for Ran {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.0)
    }
}

#[cfg(feature = "shared")]
impl<'de> serde::Deserialize<'de> for Ran {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Ran)
    }
}

/// The outcome of a guard that can't fail: `None` where the body had run already.
pub struct OncePlain<T>(PhantomData<fn() -> T>);
/// The outcome of a guard that returns a `Result`: `Ok(None)` where the body had run already.
pub struct OnceFallible<T, E>(PhantomData<fn() -> (T, E)>);

impl<T> Clone for OncePlain<T> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T> Copy for OncePlain<T> {}
impl<T, E> Clone for OnceFallible<T, E> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<T, E> Copy for OnceFallible<T, E> {}

impl<T> Outcome for OncePlain<T> {
    type Return = Option<T>;
    type Value = Ran;

    const ONCE: bool = true;

    fn mark(number: u64) -> Option<Ran> {
        Some(Ran(number))
    }

    fn value(_returned: &Option<T>) -> Option<&Ran> {
        Some(&HERE)
    }

    fn into_value(_returned: Option<T>) -> Option<Ran> {
        Some(HERE)
    }

    #[inline]
    fn from_value(_value: Ran) -> Option<T> {
        None
    }

    fn to_shared_error(_returned: &Option<T>) -> Option<SharedError>
    where
        Self: 'static,
    {
        None
    }

    fn from_shared_error(_error: &SharedError) -> Option<Option<T>>
    where
        Self: 'static,
    {
        None
    }
}

impl<T, E> Outcome for OnceFallible<T, E> {
    type Return = Result<Option<T>, E>;
    type Value = Ran;

    const ONCE: bool = true;

    fn mark(number: u64) -> Option<Ran> {
        Some(Ran(number))
    }

    fn value(returned: &Result<Option<T>, E>) -> Option<&Ran> {
        returned.is_ok().then_some(&HERE)
    }

    fn into_value(returned: Result<Option<T>, E>) -> Option<Ran> {
        returned.is_ok().then_some(HERE)
    }

    #[inline]
    fn from_value(_value: Ran) -> Result<Option<T>, E> {
        Ok(None)
    }

    fn to_shared_error(_returned: &Result<Option<T>, E>) -> Option<SharedError>
    where
        Self: 'static,
    {
        None
    }

    fn from_shared_error(_error: &SharedError) -> Option<Result<Option<T>, E>>
    where
        Self: 'static,
    {
        None
    }
}

impl<T, E> Returns<Result<Option<T>, E>> {
    /// The outcome of a guard whose return type is spelled as a `Result`.
    #[must_use]
    pub fn once_fallible(self) -> OnceFallible<T, E> {
        OnceFallible(PhantomData)
    }
}

/// What a guard returns whose return type is not spelled as a `Result`, but is one.
pub struct HiddenResult;

impl<T, E> Returns<Result<T, E>> {
    /// Wins over [`AnyOnce::once`], so that a hidden `Result` is found.
    #[must_use]
    pub fn once(self) -> HiddenResult {
        HiddenResult
    }
}

/// The answer of `once` for every other type.
pub trait AnyOnce {
    /// The outcome.
    type Outcome;

    /// The outcome of a guard of this return type.
    fn once(self) -> Self::Outcome;
}

impl<T> AnyOnce for Returns<T> {
    type Outcome = OncePlain<T>;

    fn once(self) -> OncePlain<T> {
        OncePlain(PhantomData)
    }
}

/// An outcome of a guard that can't fail.
#[diagnostic::on_unimplemented(
    message = "`store_result = false` can't see that this return type is a `Result`",
    label = "a `Result` under another name",
    note = "spell it `Result<T, E>`, so that the function can return `Result<Option<T>, E>`: an `Err` is no run"
)]
pub trait PlainOnce: Copy {
    /// What the body returns.
    type Returned;
}

impl<T> PlainOnce for OncePlain<T> {
    type Returned = T;
}

/// The outcome of a guard whose return type is not spelled as a `Result`.
pub fn once_plain<G: PlainOnce>(_outcome: G) -> OncePlain<G::Returned> {
    OncePlain(PhantomData)
}
