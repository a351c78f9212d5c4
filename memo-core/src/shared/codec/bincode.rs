//! Bincode, for stores that readers of that format share.

use super::{Cause, Codec, Framing, MISFIT, TRAILING, append, faithful, limits, unreadable};
use crate::error::Error;
use bincode::config::{self, Configuration, Limit, LittleEndian, Varint};
use bincode::error::DecodeError;
use bincode::serde::{encode_into_std_write, seed_decode_from_slice};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest value, in bytes as they are stored.
const LIMIT: usize = 64 << 20;

/// The reader counts a number at its width in memory, which is up to sixteen times that of its bytes; counting the
/// stored bytes only would refuse values that were written without complaint.
const READ_LIMIT: usize = 16 * LIMIT;

const CONFIG: Configuration<LittleEndian, Varint, Limit<READ_LIMIT>> = config::standard().with_limit::<READ_LIMIT>();

const TOO_LONG: &str = "the value has more than 64 MiB";

/// [bincode](https://docs.rs/bincode/2.0.1) 2 in its standard configuration, for values of up to 64 MiB.
///
/// Bincode is no longer maintained (RUSTSEC-2025-0141): this is for readers of that format, others take
/// [`Postcard`](super::Postcard).
///
/// ```
/// # use memo_core as memokit;
/// use memokit::codec::{Bincode, Codec};
///
/// let mut out = Vec::new();
/// Bincode::encode(&(1_u8, "tea"), &mut out)?;
/// assert_eq!(out, b"\x01\x03tea");
/// assert_eq!(Bincode::decode::<(u8, String)>(&out)?, (1, "tea".to_owned()));
/// # Ok::<(), memokit::Error>(())
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Bincode;

impl Codec for Bincode {
    const ID: u8 = 4;
    const NAME: &'static str = "bincode";
    const FRAMING: Framing = Framing::Marked;

    fn encode<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), Error> {
        append::<Self, T, { faithful::NO_SKIPPED_FIELD }>(value, out, |out| {
            let written = encode_into_std_write(value, out, CONFIG)?;
            if written > LIMIT { Err(TOO_LONG.into()) } else { Ok(()) }
        })
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
        if bytes.len() > LIMIT {
            return Err(unreadable::<Self, T>(bytes, TOO_LONG));
        }
        // Lengths within the bytes are bounded by what is left of them: see `limits`.
        match seed_decode_from_slice(limits::seed::<T>(bytes.len()), bytes, CONFIG) {
            Ok((value, read)) if read == bytes.len() => Ok(value),
            Ok(_) => Err(unreadable::<Self, T>(bytes, TRAILING)),
            Err(error) => Err(unreadable::<Self, T>(bytes, told(error))),
        }
    }
}

/// Some of its errors quote what they found.
fn told(error: DecodeError) -> Cause {
    match error {
        DecodeError::OtherString(_) | DecodeError::Serde(_) => MISFIT.into(),
        other => other.into(),
    }
}
