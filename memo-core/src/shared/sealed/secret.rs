//! What values are signed with, and whether they were.

use crate::{Error, ErrorKind};
use std::fmt;
use std::sync::Arc;
use zeroize::{Zeroize, Zeroizing};

/// Fewer bytes can be guessed.
const MIN_BYTES: usize = 16;
/// Says what the derived key is for. Part of the format: another one makes all that was signed a miss.
const PURPOSE: &str = "memokit 2026-11-28 authentication of sealed values";

/// What follows signed bytes.
pub(super) const SIGNATURE: usize = blake3::OUT_LEN;

/// The secret of a [`Sealed`](crate::Sealed) cache, the same in all processes that share it.
///
/// Make it of random bytes, as by `openssl rand -hex 32`, and a different one for each store. It is hashed into a key at
/// once; that key is in memory as long as this is, and wiped after. Nothing shows it.
#[derive(Clone)]
pub struct Secret {
    /// Signs.
    first: Key,
    /// Are believed too.
    others: Vec<Key>,
}

/// In one place in memory, whatever is moved or cloned around it.
#[derive(Clone)]
struct Key(Arc<Zeroizing<[u8; blake3::KEY_LEN]>>);

impl Secret {
    /// A secret of these bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for fewer than 16 bytes.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::Secret;
    ///
    /// assert!(Secret::new("swordfish").is_err());
    /// let secret = Secret::new("0f8fad5bd9cb469fa16570867728950e")?;
    /// assert_eq!(format!("{secret:?}"), "Secret { .. }");
    /// # Ok::<(), memokit::Error>(())
    /// ```
    pub fn new(secret: impl AsRef<[u8]>) -> Result<Self, Error> {
        Ok(Secret { first: Key::new(secret.as_ref())?, others: Vec::new() })
    }

    /// Values that were signed with this other secret are found too, but none is signed with it.
    ///
    /// To change a secret without a miss, deploy three times: first `Secret::new(old)?.or(new)?`, then
    /// `Secret::new(new)?.or(old)?`, and `Secret::new(new)?` when the last value that was signed with the old one has
    /// expired. Where the old one has leaked, go to the last at once.
    ///
    /// # Errors
    /// As for [`new`](Secret::new).
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::Secret;
    ///
    /// let (new, old) = ("0f8fad5bd9cb469fa16570867728950e", "7c9e6679742540de944be07fc1f90ae7");
    /// let secret = Secret::new(new)?.or(old)?;
    /// # Ok::<(), memokit::Error>(())
    /// ```
    pub fn or(mut self, other: impl AsRef<[u8]>) -> Result<Self, Error> {
        self.others.push(Key::new(other.as_ref())?);
        Ok(self)
    }

    /// The signature of these bytes under this key.
    pub(super) fn sign(&self, key: &str, bytes: &[u8]) -> [u8; SIGNATURE] {
        *self.first.sign(key, bytes).as_bytes()
    }

    /// Whether one of the secrets made the signature. Compares in constant time, as `blake3::Hash` does.
    pub(super) fn believes(&self, key: &str, bytes: &[u8], signature: [u8; SIGNATURE]) -> bool {
        let signature = blake3::Hash::from_bytes(signature);
        std::iter::once(&self.first).chain(&self.others).any(|secret| secret.sign(key, bytes) == signature)
    }
}

impl Key {
    fn new(secret: &[u8]) -> Result<Self, Error> {
        if secret.len() < MIN_BYTES {
            return Err(Error::new(ErrorKind::Config, format!("using a secret of {} bytes", secret.len()))
                .advise(format!("give it at least {MIN_BYTES}, and random ones")));
        }
        let mut derived = blake3::derive_key(PURPOSE, secret);
        let key = Key(Arc::new(Zeroizing::new(derived)));
        derived.zeroize();
        Ok(key)
    }

    /// The length keeps apart a key and bytes that would run into each other.
    fn sign(&self, key: &str, bytes: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&(key.len() as u64).to_le_bytes());
        hasher.update(key.as_bytes());
        hasher.update(bytes);
        hasher.finalize()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}
