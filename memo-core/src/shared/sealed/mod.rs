//! A cache around another that seals what is stored: with a secret, against others who can write to the store, and
//! compressed where that is smaller.
//!
//! Sealing is about bytes, below everything that uses a cache: functions, buckets and hands. So nothing on top can
//! forget it, and what a wrapper around a [`Sealed`] doesn't know of still goes through it.

mod cache;
#[cfg(any(feature = "lz4", feature = "zstd"))]
mod compression;
mod envelope;
mod method;
mod secret;
#[cfg(feature = "zstd")]
mod zstandard;

#[cfg(any(feature = "lz4", feature = "zstd"))]
pub use compression::Compression;
pub use secret::Secret;

use super::cache::Cache;
use envelope::Seal;
use std::fmt;
use std::sync::Arc;

/// A cache whose values are sealed on their way to another: signed with a [`Secret`], compressed, or both.
///
/// - **[`signed`](Sealed::signed)**: for a store that others can write to. A value is found only if its key and its
///   bytes were signed with one of the secrets; anything else is a miss, and a cached function counts it as
///   [`rejected`](crate::Stats) for the reason `signature`. It does not hide values: whoever can read the store can read
///   them. And it does not tell old from new: who can write to the store can also delete a value, or bring back one
///   that was signed for the same key before, as long as its own timeout (part of what is signed) has not passed.
/// - **`compressed`** (features `lz4`, `zstd`): for large values. See `Compression`.
///
/// Decimal numbers, which [`increment`](Cache::increment) works on in the store, are kept as they are: they are neither
/// signed nor compressed. Keys, timeouts and what invalidations leave behind are the store's own too.
///
/// Without a secret it finds also what was stored without being sealed, so compression can be turned on and off while
/// the store is full; turned off, keep the `Sealed` until the last compressed value has expired.
///
/// The format is part of `docs/entry-format.md`.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::{Cache, Sealed, Secret};
/// use std::sync::Arc;
///
/// # fn example(redis: Arc<dyn Cache>) -> Result<(), Box<dyn std::error::Error>> {
/// let secret = Secret::new(std::env::var("CACHE_SECRET")?)?;
/// memokit::register("users", Arc::new(Sealed::over(redis).signed(secret)));
/// # Ok(())
/// # }
/// ```
#[must_use]
pub struct Sealed {
    cache: Arc<dyn Cache>,
    seal: Seal,
}

impl Sealed {
    /// A cache over this one. It changes nothing until it is told to sign or to compress.
    pub fn over(cache: Arc<dyn Cache>) -> Self {
        Sealed { cache, seal: Seal::new() }
    }

    /// Signs what is stored, and finds only what is signed.
    pub fn signed(mut self, secret: Secret) -> Self {
        self.seal.secret = Some(secret);
        self
    }

    /// Compresses values that are large enough, and keeps them so if that made them smaller. What was compressed is
    /// read by any `Sealed` whose build has the method, whatever it says here.
    #[cfg(any(feature = "lz4", feature = "zstd"))]
    pub fn compressed(mut self, compression: Compression) -> Self {
        self.seal.compression = Some(compression);
        self
    }

    /// How large a compressed value may be when it is unpacked: a larger one is stored as it is, and one that is found
    /// is a miss for the reason `too large`. 64 MiB unless this is called.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.seal.max_bytes = bytes;
        self
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealed")
            .field("cache", &self.cache.capabilities().name)
            .field("seal", &self.seal)
            .finish_non_exhaustive()
    }
}
