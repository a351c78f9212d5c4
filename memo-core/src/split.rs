//! A tuple that is spelled in a signature, as its parts: each of them can then be of any type.

use crate::lookup::{Arg, Part, Parts};
use std::hash::Hasher;

/// An argument that is a tuple, and its elements as parts.
pub struct SplitPart<'a, T, P> {
    /// What a serializer sees.
    whole: &'a T,
    parts: P,
}

impl<T, P: Clone> Clone for SplitPart<'_, T, P> {
    fn clone(&self) -> Self {
        SplitPart { whole: self.whole, parts: self.parts.clone() }
    }
}

impl<T, P: Copy> Copy for SplitPart<'_, T, P> {}

impl<'a, T> Arg<&'a T> {
    /// The argument as these parts.
    #[inline]
    #[must_use]
    pub fn split<P: Parts>(&self, parts: P) -> SplitPart<'a, T, P> {
        SplitPart { whole: self.0, parts }
    }
}

impl<T, P: Parts> Part for SplitPart<'_, T, P> {
    type Owned = P::Owned;

    #[inline]
    fn hash<H: Hasher>(self, state: &mut H) {
        self.parts.hash(state);
    }

    #[inline]
    fn is(self, owned: &P::Owned) -> bool {
        self.parts.are(owned)
    }

    fn to_owned(self) -> P::Owned {
        self.parts.to_owned()
    }
}

#[cfg(feature = "shared")]
impl<T: serde::Serialize, P: Parts> crate::lookup::SerializePart for SplitPart<'_, T, P> {
    fn serialized(&self) -> &(impl serde::Serialize + ?Sized) {
        self.whole
    }
}
