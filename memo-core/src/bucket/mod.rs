//! The container door to any cache: values under keys of any type, by hand.

mod change;
mod counts;
mod deferred;
mod key;
mod lifetime;
mod memory;
mod pending;
mod place;
mod prune;
mod unload;
mod values;
mod without_value;

pub use counts::BucketStats;
pub use deferred::Deferred;
pub use key::{KeyBy, KeyMaker, WholeKey};
pub use prune::Pruned;

use self::lifetime::Timeout;
use self::place::Place;
use crate::Error;
use crate::key::Prefix;
use crate::shared::cache::Cache;
use crate::shared::codec::{Codec, Postcard};
use serde::Serialize;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Values of one type under a prefix of a cache, for what is no function's result: sessions, counters, hand-made
/// entries.
///
/// Keys are of any type that serializes; what is of one type and equal as data is one key, so `"a"` finds what
/// `String::from("a")` stored. The width of a number is part of its type: `1_u8` and `1_i32` are two keys. A key is
/// hashed as it is serialized, so a large one takes no memory; [`with_keys`](Bucket::with_keys) says which part of a
/// key counts. Unlike a cached function, which fails open, a bucket says what went wrong: every operation returns a
/// `Result`, of any kind that the backend gives. A cache that has failed to answer again and again is not asked until it
/// answers: meanwhile operations fail at once, with [`ErrorKind::Unavailable`](crate::ErrorKind::Unavailable), but for `keys`,
/// `clear` and `prune`, which go through all of it.
///
/// Every operation has an async twin that ends in `_async`. A twin that is dropped before it is done may or may not
/// have been carried out.
///
/// Clones of a bucket are one bucket: they share its timeout and its memory. What is made of a clone by
/// [`timeout`](Bucket::timeout) or [`in_memory`](Bucket::in_memory) has one of its own.
///
/// ```
/// # use memo_core as memokit;
/// use memokit::{Bucket, Cache};
/// use std::sync::Arc;
/// use std::time::Duration;
///
/// # fn example(cache: Arc<dyn Cache>) -> Result<(), memokit::Error> {
/// let sessions: Bucket<String> = Bucket::new(cache, "sessions").timeout(Duration::from_secs(3600))?;
/// sessions.set(&(7, "web"), &"Ann".to_owned())?;
/// assert_eq!(sessions.get(&(7, "web"))?, Some("Ann".to_owned()));
/// assert_eq!(sessions.remove_many([&(7, "web"), &(8, "web")])?, 1);
/// # Ok(())
/// # }
/// ```
pub struct Bucket<V, C = Postcard, M = WholeKey> {
    place: Place,
    keys: Arc<M>,
    types: PhantomData<fn() -> (V, C)>,
}

impl<V, C, M> Clone for Bucket<V, C, M> {
    fn clone(&self) -> Self {
        Bucket { place: self.place.clone(), keys: Arc::clone(&self.keys), types: PhantomData }
    }
}

impl<V, C, M> fmt::Debug for Bucket<V, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("cache", &self.place.cache().capabilities().name)
            .field("prefix", &self.place.prefix.as_str())
            .field("timeout", &self.place.timeout.get())
            .finish_non_exhaustive()
    }
}

impl<V> Bucket<V> {
    /// A bucket of this cache whose keys start with this prefix. Buckets of one prefix share their entries.
    #[must_use]
    pub fn new(cache: Arc<dyn Cache>, prefix: &str) -> Self {
        let place = Place::new(cache, Prefix::new(prefix, 0));
        Bucket { place, keys: Arc::new(WholeKey), types: PhantomData }
    }
}

impl<V, C, M> Bucket<V, C, M> {
    /// Values expire so long after they are set. Without it they are kept for ever.
    ///
    /// It is also the lifetime of what is in the cache already: an entry that was set under a longer timeout, by an
    /// earlier build of the program for example, is not found once it is older than this one. See
    /// [`set_timeout`](Bucket::set_timeout) for the details.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a timeout of zero.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, Error> {
        self.place.timeout = Arc::new(Timeout::new(timeout)?);
        Ok(self)
    }

    /// Changes the timeout of this bucket and all its clones, while the program runs; `None` is none.
    ///
    /// A shorter one holds at once also for what was set before: such an entry expires when the new timeout has
    /// passed since it was set. A longer one holds for what is set from now on. An entry that was set with a timeout of
    /// its own ([`set_with_timeout`](Bucket::set_with_timeout)) keeps that. An outdated entry is there for the cache,
    /// until its first timeout has passed or [`prune`](Bucket::prune) has removed it: `get` does not find it, `add`
    /// does not replace it, `touch` does not make it young again, and `remove` counts it.
    ///
    /// The age of an entry is told by the clocks of the machines that set and read it. An entry from the future counts
    /// as outdated when it is a whole timeout ahead, so clocks that differ keep an entry at most twice as long.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) for a timeout of zero, and nothing is changed.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// # fn example(sessions: memokit::Bucket<String>) -> Result<(), memokit::Error> {
    /// use std::time::Duration;
    ///
    /// sessions.set_timeout(Duration::from_secs(60))?; // whoever came more than a minute ago is out
    /// assert_eq!(sessions.current_timeout(), Some(Duration::from_secs(60)));
    /// sessions.set_timeout(None)?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn set_timeout(&self, timeout: impl Into<Option<Duration>>) -> Result<(), Error> {
        self.place.timeout.set(timeout.into())
    }

    /// The timeout of values that are set now; `None` is none.
    #[must_use]
    pub fn current_timeout(&self) -> Option<Duration> {
        self.place.timeout.get()
    }

    /// What this bucket and its clones did so far: keys that had a value or had none, and values that were stored. An
    /// operation that failed counts as nothing.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// # fn example(bucket: memokit::Bucket<u32>) -> Result<(), memokit::Error> {
    /// bucket.set("a", &1)?;
    /// bucket.get_many(["a", "b"])?;
    /// let stats = bucket.stats();
    /// assert_eq!((stats.hits, stats.misses, stats.writes), (1, 1, 1));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn stats(&self) -> BucketStats {
        self.place.counts.read()
    }

    /// Stores with another codec; entries of a codec are not read by another.
    #[must_use]
    pub fn codec<D: Codec>(self) -> Bucket<V, D, M> {
        Bucket { place: self.place, keys: self.keys, types: PhantomData }
    }

    /// Keys are values of type `K`, and of each only what `part` returns counts: two keys with equal parts are one
    /// key. The bucket takes no keys of another type any more. It finds what a bucket without `part` stored under the
    /// part itself.
    ///
    /// For a part that is borrowed from the key, or whose making can fail, see [`KeyMaker`].
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::{Bucket, Cache};
    /// use std::sync::Arc;
    ///
    /// struct User {
    ///     id: u64,
    ///     last_seen: std::time::Instant,
    /// }
    ///
    /// fn visits(cache: Arc<dyn Cache>, user: &User) -> Result<Option<u32>, memokit::Error> {
    ///     let visits = Bucket::new(cache, "visits").with_keys(|user: &User| user.id);
    ///     visits.set(user, &1)?;
    ///     visits.get(user)
    /// }
    /// ```
    #[must_use]
    pub fn with_keys<K, T, F>(self, part: F) -> Bucket<V, C, KeyBy<K, F>>
    where
        K: ?Sized + 'static,
        T: Serialize,
        F: Fn(&K) -> T + Send + Sync + 'static,
    {
        self.with_key_maker(KeyBy::new(part))
    }

    /// Makes the keys of the cache in another way.
    #[must_use]
    pub fn with_key_maker<N>(self, maker: N) -> Bucket<V, C, N> {
        Bucket { place: self.place, keys: Arc::new(maker), types: PhantomData }
    }

    fn key<K: ?Sized>(&self, key: &K) -> Result<String, Error>
    where
        M: KeyMaker<K>,
    {
        Ok(self.place.prefix.key(&self.keys.digest(key)?).text().to_owned())
    }

    fn keys_of<K>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<String>, Error>
    where
        M: KeyMaker<K>,
    {
        keys.into_iter().map(|key| self.key(&key)).collect()
    }
}
