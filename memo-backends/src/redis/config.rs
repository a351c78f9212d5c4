//! The settings of a [`RedisCache`].

use super::RedisCache;
use super::handshake::Handshake;
use memo_core::{Error, ErrorKind};
use redis::io::tcp::TcpSettings;
use redis::{Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisConnectionInfo};
use std::fmt;
use std::time::Duration;

/// The settings of a [`RedisCache`], from [`RedisCache::builder`].
///
/// ```
/// # mod memokit { pub use memo_backends::*; pub use memo_core::*; }
/// use memokit::RedisCache;
/// use std::time::Duration;
///
/// # fn main() -> Result<(), memokit::Error> {
/// let cache = RedisCache::builder("redis://user:secret@cache.internal:6379/2")
///     .connect_timeout(Duration::from_millis(200))
///     .operation_timeout(Duration::from_millis(100))
///     .pool_size(32)
///     .build()?;
/// assert!(!format!("{cache:?}").contains("secret"));
/// # Ok(())
/// # }
/// ```
#[must_use = "nothing is checked until `build` is called"]
pub struct RedisCacheBuilder {
    url: String,
    connect_timeout: Duration,
    operation_timeout: Duration,
    pool_size: usize,
}

/// The settings once they are checked.
pub(super) struct Config {
    /// Connects and says nothing; the [`Handshake`] follows.
    pub(super) client: Client,
    pub(super) handshake: Handshake,
    /// Where the server is, without credentials: for messages.
    pub(super) address: String,
    pub(super) connect_timeout: Duration,
    pub(super) operation_timeout: Duration,
    pub(super) pool_size: usize,
}

impl RedisCacheBuilder {
    pub(super) fn new(url: String) -> Self {
        RedisCacheBuilder {
            url,
            connect_timeout: Duration::from_millis(500),
            operation_timeout: Duration::from_millis(500),
            pool_size: 16,
        }
    }

    /// How long connecting may take, the server's answer to the first commands included. Default: 500 ms.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an operation may wait for the server. Default: 500 ms.
    ///
    /// It bounds each request: a [`clear`](memo_core::Cache::clear) of many keys is many requests. An operation that
    /// has to connect first may take [`connect_timeout`](RedisCacheBuilder::connect_timeout) more.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = timeout;
        self
    }

    /// How many connections blocking operations may have open. Default: 16.
    ///
    /// A connection is opened when all others are in use, and kept. At the bound an operation waits for a free one,
    /// at most for the operation timeout. Async operations share one more per Tokio runtime.
    pub fn pool_size(mut self, connections: usize) -> Self {
        self.pool_size = connections;
        self
    }

    /// The cache. Connects to nothing: a server that is down shows at the first operation, or use
    /// [`RedisCache::connect`].
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Config`] for an address that can't be read, a timeout of zero or an empty pool. The message does
    /// not repeat the address, which may hold a password.
    ///
    /// ```
    /// # mod memokit { pub use memo_backends::*; pub use memo_core::*; }
    /// use memokit::{ErrorKind, RedisCache};
    ///
    /// let error = RedisCache::builder("http://cache.internal").build().unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Config);
    /// ```
    pub fn build(self) -> Result<RedisCache, Error> {
        if self.connect_timeout.is_zero() || self.operation_timeout.is_zero() {
            return Err(wrong("a timeout of zero leaves no time for any answer"));
        }
        if self.pool_size == 0 {
            return Err(wrong("`pool_size` must be at least 1"));
        }
        let info = self.url.as_str().into_connection_info().map_err(|error| unreadable(&error))?;
        let address = match info.addr() {
            ConnectionAddr::Tcp(host, port) if host.contains(':') => format!("[{host}]:{port}"),
            address => address.to_string(),
        };
        let handshake = Handshake::new(info.redis_settings());
        let silent = ConnectionInfo::set_redis_settings(info, RedisConnectionInfo::default().set_skip_set_lib_name())
            .set_tcp_settings(TcpSettings::default().set_nodelay(true));
        let client = Client::open(silent).map_err(|error| unreadable(&error))?;
        Ok(RedisCache::new(Config {
            client,
            handshake,
            address,
            connect_timeout: self.connect_timeout,
            operation_timeout: self.operation_timeout,
            pool_size: self.pool_size,
        }))
    }
}

impl fmt::Debug for RedisCacheBuilder {
    /// Without the address: one that can't be read can't be told from its password either.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisCacheBuilder")
            .field("connect_timeout", &self.connect_timeout)
            .field("operation_timeout", &self.operation_timeout)
            .field("pool_size", &self.pool_size)
            .finish_non_exhaustive()
    }
}

fn wrong(advice: &str) -> Error {
    Error::new(ErrorKind::Config, "setting up the Redis cache").advise(advice)
}

/// Says what is wrong with the address from a fixed list of texts: the client's own may repeat parts of it.
fn unreadable(error: &redis::RedisError) -> Error {
    let text = error.to_string();
    let advice = if text.contains("TLS") {
        "`rediss://` needs TLS, which this build is without"
    } else if text.contains("database") {
        "the path of the address is the number of a database, as in redis://host:6379/2"
    } else if text.contains("wildcard") {
        "0.0.0.0 and :: are addresses to listen on; name the server's own"
    } else {
        "the address has the form redis://[user][:password]@host[:port][/database] or unix:///path; special characters \
         in the password are percent-encoded"
    };
    wrong(advice)
}
