//! The core of `memokit`: keys, the path of one call, single flight, and the contract of a backend.
//!
//! Users name the `memokit` crate; this one is for authors of backends.

pub mod clock;
mod error;
#[cfg(feature = "shared")]
pub mod key;
#[cfg(feature = "shared")]
mod shared;
#[cfg(feature = "testing")]
pub mod testing;

pub use error::{Error, ErrorKind};
#[cfg(feature = "shared")]
pub use shared::cache::{BoxFuture, Cache, Capabilities, Found, MAX_KEY_BYTES, TimeToLive, Want, check_key};
#[cfg(feature = "shared")]
pub use shared::{codec, entry};
