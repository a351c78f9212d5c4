//! The shared level: bytes in a [`Cache`](cache::Cache) backend.

pub(crate) mod ask;
pub(crate) mod cache;
pub mod codec;
pub mod entry;
pub(crate) mod level;
mod many;
pub(crate) mod source;
pub(crate) mod value;
