//! What needs no value: removals, numbers, timeouts, keys.

use super::lifetime::checked;
use super::{Bucket, KeyMaker};
use crate::Error;
use crate::memo::{Blocking, Tasks, ready};
use std::future::Future;
use std::time::Duration;

impl<V, C, M> Bucket<V, C, M> {
    /// Drops the value. Whether there was one; of many callers at once, one is told `true`.
    pub fn remove<K: ?Sized>(&self, key: &K) -> Result<bool, Error>
    where
        M: KeyMaker<K>,
    {
        ready(self.place.remove::<Blocking>(&self.key(key)?))
    }

    /// Twin of [`remove`](Bucket::remove).
    pub fn remove_async<K: ?Sized>(&self, key: &K) -> impl Future<Output = Result<bool, Error>> + Send
    where
        M: KeyMaker<K>,
    {
        let (key, place) = (self.key(key), &self.place);
        async move { place.remove::<Tasks>(&key?).await }
    }

    /// Drops the values; how many there were, exactly.
    pub fn remove_many<K>(&self, keys: impl IntoIterator<Item = K>) -> Result<u64, Error>
    where
        M: KeyMaker<K>,
    {
        ready(self.place.remove_many::<Blocking>(&self.keys_of(keys)?))
    }

    /// Twin of [`remove_many`](Bucket::remove_many).
    pub fn remove_many_async<K>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Future<Output = Result<u64, Error>> + Send
    where
        M: KeyMaker<K>,
    {
        let (keys, place) = (self.keys_of(keys), &self.place);
        async move { place.remove_many::<Tasks>(&keys?).await }
    }

    /// Adds to the number under this key and returns the sum; a missing one counts as 0. Numbers are kept apart from
    /// values: `get` does not see them, `increment(key, 0)` does.
    pub fn increment<K: ?Sized>(&self, key: &K, by: i64) -> Result<i64, Error>
    where
        M: KeyMaker<K>,
    {
        ready(self.place.increment::<Blocking>(&self.key(key)?, by))
    }

    /// Twin of [`increment`](Bucket::increment).
    pub fn increment_async<K: ?Sized>(&self, key: &K, by: i64) -> impl Future<Output = Result<i64, Error>> + Send
    where
        M: KeyMaker<K>,
    {
        let (key, place) = (self.key(key), &self.place);
        async move { place.increment::<Tasks>(&key?, by).await }
    }

    /// Gives the value a new timeout from now, or none. Whether there was one.
    pub fn touch<K: ?Sized>(&self, key: &K, timeout: Option<Duration>) -> Result<bool, Error>
    where
        M: KeyMaker<K>,
    {
        let timeout = timeout.map(checked).transpose()?;
        ready(self.place.touch::<Blocking>(&self.key(key)?, timeout))
    }

    /// Twin of [`touch`](Bucket::touch).
    pub fn touch_async<K: ?Sized>(
        &self,
        key: &K,
        timeout: Option<Duration>,
    ) -> impl Future<Output = Result<bool, Error>> + Send
    where
        M: KeyMaker<K>,
    {
        let (key, place) = (self.key(key), &self.place);
        let timeout = timeout.map(checked).transpose();
        async move { place.touch::<Tasks>(&key?, timeout?).await }
    }

    /// The texts of all keys, in no order. A text holds a digest of the key; the key itself is not stored.
    pub fn keys(&self) -> Result<Vec<String>, Error> {
        ready(self.place.keys::<Blocking>())
    }

    /// Twin of [`keys`](Bucket::keys).
    pub fn keys_async(&self) -> impl Future<Output = Result<Vec<String>, Error>> + Send {
        self.place.keys::<Tasks>()
    }

    /// Drops every value of the bucket; how many.
    pub fn clear(&self) -> Result<u64, Error> {
        ready(self.place.clear::<Blocking>())
    }

    /// Twin of [`clear`](Bucket::clear).
    pub fn clear_async(&self) -> impl Future<Output = Result<u64, Error>> + Send {
        self.place.clear::<Tasks>()
    }
}
