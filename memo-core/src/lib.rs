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
mod invalidations;
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
mod random;
#[cfg(feature = "shared")]
mod registry;
#[cfg(feature = "shared")]
mod shared;
mod split;
mod stats;
mod sync;
mod tags;
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
pub use tags::{Tags, invalidate_tag, invalidate_tag_async, tag};

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
#[cfg(feature = "shared")]
pub use shared::health::{Health, health};
#[cfg(any(feature = "lz4", feature = "zstd"))]
pub use shared::sealed::Compression;
#[cfg(feature = "sealed")]
pub use shared::sealed::{Sealed, Secret};
#[cfg(feature = "shared")]
pub use shared::{bus, codec, entry, invalidation};
