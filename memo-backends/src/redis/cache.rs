//! The contract of a backend, in terms of single operations.
//!
//! What takes several operations is written once, as async code over an [`Io`]; the two doors of each are thin.

use super::command::{self, BATCH, BATCH_BYTES};
use super::io::{Blocking, Io, ready};
use super::script::Run;
use super::topology::Scan;
use super::{RedisCache, apart, bus, scripts};
#[cfg(feature = "redis-tokio")]
use super::{command::Operation, io::Tasks};
use crate::batches::batches;
#[cfg(feature = "redis-tokio")]
use memo_core::BoxFuture;
use memo_core::bus::{Listener, Subscription};
use memo_core::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored, check_records};
use memo_core::{Cache, Capabilities, Error, Found, Want, check_key};
use std::sync::Arc;
use std::time::Duration;

fn check_keys(keys: &[&str]) -> Result<(), Error> {
    keys.iter().try_for_each(|key| check_key(key))
}

impl RedisCache {
    async fn get_many_on<I: Io>(&self, io: &I, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        check_keys(keys)?;
        let mut found = Vec::with_capacity(keys.len());
        for some in keys.chunks(BATCH) {
            let mut some = if self.topology().splits_keys() {
                let each: Vec<_> = some.iter().map(|key| command::get(key)).collect();
                self.topology().run_all(io, &each).await?
            } else {
                self.topology().run(io, &command::get_many(some)).await?
            };
            found.append(&mut some);
        }
        Ok(found)
    }

    async fn set_many_on<I: Io>(
        &self,
        io: &I,
        entries: &[(&str, &[u8])],
        timeout: Option<Duration>,
    ) -> Result<(), Error> {
        entries.iter().try_for_each(|(key, _)| check_key(key))?;
        for some in batches(entries, BATCH, BATCH_BYTES, |(_, bytes)| bytes.len()) {
            if self.topology().splits_keys() {
                let each: Vec<_> = some.iter().map(|(key, bytes)| command::set(key, bytes, timeout)).collect();
                self.topology().run_all(io, &each).await?;
            } else {
                self.topology().run(io, &command::set_many(some, timeout)).await?;
            }
        }
        Ok(())
    }

    /// Each key in one step.
    async fn store_many_on<I: Io>(&self, io: &I, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
        let fit: Vec<Loaded<'_>> = entries.iter().filter(|entry| check_key(entry.key).is_ok()).copied().collect();
        let mut results = Vec::with_capacity(fit.len());
        for some in batches(&fit, BATCH, BATCH_BYTES, |entry| entry.bytes.len()) {
            let before = results.len();
            results.append(&mut apart::store_many(self.topology(), io, some).await);
            let is_down = |result: &&Result<Stored, Error>| result.as_ref().is_err_and(Error::is_retryable);
            if let Some(down) = results[before..].iter().find(is_down).cloned() {
                results.resize(fit.len(), down);
                break;
            }
        }
        let mut results = results.into_iter();
        let result = |entry: &Loaded<'_>| match check_key(entry.key) {
            Ok(()) => results.next(),
            Err(error) => Some(Err(error)),
        };
        entries.iter().filter_map(result).collect()
    }

    /// Also keys that others stored, which may be longer than ours are.
    async fn remove_many_on<I: Io>(&self, io: &I, keys: &[&str]) -> Result<u64, Error> {
        let mut count = 0;
        for some in keys.chunks(BATCH) {
            count += if self.topology().splits_keys() {
                let each: Vec<_> = some.iter().map(|key| command::remove(key)).collect();
                self.topology().run_all(io, &each).await?.into_iter().map(u64::from).sum()
            } else {
                self.topology().run(io, &command::remove_many(some)).await?
            };
        }
        Ok(count)
    }

    /// Page by page, so that a large cache is never held in memory.
    async fn clear_on<I: Io>(&self, io: &I, prefix: &str) -> Result<u64, Error> {
        let (mut scan, mut count) = (Scan::default(), 0);
        while let Some(keys) = self.topology().next_page(io, prefix, &mut scan).await? {
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            count += self.remove_many_on(io, &keys).await?;
        }
        Ok(count)
    }
}

impl RedisCache {
    /// The number first, which is told with the names; then the keys, and when all of them are done they are told.
    async fn invalidate_on<I: Io>(&self, io: &I, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        what.check()?;
        let topology = self.topology();
        let channel = self.channel();
        let [head, tail] = bus::around_number(what)?;
        let sequence = scripts::next(what.names, what.seen, &channel, (&head, &tail)).on(topology, io).await?;
        let mut removed = 0;
        for some in what.keys.chunks(BATCH) {
            removed += if topology.splits_keys() {
                self.bury_each_on(io, some, sequence, what.keep).await?
            } else {
                scripts::bury(some, sequence, what.keep).on(topology, io).await?
            };
        }
        for message in bus::messages(what, sequence)? {
            topology.run(io, &scripts::publish(&channel, &message)).await?;
        }
        Ok(Invalidated { sequence, removed })
    }

    /// In two steps for each key, which no other key takes part in: while a slot moves, an entry and its tombstone may be
    /// on two nodes. The tombstones come first. From then on nothing old is stored, so that what is dropped then is all
    /// that is old; what was stored in between is newer, and goes with it for nothing.
    async fn bury_each_on<I: Io>(&self, io: &I, keys: &[&str], sequence: u64, keep: Duration) -> Result<u64, Error> {
        match keys {
            [key] => {
                scripts::tombstone(key, sequence, keep).on(self.topology(), io).await?;
                Ok(self.topology().run(io, &command::remove(key)).await?.into())
            }
            _ => {
                let each: Vec<_> = keys.iter().map(|key| scripts::tombstone(key, sequence, keep).in_full()).collect();
                self.topology().run_all(io, &each).await?;
                self.remove_many_on(io, keys).await
            }
        }
    }

    fn channel(&self) -> String {
        bus::channel(self.inner.database)
    }

    fn run_script<T>(&self, run: Run<'_, T>) -> Result<T, Error> {
        ready(run.on(self.topology(), &Blocking))
    }
}

/// Waits as a task where there is a runtime, else with the thread.
#[cfg(feature = "redis-tokio")]
macro_rules! on_the_runtime {
    (|$io:ident| $call:expr) => {
        match ::tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let $io = &Tasks { runtime };
                $call.await
            }
            Err(_) => {
                let $io = &Blocking;
                ready($call)
            }
        }
    };
}

#[cfg(feature = "redis-tokio")]
impl RedisCache {
    async fn run_async<T>(&self, operation: &Operation<'_, T>) -> Result<T, Error> {
        on_the_runtime!(|io| self.topology().run(io, operation))
    }

    async fn run_script_async<T>(&self, run: Run<'_, T>) -> Result<T, Error> {
        on_the_runtime!(|io| run.on(self.topology(), io))
    }
}

impl Cache for RedisCache {
    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::new("redis");
        capabilities.shared = true;
        capabilities.persistent = true;
        capabilities.scan = true;
        capabilities.increment = true;
        capabilities.touch = true;
        capabilities.conditional = true;
        capabilities.bus = true;
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
        ready(self.get_many_on(&Blocking, keys))
    }

    fn set_many(&self, entries: &[(&str, &[u8])], timeout: Option<Duration>) -> Result<(), Error> {
        ready(self.set_many_on(&Blocking, entries, timeout))
    }

    fn remove_many(&self, keys: &[&str]) -> Result<u64, Error> {
        check_keys(keys)?;
        ready(self.remove_many_on(&Blocking, keys))
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
        let mut scan = Scan::default();
        while let Some(keys) = ready(self.topology().next_page(&Blocking, prefix, &mut scan))? {
            for key in &keys {
                visit(key);
            }
        }
        Ok(())
    }

    fn clear(&self, prefix: &str) -> Result<u64, Error> {
        ready(self.clear_on(&Blocking, prefix))
    }

    fn invalidate(&self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        ready(self.invalidate_on(&Blocking, what))
    }

    fn store(&self, key: &str, bytes: &[u8], timeout: Option<Duration>, since: u64) -> Result<Stored, Error> {
        check_key(key)?;
        ready(apart::store(self.topology(), &Blocking, Loaded { key, bytes, timeout, since }))
    }

    fn store_many(&self, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
        ready(self.store_many_on(&Blocking, entries))
    }

    fn records(&self, names: &[&str], seen: u64) -> Result<Records, Error> {
        check_records(names, seen)?;
        self.run_script(scripts::records(names, seen))
    }

    fn remove_if(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        check_key(key)?;
        self.run_script(scripts::remove_if(key, bytes))
    }

    fn touch_if(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        check_key(key)?;
        self.run_script(scripts::touch_if(key, bytes, timeout))
    }

    fn subscribe(&self, listener: Arc<dyn Listener>) -> Result<Option<Subscription>, Error> {
        self.listen_for(listener).map(Some)
    }

    fn publish(&self, message: &[u8]) -> Result<(), Error> {
        self.run(&scripts::publish(&self.channel(), message))
    }

    #[cfg(feature = "redis-tokio")]
    fn get_async<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_async(&command::get(key)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn read_async<'a>(&'a self, key: &'a str, want: Want) -> BoxFuture<'a, Result<Option<Found<Vec<u8>>>, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_async(&command::read(key, want)).await
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
            self.run_async(&command::set(key, bytes, timeout)).await
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
            self.run_async(&command::add(key, bytes, timeout)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn remove_async<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_async(&command::remove(key)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn get_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>> {
        Box::pin(async move { on_the_runtime!(|io| self.get_many_on(io, keys)) })
    }

    #[cfg(feature = "redis-tokio")]
    fn set_many_async<'a>(
        &'a self,
        entries: &'a [(&'a str, &'a [u8])],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { on_the_runtime!(|io| self.set_many_on(io, entries, timeout)) })
    }

    #[cfg(feature = "redis-tokio")]
    fn remove_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            check_keys(keys)?;
            on_the_runtime!(|io| self.remove_many_on(io, keys))
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
            self.run_async(&command::increment(key, by, timeout)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn touch_async<'a>(&'a self, key: &'a str, timeout: Option<Duration>) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_async(&command::touch(key, timeout)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn scan_async<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let (mut scan, mut keys) = (Scan::default(), Vec::new());
            while let Some(mut page) = on_the_runtime!(|io| self.topology().next_page(io, prefix, &mut scan))? {
                keys.append(&mut page);
            }
            Ok(keys)
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn clear_async<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move { on_the_runtime!(|io| self.clear_on(io, prefix)) })
    }

    #[cfg(feature = "redis-tokio")]
    fn invalidate_async<'a>(&'a self, what: &'a Invalidation<'a>) -> BoxFuture<'a, Result<Invalidated, Error>> {
        Box::pin(async move { on_the_runtime!(|io| self.invalidate_on(io, what)) })
    }

    #[cfg(feature = "redis-tokio")]
    fn store_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
        since: u64,
    ) -> BoxFuture<'a, Result<Stored, Error>> {
        Box::pin(async move {
            check_key(key)?;
            let entry = Loaded { key, bytes, timeout, since };
            on_the_runtime!(|io| apart::store(self.topology(), io, entry))
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn store_many_async<'a>(&'a self, entries: &'a [Loaded<'a>]) -> BoxFuture<'a, Vec<Result<Stored, Error>>> {
        Box::pin(async move { on_the_runtime!(|io| self.store_many_on(io, entries)) })
    }

    #[cfg(feature = "redis-tokio")]
    fn records_async<'a>(&'a self, names: &'a [&'a str], seen: u64) -> BoxFuture<'a, Result<Records, Error>> {
        Box::pin(async move {
            check_records(names, seen)?;
            self.run_script_async(scripts::records(names, seen)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn remove_if_async<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_script_async(scripts::remove_if(key, bytes)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn touch_if_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            check_key(key)?;
            self.run_script_async(scripts::touch_if(key, bytes, timeout)).await
        })
    }

    #[cfg(feature = "redis-tokio")]
    fn publish_async<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.run_async(&scripts::publish(&self.channel(), message)).await })
    }
}
