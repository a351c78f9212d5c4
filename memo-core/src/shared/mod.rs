//! The shared level: bytes in a [`Cache`](cache::Cache) backend.

pub(crate) mod cache;
pub mod codec;
pub mod entry;
