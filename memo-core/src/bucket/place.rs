//! Where the entries of a bucket are: its cache, its prefix and its timeout. About bytes, whatever their type.

use super::lifetime::Timeout;
use crate::Error;
use crate::key::Prefix;
use crate::memo::Io;
use crate::shared::cache::{Cache, Want};
use std::sync::Arc;
use std::time::Duration;

/// Keys and stored values.
pub(super) type Pairs = Vec<(String, Vec<u8>)>;

#[derive(Clone)]
pub(super) struct Place {
    pub(super) cache: Arc<dyn Cache>,
    pub(super) prefix: Prefix,
    /// Shared by the clones of a bucket.
    pub(super) timeout: Arc<Timeout>,
}

impl Place {
    /// What `decode` makes of the bytes under a key; `None` of bytes that are no value of the bucket.
    pub(super) async fn read<I: Io, V: Send>(
        &self,
        key: &str,
        decode: impl Fn(&[u8]) -> Option<V> + Send + Sync,
    ) -> Result<Option<V>, Error> {
        Ok(I::read(&*self.cache, key, Want::Bytes, |found| decode(found.bytes)).await?.flatten())
    }

    /// The bytes under each key, in the order of the keys.
    pub(super) async fn read_many<I: Io>(&self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        I::get_many(&*self.cache, &borrowed(keys)).await
    }

    pub(super) async fn write<I: Io>(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        I::set(&*self.cache, key, bytes, timeout).await
    }

    pub(super) async fn write_many<I: Io>(
        &self,
        pairs: &[(&str, &[u8])],
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        I::set_many(&*self.cache, pairs, timeout).await
    }

    pub(super) async fn add<I: Io>(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        I::add(&*self.cache, key, bytes, timeout).await
    }

    pub(super) async fn remove<I: Io>(&self, key: &str) -> Result<bool, Error> {
        I::remove(&*self.cache, key).await
    }

    pub(super) async fn remove_many<I: Io>(&self, keys: &[String]) -> Result<u64, Error> {
        I::remove_many(&*self.cache, &borrowed(keys)).await
    }

    pub(super) async fn increment<I: Io>(&self, key: &str, by: i64) -> Result<i64, Error> {
        I::increment(&*self.cache, key, by, self.timeout.get()).await
    }

    pub(super) async fn touch<I: Io>(&self, key: &str, timeout: Option<Duration>) -> Result<bool, Error> {
        I::touch(&*self.cache, key, timeout).await
    }

    pub(super) async fn keys<I: Io>(&self) -> Result<Vec<String>, Error> {
        I::scan(&*self.cache, self.prefix.as_str()).await
    }

    pub(super) async fn clear<I: Io>(&self) -> Result<u64, Error> {
        I::clear(&*self.cache, self.prefix.as_str()).await
    }
}

fn borrowed(keys: &[String]) -> Vec<&str> {
    keys.iter().map(String::as_str).collect()
}
