//! Postcard: the smallest and fastest of the formats, for readers that know the type.

use super::{Codec, Framing, MISFIT, TRAILING, append, faithful, limits, unreadable};
use crate::error::Error;
use postcard::ser_flavors::Flavor;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The default codec: [postcard](https://docs.rs/postcard) 1.
///
/// It doesn't describe its types: values that ask what is there (`#[serde(untagged)]`, internally tagged enums,
/// `flatten`, `serde_json::Value`) need another codec.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::codec::{Codec, Postcard};
///
/// let mut out = Vec::new();
/// Postcard::encode(&(1_u8, "tea"), &mut out)?;
/// assert_eq!(out, b"\x01\x03tea");
/// assert_eq!(Postcard::decode::<(u8, String)>(&out)?, (1, "tea".to_owned()));
/// assert!(Postcard::decode::<(u8, String)>(b"\x01\x03tea!").is_err());
/// # Ok::<(), memokit::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Postcard;

impl Codec for Postcard {
    const ID: u8 = 1;
    const NAME: &'static str = "postcard";
    const FRAMING: Framing = Framing::Groups;

    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
        append::<Self, T, { faithful::NO_SKIPPED_FIELD }>(value, out, |out| {
            Ok(postcard::serialize_with_flavor(value, Append(out))?)
        })
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
        let mut reader = postcard::Deserializer::from_bytes(bytes);
        // Postcard's errors are names without content.
        let value = limits::decode(&mut reader, bytes.len()).map_err(|cause| unreadable::<Self, T>(bytes, cause))?;
        match reader.finalize() {
            Ok([]) => Ok(value),
            Ok(_) => Err(unreadable::<Self, T>(bytes, TRAILING)),
            Err(_) => Err(unreadable::<Self, T>(bytes, MISFIT)),
        }
    }
}

/// Writes behind what the buffer holds already; postcard's own flavors return a buffer of theirs.
struct Append<'a>(&'a mut Vec<u8>);

impl Flavor for Append<'_> {
    type Output = ();

    #[inline]
    fn try_extend(&mut self, data: &[u8]) -> postcard::Result<()> {
        self.0.extend_from_slice(data);
        Ok(())
    }

    #[inline]
    fn try_push(&mut self, data: u8) -> postcard::Result<()> {
        self.0.push(data);
        Ok(())
    }

    fn finalize(self) -> postcard::Result<()> {
        Ok(())
    }
}
