//! One id of a list as a part of a key.

use crate::known::{Known, KnownPart};
use crate::lookup::{OptionPart, Part, Parts};
use std::borrow::Cow;
use std::hash::Hash;
use std::marker::PhantomData;

/// Where the id stands among the parts of a key.
#[derive(Clone, Copy)]
pub struct Hole;

/// The parts of a key but for the id, which goes into a [`Hole`].
pub trait Fill<P: Part>: Copy {
    /// With the id.
    type Parts: Parts;

    /// The parts of the key of one id.
    fn fill(self, id: P) -> Self::Parts;

    /// The id in a stored key.
    fn id(key: &<Self::Parts as Parts>::Owned) -> &P::Owned;
}

impl<P: Part, Rest: Parts> Fill<P> for (Hole, Rest) {
    type Parts = (P, Rest);

    #[inline]
    fn fill(self, id: P) -> (P, Rest) {
        (id, self.1)
    }

    fn id(key: &(P::Owned, Rest::Owned)) -> &P::Owned {
        &key.0
    }
}

impl<P: Part, Before: Part, Rest: Fill<P>> Fill<P> for (Before, Rest) {
    type Parts = (Before, Rest::Parts);

    #[inline]
    fn fill(self, id: P) -> Self::Parts {
        (self.0, self.1.fill(id))
    }

    fn id(key: &<Self::Parts as Parts>::Owned) -> &P::Owned {
        Rest::id(&key.1)
    }
}

/// How an id is a part of a key: what [`Arg::part`](crate::lookup::Arg::part) is for an argument, by types alone, since
/// the ids of a list are met one by one.
pub trait IdPart<'x>: Copy {
    /// The id in the list.
    type Id: 'x;
    /// What a stored key holds, and so what the key of the returned map is.
    type Owned: Clone + Eq + Hash + Send + Sync + 'static;
    /// The id, borrowed.
    type Part: Part<Owned = Self::Owned>;

    /// The id, borrowed.
    fn part(id: &'x Self::Id) -> Self::Part;
}

/// Declares ways to be a part: the type of the id, borrowed and owned.
macro_rules! ways {
    ($(
        $(#[$doc:meta])*
        $way:ident<$($b:lifetime,)? $T:ident $(: ?$sized:ident)?> where ($($condition:tt)*):
            $id:ty => $part:ty => $owned:ty, |$one:ident| $make:expr;
    )*) => {$(
        $(#[$doc])*
        pub struct $way<$($b,)? $T $(: ?$sized)?>(PhantomData<fn() -> PhantomData<$(&$b)? $T>>);

        impl<$($b,)? $T $(: ?$sized)?> Clone for $way<$($b,)? $T> {
            fn clone(&self) -> Self {
                *self
            }
        }

        impl<$($b,)? $T $(: ?$sized)?> Copy for $way<$($b,)? $T> {}

        impl<'x, $($b: 'x,)? $T: 'x $(+ ?$sized)?> IdPart<'x> for $way<$($b,)? $T>
        where
            $($condition)*
        {
            type Id = $id;
            type Owned = $owned;
            type Part = $part;

            #[inline]
            #[allow(clippy::ref_option_ref, reason = "an id is met by reference, whatever it is")]
            fn part($one: &'x $id) -> $part {
                $make
            }
        }
    )*};
}

ways! {
    /// An id of a [`Known`] type.
    ByKnown<T> where (T: Known): T => KnownPart<'x, T> => T::Key, |id| KnownPart(id);
    /// A reference is what it refers to.
    ByReference<'b, T: ?Sized> where (T: Hash + Eq + ToOwned<Owned: Clone + Eq + Hash + Send + Sync + 'static>):
        &'b T => &'x T => T::Owned, |id| *id;
    /// An optional reference.
    ByOption<'b, T: ?Sized> where (T: Hash + Eq + ToOwned<Owned: Clone + Eq + Hash + Send + Sync + 'static>):
        Option<&'b T> => OptionPart<'x, T> => Option<T::Owned>, |id| OptionPart(*id);
    /// The content of a `Cow`.
    ByCow<'b, T: ?Sized> where (T: Hash + Eq + ToOwned<Owned: Clone + Eq + Hash + Send + Sync + 'static>):
        Cow<'b, T> => &'x T => T::Owned, |id| id;
    /// Any other id, as it is.
    ByItself<T> where (T: Hash + Eq + ToOwned<Owned: Clone + Eq + Hash + Send + Sync + 'static>):
        T => &'x T => T::Owned, |id| id;
}

/// Asks how ids of this type are parts of keys: `IdOf::<Id>::how()`, by method resolution, in the order of
/// [`Arg::part`](crate::lookup::Arg::part).
pub struct IdOf<I>(pub(super) PhantomData<fn() -> I>);

/// The first answer of `IdOf`.
pub trait KnownId {
    /// The way.
    type How;

    /// The way of a known type.
    fn how(self) -> Self::How;
}

impl<I: Known> KnownId for IdOf<I> {
    type How = ByKnown<I>;

    fn how(self) -> ByKnown<I> {
        ByKnown(PhantomData)
    }
}

impl<'b, T: ?Sized> IdOf<&'b T> {
    /// The way of a reference.
    #[must_use]
    #[expect(clippy::unused_self, reason = "it is found by method resolution")]
    pub fn how(&self) -> ByReference<'b, T> {
        ByReference(PhantomData)
    }
}

impl<'b, T: ?Sized> IdOf<Option<&'b T>> {
    /// The way of an optional reference.
    #[must_use]
    #[expect(clippy::unused_self, reason = "it is found by method resolution")]
    pub fn how(&self) -> ByOption<'b, T> {
        ByOption(PhantomData)
    }
}

impl<'b, T: ?Sized + ToOwned> IdOf<Cow<'b, T>> {
    /// The way of a `Cow`.
    #[must_use]
    #[expect(clippy::unused_self, reason = "it is found by method resolution")]
    pub fn how(&self) -> ByCow<'b, T> {
        ByCow(PhantomData)
    }
}

/// The fallback of `IdOf`.
pub trait AnyId {
    /// The id.
    type Id;

    /// The way of every other type. The bound is here so that a missing one is reported at the argument.
    fn how(&self) -> ByItself<Self::Id>
    where
        Self::Id: Identifies;
}

/// An id that can be part of a key as it is.
#[diagnostic::on_unimplemented(
    message = "an id of type `{Self}` can't be part of a key",
    label = "needs `Hash + Eq + Clone + Send + Sync + 'static` to be part of a key",
    note = "derive what is missing, or take ids of another type"
)]
pub trait Identifies {}

impl<I: Clone + Eq + Hash + Send + Sync + 'static> Identifies for I {}

impl<I> AnyId for IdOf<I> {
    type Id = I;

    fn how(&self) -> ByItself<I>
    where
        I: Identifies,
    {
        ByItself(PhantomData)
    }
}

#[cfg(test)]
mod tests {
    use super::{AnyId as _, Fill, Hole, IdOf, IdPart, KnownId as _};
    use crate::lookup::{Arg, Parts};
    use std::marker::PhantomData;

    fn owned<'x, S: IdPart<'x>, H: Fill<S::Part>>(_how: S, rest: H, id: &'x S::Id) -> <H::Parts as Parts>::Owned {
        let key = rest.fill(S::part(id)).to_owned();
        assert!(*H::id(&key) == crate::lookup::Part::to_owned(S::part(id)));
        key
    }

    #[test]
    fn an_id_stands_where_the_list_stood_and_is_owned_as_an_argument_is() {
        use crate::known::KnownArg as _;
        #[derive(Clone, Debug, PartialEq, Eq, Hash)]
        struct Own(u8);
        let tenant = 7_u32;
        let before = (Arg(&tenant).part(), (Hole, ()));
        let after = (Hole, (Arg(&tenant).part(), ()));
        assert_eq!(owned(IdOf::<&str>(PhantomData).how(), before, &"a"), (7, (String::from("a"), ())));
        assert_eq!(owned(IdOf::<u64>(PhantomData).how(), after, &1), (1, (7, ())));
        assert_eq!(owned(IdOf::<Own>(PhantomData).how(), after, &Own(3)), (Own(3), (7, ())));
        assert_eq!(owned(IdOf::<&Own>(PhantomData).how(), after, &&Own(3)), (Own(3), (7, ())));
        assert_eq!(owned(IdOf::<Option<&Own>>(PhantomData).how(), after, &None), (None, (7, ())));
    }
}
