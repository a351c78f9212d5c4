//! `f::spawn`: a call in the background.
//!
//! The call itself is the function's own, made by another thread. Here is what comes before: a look into the local
//! level, and the arguments made fit to travel.

use super::Looked;
use super::call::local_hit;
use super::cell::Instance;
use super::function::Function;
use crate::lookup::{Borrowed, Parts};
use crate::outcome::Outcome;
use crate::pending::Pending;
use std::borrow::{Borrow, Cow};
use std::marker::PhantomData;

/// The answer to a call, if it is in the local level. It counts as a hit; nothing counts if it is not there.
pub fn found<T: ?Sized, O, P, M>(
    function: &'static Function,
    instance: Instance<T>,
    outcome: O,
    parts: P,
    _door: M,
) -> Option<O::Return>
where
    O: Outcome + 'static,
    P: Parts,
{
    let memo = function.memo::<T, O, P>(instance, outcome);
    match memo.get(&Borrowed(parts)) {
        Looked::Fresh(hit) if function.local => Some(local_hit::<O>(function, hit.value)),
        _ => None,
    }
}

/// As [`found`], where the function itself is to look.
pub fn unseen<T: ?Sized, O: Outcome, P: Parts, M>(
    _function: &'static Function,
    _instance: Instance<T>,
    _outcome: O,
    _parts: P,
    _door: M,
) -> Option<O::Return> {
    None
}

/// What a function returns, on its way to another thread: implements [`Sends`] if it can go there.
///
/// The lifetime is there for the bound of `f::spawn` to be over all of them: a bound without parameters that does not
/// hold would be an error where the function is, instead of where it is called.
pub struct Sent<'x, R>(PhantomData<&'x ()>, PhantomData<fn() -> R>);

/// Returned by functions that can be spawned.
pub trait Sends<R> {
    /// Gives what was found, or has the kept arguments and the call brought to another thread.
    fn spawn<A: Send + 'static>(
        found: Option<R>,
        keep: impl FnOnce() -> A,
        call: impl FnOnce(&mut A) -> R + Send + 'static,
    ) -> Pending<R>;
}

impl<R: Send + 'static> Sends<R> for Sent<'_, R> {
    #[inline]
    fn spawn<A: Send + 'static>(
        found: Option<R>,
        keep: impl FnOnce() -> A,
        call: impl FnOnce(&mut A) -> R + Send + 'static,
    ) -> Pending<R> {
        match found {
            Some(value) => Pending::ready(value),
            None => {
                let mut kept = keep();
                Pending::spawn(move || call(&mut kept))
            }
        }
    }
}

/// An argument, asked by the expansion for its form that can travel. References and what is like them become owned,
/// by the inherent methods; [`AnyPack`] takes every other argument as it is.
pub struct Pack<A>(pub A);

/// What a reference refers to.
pub struct KeptRef<T: ?Sized + ToOwned>(T::Owned);
/// What an optional reference refers to.
pub struct KeptOption<T: ?Sized + ToOwned>(Option<T::Owned>);
/// The content of a `Cow`.
pub struct KeptCow<T: ?Sized + ToOwned>(T::Owned);
/// An argument that owns what it holds, until it is lent.
pub struct KeptWhole<A>(Option<A>);

impl<T: ?Sized + ToOwned> Pack<&T> {
    /// Owned.
    #[must_use]
    pub fn keep(self) -> KeptRef<T> {
        KeptRef(self.0.to_owned())
    }
}

impl<T: ?Sized + ToOwned> Pack<Option<&T>> {
    /// Owned.
    #[must_use]
    pub fn keep(self) -> KeptOption<T> {
        KeptOption(self.0.map(ToOwned::to_owned))
    }
}

impl<T: ?Sized + ToOwned> Pack<Cow<'_, T>> {
    /// Owned.
    #[must_use]
    pub fn keep(self) -> KeptCow<T> {
        KeptCow(self.0.into_owned())
    }
}

/// The fallback of [`Pack::keep`].
pub trait AnyPack {
    /// The argument.
    type Kept;

    /// The argument as it is.
    fn keep(self) -> Self::Kept;
}

impl<A> AnyPack for Pack<A> {
    type Kept = KeptWhole<A>;

    fn keep(self) -> KeptWhole<A> {
        whole(self.0)
    }
}

/// An argument as it is, whatever its type.
pub fn whole<A>(argument: A) -> KeptWhole<A> {
    KeptWhole(Some(argument))
}

impl<T: ?Sized + ToOwned> KeptRef<T> {
    /// The argument.
    pub fn lend(&mut self) -> &T {
        self.0.borrow()
    }
}

impl<T: ?Sized + ToOwned> KeptOption<T> {
    /// The argument.
    pub fn lend(&mut self) -> Option<&T> {
        self.0.as_ref().map(Borrow::borrow)
    }
}

impl<T: ?Sized + ToOwned> KeptCow<T> {
    /// The argument.
    pub fn lend(&mut self) -> Cow<'_, T> {
        Cow::Borrowed(self.0.borrow())
    }
}

impl<A> KeptWhole<A> {
    /// The argument.
    ///
    /// # Panics
    /// If it was lent before.
    pub fn lend(&mut self) -> A {
        self.0.take().expect("an argument is lent once")
    }
}
