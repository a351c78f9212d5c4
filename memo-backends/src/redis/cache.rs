//! The contract of a backend. What takes several operations is in `steps.rs`; the two doors of each are thin.

use super::command;
use super::io::{Blocking, ready};
use super::script::Run;
use super::steps::check_keys;
use super::topology::Scan;
use super::{RedisCache, apart, bus, scripts};
#[cfg(feature = "redis-tokio")]
use super::{command::Operation, io::Tasks};
#[cfg(feature = "redis-tokio")]
use memo_core::BoxFuture;
use memo_core::bus::{Listener, Subscription};
use memo_core::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored, check_records};
use memo_core::{Cache, Capabilities, Error, Found, Want, check_key};
use std::sync::Arc;
use std::time::Duration;

impl RedisCache {
    pub(super) fn channel(&self) -> String {
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
