//! The core of `memokit`: keys, the path of one call, single flight, and the contract of a backend.
//!
//! Users name the `memokit` crate; this one is for authors of backends.

#[cfg(feature = "shared")]
mod bucket;
pub mod clock;
mod companions;
mod epoch;
mod error;
mod events;
mod explain;
mod hooks;
#[cfg(feature = "shared")]
pub mod key;
mod known;
mod local;
mod lookup;
mod memo;
mod outcome;
mod pending;
#[doc(hidden)]
pub mod private;
#[cfg(feature = "shared")]
mod registry;
#[cfg(feature = "shared")]
mod shared;
mod split;
mod stats;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod weight;

pub use error::{Error, ErrorKind};
pub use events::{CallInfo, Cause, Hook, Level};
pub use explain::{Explanation, LoadState, LocalState, NextCall, SharedState};
pub use known::ByBits;
pub use memo::check;
pub use pending::Pending;
pub use stats::Stats;

#[cfg(feature = "shared")]
pub use bucket::{Bucket, BucketStats, Deferred, KeyBy, KeyMaker, Pruned, WholeKey};
#[cfg(feature = "shared")]
pub use key::Key;
#[cfg(feature = "shared")]
pub use registry::{DEFAULT, cache_or, register};
#[cfg(feature = "shared")]
pub use shared::cache::{
    BoxFuture, Cache, Found, MAX_KEY_BYTES, RESERVED_PREFIX, TimeToLive, Want, check_key, is_reserved,
};
#[cfg(feature = "shared")]
pub use shared::capabilities::Capabilities;
#[cfg(any(feature = "lz4", feature = "zstd"))]
pub use shared::sealed::Compression;
#[cfg(feature = "sealed")]
pub use shared::sealed::{Sealed, Secret};
#[cfg(feature = "shared")]
pub use shared::{bus, codec, entry, invalidation};
