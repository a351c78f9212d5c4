//! The backends of `memokit`: implementations of [`memo_core::Cache`].

pub mod memory;
mod number;

pub use memory::MemoryCache;
