//! Where the entries of a bucket are: its cache, its prefix, its timeout and its memory. About bytes, whatever their type.
//!
//! Operations go through the cache's link, as those of functions do: a cache that does not answer is not asked until it does.

use super::change::{Circle, Entries};
use super::counts::Counts;
use super::lifetime::Timeout;
use super::memory::Memory;
use crate::Error;
use crate::key::Prefix;
use crate::memo::Io;
use crate::shared::cache::{Cache, Want};
use crate::shared::link::Linked;
use std::sync::Arc;
use std::time::Duration;

/// Keys and stored values.
pub(super) type Pairs = Vec<(String, Vec<u8>)>;

#[derive(Clone)]
pub(super) struct Place {
    pub(super) linked: Linked,
    pub(super) prefix: Prefix,
    /// Shared by the clones of a bucket, like the memory.
    pub(super) timeout: Arc<Timeout>,
    pub(super) memory: Option<Arc<Memory>>,
    pub(super) circle: Arc<Circle>,
    /// Shared by the clones too.
    pub(super) counts: Arc<Counts>,
}

impl Place {
    pub(super) fn new(cache: Arc<dyn Cache>, prefix: Prefix) -> Self {
        let circle = Circle::of(&cache, &prefix);
        let linked = Linked::new(cache);
        Place { linked, prefix, timeout: Arc::new(Timeout::none()), memory: None, circle, counts: Arc::default() }
    }

    pub(super) fn cache(&self) -> &dyn Cache {
        &*self.linked.cache
    }

    /// What an operation on these keys is told by.
    fn first<'a>(&'a self, keys: &[&'a str]) -> &'a str {
        keys.first().copied().unwrap_or(self.prefix.as_str())
    }

    /// What `decode` makes of the bytes under a key; `None` of bytes that are no value of the bucket.
    pub(super) async fn read<I: Io, V: Send>(
        &self,
        key: &str,
        decode: impl Fn(&[u8]) -> Option<V> + Send + Sync,
    ) -> Result<Option<V>, Error> {
        let memory = self.memory.as_deref();
        if let Some(value) = memory.and_then(|memory| decode(&memory.get(key)?)) {
            return Ok(self.counts.asked(Some(value)));
        }
        let keep = memory.and_then(|memory| Some((memory, self.circle.before(key)?)));
        let Some((memory, before)) = keep else {
            let asked = I::read(self.cache(), key, Want::Bytes, |found| decode(found.bytes));
            let found = self.linked.through("reading", key, asked).await?;
            return Ok(self.counts.asked(found.flatten()));
        };
        let asked = I::read(self.cache(), key, Want::BytesAndTimeToLive, |found| {
            let value = decode(found.bytes)?;
            Some((value, Arc::from(found.bytes), memory.until(key, &found)))
        });
        let found = self.linked.through("reading", key, asked).await?;
        Ok(self.counts.asked(found.flatten()).map(|(value, bytes, until)| {
            self.circle.unless_changed(key, before, || memory.keep(key, bytes, until));
            value
        }))
    }

    /// What `decode` makes of the bytes under each key, in the order of the keys. What comes from the cache is not kept
    /// in memory: it does not say how long it still has.
    pub(super) async fn read_many<I: Io, V: Send>(
        &self,
        keys: &[String],
        decode: impl Fn(&str, &[u8]) -> Option<V> + Send + Sync,
    ) -> Result<Vec<Option<V>>, Error> {
        let copy = |key: &String| decode(key, &self.memory.as_ref()?.get(key)?);
        let mut values: Vec<Option<V>> = keys.iter().map(copy).collect();
        let missing: Vec<usize> = (0..keys.len()).filter(|&position| values[position].is_none()).collect();
        if !missing.is_empty() {
            let asked: Vec<&str> = missing.iter().map(|&position| keys[position].as_str()).collect();
            let found = self.ask_many::<I>(&asked).await?;
            for (position, bytes) in missing.into_iter().zip(found) {
                values[position] = bytes.and_then(|bytes| decode(&keys[position], &bytes));
            }
        }
        Ok(values.into_iter().map(|value| self.counts.asked(value)).collect())
    }

    /// The bytes under each key, in the order of the keys.
    pub(super) async fn ask_many<I: Io>(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        self.linked.through("reading", self.first(keys), I::get_many(self.cache(), keys)).await
    }

    pub(super) async fn write<I: Io>(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        let _change = self.circle.change(Entries::One(key));
        self.linked.through("storing", key, I::set(self.cache(), key, bytes, timeout)).await?;
        self.counts.wrote(1);
        Ok(())
    }

    pub(super) async fn write_many<I: Io>(
        &self,
        pairs: &[(&str, &[u8])],
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        let _change = self.circle.change(Entries::Pairs(pairs));
        let first = pairs.first().map_or(self.prefix.as_str(), |(key, _)| key);
        self.linked.through("storing", first, I::set_many(self.cache(), pairs, timeout)).await?;
        self.counts.wrote(pairs.len());
        Ok(())
    }

    pub(super) async fn add<I: Io>(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        let _change = self.circle.change(Entries::One(key));
        let added = self.linked.through("storing", key, I::add(self.cache(), key, bytes, timeout)).await?;
        self.counts.wrote(usize::from(added));
        Ok(added)
    }

    pub(super) async fn remove<I: Io>(&self, key: &str) -> Result<bool, Error> {
        let _change = self.circle.change(Entries::One(key));
        self.linked.through("removing", key, I::remove(self.cache(), key)).await
    }

    pub(super) async fn remove_many<I: Io>(&self, keys: &[String]) -> Result<u64, Error> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let _change = self.circle.change(Entries::Named(&keys));
        self.linked.through("removing", self.first(&keys), I::remove_many(self.cache(), &keys)).await
    }

    pub(super) async fn increment<I: Io>(&self, key: &str, by: i64) -> Result<i64, Error> {
        let _change = self.circle.change(Entries::One(key));
        self.linked.through("counting in", key, I::increment(self.cache(), key, by, self.timeout.get())).await
    }

    pub(super) async fn touch<I: Io>(&self, key: &str, timeout: Option<Duration>) -> Result<bool, Error> {
        let _change = self.circle.change(Entries::One(key));
        self.linked.through("keeping", key, I::touch(self.cache(), key, timeout)).await
    }

    // The last two go through all of a cache, for which no time is too long: they are asked for past the link.

    pub(super) async fn keys<I: Io>(&self) -> Result<Vec<String>, Error> {
        I::scan(self.cache(), self.prefix.as_str()).await
    }

    pub(super) async fn clear<I: Io>(&self) -> Result<u64, Error> {
        let _change = self.circle.change(Entries::All);
        I::clear(self.cache(), self.prefix.as_str()).await
    }
}
