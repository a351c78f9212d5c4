//! JSON: readable in the store, and by programs in other languages.

use super::{Codec, append, faithful, unreadable};
use crate::error::Error;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// JSON, with numbers read back exactly.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::codec::{Codec, Json};
///
/// let mut out = Vec::new();
/// Json::encode(&(0.1, "tea"), &mut out)?;
/// assert_eq!(out, b"[0.1,\"tea\"]");
/// assert_eq!(Json::decode::<(f64, String)>(&out)?, (0.1, "tea".to_owned()));
/// assert!(Json::encode(&Some(None::<u8>), &mut out).is_err(), "would come back as None");
/// assert!(Json::encode(&f64::NAN, &mut out).is_err());
/// # Ok::<(), memokit::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Json;

impl Codec for Json {
    const ID: u8 = 2;
    const NAME: &'static str = "JSON";

    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
        append::<Self, T, { faithful::NO_SOME_OF_NULL | faithful::NO_ODD_FLOAT }>(value, out, |out| {
            Ok(serde_json::to_writer(out, value)?)
        })
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
        // It refuses what follows the value, and nests 128 levels at most. Its error may quote the text.
        serde_json::from_slice(bytes).map_err(|error| {
            let (what, line, column) = (error.classify(), error.line(), error.column());
            unreadable::<Self, T>(bytes, format!("a {what:?} error at line {line}, column {column}"))
        })
    }
}

/// [`Json`] with line breaks and indents, for entries that people read. Each of the two reads what the other wrote.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::codec::{Codec, Json, PrettyJson};
///
/// let mut out = Vec::new();
/// PrettyJson::encode(&(1, "tea"), &mut out)?;
/// assert_eq!(out, b"[\n  1,\n  \"tea\"\n]");
/// assert_eq!(Json::decode::<(u8, String)>(&out)?, (1, "tea".to_owned()));
/// # Ok::<(), memokit::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct PrettyJson;

impl Codec for PrettyJson {
    const ID: u8 = Json::ID;
    const NAME: &'static str = Json::NAME;

    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
        append::<Self, T, { faithful::NO_SOME_OF_NULL | faithful::NO_ODD_FLOAT }>(value, out, |out| {
            Ok(serde_json::to_writer_pretty(out, value)?)
        })
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
        Json::decode(bytes)
    }
}
