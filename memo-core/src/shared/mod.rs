//! The shared level: bytes in a [`Cache`](cache::Cache) backend.

pub(crate) mod ask;
mod attempt;
mod breaker;
pub mod bus;
pub(crate) mod cache;
pub(crate) mod capabilities;
pub mod codec;
pub(crate) mod coherence;
pub mod entry;
mod everywhere;
pub(crate) mod health;
pub mod invalidation;
mod keeper;
pub(crate) mod lease;
pub(crate) mod level;
mod limit;
pub(crate) mod link;
mod listener;
mod many;
mod mirror;
pub(crate) mod names;
mod owed;
mod plain;
mod recovery;
#[cfg(feature = "sealed")]
pub(crate) mod sealed;
pub(crate) mod source;
mod stepwise;
pub(crate) mod value;
