//! What a sealed value is in the store: `docs/entry-format.md` is the specification.

use super::method::{MAX_RATIO, Method};
use super::secret::{SIGNATURE, Secret};
use crate::shared::entry::{self, Reject};
use std::borrow::Cow;
use std::fmt;

/// Where an entry has its version, which no entry of its own will have.
const START: [u8; 5] = *b"MEMO\x81";
/// Magic, version, method, flags and length.
const HEADER: usize = 16;
const CHECKSUM: usize = 8;
const SIGNED: u16 = 1;
const MAX_BYTES: usize = 64 << 20;

/// How values are sealed.
pub(super) struct Seal {
    pub(super) secret: Option<Secret>,
    #[cfg(any(feature = "lz4", feature = "zstd"))]
    pub(super) compression: Option<super::Compression>,
    pub(super) max_bytes: usize,
}

impl Seal {
    pub(super) fn new() -> Self {
        Seal {
            secret: None,
            #[cfg(any(feature = "lz4", feature = "zstd"))]
            compression: None,
            max_bytes: MAX_BYTES,
        }
    }

    /// What to store for a value.
    pub(super) fn close<'a>(&self, key: &str, value: &'a [u8]) -> Cow<'a, [u8]> {
        if is_number(value) {
            return Cow::Borrowed(value);
        }
        let (method, mut out) = match self.compress(value) {
            Some(smaller) => smaller,
            // What looks like an envelope and is none needs one, or it would be opened.
            None if self.secret.is_none() && !value.starts_with(&START) => return Cow::Borrowed(value),
            None => {
                let mut out = Vec::with_capacity(HEADER + value.len() + SIGNATURE);
                out.resize(HEADER, 0);
                out.extend_from_slice(value);
                (Method::Stored, out)
            }
        };
        out[..START.len()].copy_from_slice(&START);
        out[START.len()] = method.number();
        out[8..HEADER].copy_from_slice(&(value.len() as u64).to_le_bytes());
        match &self.secret {
            Some(secret) => {
                out[6..8].copy_from_slice(&SIGNED.to_le_bytes());
                let signature = secret.sign(key, &out);
                out.extend_from_slice(&signature);
            }
            None => out.extend_from_slice(&entry::checksum(key, &out).to_le_bytes()),
        }
        Cow::Owned(out)
    }

    /// Room for a header, and the compressed value behind it, if it is smaller and a reader takes it.
    #[cfg(any(feature = "lz4", feature = "zstd"))]
    fn compress(&self, value: &[u8]) -> Option<(Method, Vec<u8>)> {
        let compression = self.compression.as_ref().filter(|compression| value.len() >= compression.above)?;
        if value.len() > self.max_bytes {
            return None;
        }
        let out = compression.compress(value, HEADER)?;
        (out.len() + SIGNATURE < value.len()).then_some((compression.method, out))
    }

    #[cfg(not(any(feature = "lz4", feature = "zstd")))]
    #[expect(clippy::unused_self, reason = "as with a method")]
    fn compress(&self, _: &[u8]) -> Option<(Method, Vec<u8>)> {
        None
    }

    /// The value that was stored as these bytes under this key, lent where it lies in them. Under a secret nothing of
    /// them is looked at before their signature.
    pub(super) fn open<'a>(&self, key: &str, stored: &'a [u8]) -> Result<Cow<'a, [u8]>, Reject> {
        if is_number(stored) {
            return Ok(Cow::Borrowed(stored));
        }
        let covered = match &self.secret {
            Some(secret) => {
                let (covered, signature) = stored.split_last_chunk::<SIGNATURE>().ok_or(Reject::Signature)?;
                if !secret.believes(key, covered, *signature) {
                    return Err(Reject::Signature);
                }
                covered
            }
            None if !stored.starts_with(&START) => return Ok(Cow::Borrowed(stored)),
            None => stored,
        };
        let (header, rest) = covered.split_first_chunk::<HEADER>().ok_or(Reject::TooShort)?;
        let [m0, m1, m2, m3, version, method, f0, f1, length @ ..] = *header;
        if [m0, m1, m2, m3, version] != START {
            return Err(Reject::Version);
        }
        let body = match (u16::from_le_bytes([f0, f1]), &self.secret) {
            (SIGNED, Some(_)) => rest,
            (SIGNED, None) => return Err(Reject::Signature),
            (0, None) => {
                let (covered, sum) = covered.split_last_chunk::<CHECKSUM>().ok_or(Reject::TooShort)?;
                if entry::checksum(key, covered) != u64::from_le_bytes(*sum) {
                    return Err(Reject::Checksum);
                }
                covered.get(HEADER..).ok_or(Reject::TooShort)?
            }
            _ => return Err(Reject::Flags),
        };
        let length = usize::try_from(u64::from_le_bytes(length)).map_err(|_| Reject::TooLarge)?;
        let method = Method::of(method).ok_or(Reject::Compression)?;
        if method == Method::Stored {
            return if length == body.len() { Ok(Cow::Borrowed(body)) } else { Err(Reject::Length) };
        }
        if length > self.max_bytes || length / MAX_RATIO > body.len() {
            return Err(Reject::TooLarge);
        }
        method.decompress(body, length).map(Cow::Owned).ok_or(Reject::Compression)
    }

    /// [`open`](Seal::open) for bytes that are owned, with a refusal for bytes that can't be opened.
    pub(super) fn open_owned(&self, key: &str, mut stored: Vec<u8>) -> Vec<u8> {
        let length = match self.open(key, &stored) {
            Ok(Cow::Owned(value)) => return value,
            Ok(Cow::Borrowed(value)) => value.len(),
            Err(reject) => return reject.refusal().to_vec(),
        };
        if length < stored.len() {
            stored.truncate(HEADER + length);
            stored.drain(..HEADER);
        }
        stored
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut fields = f.debug_struct("Seal");
        fields.field("signed", &self.secret.is_some());
        #[cfg(any(feature = "lz4", feature = "zstd"))]
        fields.field("compression", &self.compression);
        fields.field("max_bytes", &self.max_bytes).finish()
    }
}

/// What the store counts with, in the one way in which it writes it.
fn is_number(bytes: &[u8]) -> bool {
    let digits = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let plain = matches!(digits, [b'1'..=b'9', ..]) || bytes == b"0";
    plain && std::str::from_utf8(bytes).is_ok_and(|text| text.parse::<i64>().is_ok())
}
