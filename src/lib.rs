//! One attribute turns a Rust function into a cached one, and stays right when others change what it is about.
//!
//! Caches by hand get three things wrong: two calls that share a key, a load that stores an old value after an
//! invalidation, and a hundred callers that all load at once when an entry expires. Here the key is the arguments
//! themselves, an invalidation dooms the loads under way, and one caller loads for all:
//!
//! ```
//! use memokit::cached;
//!
//! #[cached(timeout = "5m", capacity = 10_000)]
//! fn expensive_function(start: i32, end: i32) -> i64 {
//!     (start..end).map(i64::from).sum()
//! }
//!
//! assert_eq!(expensive_function(0, 100), 4950);    // runs the body
//! assert_eq!(expensive_function(0, 100), 4950);    // a hit
//! assert!(expensive_function::invalidate(0, 100)); // there was an entry
//! expensive_function::refresh(0, 100);             // runs the body, stores, returns the value
//! ```
//!
//! All options and companions are on the page of [`cached`]; the [`guide`] has a page for each question, from
//! [the first function](guide::getting_started) to [a backend of one's own](guide::testing).
//!
//! # What must hold
//!
//! - The same arguments give the same answer, until a timeout or an invalidation says otherwise.
//! - Only the result matters: on a hit the body does not run, and its side effects do not happen.
//! - The value is cloned at every hit. Return an [`Arc`](std::sync::Arc) for what is large.
//! - The value borrows nothing from the arguments.
//! - What `Hash` and `Eq` (and `Serialize`, with a shared level) show of the arguments is all that the result depends on.
//!
//! # Which backend
//!
//! None, for most functions: values stay as they are in the memory of the process, and neither serde nor any feature is
//! needed. With `cache = "name"` a function has a [shared level](guide::shared_level) of bytes behind that:
//!
//! | backend | for | feature |
//! |---|---|---|
#![cfg_attr(feature = "shared", doc = "| [`MemoryCache`] | tests, and one bound over many functions | `shared` |")]
#![cfg_attr(not(feature = "shared"), doc = "| `MemoryCache` | tests, and one bound over many functions | `shared` |")]
#![cfg_attr(feature = "file", doc = "| [`FileCache`] | processes of one machine; a warm start | `file` |")]
#![cfg_attr(not(feature = "file"), doc = "| `FileCache` | processes of one machine; a warm start | `file` |")]
#![cfg_attr(
    feature = "redis",
    doc = "| [`RedisCache`] | a fleet, on Redis or Valkey | `redis`, `redis-tokio`, `redis-tls` |"
)]
#![cfg_attr(
    not(feature = "redis"),
    doc = "| `RedisCache` | a fleet, on Redis or Valkey | `redis`, `redis-tokio`, `redis-tls` |"
)]
//!
//! # Features
//!
//! None is on by default.
//!
//! | feature | brings | costs |
//! |---|---|---|
//! | `shared` | `cache =`, `MemoryCache`, `NullCache`, named caches, `Bucket`, Postcard | serde, blake3, postcard, tracing, twox-hash |
//! | `file` | `FileCache`; `shared` | heed, which compiles LMDB with a C compiler |
//! | `redis` | `RedisCache`, blocking; `shared` | redis |
//! | `redis-tokio` | `RedisCache` without blocking in async functions; `redis` | tokio |
//! | `redis-tls` | `rediss://` for `RedisCache`; `redis` | rustls, ring, tokio-rustls |
//! | `json` | `codec = Json`, `PrettyJson`; `shared` | `serde_json` |
//! | `messagepack` | `codec = MessagePack`, `CompactMessagePack`; `shared` | rmp-serde |
//! | `bincode` | `codec = Bincode`; `shared` | bincode 2.0.1, unmaintained (RUSTSEC-2025-0141) |
//! | `sealed` | `Sealed` and `Secret`, for stores that others can write to; `shared` | zeroize |
//! | `lz4` | compression of large values, in Rust without unsafe code; `sealed` | `lz4_flex` |
//! | `zstd` | the same with Zstandard; `sealed` | zstd, which compiles a C library with a C compiler |
//! | `testing` | a clock for tests, the conformance suite for backends | a check of the clock's state at each reading |
//!
//! # Guarantees
//!
//! 1. **Never a wrong value.** Two different calls never share an entry: keys are compared in full in this process, and by
//!    256 bits of BLAKE3 in a shared level. Bytes that are damaged, foreign or old are a miss.
//! 2. **Nothing old after an invalidation** of a call, a function or a tag. A value whose load began before an invalidation is
//!    never served after that invalidation returned, in this process. Other processes see
//!    [what holds across processes](guide::invalidation#across-processes).
//! 3. **One load per key** in a process, and with `single_flight = "fleet"` of all processes that share a cache. A leader
//!    that panics, fails, is dropped or dies hangs nobody.
//! 4. **A failing cache is not a failing function.** The call returns what the body returns, and does not wait for a cache
//!    that failed repeatedly; a failed invalidation is an `Err`, and is repeated: see [what happens then][failing].
//! 5. **A hit allocates nothing** and clones no argument.
//! 6. **Memory is bounded** where a `capacity` or a `max_weight` is given.
//!
//! The minimum Rust version is 1.89.
//!
//! [failing]: guide::shared_level#when-the-cache-fails

// The pages speak of items of every feature.
#![cfg_attr(not(all(feature = "shared", feature = "testing")), allow(rustdoc::broken_intra_doc_links))]

pub mod guide;

pub use memo_core::{
    ByBits, CallInfo, Cause, Error, ErrorKind, Explanation, Hook, Level, LoadState, LocalState, NextCall, Pending,
    SharedState, Stats, check, invalidate_tag, invalidate_tag_async, tag,
};
#[doc = include_str!("guide/attribute.md")]
pub use memo_macros::cached;

#[cfg(feature = "shared")]
pub use memo_backends::*;
#[cfg(any(feature = "lz4", feature = "zstd"))]
pub use memo_core::Compression;
#[cfg(feature = "testing")]
pub use memo_core::testing;
#[cfg(feature = "shared")]
pub use memo_core::{
    BoxFuture, Bucket, BucketStats, Cache, Capabilities, Deferred, Found, Health, Key, KeyBy, KeyMaker, MAX_KEY_BYTES,
    Pruned, RESERVED_PREFIX, TimeToLive, Want, WholeKey, bus, check_key, codec, health, invalidation, is_reserved, key,
    register,
};
#[cfg(feature = "sealed")]
pub use memo_core::{Sealed, Secret};

/// The page of the repository: its examples are compiled like all others.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

/// The cache that was [registered](register) under this name. `"default"` is a [`MemoryCache`] until another is
/// registered under it.
///
/// # Errors
/// [`ErrorKind::NotRegistered`] for any other name that nobody registered.
///
/// ```
/// use memokit::{Bucket, ErrorKind};
///
/// let numbers: Bucket<u32> = Bucket::new(memokit::cache("default")?, "numbers");
/// numbers.set("one", &1)?;
/// assert_eq!(memokit::cache("unheard").err().map(|error| error.kind()), Some(ErrorKind::NotRegistered));
/// # Ok::<(), memokit::Error>(())
/// ```
#[cfg(feature = "shared")]
pub fn cache(name: &str) -> Result<std::sync::Arc<dyn Cache>, Error> {
    memo_core::cache_or(name, __private::default_cache)
}

#[doc(hidden)]
pub mod __private {
    pub use memo_core::private::*;

    /// What `"default"` is until a program registers something else.
    #[cfg(feature = "shared")]
    #[must_use]
    pub fn default_cache() -> std::sync::Arc<dyn memo_core::Cache> {
        std::sync::Arc::new(memo_backends::MemoryCache::new())
    }
}
