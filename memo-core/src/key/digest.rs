//! The digest of one call's arguments.

use super::canonical::Encoder;
use super::sink::Sink;
use crate::error::{Error, ErrorKind};
use serde::Serialize;
use std::any::type_name;
use std::fmt;

/// The layout of the digest's input that `docs/key-format.md` describes. Another layout takes another number, so that
/// no digest of one is ever a digest of the other.
const LAYOUT: u8 = 0x01;
const NO_INSTANCE: u8 = 0x00;
const INSTANCE: u8 = 0x01;

/// 256 bits that stand for a value: equal values have equal digests on every platform and in every run, and different
/// values have different ones.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::key::Digest;
///
/// assert_eq!(Digest::of("tea")?, Digest::of(&String::from("tea"))?);
/// assert_ne!(Digest::of(&1_u64)?, Digest::of("1")?);
/// assert_ne!(Digest::of(&("ab", "c"))?, Digest::of(&("a", "bc"))?);
/// # Ok::<(), memokit::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of a value.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Key`] where the value's own `Serialize` fails, which is the source, or where it is nested deeper
    /// than [`MAX_DEPTH`](super::MAX_DEPTH).
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::key::Digest;
    /// use std::collections::HashSet;
    ///
    /// let (some, other) = (HashSet::from([1, 2, 3]), HashSet::from([3, 2, 1]));
    /// assert_eq!(Digest::of(&some)?, Digest::of(&other)?);
    /// # Ok::<(), memokit::Error>(())
    /// ```
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Digest, Error> {
        let mut sink = Sink::new();
        sink.pair(LAYOUT, NO_INSTANCE);
        finish(sink, value)
    }

    /// The digest of a value for one instance of a generic function: the text, such as the names of its type
    /// arguments, is part of the digest.
    ///
    /// # Errors
    ///
    /// Those of [`of`](Digest::of).
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::key::Digest;
    ///
    /// assert_ne!(Digest::of_instance("u8", &1_u8)?, Digest::of_instance("i8", &1_u8)?);
    /// assert_ne!(Digest::of_instance("", &1_u8)?, Digest::of(&1_u8)?);
    /// # Ok::<(), memokit::Error>(())
    /// ```
    pub fn of_instance<T: Serialize + ?Sized>(instance: &str, value: &T) -> Result<Digest, Error> {
        let mut sink = Sink::new();
        sink.pair(LAYOUT, INSTANCE);
        sink.text(instance.as_bytes());
        finish(sink, value)
    }

    /// The 32 bytes.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::key::Digest;
    ///
    /// assert_eq!(Digest::of(&1_u8)?.as_bytes().len(), 32);
    /// # Ok::<(), memokit::Error>(())
    /// ```
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn finish<T: Serialize + ?Sized>(sink: Sink, value: &T) -> Result<Digest, Error> {
    let mut encoder = Encoder::new(sink);
    match encoder.value(value) {
        Ok(()) => Ok(Digest(encoder.finish())),
        Err(failure) => Err(refused(type_name::<T>(), failure)),
    }
}

#[cold]
fn refused(name: &str, failure: super::canonical::Failure) -> Error {
    Error::new(ErrorKind::Key, format!("making a key of {name}"))
        .advise("give the function a `key =` of plain values, or `ignore` the argument that can't be serialized")
        .because(failure)
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(blake3::Hash::from_bytes(self.0).to_hex().as_str())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}
