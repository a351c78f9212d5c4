//! Keys that stay in one thread: what [`crate::lookup`] does, without asking for `Send` and `Sync`.

use crate::known::{Known, KnownArg, KnownPart};
use crate::lookup::OptionPart;
use equivalent::Equivalent;
use std::borrow::{Borrow, Cow};
use std::hash::{Hash, Hasher};

/// One argument as it takes part in a key.
#[diagnostic::on_unimplemented(
    message = "an argument of a cached function can't be part of its key",
    label = "needs `Hash + Eq + Clone + 'static` to be part of the key",
    note = "leave it out with `ignore = …`, or name what identifies it with `key = …`"
)]
pub trait Part: Copy {
    /// What a stored key holds.
    type Owned: Clone + Eq + Hash + 'static;

    /// Feeds the hasher as the owned form would.
    fn hash<H: Hasher>(self, state: &mut H);

    /// Whether the owned form is of this argument.
    fn is(self, owned: &Self::Owned) -> bool;

    /// The owned form.
    fn to_owned(self) -> Self::Owned;
}

impl<T> Part for &T
where
    T: ?Sized + Hash + Eq + ToOwned,
    T::Owned: Clone + Eq + Hash + 'static,
{
    type Owned = T::Owned;

    #[inline]
    fn hash<H: Hasher>(self, state: &mut H) {
        Hash::hash(self, state);
    }

    #[inline]
    fn is(self, owned: &T::Owned) -> bool {
        Borrow::<T>::borrow(owned) == self
    }

    fn to_owned(self) -> T::Owned {
        ToOwned::to_owned(self)
    }
}

impl<T> Part for OptionPart<'_, T>
where
    T: ?Sized + Hash + Eq + ToOwned,
    T::Owned: Clone + Eq + Hash + 'static,
{
    type Owned = Option<T::Owned>;

    #[inline]
    fn hash<H: Hasher>(self, state: &mut H) {
        Hash::hash(&self.0, state);
    }

    #[inline]
    fn is(self, owned: &Self::Owned) -> bool {
        match (self.0, owned) {
            (Some(borrowed), Some(owned)) => Part::is(borrowed, owned),
            (None, None) => true,
            _ => false,
        }
    }

    fn to_owned(self) -> Self::Owned {
        self.0.map(ToOwned::to_owned)
    }
}

impl<T: ?Sized + Known> Part for KnownPart<'_, T> {
    type Owned = T::Key;

    #[inline]
    fn hash<H: Hasher>(self, state: &mut H) {
        self.0.feed(state);
    }

    #[inline]
    fn is(self, owned: &T::Key) -> bool {
        self.0.matches(owned)
    }

    fn to_owned(self) -> T::Key {
        self.0.to_key()
    }
}

/// A tuple that is spelled in a signature, as its parts.
#[derive(Clone, Copy)]
pub struct SplitPart<P>(P);

impl<P: Parts> Part for SplitPart<P> {
    type Owned = P::Owned;

    #[inline]
    fn hash<H: Hasher>(self, state: &mut H) {
        self.0.hash(state);
    }

    #[inline]
    fn is(self, owned: &P::Owned) -> bool {
        self.0.are(owned)
    }

    fn to_owned(self) -> P::Owned {
        self.0.to_owned()
    }
}

/// A reference to an argument, asked by the expansion for its `Part`; see [`crate::lookup::Arg`].
pub struct Arg<T>(pub T);

impl<'b, T: ?Sized> Arg<&&'b T> {
    /// A reference is what it refers to.
    #[inline]
    #[must_use]
    pub fn part(&self) -> &'b T
    where
        &'b T: Part,
    {
        self.0
    }
}

#[expect(clippy::ref_option_ref, reason = "the expansion takes every argument by reference")]
impl<'b, T: ?Sized> Arg<&Option<&'b T>> {
    /// An optional reference.
    #[inline]
    #[must_use]
    pub fn part(&self) -> OptionPart<'b, T>
    where
        OptionPart<'b, T>: Part,
    {
        OptionPart(*self.0)
    }
}

impl<'a, T: ?Sized + ToOwned> Arg<&'a Cow<'_, T>> {
    /// Borrowed or owned, the content is the key.
    #[inline]
    #[must_use]
    pub fn part(&self) -> &'a T
    where
        &'a T: Part,
    {
        self.0
    }
}

impl<'a, T: ?Sized + Known> KnownArg<'a> for Arg<&'a T> {
    type Type = T;

    #[inline]
    fn part(self) -> KnownPart<'a, T> {
        KnownPart(self.0)
    }
}

impl<T> Arg<&T> {
    /// The argument as these parts.
    #[inline]
    #[must_use]
    pub fn split<P: Parts>(&self, parts: P) -> SplitPart<P> {
        SplitPart(parts)
    }
}

/// The fallback of [`Arg::part`].
pub trait AnyArg {
    /// The argument by reference.
    type Part;

    /// The argument as a part of the key. The bound is here so that a missing one is reported at the argument.
    fn part(&self) -> Self::Part
    where
        Self::Part: Part;
}

impl<'a, T: ?Sized> AnyArg for Arg<&'a T> {
    type Part = &'a T;

    #[inline]
    fn part(&self) -> &'a T
    where
        &'a T: Part,
    {
        self.0
    }
}

/// All parts of a key: `(first, (second, ()))`, of any length.
pub trait Parts: Copy {
    /// What a stored key is.
    type Owned: Clone + Eq + Hash + 'static;

    /// Feeds the hasher as the owned form would.
    fn hash<H: Hasher>(self, state: &mut H);

    /// Whether the owned form is of these arguments.
    fn are(self, owned: &Self::Owned) -> bool;

    /// The owned form.
    fn to_owned(self) -> Self::Owned;
}

impl Parts for () {
    type Owned = ();

    #[inline]
    fn hash<H: Hasher>(self, _state: &mut H) {}

    #[inline]
    fn are(self, (): &()) -> bool {
        true
    }

    fn to_owned(self) {}
}

impl<P: Part, Rest: Parts> Parts for (P, Rest) {
    type Owned = (P::Owned, Rest::Owned);

    #[inline]
    fn hash<H: Hasher>(self, state: &mut H) {
        self.0.hash(state);
        self.1.hash(state);
    }

    #[inline]
    fn are(self, owned: &Self::Owned) -> bool {
        self.0.is(&owned.0) && self.1.are(&owned.1)
    }

    fn to_owned(self) -> Self::Owned {
        (self.0.to_owned(), self.1.to_owned())
    }
}

/// [`Parts`] as what the engine looks up.
pub(super) struct Borrowed<P>(pub(super) P);

impl<P: Parts> Hash for Borrowed<P> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<P: Parts> Equivalent<P::Owned> for Borrowed<P> {
    #[inline]
    fn equivalent(&self, key: &P::Owned) -> bool {
        self.0.are(key)
    }
}
