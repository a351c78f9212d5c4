//! The shared level: bytes in a [`Cache`](cache::Cache) backend.

pub(crate) mod ask;
mod attempt;
mod breaker;
pub mod bus;
pub(crate) mod cache;
pub(crate) mod capabilities;
pub mod codec;
pub mod entry;
pub(crate) mod health;
pub mod invalidation;
pub(crate) mod level;
mod limit;
pub(crate) mod link;
mod listener;
mod owed;
mod recovery;
pub(crate) mod source;
mod stepwise;
pub(crate) mod value;
