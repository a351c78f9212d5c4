//! Entries on a Redis or Valkey server.

mod abandoned;
mod address;
mod apart;
mod blocking;
mod bus;
mod cache;
mod cluster;
mod command;
mod config;
mod connection;
mod deadline;
mod error;
mod handshake;
#[cfg(feature = "redis-tokio")]
mod in_flight;
mod io;
#[cfg(feature = "redis-tokio")]
mod multiplexed;
mod node;
mod resp;
mod scatter;
mod script;
mod scripts;
mod sentinel;
mod slots;
mod steps;
mod stream;
mod subscribe;
mod tls;
#[cfg(feature = "redis-tokio")]
mod tokio;
mod topology;

pub use config::RedisCacheBuilder;

use self::address::{Address, Shape};
use self::command::Operation;
use self::io::{Blocking, ready};
use self::topology::Topology;
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
/// | servers | URL | builder |
/// |---|---|---|
/// | one server | `redis://[user][:password]@host[:port][/database]` | [`builder`](RedisCache::builder) |
/// | one server, Unix socket | `unix:///path[?db=2][&user=…][&pass=…]` | |
/// | a master and its replicas, with Sentinel | `redis+sentinel://[user][:password]@host[:port],host[:port]/master[/database]`, with `?sentinel_user=…&sentinel_password=…` if these ask for it | [`sentinel`](RedisCache::sentinel) |
/// | Redis Cluster | `redis+cluster://[user][:password]@host[:port],host[:port]` | [`cluster`](RedisCache::cluster) |
///
/// With `valkey` in place of `redis`, too; `rediss` and `valkeys` are the same over TLS (feature `redis-tls`). Names and
/// passwords are percent-encoded, and given to the builder as they are. No password appears in the
/// [`Debug`](fmt::Debug) text or in an error.
///
/// Entries live under their own keys, so [`clear("")`](memo_core::Cache::clear) empties the whole database, or
/// cluster: give a cache one of its own.
///
/// # Cost
///
/// A hit is one `GET` and one round trip, in every shape; [`Want::BytesAndTimeToLive`](memo_core::Want) is one round
/// trip too. `store_many` is one `EVALSHA` for each value, up to a thousand or 4 MiB of them in one round trip.
/// Blocking operations use a pool for each server, without a check at checkout. Async operations of one Tokio
/// runtime share one connection to each server, on which their requests go out one behind the other.
///
/// # Sentinel and Cluster
///
/// Sentinels are asked for the master at the first operation, and again when it fails or is no master any more; an
/// operation that failed there goes to the new one, if there is one and sending it twice can't change its answer. What
/// the old master had not yet replicated is lost, as ever with Redis. `scan` and `clear` begin anew at the new one.
///
/// In a cluster each key's operations go to the node that owns its slot. While slots move they follow, and no answer is
/// of the wrong node. [`store`](memo_core::Cache::store) alone may have to wait: it depends on two keys of a slot, the
/// entry and what an invalidation left of it, and servers refuse that until both are at one node, or the slot has moved
/// if one is nowhere. It asks again within its time, and is [`Unavailable`](memo_core::ErrorKind::Unavailable) at its
/// end; all others succeed. `get_many`, `set_many`, `store_many` and `remove_many` are one request to each
/// node concerned, and `remove_many` counts exactly. `scan` and `clear` look through all masters, and once more if slots
/// changed hands meanwhile; a key that moves during the call with a slot that is still on its way may be missed. Nodes
/// must be reachable under the addresses they announce.
///
/// Both find failures of servers when operations fail, not before. Only who listens to the bus of a cluster asks every
/// two seconds whether the node it listens at is still a master: one that was thrown out, or cut off and replaced, is
/// silent.
///
/// # When the server does not answer
///
/// Each wait is bounded by [`operation_timeout`](RedisCacheBuilder::operation_timeout) and
/// [`connect_timeout`](RedisCacheBuilder::connect_timeout), and all that one request takes by their sum, save the
/// look-up of a host name, which is the system's.
/// Errors are of kind [`Timeout`](memo_core::ErrorKind::Timeout) or
/// [`Unavailable`](memo_core::ErrorKind::Unavailable); the next operation connects again. An operation that finds its
/// idle connection closed is sent once more on a new one, if sending it twice can't change its answer. `add`,
/// `remove`, `remove_many`, `remove_if`, `clear`, `increment` and the dropping of keys in `invalidate`, which all tell
/// what they found, are not sent twice; after some milliseconds of silence they are preceded by a `PING` instead. Where
/// such an operation fails half-way, it is unknown whether it took effect.
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
/// It holds for each server by itself. Where a key has a new one, the old one refuses what arrives too late, because
/// it is a replica, or gave the slot away; a master that was cut off from its sentinels or its cluster may take it still,
/// and loses it when it returns.
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
    database: i64,
    topology: Topology,
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
        RedisCacheBuilder::from_url(&url.into())
    }

    /// The settings for a cache on the master of this name, as its sentinels know it: `host` or `host:port`, without a
    /// port 26379. The credentials of the servers and those of the sentinels are set apart.
    ///
    /// ```
    /// # mod memokit { pub use memo_backends::*; pub use memo_core::*; }
    /// # fn main() -> Result<(), memokit::Error> {
    /// let cache = memokit::RedisCache::sentinel("mymaster", ["one.internal", "two.internal", "three.internal"])
    ///     .username("memo")
    ///     .password("secret")
    ///     .sentinel_password("another")
    ///     .build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn sentinel<N: AsRef<str>>(
        master: impl Into<String>,
        sentinels: impl IntoIterator<Item = N>,
    ) -> RedisCacheBuilder {
        RedisCacheBuilder::new(Address::of_nodes(Shape::Sentinel { master: master.into() }, sentinels))
    }

    /// The settings for a cache on a Redis Cluster: some of its nodes, `host` or `host:port`, without a port 6379. One
    /// that answers is enough; it knows the others.
    ///
    /// ```
    /// # mod memokit { pub use memo_backends::*; pub use memo_core::*; }
    /// # fn main() -> Result<(), memokit::Error> {
    /// let cache = memokit::RedisCache::cluster(["one.internal:7000", "two.internal:7000"]).build()?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cluster<N: AsRef<str>>(nodes: impl IntoIterator<Item = N>) -> RedisCacheBuilder {
        RedisCacheBuilder::new(Address::of_nodes(Shape::Cluster, nodes))
    }

    fn new(database: i64, topology: Topology) -> Self {
        RedisCache { inner: Arc::new(Inner { database, topology }) }
    }

    fn topology(&self) -> &Topology {
        &self.inner.topology
    }

    /// Runs an operation with the thread.
    fn run<T>(&self, operation: &Operation<'_, T>) -> Result<T, Error> {
        ready(self.topology().run(&Blocking, operation))
    }
}

impl fmt::Debug for RedisCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Topology { address, settings, .. } = self.topology();
        f.debug_struct("RedisCache")
            .field("address", address)
            .field("database", &self.inner.database)
            .field("connect_timeout", &settings.connect_timeout)
            .field("operation_timeout", &settings.operation_timeout)
            .field("pool_size", &settings.pool_size)
            .finish_non_exhaustive()
    }
}
