//! The backends of `memokit`: implementations of [`memo_core::Cache`].

#[cfg(feature = "file")]
pub mod file;
pub mod memory;
mod number;
#[cfg(feature = "redis")]
pub mod redis;

#[cfg(feature = "file")]
pub use file::FileCache;
pub use memory::MemoryCache;
#[cfg(feature = "redis")]
pub use redis::RedisCache;
