//! Every operation of a [`Cache`]: values are sealed on their way in and opened on their way out.

use super::Sealed;
use crate::Error;
use crate::shared::bus::{Listener, Subscription};
use crate::shared::cache::{BoxFuture, Cache, Found, Want};
use crate::shared::capabilities::Capabilities;
use crate::shared::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored};
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

impl Sealed {
    fn open_all(&self, keys: &[&str], found: Vec<Option<Vec<u8>>>) -> Vec<Option<Vec<u8>>> {
        let open = |(key, bytes): (&&str, Option<Vec<u8>>)| Some(self.seal.open_owned(key, bytes?));
        keys.iter().zip(found).map(open).collect()
    }

    fn close_all<'a>(&self, entries: &[(&'a str, &'a [u8])]) -> Vec<(&'a str, Cow<'a, [u8]>)> {
        entries.iter().map(|(key, bytes)| (*key, self.seal.close(key, bytes))).collect()
    }

    fn close_loaded<'a>(&self, entries: &[Loaded<'a>]) -> Vec<Cow<'a, [u8]>> {
        entries.iter().map(|entry| self.seal.close(entry.key, entry.bytes)).collect()
    }

    /// These bytes of the store, if they are the value that is looked for. Another process may have sealed it in another
    /// way: with another of the secrets, or not compressed.
    fn is_another_form(&self, key: &str, value: &[u8], stored: Option<Vec<u8>>) -> Option<Vec<u8>> {
        stored.filter(|stored| self.seal.open(key, stored).is_ok_and(|opened| *opened == *value))
    }
}

fn borrowed<'a>(entries: &'a [(&'a str, Cow<'a, [u8]>)]) -> Vec<(&'a str, &'a [u8])> {
    entries.iter().map(|(key, bytes)| (*key, &**bytes)).collect()
}

/// The entries with these bytes in place of their own.
fn closed<'a>(entries: &[Loaded<'a>], bytes: &'a [Cow<'a, [u8]>]) -> Vec<Loaded<'a>> {
    entries.iter().zip(bytes).map(|(entry, bytes)| Loaded { bytes, ..*entry }).collect()
}

// A default would go past the seal, or past what the cache below does better.
#[deny(clippy::missing_trait_methods)]
impl Cache for Sealed {
    fn capabilities(&self) -> Capabilities {
        self.cache.capabilities()
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        Ok(self.cache.get(key)?.map(|bytes| self.seal.open_owned(key, bytes)))
    }

    fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        self.cache.set(key, &self.seal.close(key, bytes), timeout)
    }

    fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        self.cache.add(key, &self.seal.close(key, bytes), timeout)
    }

    fn remove(&self, key: &str) -> Result<bool, Error> {
        self.cache.remove(key)
    }

    fn read(&self, key: &str, want: Want, visit: &mut dyn FnMut(Found<&[u8]>)) -> Result<(), Error> {
        self.cache.read(key, want, &mut |Found { bytes, time_to_live }| match self.seal.open(key, bytes) {
            Ok(bytes) => visit(Found { bytes: &bytes, time_to_live }),
            Err(reject) => visit(Found { bytes: &reject.refusal(), time_to_live }),
        })
    }

    fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        Ok(self.open_all(keys, self.cache.get_many(keys)?))
    }

    fn set_many(&self, entries: &[(&str, &[u8])], timeout: Option<Duration>) -> Result<(), Error> {
        self.cache.set_many(&borrowed(&self.close_all(entries)), timeout)
    }

    fn remove_many(&self, keys: &[&str]) -> Result<u64, Error> {
        self.cache.remove_many(keys)
    }

    fn increment(&self, key: &str, by: i64, timeout: Option<Duration>) -> Result<i64, Error> {
        self.cache.increment(key, by, timeout)
    }

    fn touch(&self, key: &str, timeout: Option<Duration>) -> Result<bool, Error> {
        self.cache.touch(key, timeout)
    }

    fn scan(&self, prefix: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Error> {
        self.cache.scan(prefix, visit)
    }

    fn clear(&self, prefix: &str) -> Result<u64, Error> {
        self.cache.clear(prefix)
    }

    fn invalidate(&self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        self.cache.invalidate(what)
    }

    fn store(&self, key: &str, bytes: &[u8], timeout: Option<Duration>, since: u64) -> Result<Stored, Error> {
        self.cache.store(key, &self.seal.close(key, bytes), timeout, since)
    }

    fn store_many(&self, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
        self.cache.store_many(&closed(entries, &self.close_loaded(entries)))
    }

    fn records(&self, names: &[&str], seen: u64) -> Result<Records, Error> {
        self.cache.records(names, seen)
    }

    fn remove_if(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        if self.cache.remove_if(key, &self.seal.close(key, bytes))? {
            return Ok(true);
        }
        let other = self.is_another_form(key, bytes, self.cache.get(key)?);
        other.map_or(Ok(false), |stored| self.cache.remove_if(key, &stored))
    }

    fn touch_if(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        if self.cache.touch_if(key, &self.seal.close(key, bytes), timeout)? {
            return Ok(true);
        }
        let other = self.is_another_form(key, bytes, self.cache.get(key)?);
        other.map_or(Ok(false), |stored| self.cache.touch_if(key, &stored, timeout))
    }

    fn subscribe(&self, listener: Arc<dyn Listener>) -> Result<Option<Subscription>, Error> {
        self.cache.subscribe(listener)
    }

    fn publish(&self, message: &[u8]) -> Result<(), Error> {
        self.cache.publish(message)
    }

    fn get_async<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move { Ok(self.cache.get_async(key).await?.map(|bytes| self.seal.open_owned(key, bytes))) })
    }

    fn read_async<'a>(&'a self, key: &'a str, want: Want) -> BoxFuture<'a, Result<Option<Found<Vec<u8>>>, Error>> {
        Box::pin(async move {
            let found = self.cache.read_async(key, want).await?;
            Ok(found.map(|found| Found { bytes: self.seal.open_owned(key, found.bytes), ..found }))
        })
    }

    fn set_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.cache.set_async(key, &self.seal.close(key, bytes), timeout).await })
    }

    fn add_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.cache.add_async(key, &self.seal.close(key, bytes), timeout).await })
    }

    fn remove_async<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        self.cache.remove_async(key)
    }

    fn get_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>> {
        Box::pin(async move { Ok(self.open_all(keys, self.cache.get_many_async(keys).await?)) })
    }

    fn set_many_async<'a>(
        &'a self,
        entries: &'a [(&'a str, &'a [u8])],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            let entries = self.close_all(entries);
            self.cache.set_many_async(&borrowed(&entries), timeout).await
        })
    }

    fn remove_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<u64, Error>> {
        self.cache.remove_many_async(keys)
    }

    fn increment_async<'a>(
        &'a self,
        key: &'a str,
        by: i64,
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<i64, Error>> {
        self.cache.increment_async(key, by, timeout)
    }

    fn touch_async<'a>(&'a self, key: &'a str, timeout: Option<Duration>) -> BoxFuture<'a, Result<bool, Error>> {
        self.cache.touch_async(key, timeout)
    }

    fn scan_async<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        self.cache.scan_async(prefix)
    }

    fn clear_async<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, Error>> {
        self.cache.clear_async(prefix)
    }

    fn invalidate_async<'a>(&'a self, what: &'a Invalidation<'a>) -> BoxFuture<'a, Result<Invalidated, Error>> {
        self.cache.invalidate_async(what)
    }

    fn store_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
        since: u64,
    ) -> BoxFuture<'a, Result<Stored, Error>> {
        Box::pin(async move { self.cache.store_async(key, &self.seal.close(key, bytes), timeout, since).await })
    }

    fn store_many_async<'a>(&'a self, entries: &'a [Loaded<'a>]) -> BoxFuture<'a, Vec<Result<Stored, Error>>> {
        Box::pin(async move {
            let bytes = self.close_loaded(entries);
            self.cache.store_many_async(&closed(entries, &bytes)).await
        })
    }

    fn records_async<'a>(&'a self, names: &'a [&'a str], seen: u64) -> BoxFuture<'a, Result<Records, Error>> {
        self.cache.records_async(names, seen)
    }

    fn remove_if_async<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            if self.cache.remove_if_async(key, &self.seal.close(key, bytes)).await? {
                return Ok(true);
            }
            match self.is_another_form(key, bytes, self.cache.get_async(key).await?) {
                Some(stored) => self.cache.remove_if_async(key, &stored).await,
                None => Ok(false),
            }
        })
    }

    fn touch_if_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            if self.cache.touch_if_async(key, &self.seal.close(key, bytes), timeout).await? {
                return Ok(true);
            }
            match self.is_another_form(key, bytes, self.cache.get_async(key).await?) {
                Some(stored) => self.cache.touch_if_async(key, &stored, timeout).await,
                None => Ok(false),
            }
        })
    }

    fn publish_async<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<(), Error>> {
        self.cache.publish_async(message)
    }
}
