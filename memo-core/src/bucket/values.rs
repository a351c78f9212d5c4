//! What reads and writes values.

use super::lifetime::{Life, entry_of, is_outdated};
use super::place::Pairs;
use super::{Bucket, KeyMaker};
use crate::Error;
use crate::memo::{Blocking, Io, Tasks, ready};
use crate::shared::codec::Codec;
use crate::shared::value;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::future::Future;
use std::time::Duration;

impl<V, C, M> Bucket<V, C, M>
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    /// The value in stored bytes. What is no value of this bucket, or too old for it, is none at all.
    pub(super) fn decode(&self, key: &str, bytes: &[u8]) -> Option<V> {
        let (value, header) = value::from_bytes::<V, C>(key, bytes).ok()?;
        (!is_outdated(&header, self.place.timeout.get())).then_some(value)
    }

    pub(super) async fn read<I: Io>(&self, key: Result<String, Error>) -> Result<Option<V>, Error>
    where
        M: Send + Sync,
    {
        let key = key?;
        self.place.read::<I, V>(&key, |bytes| self.decode(&key, bytes)).await
    }

    pub(super) async fn read_many<I: Io>(&self, keys: Result<Vec<String>, Error>) -> Result<Vec<Option<V>>, Error>
    where
        M: Send + Sync,
    {
        let keys = keys?;
        self.place.read_many::<I, V>(&keys, |key, bytes| self.decode(key, bytes)).await
    }

    pub(super) fn life(&self) -> Life {
        Life::OfBucket(self.place.timeout.get())
    }

    /// The key and the stored form of a value, made before anything is awaited.
    fn pair<K: ?Sized>(&self, key: &K, value: &V, life: Life) -> Result<(String, Vec<u8>), Error>
    where
        M: KeyMaker<K>,
    {
        let key = self.key(key)?;
        let bytes = entry_of::<V, C>(&key, value, life)?;
        Ok((key, bytes))
    }

    fn pairs<'a, K>(&self, pairs: impl IntoIterator<Item = (K, &'a V)>, life: Life) -> Result<Pairs, Error>
    where
        M: KeyMaker<K>,
        V: 'a,
    {
        pairs.into_iter().map(|(key, value)| self.pair(&key, value, life)).collect()
    }

    async fn write<I: Io>(&self, pair: Result<(String, Vec<u8>), Error>, life: Life) -> Result<(), Error>
    where
        M: Send + Sync,
    {
        let (key, bytes) = pair?;
        self.place.write::<I>(&key, &bytes, life.timeout()).await
    }

    async fn write_many<I: Io>(&self, pairs: Result<Pairs, Error>, life: Life) -> Result<(), Error>
    where
        M: Send + Sync,
    {
        let pairs = pairs?;
        let borrowed: Vec<(&str, &[u8])> = pairs.iter().map(|(key, bytes)| (key.as_str(), bytes.as_slice())).collect();
        self.place.write_many::<I>(&borrowed, life.timeout()).await
    }

    /// The value under this key, if there is one that is fresh and of this type and codec.
    pub fn get<K: ?Sized>(&self, key: &K) -> Result<Option<V>, Error>
    where
        M: KeyMaker<K>,
    {
        ready(self.read::<Blocking>(self.key(key)))
    }

    /// Twin of [`get`](Bucket::get).
    pub fn get_async<K: ?Sized>(&self, key: &K) -> impl Future<Output = Result<Option<V>, Error>> + Send
    where
        M: KeyMaker<K>,
    {
        self.read::<Tasks>(self.key(key))
    }

    /// Whether [`get`](Bucket::get) finds something.
    pub fn contains<K: ?Sized>(&self, key: &K) -> Result<bool, Error>
    where
        M: KeyMaker<K>,
    {
        Ok(self.get(key)?.is_some())
    }

    /// Twin of [`contains`](Bucket::contains).
    pub fn contains_async<K: ?Sized>(&self, key: &K) -> impl Future<Output = Result<bool, Error>> + Send
    where
        M: KeyMaker<K>,
    {
        let found = self.read::<Tasks>(self.key(key));
        async move { Ok(found.await?.is_some()) }
    }

    /// Stores a value with the bucket's timeout.
    pub fn set<K: ?Sized>(&self, key: &K, value: &V) -> Result<(), Error>
    where
        M: KeyMaker<K>,
    {
        let life = self.life();
        ready(self.write::<Blocking>(self.pair(key, value, life), life))
    }

    /// Twin of [`set`](Bucket::set).
    pub fn set_async<K: ?Sized>(&self, key: &K, value: &V) -> impl Future<Output = Result<(), Error>> + Send
    where
        M: KeyMaker<K>,
    {
        let life = self.life();
        self.write::<Tasks>(self.pair(key, value, life), life)
    }

    /// Stores a value with a timeout of its own, which the bucket's does not bound. A zero one is
    /// [`ErrorKind::Config`](crate::ErrorKind::Config).
    pub fn set_with_timeout<K: ?Sized>(&self, key: &K, value: &V, timeout: Duration) -> Result<(), Error>
    where
        M: KeyMaker<K>,
    {
        let life = Life::own(timeout)?;
        ready(self.write::<Blocking>(self.pair(key, value, life), life))
    }

    /// Twin of [`set_with_timeout`](Bucket::set_with_timeout).
    pub fn set_with_timeout_async<K: ?Sized>(
        &self,
        key: &K,
        value: &V,
        timeout: Duration,
    ) -> impl Future<Output = Result<(), Error>> + Send
    where
        M: KeyMaker<K>,
    {
        let pair = Life::own(timeout).and_then(|life| self.pair(key, value, life));
        self.write::<Tasks>(pair, Life::Own(timeout))
    }

    /// Stores a value only if nothing is there. Whether it did; of many callers at once, one is told `true`.
    pub fn add<K: ?Sized>(&self, key: &K, value: &V) -> Result<bool, Error>
    where
        M: KeyMaker<K>,
    {
        let life = self.life();
        let (key, bytes) = self.pair(key, value, life)?;
        ready(self.place.add::<Blocking>(&key, &bytes, life.timeout()))
    }

    /// Twin of [`add`](Bucket::add).
    pub fn add_async<K: ?Sized>(&self, key: &K, value: &V) -> impl Future<Output = Result<bool, Error>> + Send
    where
        M: KeyMaker<K>,
    {
        let (life, place) = (self.life(), &self.place);
        let pair = self.pair(key, value, life);
        async move {
            let (key, bytes) = pair?;
            place.add::<Tasks>(&key, &bytes, life.timeout()).await
        }
    }

    /// The values under these keys, in their order.
    pub fn get_many<K>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<Option<V>>, Error>
    where
        M: KeyMaker<K>,
    {
        ready(self.read_many::<Blocking>(self.keys_of(keys)))
    }

    /// Twin of [`get_many`](Bucket::get_many).
    pub fn get_many_async<K>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Future<Output = Result<Vec<Option<V>>, Error>> + Send
    where
        M: KeyMaker<K>,
    {
        self.read_many::<Tasks>(self.keys_of(keys))
    }

    /// Stores each pair with the bucket's timeout. On an error some may be stored.
    pub fn set_many<'a, K>(&self, pairs: impl IntoIterator<Item = (K, &'a V)>) -> Result<(), Error>
    where
        M: KeyMaker<K>,
        V: 'a,
    {
        let life = self.life();
        ready(self.write_many::<Blocking>(self.pairs(pairs, life), life))
    }

    /// Twin of [`set_many`](Bucket::set_many).
    pub fn set_many_async<'a, K>(
        &self,
        pairs: impl IntoIterator<Item = (K, &'a V)>,
    ) -> impl Future<Output = Result<(), Error>> + Send
    where
        M: KeyMaker<K>,
        V: 'a,
    {
        let life = self.life();
        self.write_many::<Tasks>(self.pairs(pairs, life), life)
    }

    /// The value under this key, or what `load` makes, which is stored. Callers that come at once each run `load`;
    /// where that matters, a `#[cached]` function runs it once.
    pub fn get_or_insert_with<K: ?Sized>(&self, key: &K, load: impl FnOnce() -> V) -> Result<V, Error>
    where
        M: KeyMaker<K>,
    {
        let key = self.key(key)?;
        if let Some(value) = ready(self.read::<Blocking>(Ok(key.clone())))? {
            return Ok(value);
        }
        let value = load();
        let life = self.life();
        let entry = entry_of::<V, C>(&key, &value, life);
        ready(self.write::<Blocking>(entry.map(|bytes| (key, bytes)), life))?;
        Ok(value)
    }

    /// Twin of [`get_or_insert_with`](Bucket::get_or_insert_with).
    pub fn get_or_insert_with_async<K: ?Sized, L, F>(
        &self,
        key: &K,
        load: L,
    ) -> impl Future<Output = Result<V, Error>> + Send
    where
        M: KeyMaker<K>,
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
            let life = self.life();
            let entry = entry_of::<V, C>(&key, &value, life);
            self.write::<Tasks>(entry.map(|bytes| (key, bytes)), life).await?;
            Ok(value)
        }
    }
}
