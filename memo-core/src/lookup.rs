//! The borrowed form of a key: a call's arguments, hashed and compared where they lie.
//!
//! A hit allocates nothing: the arguments are looked up by reference against the owned keys in the local level, and
//! an owned key is made only for a call that missed.

use equivalent::Equivalent;
use std::borrow::Cow;
use std::hash::{Hash, Hasher};

/// One argument as it takes part in a key: borrowed, and able to become an owned part of a stored key.
///
/// The hash of the borrowed and of the owned form must be the same, as [`std::borrow::Borrow`] asks.
#[diagnostic::on_unimplemented(
    message = "an argument of a cached function can't be part of its key",
    label = "needs `Hash + Eq + Clone + Send + Sync + 'static` to be part of the key",
    note = "leave it out with `ignore = …`, or name what identifies it with `key = …`"
)]
pub trait Part: Copy {
    /// What a stored key holds.
    type Owned: Clone + Eq + Hash + Send + Sync + 'static;

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
    T::Owned: Clone + Eq + Hash + Send + Sync + 'static,
{
    type Owned = T::Owned;

    #[inline]
    fn hash<H: Hasher>(self, state: &mut H) {
        Hash::hash(self, state);
    }

    #[inline]
    fn is(self, owned: &T::Owned) -> bool {
        std::borrow::Borrow::<T>::borrow(owned) == self
    }

    fn to_owned(self) -> T::Owned {
        ToOwned::to_owned(self)
    }
}

/// An argument of type `Option<&T>`; owned it is `Option<T::Owned>`.
pub struct OptionPart<'a, T: ?Sized>(pub(crate) Option<&'a T>);

impl<T: ?Sized> Clone for OptionPart<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for OptionPart<'_, T> {}

impl<T> Part for OptionPart<'_, T>
where
    T: ?Sized + Hash + Eq + ToOwned,
    T::Owned: Clone + Eq + Hash + Send + Sync + 'static,
{
    type Owned = Option<T::Owned>;

    #[inline]
    fn hash<H: Hasher>(self, state: &mut H) {
        Hash::hash(&self.0, state);
    }

    #[inline]
    fn is(self, owned: &Self::Owned) -> bool {
        match (self.0, owned) {
            (Some(borrowed), Some(owned)) => borrowed.is(owned),
            (None, None) => true,
            _ => false,
        }
    }

    fn to_owned(self) -> Self::Owned {
        self.0.map(ToOwned::to_owned)
    }
}

/// A reference to an argument, asked by the expansion for its `Part`.
///
/// `part` is chosen by the type of the argument, in the order in which method resolution looks: a
/// `Known` type by [`KnownArg`](crate::known::KnownArg), which takes `self` by value; then, by
/// reference, the inherent methods below; then [`AnyArg`], which takes every other type as it is. So a type alias, or a
/// reference behind a type parameter, needs no spelling the macro knows.
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

/// All parts of a key: `(first, (second, (third, ())))`, of any length.
pub trait Parts: Copy {
    /// What a stored key is.
    type Owned: Clone + Eq + Hash + Send + Sync + 'static;

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

/// [`Parts`] that can be a key of the shared level.
#[cfg(feature = "shared")]
pub trait SerializeParts: Parts {
    /// How many parts there are.
    const COUNT: usize;

    /// Hands the parts to a serializer, in order.
    fn serialize_into<S: serde::ser::SerializeTuple>(self, tuple: &mut S) -> Result<(), S::Error>;
}

#[cfg(feature = "shared")]
impl SerializeParts for () {
    const COUNT: usize = 0;

    fn serialize_into<S: serde::ser::SerializeTuple>(self, _tuple: &mut S) -> Result<(), S::Error> {
        Ok(())
    }
}

/// A [`Part`] that can be in a key of the shared level.
#[cfg(feature = "shared")]
#[diagnostic::on_unimplemented(
    message = "an argument of a function with `cache = …` can't be part of its key",
    label = "needs `Serialize` to be part of the key in the shared level",
    note = "leave it out with `ignore = …`, or name what identifies it with `key = …`"
)]
pub trait SerializePart: Part {
    /// What a serializer sees, the argument as it is.
    fn serialized(&self) -> &(impl serde::Serialize + ?Sized);
}

#[cfg(feature = "shared")]
impl<T: ?Sized + serde::Serialize> SerializePart for &T
where
    Self: Part,
{
    fn serialized(&self) -> &(impl serde::Serialize + ?Sized) {
        *self
    }
}

#[cfg(feature = "shared")]
impl<T: ?Sized + serde::Serialize> SerializePart for OptionPart<'_, T>
where
    Self: Part,
{
    fn serialized(&self) -> &(impl serde::Serialize + ?Sized) {
        &self.0
    }
}

/// The part itself: a bound that is missing is reported here, at the argument.
#[cfg(feature = "shared")]
#[inline]
pub fn shared_part<P: SerializePart>(part: P) -> P {
    part
}

#[cfg(feature = "shared")]
impl<P: SerializePart, Rest: SerializeParts> SerializeParts for (P, Rest) {
    const COUNT: usize = 1 + Rest::COUNT;

    fn serialize_into<S: serde::ser::SerializeTuple>(self, tuple: &mut S) -> Result<(), S::Error> {
        tuple.serialize_element(self.0.serialized())?;
        self.1.serialize_into(tuple)
    }
}

/// The parts as one tuple.
#[cfg(feature = "shared")]
impl<P: SerializeParts> serde::Serialize for Borrowed<P> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeTuple;
        let mut tuple = serializer.serialize_tuple(P::COUNT)?;
        self.0.serialize_into(&mut tuple)?;
        tuple.end()
    }
}

/// [`Parts`] as what finds their owned form in a table.
#[derive(Clone, Copy)]
pub(crate) struct Borrowed<P>(pub(crate) P);

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::known::KnownArg as _;
    use std::hash::BuildHasher;

    fn hash_of(state: &foldhash::fast::RandomState, value: impl Hash) -> u64 {
        state.hash_one(value)
    }

    #[test]
    fn borrowed_and_owned_keys_hash_and_compare_alike() {
        let state = foldhash::fast::RandomState::default();
        let list = [1_u8, 2, 3].as_slice();
        let (text, maybe): (&str, Option<&str>) = ("ab", Some("c"));
        let cow: Cow<'_, str> = Cow::Borrowed("d");
        let parts = (
            Arg(&text).part(),
            (Arg(&maybe).part(), (Arg(&7_u64).part(), (Arg(&list).part(), (Arg(&cow).part(), ())))),
        );
        let owned = parts.to_owned();
        let expected = (String::from("ab"), (Some(String::from("c")), (7, (vec![1, 2, 3], (String::from("d"), ())))));
        assert_eq!(owned, expected);
        assert_eq!(hash_of(&state, Borrowed(parts)), hash_of(&state, &owned));
        assert!(Borrowed(parts).equivalent(&owned));
        let other = (String::from("a"), (Some(String::from("bc")), owned.1.1.clone()));
        assert!(!Borrowed(parts).equivalent(&other));
    }

    #[test]
    fn a_missing_option_differs_from_a_present_one() {
        let none: Option<&str> = None;
        let part = Arg(&none).part();
        assert!(part.is(&None));
        assert!(!part.is(&Some(String::new())));
    }
}
