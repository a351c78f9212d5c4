//! Arguments whose parts are known here: types of the standard library, and tuples, options, lists and references of them.
//!
//! They can be part of a key where `Hash + Eq + ToOwned` would not do: `f64` has no `Eq`, and the owned form of
//! `(&str, u32)` would still borrow. Everything else is [`AnyArg`](crate::lookup::AnyArg)'s.

use crate::lookup::{Arg, Part};
use std::borrow::Cow;
use std::ffi::{CStr, CString, OsStr, OsString};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A type whose owned form borrows nothing, however it is made up.
pub trait Known {
    /// What a stored key holds.
    type Key: Clone + Eq + Hash + Send + Sync + 'static;

    /// Feeds the hasher as the owned form would.
    fn feed<H: Hasher>(&self, state: &mut H);

    /// Whether the owned form is of this value.
    fn matches(&self, owned: &Self::Key) -> bool;

    /// The owned form.
    fn to_key(&self) -> Self::Key;

    /// Feeds the hasher as a slice of the owned forms would, its length apart.
    #[inline]
    fn feed_all<H: Hasher>(slice: &[Self], state: &mut H)
    where
        Self: Sized,
    {
        for element in slice {
            element.feed(state);
        }
    }

    /// Whether the owned forms are of these values.
    #[inline]
    fn all_match(slice: &[Self], owned: &[Self::Key]) -> bool
    where
        Self: Sized,
    {
        slice.len() == owned.len() && slice.iter().zip(owned).all(|(element, owned)| element.matches(owned))
    }
}

/// An argument of a [`Known`] type.
pub struct KnownPart<'a, T: ?Sized>(pub(crate) &'a T);

impl<T: ?Sized> Clone for KnownPart<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T: ?Sized> Copy for KnownPart<'_, T> {}

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

#[cfg(feature = "shared")]
impl<T: ?Sized + Known + serde::Serialize> crate::lookup::SerializePart for KnownPart<'_, T> {
    fn serialized(&self) -> &(impl serde::Serialize + ?Sized) {
        self.0
    }
}

/// The first answer of `Arg(&argument).part()`: it takes the argument by value, which method resolution tries first.
pub trait KnownArg<'a> {
    /// The argument's type.
    type Type: ?Sized;

    /// The argument as a part of the key.
    fn part(self) -> KnownPart<'a, Self::Type>;
}

impl<'a, T: ?Sized + Known> KnownArg<'a> for Arg<&'a T> {
    type Type = T;

    #[inline]
    fn part(self) -> KnownPart<'a, T> {
        KnownPart(self.0)
    }
}

/// A floating point number in a stored key, compared by its bits: `-0.0` and `0.0` are two keys, since a function can tell
/// them apart, and a NaN equals itself. The hook of `on_evict` meets it; it is used as the number it holds.
///
/// ```
/// # use memo_core as memokit;
/// fn tell(x: &memokit::ByBits<f64>) -> String {
///     format!("{x:.1}, or {:.1}", x.sqrt())
/// }
/// # let _ = tell;
/// ```
#[derive(Clone, Copy)]
pub struct ByBits<F>(F);

impl<F> std::ops::Deref for ByBits<F> {
    type Target = F;

    fn deref(&self) -> &F {
        &self.0
    }
}

impl<F: fmt::Debug> fmt::Debug for ByBits<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<F: fmt::Display> fmt::Display for ByBits<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! floats {
    ($($float:ty),*) => {$(
        impl PartialEq for ByBits<$float> {
            #[inline]
            fn eq(&self, other: &Self) -> bool {
                self.0.to_bits() == other.0.to_bits()
            }
        }

        impl Eq for ByBits<$float> {}

        impl Hash for ByBits<$float> {
            #[inline]
            fn hash<H: Hasher>(&self, state: &mut H) {
                Hash::hash(&self.0.to_bits(), state);
            }
        }

        impl Known for $float {
            type Key = ByBits<$float>;

            #[inline]
            fn feed<H: Hasher>(&self, state: &mut H) {
                Hash::hash(&ByBits(*self), state);
            }

            #[inline]
            fn matches(&self, owned: &ByBits<$float>) -> bool {
                ByBits(*self) == *owned
            }

            #[inline]
            fn to_key(&self) -> ByBits<$float> {
                ByBits(*self)
            }
        }
    )*};
}

floats!(f32, f64);

/// Types that are their own owned form.
macro_rules! leaves {
    ($($type:ty),* $(,)?) => {$(
        impl Known for $type {
            type Key = Self;

            #[inline]
            fn feed<H: Hasher>(&self, state: &mut H) {
                Hash::hash(self, state);
            }

            #[inline]
            fn matches(&self, owned: &Self) -> bool {
                self == owned
            }

            #[inline]
            fn to_key(&self) -> Self {
                self.clone()
            }

            #[inline]
            fn feed_all<H: Hasher>(slice: &[Self], state: &mut H) {
                <Self as Hash>::hash_slice(slice, state);
            }

            #[inline]
            fn all_match(slice: &[Self], owned: &[Self]) -> bool {
                slice == owned
            }
        }
    )*};
}

leaves!(
    u8,
    u16,
    u32,
    u64,
    u128,
    usize,
    i8,
    i16,
    i32,
    i64,
    i128,
    isize,
    bool,
    char,
    (),
    String,
    Arc<str>,
    OsString,
    PathBuf,
    CString,
);
leaves!(
    std::time::Duration,
    std::time::Instant,
    std::time::SystemTime,
    std::net::IpAddr,
    std::net::Ipv4Addr,
    std::net::Ipv6Addr,
    std::net::SocketAddr,
    std::cmp::Ordering,
    std::num::NonZeroU8,
    std::num::NonZeroU16,
    std::num::NonZeroU32,
    std::num::NonZeroU64,
    std::num::NonZeroU128,
    std::num::NonZeroUsize,
    std::num::NonZeroI8,
    std::num::NonZeroI16,
    std::num::NonZeroI32,
    std::num::NonZeroI64,
    std::num::NonZeroI128,
    std::num::NonZeroIsize,
);

/// Types without a size that have an owned twin of the same hash.
macro_rules! texts {
    ($($type:ty => $owned:ty),* $(,)?) => {$(
        impl Known for $type {
            type Key = $owned;

            #[inline]
            fn feed<H: Hasher>(&self, state: &mut H) {
                Hash::hash(self, state);
            }

            #[inline]
            fn matches(&self, owned: &$owned) -> bool {
                let owned: &$type = std::borrow::Borrow::borrow(owned);
                self == owned
            }

            fn to_key(&self) -> $owned {
                ToOwned::to_owned(self)
            }
        }
    )*};
}

texts!(str => String, OsStr => OsString, Path => PathBuf, CStr => CString);

/// What holds its content as if it were the content itself.
macro_rules! transparent {
    ($([$($generics:tt)*] $type:ty => $content:ty;)*) => {$(
        impl<$($generics)*> Known for $type {
            type Key = <$content as Known>::Key;

            #[inline]
            fn feed<H: Hasher>(&self, state: &mut H) {
                (**self).feed(state);
            }

            #[inline]
            fn matches(&self, owned: &Self::Key) -> bool {
                (**self).matches(owned)
            }

            fn to_key(&self) -> Self::Key {
                (**self).to_key()
            }
        }
    )*};
}

transparent! {
    [T: ?Sized + Known] &T => T;
    [T: ?Sized + Known] Box<T> => T;
    [T: Known] Vec<T> => [T];
    [T: ?Sized + Known + ToOwned] Cow<'_, T> => T;
}

impl<T: Known> Known for [T] {
    type Key = Vec<T::Key>;

    #[inline]
    fn feed<H: Hasher>(&self, state: &mut H) {
        state.write_usize(self.len());
        T::feed_all(self, state);
    }

    #[inline]
    fn matches(&self, owned: &Self::Key) -> bool {
        T::all_match(self, owned)
    }

    fn to_key(&self) -> Self::Key {
        self.iter().map(T::to_key).collect()
    }
}

impl<T: Known, const N: usize> Known for [T; N] {
    type Key = [T::Key; N];

    #[inline]
    fn feed<H: Hasher>(&self, state: &mut H) {
        self.as_slice().feed(state);
    }

    #[inline]
    fn matches(&self, owned: &Self::Key) -> bool {
        T::all_match(self, owned)
    }

    fn to_key(&self) -> Self::Key {
        self.each_ref().map(T::to_key)
    }
}

impl<T: Known> Known for Option<T> {
    type Key = Option<T::Key>;

    #[inline]
    fn feed<H: Hasher>(&self, state: &mut H) {
        // What the derived `Hash` of `Option` does.
        Hash::hash(&std::mem::discriminant(self), state);
        if let Some(content) = self {
            content.feed(state);
        }
    }

    #[inline]
    fn matches(&self, owned: &Self::Key) -> bool {
        match (self, owned) {
            (Some(content), Some(owned)) => content.matches(owned),
            (None, None) => true,
            _ => false,
        }
    }

    fn to_key(&self) -> Self::Key {
        self.as_ref().map(T::to_key)
    }
}

macro_rules! tuples {
    ($(($($T:ident $at:tt),+);)*) => {$(
        impl<$($T: Known),+> Known for ($($T,)+) {
            type Key = ($($T::Key,)+);

            #[inline]
            fn feed<HH: Hasher>(&self, state: &mut HH) {
                $(self.$at.feed(state);)+
            }

            #[inline]
            fn matches(&self, owned: &Self::Key) -> bool {
                $(self.$at.matches(&owned.$at))&&+
            }

            fn to_key(&self) -> Self::Key {
                ($(self.$at.to_key(),)+)
            }
        }
    )*};
}

tuples! {
    (A 0);
    (A 0, B 1);
    (A 0, B 1, C 2);
    (A 0, B 1, C 2, D 3);
    (A 0, B 1, C 2, D 3, E 4);
    (A 0, B 1, C 2, D 3, E 4, F 5);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6);
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);
}

#[cfg(test)]
mod tests;
