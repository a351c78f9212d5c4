//! `MessagePack`: small, and still with names, so that types may grow.

use super::{Cause, Codec, Framing, MISFIT, TRAILING, append, faithful, limits, unreadable};
use crate::error::Error;
use rmp_serde::decode;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// [MessagePack](https://msgpack.org), with structs as maps of their fields' names.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::codec::{Codec, MessagePack};
///
/// let mut out = Vec::new();
/// MessagePack::encode(&(1_u8, "tea"), &mut out)?;
/// assert_eq!(out, b"\x92\x01\xa3tea");
/// assert_eq!(MessagePack::decode::<(u8, String)>(&out)?, (1, "tea".to_owned()));
/// assert!(MessagePack::encode(&Some(()), &mut out).is_err(), "would come back as None");
/// # Ok::<(), memokit::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct MessagePack;

impl Codec for MessagePack {
    const ID: u8 = 3;
    const NAME: &'static str = "MessagePack";
    const FRAMING: Framing = Framing::MessagePack;

    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
        append::<Self, T, { faithful::NO_SOME_OF_NULL }>(value, out, |out| {
            let mut writer = rmp_serde::Serializer::new(out).with_struct_map();
            Ok(value.serialize(&mut writer)?)
        })
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
        let mut reader = rmp_serde::Deserializer::from_read_ref(bytes);
        // Its own limit counts lists and maps, but neither enums nor options.
        let value =
            limits::decode(&mut reader, bytes.len()).map_err(|error| unreadable::<Self, T>(bytes, told(error)))?;
        // The reader doesn't tell how far it got. Asked for one thing more, it finds no marker only at the end.
        match u8::deserialize(&mut reader) {
            Err(decode::Error::InvalidMarkerRead(_)) => Ok(value),
            _ => Err(unreadable::<Self, T>(bytes, TRAILING)),
        }
    }
}

/// [`MessagePack`] with structs as arrays, without the names of their fields: smaller and faster. Each of the two reads
/// what the other wrote.
///
/// Fields are known by their place: new ones go last and have `#[serde(default)]`, and a field that
/// `skip_serializing_if` left out is an error.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::codec::{Codec, CompactMessagePack, MessagePack};
/// # use serde::{Deserialize, Serialize};
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Tea {
///     grams: u8,
/// }
///
/// let (mut compact, mut named) = (Vec::new(), Vec::new());
/// CompactMessagePack::encode(&Tea { grams: 3 }, &mut compact)?;
/// MessagePack::encode(&Tea { grams: 3 }, &mut named)?;
/// assert_eq!((&compact[..], &named[..]), (&b"\x91\x03"[..], &b"\x81\xa5grams\x03"[..]));
/// assert_eq!(MessagePack::decode::<Tea>(&compact)?, CompactMessagePack::decode(&named)?);
/// # Ok::<(), memokit::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct CompactMessagePack;

impl Codec for CompactMessagePack {
    const ID: u8 = MessagePack::ID;
    const NAME: &'static str = MessagePack::NAME;
    const FRAMING: Framing = Framing::MessagePack;

    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
        append::<Self, T, { faithful::NO_SOME_OF_NULL | faithful::NO_SKIPPED_FIELD }>(value, out, |out| {
            Ok(value.serialize(&mut rmp_serde::Serializer::new(out))?)
        })
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
        MessagePack::decode(bytes)
    }
}

/// Some of its errors quote what they found.
fn told(error: decode::Error) -> Cause {
    match error {
        decode::Error::Uncategorized(_) | decode::Error::Syntax(_) => MISFIT.into(),
        other => other.into(),
    }
}
