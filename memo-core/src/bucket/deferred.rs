//! Writes that are held back and go to the cache together.

use super::lifetime::{Life, entry_of};
use super::pending::{Awaiting, Pending};
use super::{Bucket, KeyMaker, WholeKey};
use crate::Error;
use crate::memo::{Blocking, Io, Tasks, ready};
use crate::shared::codec::{Codec, Postcard};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

/// A [`Bucket`] whose writes wait in memory, see [`Bucket::deferred`].
///
/// What it reads includes what it is to write; others see that when it is written. Its values expire by their timeouts
/// from when they were set, not from when they are written.
///
/// - [`flush`](Deferred::flush) writes what waits: each key once, in as few requests as the cache allows. What could
///   not be written still waits, and can be tried again.
/// - Dropping it writes too, also while a panic unwinds, so a block that fails half way loses nothing. There is nobody
///   to tell of a failure then but an error event of `tracing`, and what was not written is lost: flush before, where
///   that matters.
/// - In async code the drop waits with the thread, as a destructor can't await. Await
///   [`flush_async`](Deferred::flush_async) before, and the drop has nothing to do.
/// - Nothing bounds what waits: flush now and then in a long loop.
///
/// ```
/// # use memo_core as memokit;
/// # fn example(totals: memokit::Bucket<u64>, orders: Vec<(u32, u64)>) -> Result<(), memokit::Error> {
/// let mut totals = totals.deferred();
/// for (customer, sum) in orders {
///     let before = totals.get(&customer)?.unwrap_or(0);
///     totals.set(&customer, &(before + sum))?;
/// }
/// println!("{} customers", totals.flush()?);
/// # Ok(())
/// # }
/// ```
#[must_use = "what is set through it is written when it is dropped"]
pub struct Deferred<V, C = Postcard, M = WholeKey> {
    bucket: Bucket<V, C, M>,
    pending: Pending,
}

impl<V, C, M> Bucket<V, C, M> {
    /// A guard that holds back what is written through it, until it is [flushed](Deferred::flush) or dropped.
    pub fn deferred(&self) -> Deferred<V, C, M> {
        Deferred { bucket: self.clone(), pending: Pending::default() }
    }
}

impl<V, C, M> fmt::Debug for Deferred<V, C, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deferred").field("bucket", &self.bucket).field("pending", &self.pending()).finish()
    }
}

impl<V, C, M> Deferred<V, C, M> {
    /// How many keys wait for their write or removal.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Removes the value when the writes are carried out, if there is one then. For the guard it is gone now.
    ///
    /// # Errors
    /// [`ErrorKind::Key`](crate::ErrorKind::Key) where the key can't be made.
    pub fn remove<K: ?Sized>(&mut self, key: &K) -> Result<(), Error>
    where
        M: KeyMaker<K>,
    {
        let key = self.bucket.key(key)?;
        self.pending.remove(key);
        Ok(())
    }

    /// Writes what waits; how many keys that was, removals among them.
    ///
    /// # Errors
    /// Those of the cache. What was not written waits on. A value that the cache refuses does not keep others from
    /// being written; a cache that is down is not asked again.
    pub fn flush(&mut self) -> Result<usize, Error> {
        ready(self.pending.flush::<Blocking>(&self.bucket.place))
    }

    /// Twin of [`flush`](Deferred::flush). Where it is dropped before it is done, what was not written waits on.
    pub fn flush_async(&mut self) -> impl Future<Output = Result<usize, Error>> + Send {
        self.pending.flush::<Tasks>(&self.bucket.place)
    }

    /// Forgets what waits, and writes nothing of it; how many keys that was.
    pub fn discard(&mut self) -> usize {
        let count = self.pending.len();
        self.pending.clear();
        count
    }
}

impl<V, C, M> Deferred<V, C, M>
where
    V: Serialize + DeserializeOwned + Send + Sync + 'static,
    C: Codec,
{
    /// What waits under a key, as a value.
    fn value(&self, key: &str, awaiting: &Awaiting<'_>) -> Option<V> {
        match awaiting {
            Awaiting::Set(bytes) => self.bucket.decode(key, bytes),
            Awaiting::Gone => None,
        }
    }

    async fn read<I: Io>(&self, key: Result<String, Error>) -> Result<Option<V>, Error>
    where
        M: Send + Sync,
    {
        let key = key?;
        match self.pending.get(&key) {
            Some(awaiting) => Ok(self.value(&key, &awaiting)),
            None => self.bucket.read::<I>(Ok(key)).await,
        }
    }

    async fn read_many<I: Io>(&self, keys: Result<Vec<String>, Error>) -> Result<Vec<Option<V>>, Error>
    where
        M: Send + Sync,
    {
        let mut values = Vec::new();
        let (mut others, mut positions) = (Vec::new(), Vec::new());
        for (position, key) in keys?.into_iter().enumerate() {
            match self.pending.get(&key) {
                Some(awaiting) => values.push(self.value(&key, &awaiting)),
                None => {
                    values.push(None);
                    positions.push(position);
                    others.push(key);
                }
            }
        }
        for (position, value) in positions.into_iter().zip(self.bucket.read_many::<I>(Ok(others)).await?) {
            values[position] = value;
        }
        Ok(values)
    }

    fn set_for<K: ?Sized>(&mut self, key: &K, value: &V, life: Life) -> Result<(), Error>
    where
        M: KeyMaker<K>,
    {
        let key = self.bucket.key(key)?;
        let bytes = entry_of::<V, C>(&key, value, life)?;
        self.pending.set(key, bytes, life);
        Ok(())
    }

    /// The value that waits under this key, else the bucket's.
    pub fn get<K: ?Sized>(&self, key: &K) -> Result<Option<V>, Error>
    where
        M: KeyMaker<K>,
    {
        ready(self.read::<Blocking>(self.bucket.key(key)))
    }

    /// Twin of [`get`](Deferred::get).
    pub fn get_async<K: ?Sized>(&self, key: &K) -> impl Future<Output = Result<Option<V>, Error>> + Send
    where
        M: KeyMaker<K>,
    {
        self.read::<Tasks>(self.bucket.key(key))
    }

    /// Whether [`get`](Deferred::get) finds something.
    pub fn contains<K: ?Sized>(&self, key: &K) -> Result<bool, Error>
    where
        M: KeyMaker<K>,
    {
        Ok(self.get(key)?.is_some())
    }

    /// Twin of [`contains`](Deferred::contains).
    pub fn contains_async<K: ?Sized>(&self, key: &K) -> impl Future<Output = Result<bool, Error>> + Send
    where
        M: KeyMaker<K>,
    {
        let found = self.read::<Tasks>(self.bucket.key(key));
        async move { Ok(found.await?.is_some()) }
    }

    /// The values under these keys, in their order.
    pub fn get_many<K>(&self, keys: impl IntoIterator<Item = K>) -> Result<Vec<Option<V>>, Error>
    where
        M: KeyMaker<K>,
    {
        ready(self.read_many::<Blocking>(self.bucket.keys_of(keys)))
    }

    /// Twin of [`get_many`](Deferred::get_many).
    pub fn get_many_async<K>(
        &self,
        keys: impl IntoIterator<Item = K>,
    ) -> impl Future<Output = Result<Vec<Option<V>>, Error>> + Send
    where
        M: KeyMaker<K>,
    {
        self.read_many::<Tasks>(self.bucket.keys_of(keys))
    }

    /// Sets a value with the bucket's timeout, to be written later. It is encoded now.
    ///
    /// # Errors
    /// Those of the key and of the codec.
    pub fn set<K: ?Sized>(&mut self, key: &K, value: &V) -> Result<(), Error>
    where
        M: KeyMaker<K>,
    {
        self.set_for(key, value, self.bucket.life())
    }

    /// Sets a value with a timeout of its own, to be written later. A zero one is
    /// [`ErrorKind::Config`](crate::ErrorKind::Config).
    pub fn set_with_timeout<K: ?Sized>(&mut self, key: &K, value: &V, timeout: Duration) -> Result<(), Error>
    where
        M: KeyMaker<K>,
    {
        self.set_for(key, value, Life::own(timeout)?)
    }

    /// Sets each pair with the bucket's timeout, to be written later. On an error those before it are set.
    pub fn set_many<'a, K>(&mut self, pairs: impl IntoIterator<Item = (K, &'a V)>) -> Result<(), Error>
    where
        M: KeyMaker<K>,
        V: 'a,
    {
        let life = self.bucket.life();
        pairs.into_iter().try_for_each(|(key, value)| self.set_for(&key, value, life))
    }
}

impl<V, C, M> Drop for Deferred<V, C, M> {
    fn drop(&mut self) {
        if self.pending() == 0 {
            return;
        }
        // A backend must not panic. One that does so while another panic unwinds would end the process.
        let flushed = catch_unwind(AssertUnwindSafe(|| self.flush()));
        let (prefix, lost) = (self.bucket.place.prefix.as_str(), self.pending());
        match flushed {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(prefix, lost, kind = ?error.kind(), cause, "deferred writes are lost: {error}");
            }
            Err(_) => tracing::error!(prefix, lost, "deferred writes are lost: the cache panicked"),
        }
    }
}
