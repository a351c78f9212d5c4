//! The shared level: bytes in a [`Cache`](cache::Cache) backend.

pub(crate) mod ask;
pub mod bus;
pub(crate) mod cache;
pub(crate) mod capabilities;
pub mod codec;
pub mod entry;
pub mod invalidation;
pub(crate) mod level;
mod listener;
#[cfg(feature = "sealed")]
pub(crate) mod sealed;
pub(crate) mod source;
mod stepwise;
pub(crate) mod value;
