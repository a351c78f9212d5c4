//! `MessagePack`: small, and still with names, so that types may grow.

use super::{Cause, Codec, MISFIT, TRAILING, append, faithful, limits, unreadable};
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

/// Some of its errors quote what they found.
fn told(error: decode::Error) -> Cause {
    match error {
        decode::Error::Uncategorized(_) | decode::Error::Syntax(_) => MISFIT.into(),
        other => other.into(),
    }
}
