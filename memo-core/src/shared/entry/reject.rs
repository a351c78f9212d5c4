//! Why bytes are no hit, and how a cache hands its reason on to their reader.

use super::MAGIC;
use std::fmt;

/// Why the bytes under a key are no hit.
///
/// [`read`](super::read) finds those up to [`Tag`](Reject::Tag); those from [`Codec`](Reject::Codec) to [`Expired`](Reject::Expired)
/// are for its caller, who knows the function; the others come from a `Sealed` cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Reject {
    /// Fewer bytes than any entry has.
    TooShort,
    /// Not an entry.
    Magic,
    /// An entry of another version of the format.
    Version,
    /// An entry that uses something this version doesn't know.
    Flags,
    /// A length in it doesn't fit the bytes there are.
    Length,
    /// Damaged, or written under another key.
    Checksum,
    /// A tag isn't text.
    Tag,
    /// Encoded by another codec than the function's.
    Codec,
    /// The value has another type.
    Schema,
    /// The codec can't make a value of it.
    Decode,
    /// Its time has passed.
    Expired,
    /// Not signed, or not with a secret of this process.
    Signature,
    /// Compressed in a way that this build can't read, or damaged.
    Compression,
    /// Larger, when it is unpacked, than this process takes.
    TooLarge,
}

/// Instead of a version: no entry, but the number of a [`Reject`].
const REFUSED: u8 = 0;

/// What a `Sealed` cache may find wrong, in the order of the format.
const REFUSALS: [Reject; 8] = [
    Reject::TooShort,
    Reject::Version,
    Reject::Flags,
    Reject::Length,
    Reject::Checksum,
    Reject::Signature,
    Reject::Compression,
    Reject::TooLarge,
];

impl Reject {
    /// A word for counters and events.
    ///
    /// ```
    /// use memo_core::entry::{self, Reject};
    ///
    /// assert_eq!(entry::read("key", b"junk"), Err(Reject::TooShort));
    /// assert_eq!(Reject::TooShort.reason(), "too short");
    /// ```
    #[must_use]
    pub fn reason(self) -> &'static str {
        match self {
            Reject::TooShort => "too short",
            Reject::Magic => "magic",
            Reject::Version => "version",
            Reject::Flags => "flags",
            Reject::Length => "length",
            Reject::Checksum => "checksum",
            Reject::Tag => "tag",
            Reject::Codec => "codec",
            Reject::Schema => "schema",
            Reject::Decode => "decode",
            Reject::Expired => "expired",
            Reject::Signature => "signature",
            Reject::Compression => "compression",
            Reject::TooLarge => "too large",
        }
    }

    /// What a cache hands on instead of bytes that it refuses, so that their reader counts its reason.
    #[cfg(feature = "sealed")]
    pub(crate) fn refusal(self) -> [u8; 6] {
        let [m0, m1, m2, m3] = MAGIC;
        let number = REFUSALS.into_iter().zip(0..).find(|(reject, _)| *reject == self).map_or(u8::MAX, |(_, n)| n);
        [m0, m1, m2, m3, REFUSED, number]
    }
}

/// The reason why there are too few bytes for an entry: another cache's, if these are its refusal.
#[cold]
pub(super) fn too_short(bytes: &[u8]) -> Reject {
    match bytes {
        [m0, m1, m2, m3, REFUSED, number] if [*m0, *m1, *m2, *m3] == MAGIC => {
            REFUSALS.get(usize::from(*number)).copied().unwrap_or(Reject::Version)
        }
        _ => Reject::TooShort,
    }
}

impl fmt::Display for Reject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.reason())
    }
}
