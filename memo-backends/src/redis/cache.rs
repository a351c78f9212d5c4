//! The contract of a backend, in terms of single operations.

use super::RedisCache;
use super::command::{self, BATCH};
#[cfg(feature = "redis-tokio")]
use memo_core::BoxFuture;
use memo_core::{Cache, Capabilities, Error, Found, Want, check_key};
use std::time::Duration;

fn check_keys(keys: &[&str]) -> Result<(), Error> {
    keys.iter().try_for_each(|key| check_key(key))
}

fn check_entries(entries: &[(&str, &[u8])]) -> Result<(), Error> {
    entries.iter().try_for_each(|(key, _)| check_key(key))
}

impl Cache for RedisCache {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::new("redis");
        capabilities.shared = true;
        capabilities.persistent = true;
        capabilities.scan = true;
        capabilities.increment = true;
        capabilities.touch = true;
        capabilities.native_async = cfg!(feature = "redis-tokio");
        capabilities.bounded = true;
        capabilities
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        check_key(key)?;
        self.run(&command::get(key))
    }

    fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        check_key(key)?;
        self.run(&command::set(key, bytes, timeout))
    }

    fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        check_key(key)?;
        self.run(&command::add(key, bytes, timeout))
    }

    fn remove(&self, key: &str) -> Result<bool, Error> {
        check_key(key)?;
        self.run(&command::remove(key))
    }

    fn read(&self, key: &str, want: Want, visit: &mut dyn FnMut(Found<&[u8]>)) -> Result<(), Error> {
        check_key(key)?;
        if let Some(Found { bytes, time_to_live }) = self.run(&command::read(key, want))? {
            visit(Found { bytes: &bytes, time_to_live });
        }
        Ok(())
    }

    fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        check_keys(keys)?;
        let mut found = Vec::with_capacity(keys.len());
        for some in keys.chunks(BATCH) {
            found.append(&mut self.run(&command::get_many(some))?);
        }
        Ok(found)
    }

    fn set_many(&self, entries: &[(&str, &[u8])], timeout: Option<Duration>) -> Result<(), Error> {
        check_entries(entries)?;
        entries.chunks(BATCH).try_for_each(|some| self.run(&command::set_many(some, timeout)))
    }

    fn remove_many(&self, keys: &[&str]) -> Result<u64, Error> {
        check_keys(keys)?;
        keys.chunks(BATCH).try_fold(0, |count, some| Ok(count + self.run(&command::remove_many(some))?))
    }

    fn increment(&self, key: &str, by: i64, timeout: Option<Duration>) -> Result<i64, Error> {
        check_key(key)?;
        self.run(&command::increment(key, by, timeout))
    }

    fn touch(&self, key: &str, timeout: Option<Duration>) -> Result<bool, Error> {
        check_key(key)?;
        self.run(&command::touch(key, timeout))
    }

    fn scan(&self, prefix: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let mut cursor = 0;
        loop {
            let page = self.run(&command::scan(prefix, cursor))?;
            page.keys.iter().for_each(|key| visit(key));
            cursor = page.cursor;
            if cursor == 0 {
                return Ok(());
            }
        }
    }

    /// Page by page, so that a large cache is never held in memory.
    fn clear(&self, prefix: &str) -> Result<u64, Error> {
        let mut cursor = 0;
        let mut count = 0;
        loop {
            let page = self.run(&command::scan(prefix, cursor))?;
            for some in page.keys.chunks(BATCH) {
                count += self.run(&command::remove_many(some))?;
            }
            cursor = page.cursor;
            if cursor == 0 {
                return Ok(count);
            }
        }
    }

    #[cfg(feature = "redis-tokio")]
    fn get_async<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_async(command::get(key)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn read_async<'a>(&'a self, key: &'a str, want: Want) -> BoxFuture<'a, Result<Option<Found<Vec<u8>>>, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_async(command::read(key, want)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn set_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_async(command::set(key, bytes, timeout)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn add_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_async(command::add(key, bytes, timeout)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn remove_async<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_async(command::remove(key)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn get_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>> {
        Box::pin(async move {
            check_keys(keys)?;
            let mut found = Vec::with_capacity(keys.len());
            for some in keys.chunks(BATCH) {
                found.append(&mut self.run_async(command::get_many(some)).await?);
            }
            Ok(found)
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn set_many_async<'a>(
        &'a self,
        entries: &'a [(&'a str, &'a [u8])],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            check_entries(entries)?;
            for some in entries.chunks(BATCH) {
                self.run_async(command::set_many(some, timeout)).await?;
            }
            Ok(())
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn remove_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            check_keys(keys)?;
            let mut count = 0;
            for some in keys.chunks(BATCH) {
                count += self.run_async(command::remove_many(some)).await?;
            }
            Ok(count)
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn increment_async<'a>(
        &'a self,
        key: &'a str,
        by: i64,
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<i64, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_async(command::increment(key, by, timeout)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn touch_async<'a>(&'a self, key: &'a str, timeout: Option<Duration>) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_async(command::touch(key, timeout)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn scan_async<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let mut keys = Vec::new();
            let mut cursor = 0;
            loop {
                let mut page = self.run_async(command::scan(prefix, cursor)).await?;
                keys.append(&mut page.keys);
                cursor = page.cursor;
                if cursor == 0 {
                    return Ok(keys);
                }
            }
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn clear_async<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            let mut cursor = 0;
            let mut count = 0;
            loop {
                let page = self.run_async(command::scan(prefix, cursor)).await?;
                for some in page.keys.chunks(BATCH) {
                    count += self.run_async(command::remove_many(some)).await?;
                }
                cursor = page.cursor;
                if cursor == 0 {
                    return Ok(count);
                }
            }
        })
    }
}
