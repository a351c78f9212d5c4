//! Entries on a Redis or Valkey server.

mod abandoned;
mod blocking;
mod cache;
mod command;
mod config;
mod error;
mod handshake;
#[cfg(feature = "redis-tokio")]
mod tokio;

pub use config::RedisCacheBuilder;

use self::abandoned::Abandoned;
use self::command::Operation;
use self::config::Config;
use memo_core::Error;
use std::fmt;
use std::sync::Arc;

/// A cache on a Redis server (6.2 or later is best) or a Valkey server.
///
/// ```no_run
/// # mod memokit { pub use memo_backends::*; pub use memo_core::*; }
/// use memokit::{Cache, RedisCache};
/// use std::time::Duration;
///
/// # fn main() -> Result<(), memokit::Error> {
/// let cache = RedisCache::connect("redis://127.0.0.1:6379/")?;
/// cache.set("memo:users:1", b"Ada", Some(Duration::from_secs(60)))?;
/// assert_eq!(cache.get("memo:users:1")?.as_deref(), Some(&b"Ada"[..]));
/// # Ok(())
/// # }
/// ```
///
/// A clone is another handle to the same connections.
///
/// # Addresses
///
/// `redis://[user][:password]@host[:port][/database]`, also with `valkey://`, and `unix:///path`. Entries live in that
/// database under their own keys, so [`clear("")`](memo_core::Cache::clear) empties the whole database: give a cache
/// one of its own. No password appears in the [`Debug`](fmt::Debug) text or in an error.
///
/// # Cost
///
/// A hit is one `GET` and one round trip; [`Want::BytesAndTimeToLive`](memo_core::Want) is one round trip too.
/// Blocking operations use a pool without a check at checkout. Async operations of one Tokio runtime share one
/// connection on which their requests go out one behind the other.
///
/// # When the server does not answer
///
/// Each wait is bounded by [`operation_timeout`](RedisCacheBuilder::operation_timeout) and
/// [`connect_timeout`](RedisCacheBuilder::connect_timeout), save the look-up of a host name, which is the system's.
/// Errors are of kind [`Timeout`](memo_core::ErrorKind::Timeout) or
/// [`Unavailable`](memo_core::ErrorKind::Unavailable); the next operation connects again. An operation that finds its
/// idle connection closed is sent once more on a new one, if sending it twice can't change its answer. `add`,
/// `remove`, `remove_many` and `increment` are not sent twice; after some milliseconds of silence they are preceded by
/// a `PING` instead. Where such an operation fails half-way, it is unknown whether it took effect.
///
/// # Cancellation
///
/// An operation that timed out, or whose future was dropped, takes effect before any operation that this cache (or a
/// clone of it) starts afterwards, or never: requests of one connection keep their order, and before another
/// connection is used the server is told to close the one with the abandoned request. Requests of other tasks on that
/// connection fail, or are repeated as above; this can only happen when blocking and async operations, or several
/// runtimes, are mixed, or after a timeout. It needs a server that answers `CLIENT INFO` (Redis from 6.2, Valkey) and
/// permission for that and `CLIENT KILL`. Without these, or behind a proxy that answers for the server, an abandoned
/// write may still take effect after a later operation, which is a matter of the time it spends in network buffers.
///
/// # Tokio
///
/// With the feature `redis-tokio` the async twins do I/O on the Tokio runtime they are polled in, which must have I/O
/// and time enabled. Several runtimes, also one after the other, each get a connection. Outside of a runtime, and
/// without the feature, they run the blocking operation in place.
#[derive(Clone)]
pub struct RedisCache {
    inner: Arc<Inner>,
}

struct Inner {
    config: Config,
    abandoned: Abandoned,
    pool: blocking::Pool,
    #[cfg(feature = "redis-tokio")]
    runtimes: tokio::Runtimes,
}

impl RedisCache {
    /// A cache with default settings, after the server has answered once. Blocks for at most about a second: in async
    /// code at start-up, or use [`builder`](RedisCache::builder), which does not connect.
    ///
    /// # Errors
    ///
    /// [`Config`](memo_core::ErrorKind::Config) for an address that can't be read or credentials the server refuses,
    /// [`Unavailable`](memo_core::ErrorKind::Unavailable) or [`Timeout`](memo_core::ErrorKind::Timeout) if it can't be
    /// reached.
    ///
    /// ```no_run
    /// # mod memokit { pub use memo_backends::*; pub use memo_core::*; }
    /// # fn main() -> Result<(), memokit::Error> {
    /// let cache = memokit::RedisCache::connect("redis://cache.internal/")?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn connect(url: impl Into<String>) -> Result<RedisCache, Error> {
        let cache = RedisCache::builder(url).build()?;
        cache.run(&command::ping())?;
        Ok(cache)
    }

    /// The settings for a cache at this address; [`build`](RedisCacheBuilder::build) does not connect.
    ///
    /// ```
    /// # mod memokit { pub use memo_backends::*; pub use memo_core::*; }
    /// # fn main() -> Result<(), memokit::Error> {
    /// let cache = memokit::RedisCache::builder("redis://cache.internal/2").pool_size(4).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn builder(url: impl Into<String>) -> RedisCacheBuilder {
        RedisCacheBuilder::new(url.into())
    }

    fn new(config: Config) -> Self {
        let inner = Inner {
            config,
            abandoned: Abandoned::default(),
            pool: blocking::Pool::default(),
            #[cfg(feature = "redis-tokio")]
            runtimes: tokio::Runtimes::default(),
        };
        RedisCache { inner: Arc::new(inner) }
    }

    /// Runs an operation on a connection of the pool.
    fn run<T>(&self, operation: &Operation<'_, T>) -> Result<T, Error> {
        let Inner { config, abandoned, pool, .. } = &*self.inner;
        pool.run(config, abandoned, operation)
    }

    /// Runs an operation on the connection of the current runtime, without one as [`run`](RedisCache::run) does.
    #[cfg(feature = "redis-tokio")]
    async fn run_async<T>(&self, operation: Operation<'_, T>) -> Result<T, Error> {
        let Inner { config, abandoned, runtimes, .. } = &*self.inner;
        match ::tokio::runtime::Handle::try_current() {
            Ok(handle) => runtimes.run(handle, config, abandoned, &operation).await,
            Err(_) => self.run(&operation),
        }
    }
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let config = &self.inner.config;
        f.debug_struct("RedisCache")
            .field("address", &config.address)
            .field("database", &config.handshake.database())
            .field("connect_timeout", &config.connect_timeout)
            .field("operation_timeout", &config.operation_timeout)
            .field("pool_size", &config.pool_size)
            .finish_non_exhaustive()
    }
}
