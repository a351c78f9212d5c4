//! The container door to any cache: values under keys of any type, by hand.

use crate::key::{Digest, Prefix};
use crate::memo::{Blocking, Io, Tasks, ready};
use crate::shared::ask::Ask;
use crate::shared::cache::{Cache, Want};
use crate::shared::codec::{Codec, Postcard};
use crate::shared::value;
use crate::{Error, ErrorKind};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

/// Values of one type under a prefix of a cache, for what is no function's result: sessions, counters, hand-made
/// entries.
///
/// Keys are of any type that serializes; what is of one type and equal as data is one key, so `"a"` finds what
/// `String::from("a")` stored. The width of a number is part of its type: `1_u8` and `1_i32` are two keys. Unlike a cached
/// function, which fails open, a bucket says what went wrong: every operation returns a `Result`, of any kind that the
/// backend gives.
///
/// Every operation has an async twin that ends in `_async`. A twin that is dropped before it is done may or may not
/// have been carried out.
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
pub struct Bucket<V, C = Postcard> {
    cache: Arc<dyn Cache>,
    prefix: Prefix,
    timeout: Option<Duration>,
    types: PhantomData<fn() -> (V, C)>,
}

impl<V, C> Clone for Bucket<V, C> {
    fn clone(&self) -> Self {
        Bucket {
            cache: Arc::clone(&self.cache),
            prefix: self.prefix.clone(),
            timeout: self.timeout,
            types: PhantomData,
        }
    }
}

impl<V, C> fmt::Debug for Bucket<V, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bucket")
            .field("cache", &self.cache.capabilities().name)
            .field("prefix", &self.prefix.as_str())
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

impl<V> Bucket<V> {
    /// A bucket of this cache whose keys start with this prefix. Buckets of one prefix share their entries.
    #[must_use]
    pub fn new(cache: Arc<dyn Cache>, prefix: &str) -> Self {
        Bucket { cache, prefix: Prefix::new(prefix, 0), timeout: None, types: PhantomData }
    }
}

impl<V, C> Bucket<V, C> {
    /// Values expire so long after they are set. Without it they are kept for ever.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] for a timeout of zero.
    pub fn timeout(mut self, timeout: Duration) -> Result<Self, Error> {
        self.timeout = Some(checked(timeout)?);
        Ok(self)
    }

    /// Stores with another codec; entries of a codec are not read by another.
    #[must_use]
    pub fn codec<D: Codec>(self) -> Bucket<V, D> {
        Bucket { cache: self.cache, prefix: self.prefix, timeout: self.timeout, types: PhantomData }
    }

    fn key(&self, key: &(impl Serialize + ?Sized)) -> Result<String, Error> {
        Ok(self.prefix.key(&Digest::of(key)?).text().to_owned())
    }

    fn keys_of<K: Serialize>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<String>, Error> {
        keys.into_iter().map(|key| self.key(&key)).collect()
    }
}

impl<V, C> Bucket<V, C>
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    async fn read<I: Io>(&self, key: Result<String, Error>) -> Result<Option<V>, Error> {
        let key = key?;
        let found =
            I::read(&*self.cache, &key, Want::Bytes, |found| value::from_bytes::<V, C>(&key, found.bytes)).await?;
        // What is no value of this bucket is none at all.
        Ok(found.and_then(Result::ok).map(|(value, _)| value))
    }

    /// The key and the stored form of a value, made before anything is awaited.
    fn pair(
        &self,
        key: &(impl Serialize + ?Sized),
        value: &V,
        timeout: Option<Duration>,
    ) -> Result<(String, Vec<u8>), Error> {
        let key = self.key(key)?;
        let bytes = value::to_bytes::<V, C>(&key, value, timeout, Duration::ZERO)?;
        Ok((key, bytes))
    }

    /// The value under this key, if there is one that is fresh and of this type and codec.
    pub fn get(&self, key: &(impl Serialize + ?Sized)) -> Result<Option<V>, Error> {
        ready(self.read::<Blocking>(self.key(key)))
    }

    /// Twin of [`get`](Bucket::get).
    pub fn get_async(&self, key: &(impl Serialize + ?Sized)) -> impl Future<Output = Result<Option<V>, Error>> + Send {
        self.read::<Tasks>(self.key(key))
    }

    /// Whether [`get`](Bucket::get) finds something.
    pub fn contains(&self, key: &(impl Serialize + ?Sized)) -> Result<bool, Error> {
        Ok(self.get(key)?.is_some())
    }

    /// Twin of [`contains`](Bucket::contains).
    pub fn contains_async(&self, key: &(impl Serialize + ?Sized)) -> impl Future<Output = Result<bool, Error>> + Send {
        let found = self.read::<Tasks>(self.key(key));
        async move { Ok(found.await?.is_some()) }
    }

    /// Stores a value with the bucket's timeout.
    pub fn set(&self, key: &(impl Serialize + ?Sized), value: &V) -> Result<(), Error> {
        let (key, bytes) = self.pair(key, value, self.timeout)?;
        self.cache.set(&key, &bytes, self.timeout)
    }

    /// Twin of [`set`](Bucket::set).
    pub fn set_async(
        &self,
        key: &(impl Serialize + ?Sized),
        value: &V,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        let pair = self.pair(key, value, self.timeout);
        async move {
            let (key, bytes) = pair?;
            self.cache.set_async(&key, &bytes, self.timeout).await
        }
    }

    /// Stores a value with a timeout of its own. A zero one is [`ErrorKind::Config`].
    pub fn set_with_timeout(&self, key: &(impl Serialize + ?Sized), value: &V, timeout: Duration) -> Result<(), Error> {
        let timeout = Some(checked(timeout)?);
        let (key, bytes) = self.pair(key, value, timeout)?;
        self.cache.set(&key, &bytes, timeout)
    }

    /// Twin of [`set_with_timeout`](Bucket::set_with_timeout).
    pub fn set_with_timeout_async(
        &self,
        key: &(impl Serialize + ?Sized),
        value: &V,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), Error>> + Send {
        let pair = checked(timeout).and_then(|timeout| self.pair(key, value, Some(timeout)));
        async move {
            let (key, bytes) = pair?;
            self.cache.set_async(&key, &bytes, Some(timeout)).await
        }
    }

    /// Stores a value only if nothing is there. Whether it did; of many callers at once, one is told `true`.
    pub fn add(&self, key: &(impl Serialize + ?Sized), value: &V) -> Result<bool, Error> {
        let (key, bytes) = self.pair(key, value, self.timeout)?;
        self.cache.add(&key, &bytes, self.timeout)
    }

    /// Twin of [`add`](Bucket::add).
    pub fn add_async(
        &self,
        key: &(impl Serialize + ?Sized),
        value: &V,
    ) -> impl Future<Output = Result<bool, Error>> + Send {
        let pair = self.pair(key, value, self.timeout);
        async move {
            let (key, bytes) = pair?;
            self.cache.add_async(&key, &bytes, self.timeout).await
        }
    }

    /// The values under these keys, in their order.
    pub fn get_many<K: Serialize>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<Option<V>>, Error> {
        ready(self.read_many::<Blocking>(self.keys_of(keys)))
    }

    /// Twin of [`get_many`](Bucket::get_many).
    pub fn get_many_async<K: Serialize>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Future<Output = Result<Vec<Option<V>>, Error>> + Send {
        self.read_many::<Tasks>(self.keys_of(keys))
    }

    async fn read_many<I: Io>(&self, keys: Result<Vec<String>, Error>) -> Result<Vec<Option<V>>, Error> {
        let keys = keys?;
        let borrowed: Vec<&str> = keys.iter().map(String::as_str).collect();
        let found = I::get_many(&*self.cache, &borrowed).await?;
        Ok(keys
            .iter()
            .zip(found)
            .map(|(key, bytes)| value::from_bytes::<V, C>(key, &bytes?).ok().map(|(value, _)| value))
            .collect())
    }

    /// Stores each pair with the bucket's timeout. On an error some may be stored.
    pub fn set_many<'a, K: Serialize>(&self, pairs: impl IntoIterator<Item = (K, &'a V)>) -> Result<(), Error>
    where
        V: 'a,
    {
        ready(self.write_many::<Blocking>(self.pairs(pairs)))
    }

    /// Twin of [`set_many`](Bucket::set_many).
    pub fn set_many_async<'a, K: Serialize>(
        &self,
        pairs: impl IntoIterator<Item = (K, &'a V)>,
    ) -> impl Future<Output = Result<(), Error>> + Send
    where
        V: 'a,
    {
        self.write_many::<Tasks>(self.pairs(pairs))
    }

    fn pairs<'a, K: Serialize>(&self, pairs: impl IntoIterator<Item = (K, &'a V)>) -> Result<Pairs, Error>
    where
        V: 'a,
    {
        pairs.into_iter().map(|(key, value)| self.pair(&key, value, self.timeout)).collect()
    }

    async fn write_many<I: Io>(&self, pairs: Result<Pairs, Error>) -> Result<(), Error> {
        let pairs = pairs?;
        let borrowed: Vec<(&str, &[u8])> = pairs.iter().map(|(key, bytes)| (key.as_str(), bytes.as_slice())).collect();
        I::set_many(&*self.cache, &borrowed, self.timeout).await
    }

    /// The value under this key, or what `load` makes, which is stored. Callers that come at once each run `load`;
    /// where that matters, a `#[cached]` function runs it once.
    pub fn get_or_insert_with(&self, key: &(impl Serialize + ?Sized), load: impl FnOnce() -> V) -> Result<V, Error> {
        if let Some(value) = self.get(key)? {
            return Ok(value);
        }
        let value = load();
        self.set(key, &value)?;
        Ok(value)
    }

    /// Twin of [`get_or_insert_with`](Bucket::get_or_insert_with).
    pub fn get_or_insert_with_async<L, F>(
        &self,
        key: &(impl Serialize + ?Sized),
        load: L,
    ) -> impl Future<Output = Result<V, Error>> + Send
    where
        L: FnOnce() -> F + Send,
        F: Future<Output = V> + Send,
    {
        let key = self.key(key);
        async move {
            let key = key?;
            if let Some(value) = self.read::<Tasks>(Ok(key.clone())).await? {
                return Ok(value);
            }
            let value = load().await;
            let bytes = value::to_bytes::<V, C>(&key, &value, self.timeout, Duration::ZERO)?;
            self.cache.set_async(&key, &bytes, self.timeout).await?;
            Ok(value)
        }
    }
}

/// Keys and stored values.
type Pairs = Vec<(String, Vec<u8>)>;

/// What needs no value.
impl<V, C> Bucket<V, C> {
    /// Drops the value. Whether there was one; of many callers at once, one is told `true`.
    pub fn remove(&self, key: &(impl Serialize + ?Sized)) -> Result<bool, Error> {
        self.cache.remove(&self.key(key)?)
    }

    /// Twin of [`remove`](Bucket::remove).
    pub fn remove_async(&self, key: &(impl Serialize + ?Sized)) -> impl Future<Output = Result<bool, Error>> + Send {
        let (key, cache) = (self.key(key), &self.cache);
        async move { cache.remove_async(&key?).await }
    }

    /// Drops the values; how many there were, exactly.
    pub fn remove_many<K: Serialize>(&self, keys: impl IntoIterator<Item = K>) -> Result<u64, Error> {
        ready(drop_many::<Blocking>(&*self.cache, self.keys_of(keys)))
    }

    /// Twin of [`remove_many`](Bucket::remove_many).
    pub fn remove_many_async<K: Serialize>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Future<Output = Result<u64, Error>> + Send {
        drop_many::<Tasks>(&*self.cache, self.keys_of(keys))
    }

    /// Adds to the number under this key and returns the sum; a missing one counts as 0. Numbers are kept apart from
    /// values: `get` does not see them, `increment(key, 0)` does.
    pub fn increment(&self, key: &(impl Serialize + ?Sized), by: i64) -> Result<i64, Error> {
        self.cache.increment(&self.key(key)?, by, self.timeout)
    }

    /// Twin of [`increment`](Bucket::increment).
    pub fn increment_async(
        &self,
        key: &(impl Serialize + ?Sized),
        by: i64,
    ) -> impl Future<Output = Result<i64, Error>> + Send {
        let (key, cache, timeout) = (self.key(key), &self.cache, self.timeout);
        async move { cache.increment_async(&key?, by, timeout).await }
    }

    /// Gives the value a new timeout from now, or none. Whether there was one.
    pub fn touch(&self, key: &(impl Serialize + ?Sized), timeout: Option<Duration>) -> Result<bool, Error> {
        let timeout = timeout.map(checked).transpose()?;
        self.cache.touch(&self.key(key)?, timeout)
    }

    /// Twin of [`touch`](Bucket::touch).
    pub fn touch_async(
        &self,
        key: &(impl Serialize + ?Sized),
        timeout: Option<Duration>,
    ) -> impl Future<Output = Result<bool, Error>> + Send {
        let (key, cache) = (self.key(key), &self.cache);
        let timeout = timeout.map(checked).transpose();
        async move { cache.touch_async(&key?, timeout?).await }
    }

    /// The texts of all keys, in no order. A text holds a digest of the key; the key itself is not stored.
    pub fn keys(&self) -> Result<Vec<String>, Error> {
        ready(Blocking::scan(&*self.cache, self.prefix.as_str()))
    }

    /// Twin of [`keys`](Bucket::keys).
    pub async fn keys_async(&self) -> Result<Vec<String>, Error> {
        self.cache.scan_async(self.prefix.as_str()).await
    }

    /// Drops every value of the bucket; how many.
    pub fn clear(&self) -> Result<u64, Error> {
        self.cache.clear(self.prefix.as_str())
    }

    /// Twin of [`clear`](Bucket::clear).
    pub async fn clear_async(&self) -> Result<u64, Error> {
        self.cache.clear_async(self.prefix.as_str()).await
    }
}

async fn drop_many<I: Io>(cache: &dyn Cache, keys: Result<Vec<String>, Error>) -> Result<u64, Error> {
    let keys = keys?;
    let borrowed: Vec<&str> = keys.iter().map(String::as_str).collect();
    I::remove_many(cache, &borrowed).await
}

fn checked(timeout: Duration) -> Result<Duration, Error> {
    if timeout.is_zero() {
        return Err(Error::new(ErrorKind::Config, "storing for a timeout of zero")
            .advise("give a positive duration, or none to keep values for ever"));
    }
    Ok(timeout)
}
