//! The shared level: bytes in a [`Cache`](cache::Cache) backend.

pub(crate) mod ask;
mod attempt;
mod breaker;
pub(crate) mod cache;
pub mod codec;
pub mod entry;
pub(crate) mod health;
pub(crate) mod level;
pub(crate) mod link;
mod owed;
mod recovery;
pub(crate) mod source;
pub(crate) mod value;
