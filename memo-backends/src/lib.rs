//! The backends of `memokit`: implementations of [`memo_core::Cache`].

#[cfg(feature = "redis")]
mod redis;

#[cfg(feature = "redis")]
pub use redis::{RedisCache, RedisCacheBuilder};
