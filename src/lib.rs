//! One attribute turns a Rust function into a cached one.

pub use memo_core::{CallInfo, Error, ErrorKind, Hook, Level, Stats, check};
pub use memo_macros::cached;

#[cfg(feature = "shared")]
pub use memo_backends::*;
#[cfg(feature = "testing")]
pub use memo_core::testing;
#[cfg(feature = "shared")]
pub use memo_core::{
    BoxFuture, Bucket, Cache, Capabilities, Found, Key, MAX_KEY_BYTES, TimeToLive, Want, check_key, codec, key,
    register,
};

/// The cache that was [registered](register) under this name. `"default"` is a [`MemoryCache`] until another is
/// registered under it.
///
/// # Errors
/// [`ErrorKind::NotRegistered`] for any other name that nobody registered.
#[cfg(feature = "shared")]
pub fn cache(name: &str) -> Result<std::sync::Arc<dyn Cache>, Error> {
    memo_core::cache_or(name, __private::default_cache)
}

#[doc(hidden)]
pub mod __private {
    pub use memo_core::private::*;

    /// What `"default"` is until a program registers something else.
    #[cfg(feature = "shared")]
    #[must_use]
    pub fn default_cache() -> std::sync::Arc<dyn memo_core::Cache> {
        std::sync::Arc::new(memo_backends::MemoryCache::new())
    }
}
