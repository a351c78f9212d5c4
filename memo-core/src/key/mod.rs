//! Keys of the shared level: the same call has the same text in every process, and no two calls share one.
//!
//! A [`Key`] is the [`Prefix`] of the function, its version and a [`Digest`] of the arguments. The digest is BLAKE3
//! over a canonical encoding of the arguments as serde sees them; `docs/key-format.md` writes it down byte by byte.
//!
//! What "as serde sees them" means:
//! - Maps and sets have no order. A map is what serializes as a map; a set is what serializes as a sequence and whose
//!   type is called `HashSet`, `IndexSet` or `…HashSet`, also behind references, `Box`, `Rc`, `Arc`, `Cow`, cells and
//!   locks. A set inside a `#[serde(transparent)]` or `serialize_with` wrapper is a sequence to us: two equal ones may
//!   have two keys, which costs a load and never returns a wrong value.
//! - Collections that compare their order (`Linked…Map`, `Order…Map`, `…Set`) keep it.
//! - Values that serialize alike are one value: two variants of an `#[serde(untagged)]` enum that hold the same
//!   number, or values that differ in a `#[serde(skip)]` field only.
//! - Nesting is limited to [`MAX_DEPTH`] levels, so that no value overflows the stack.
//!
//! A value goes into the hash as it is serialized, piece by piece: however large it is, making its key takes no more
//! than a few kilobytes. What has no order takes 32 bytes beside for each entry of a map or element of a set, as their
//! digests are sorted. A text that a type shows through `Display` (`collect_str`) of more than 128 bytes is shown twice,
//! and must be the same both times.

mod canonical;
mod collections;
mod digest;
mod order;
mod prefix;
mod sink;
mod text;

pub use canonical::MAX_DEPTH;
pub use digest::Digest;
pub use prefix::{MAX_PREFIX_BYTES, Prefix};

use std::fmt;

/// The digits of a digest at the end of a key.
const DIGITS: usize = 64;

/// The name of one entry in a shared cache: `memo:{prefix}:{version}:{64 hexadecimal digits}`.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::key::{Digest, Prefix};
///
/// let key = Prefix::new("shop::price", 2).key(&Digest::of(&("tea", 3_u32))?);
/// assert!(key.text().starts_with("memo:shop/price:2:"));
/// assert_eq!(key, Prefix::new("shop::price", 2).key(&Digest::of(&("tea", 3_u32))?));
/// # Ok::<(), memokit::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Key {
    text: Box<str>,
}

impl Key {
    /// The text that a backend stores the entry under: ASCII, fewer than [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES).
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::key::{Digest, Prefix};
    ///
    /// let key = Prefix::new("now", 0).key(&Digest::of(&())?);
    /// assert_eq!(key.text().len(), "memo:now:0:".len() + 64);
    /// # Ok::<(), memokit::Error>(())
    /// ```
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of its [`Prefix`].
    pub(crate) fn prefix(&self) -> &str {
        &self.text[..self.text.len() - DIGITS]
    }
}

impl AsRef<str> for Key {
    fn as_ref(&self) -> &str {
        &self.text
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.text)
    }
}
