//! The backends of `memokit`: implementations of [`memo_core::Cache`].

// What unit tests share with the integration tests names this crate as these do.
#[cfg(test)]
extern crate self as memo_backends;

#[cfg(any(feature = "file", feature = "redis"))]
mod batches;
mod common;
#[cfg(feature = "file")]
pub mod file;
pub mod memory;
mod null;
mod number;
#[cfg(feature = "redis")]
pub mod redis;

#[cfg(feature = "file")]
pub use file::FileCache;
pub use memory::MemoryCache;
pub use null::NullCache;
#[cfg(feature = "redis")]
pub use redis::RedisCache;
