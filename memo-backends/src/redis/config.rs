//! The settings of a [`RedisCache`].

use super::RedisCache;
use super::address::{Address, Shape};
use super::handshake::Handshake;
use super::node::Settings;
use super::tls::Tls;
use super::topology::Topology;
use memo_core::{Error, ErrorKind};
use std::fmt;
use std::time::Duration;

/// The settings of a [`RedisCache`], from [`RedisCache::builder`], [`RedisCache::sentinel`] or [`RedisCache::cluster`].
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
    /// An address that can't be read is told by `build`.
    address: Result<Address, Error>,
    connect_timeout: Duration,
    operation_timeout: Duration,
    pool_size: usize,
    #[cfg(feature = "redis-tls")]
    certificates: Certificates,
}

/// PEM.
#[cfg(feature = "redis-tls")]
#[derive(Default)]
struct Certificates {
    roots: Option<Vec<u8>>,
    /// With its key.
    client: Option<(Vec<u8>, Vec<u8>)>,
}

impl RedisCacheBuilder {
    pub(super) fn from_url(url: &str) -> Self {
        RedisCacheBuilder::new(Address::parse(url))
    }

    pub(super) fn new(address: Result<Address, Error>) -> Self {
        RedisCacheBuilder {
            address,
            connect_timeout: Duration::from_millis(500),
            operation_timeout: Duration::from_millis(500),
            pool_size: 16,
            #[cfg(feature = "redis-tls")]
            certificates: Certificates::default(),
        }
    }

    fn change(mut self, change: impl FnOnce(&mut Address)) -> Self {
        if let Ok(address) = &mut self.address {
            change(address);
        }
        self
    }

    /// The user to log in as, in place of the address's. Default: the server's default user.
    pub fn username(self, name: impl Into<String>) -> Self {
        self.change(|address| address.credentials.user = Some(name.into()))
    }

    /// The password to log in with, in place of the address's.
    pub fn password(self, password: impl Into<String>) -> Self {
        self.change(|address| address.credentials.password = Some(password.into()))
    }

    /// The number of the database, in place of the address's. Default: 0, the only one a cluster has.
    pub fn database(self, number: u32) -> Self {
        self.change(|address| address.database = number.into())
    }

    /// The user to log in as at the sentinels, which have users and passwords of their own. Default: the default user.
    pub fn sentinel_username(self, name: impl Into<String>) -> Self {
        self.change(|address| address.sentinel_credentials.user = Some(name.into()))
    }

    /// The password to log in with at the sentinels.
    pub fn sentinel_password(self, password: impl Into<String>) -> Self {
        self.change(|address| address.sentinel_credentials.password = Some(password.into()))
    }

    /// Speaks TLS with all servers and sentinels, as `rediss://` does.
    #[cfg(feature = "redis-tls")]
    pub fn tls(self) -> Self {
        self.change(|address| address.tls = true)
    }

    /// The authorities whose certificates are trusted, as PEM, in place of those that this system trusts.
    ///
    /// ```
    /// # mod memokit { pub use memo_backends::*; pub use memo_core::*; }
    /// use memokit::RedisCache;
    ///
    /// # fn main() -> Result<(), memokit::Error> {
    /// # let authority = rcgen::generate_simple_self_signed(vec!["cache.internal".into()]).unwrap().cert.pem();
    /// // let authority = std::fs::read("/etc/redis/ca.pem")?;
    /// let cache = RedisCache::builder("rediss://cache.internal/").root_certificates(authority).build()?;
    /// # Ok(())
    /// # }
    /// ```
    #[cfg(feature = "redis-tls")]
    pub fn root_certificates(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.certificates.roots = Some(pem.into());
        self
    }

    /// Our own certificate and its private key, both as PEM, for servers that ask for one (`tls-auth-clients`).
    #[cfg(feature = "redis-tls")]
    pub fn client_certificate(mut self, certificate: impl Into<Vec<u8>>, key: impl Into<Vec<u8>>) -> Self {
        self.certificates.client = Some((certificate.into(), key.into()));
        self
    }

    /// How long connecting may take, TLS and the server's answer to the first commands included. Default: 500 ms.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long an operation may wait for the server. Default: 500 ms.
    ///
    /// It bounds each request: a [`clear`](memo_core::Cache::clear) of many keys is many requests. An operation that
    /// has to connect first, or to find out which server to ask, may take
    /// [`connect_timeout`](RedisCacheBuilder::connect_timeout) more, and no longer.
    pub fn operation_timeout(mut self, timeout: Duration) -> Self {
        self.operation_timeout = timeout;
        self
    }

    /// How many connections blocking operations may have open to each server. Default: 16.
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
    /// [`ErrorKind::Config`] for an address or a certificate that can't be read, a timeout of zero, an empty pool, or
    /// a database of a cluster. The message does not repeat the address, which may hold a password.
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
        let address = self.address?;
        #[cfg(feature = "redis-tls")]
        let tls = self.certificates.tls(&address)?;
        #[cfg(not(feature = "redis-tls"))]
        let tls = no_tls(&address)?;
        if address.shape == Shape::Cluster && address.database != 0 {
            return Err(wrong("a Redis Cluster has database 0 only"));
        }
        let text = address.to_string();
        let Address { shape, endpoints, credentials, sentinel_credentials, database, .. } = address;
        let by_sentinels = matches!(shape, Shape::Sentinel { .. });
        let handshake = Handshake { credentials, database, asks_role: by_sentinels };
        let sentinel_handshake = Handshake { credentials: sentinel_credentials, database: 0, asks_role: false };
        let settings = Settings {
            tls,
            connect_timeout: self.connect_timeout,
            operation_timeout: self.operation_timeout,
            pool_size: self.pool_size,
        };
        Ok(RedisCache::new(database, Topology::new(&shape, text, &endpoints, handshake, sentinel_handshake, settings)))
    }
}

#[cfg(feature = "redis-tls")]
impl Certificates {
    fn tls(&self, address: &Address) -> Result<Option<Tls>, Error> {
        let Certificates { roots, client } = self;
        if address.tls {
            let client = client.as_ref().map(|(certificate, key)| (&certificate[..], &key[..]));
            return Tls::new(roots.as_deref(), client).map(Some);
        }
        if roots.is_some() || client.is_some() {
            return Err(wrong("certificates are for TLS: write rediss:// in place of redis://, or call `tls`"));
        }
        Ok(None)
    }
}

#[cfg(not(feature = "redis-tls"))]
fn no_tls(address: &Address) -> Result<Option<Tls>, Error> {
    if address.tls {
        return Err(wrong("`rediss://` needs TLS, which this build is without: switch on the feature `redis-tls`"));
    }
    Ok(None)
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

pub(super) fn wrong(advice: &str) -> Error {
    Error::new(ErrorKind::Config, "setting up the Redis cache").advise(advice)
}

/// With a cause that holds nothing of the settings but names of formats.
#[cfg(feature = "redis-tls")]
pub(super) fn wrong_because(advice: &str, cause: impl std::error::Error + Send + Sync + 'static) -> Error {
    wrong(advice).because(cause)
}
