//! How a value becomes the bytes of an entry.
//!
//! | codec | bytes | reads values of a type that has since gained a field |
//! |---|---|---|
//! | [`Postcard`], the default | smallest, fastest | no: bump `version` |
//! | [`MessagePack`], feature `messagepack` | small | yes, with `#[serde(default)]` |
//! | [`CompactMessagePack`], feature `messagepack` | smaller | the last field, with `#[serde(default)]` |
//! | [`Json`], feature `json` | readable | yes, with `#[serde(default)]` |
//! | [`PrettyJson`], feature `json` | indented | yes, with `#[serde(default)]` |
//! | [`Bincode`], feature `bincode` | small | no; for readers of that format |
//!
//! A codec that is another way to write the same format (`PrettyJson`, `CompactMessagePack`) reads the entries of its
//! sibling, and its own are read by it.
//!
//! What a codec reads back equals what it wrote. Where a format can't hold a value, writing it is an error instead of
//! a value that comes back changed, and the entry is not stored:
//! - Values nested deeper than [`MAX_DEPTH`] levels: hostile bytes of such depth would end the stack of their reader.
//! - Postcard, bincode and compact `MessagePack` don't name fields, so a field that `skip_serializing_if` left out would be taken for the one
//!   after it.
//! - JSON and `MessagePack` write `Some(None)` and `Some(())` like `None`, and JSON has no NaN and no infinity.
//!
//! A type whose `Serialize` and `Deserialize` don't belong together (`skip_serializing` without
//! `skip_deserializing`) is its author's to mend; no codec can see it.
//!
//! Hostile or damaged bytes are an error, never a panic, and cost memory in proportion to their own length.

mod faithful;
mod limits;
mod postcard;

#[cfg(feature = "bincode")]
mod bincode;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "messagepack")]
mod messagepack;

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
#[cfg(feature = "json")]
pub use self::json::{Json, PrettyJson};
#[cfg(feature = "messagepack")]
pub use self::messagepack::{CompactMessagePack, MessagePack};
pub use self::postcard::Postcard;

#[doc(hidden)]
pub use super::plain::Framing;
use crate::error::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::any::type_name;

/// How deep a value may be nested: each element, field, key, `Some` and content of a newtype is one level below what
/// holds it. JSON stops earlier where enums nest, since each of them is two levels of its own.
pub const MAX_DEPTH: u32 = 128;

/// Turns values into bytes and back.
///
/// An implementation must append to `out` and leave alone what is there, refuse bytes behind the value, read back what
/// it wrote as an equal value, and neither panic nor allocate without measure whatever bytes it is given.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::codec::{Codec, Postcard};
/// use memokit::{Error, ErrorKind};
/// use serde::{Serialize, de::DeserializeOwned};
///
/// /// Postcard behind a mark of its own.
/// struct Marked;
///
/// impl Codec for Marked {
///     const ID: u8 = 200;
///     const NAME: &'static str = "marked";
///
///     fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
///         let start = out.len();
///         out.push(b'!');
///         Postcard::encode(value, out).inspect_err(|_| out.truncate(start))
///     }
///
///     fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
///         let rest = bytes.strip_prefix(b"!").ok_or_else(|| Error::new(ErrorKind::Codec, "decoding without a mark"))?;
///         Postcard::decode(rest)
///     }
/// }
///
/// let mut out = Vec::new();
/// Marked::encode("tea", &mut out)?;
/// assert_eq!(out, b"!\x03tea");
/// assert_eq!(Marked::decode::<String>(&out)?, "tea");
/// # Ok::<(), Error>(())
/// ```
pub trait Codec: 'static {
    /// Says in each entry which codec wrote it. 1 to 127 are the library's, 128 to 255 the users'.
    const ID: u8;
    /// The name in messages.
    const NAME: &'static str;
    /// How it frames values that are bytes or text and nothing else, which the library then reads and writes itself.
    #[doc(hidden)]
    const FRAMING: Framing = Framing::Serde;

    /// Appends the value's bytes to `out`. On an error `out` is as it was.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`] where the format can't hold the value.
    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error>;

    /// The value of which these are the bytes, all of them.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Codec`] where they aren't such bytes. The error says nothing of their content.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error>;
}

/// Runs `encode` after `rules` have let the value pass, and takes back what it wrote if it fails.
fn append<C: Codec, T: Serialize + ?Sized, const RULES: u8>(
    value: &T,
    out: &mut Vec<u8>,
    encode: impl FnOnce(&mut Vec<u8>) -> Result<(), Cause>,
) -> Result<(), Error> {
    let start = out.len();
    let done = faithful::check::<T, RULES>(value).map_err(Cause::from).and_then(|()| encode(out));
    done.map_err(|cause| {
        out.truncate(start);
        Error::new(ErrorKind::Codec, format!("encoding {} with {}", type_name::<T>(), C::NAME))
            .advise("change the type or the `codec`")
            .because(cause)
    })
}

/// `cause` must not quote the bytes: they may be a secret.
#[cold]
fn unreadable<C: Codec, T>(bytes: &[u8], cause: impl Into<Cause>) -> Error {
    let attempted = format!("decoding {} bytes of {} into {}", bytes.len(), C::NAME, type_name::<T>());
    Error::new(ErrorKind::Codec, attempted).because(cause)
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

const TRAILING: &str = "bytes are left over behind the value";
const MISFIT: &str = "the bytes don't fit the type";
