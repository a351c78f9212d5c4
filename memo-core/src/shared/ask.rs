//! The operations of a [`Cache`], asked with the thread or as a task.
//!
//! One name for each operation and its async twin, so that what uses them is written once.

use super::cache::{Cache, Found, Want};
use super::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored};
use crate::Error;
use crate::memo::{Blocking, Tasks};
use std::future::Future;
use std::time::Duration;

/// Declares [`Ask`] and its two implementations.
macro_rules! ask {
    ($( fn $name:ident | $twin:ident($($argument:ident: $ty:ty),*) -> $returned:ty; )*) => {
        /// Asks a backend.
        pub trait Ask: Send + Sync + 'static {
            /// [`Cache::read`]
            fn read<R: Send>(
                cache: &dyn Cache,
                key: &str,
                want: Want,
                look: impl FnMut(Found<&[u8]>) -> R + Send,
            ) -> impl Future<Output = Result<Option<R>, Error>> + Send;

            /// [`Cache::scan`], all keys at once.
            fn scan(cache: &dyn Cache, prefix: &str) -> impl Future<Output = Result<Vec<String>, Error>> + Send;

            /// [`Cache::store_many`]
            fn store_many(
                cache: &dyn Cache,
                entries: &[Loaded<'_>],
            ) -> impl Future<Output = Vec<Result<Stored, Error>>> + Send;

            $(
                #[doc = concat!("[`Cache::", stringify!($name), "`]")]
                fn $name(cache: &dyn Cache, $($argument: $ty),*)
                    -> impl Future<Output = Result<$returned, Error>> + Send;
            )*
        }

        impl Ask for Blocking {
            async fn read<R: Send>(
                cache: &dyn Cache,
                key: &str,
                want: Want,
                mut look: impl FnMut(Found<&[u8]>) -> R + Send,
            ) -> Result<Option<R>, Error> {
                let mut seen = None;
                cache.read(key, want, &mut |found| seen = Some(look(found)))?;
                Ok(seen)
            }

            async fn scan(cache: &dyn Cache, prefix: &str) -> Result<Vec<String>, Error> {
                let mut keys = Vec::new();
                cache.scan(prefix, &mut |key| keys.push(key.to_owned()))?;
                Ok(keys)
            }

            async fn store_many(cache: &dyn Cache, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
                cache.store_many(entries)
            }

            $(
                async fn $name(cache: &dyn Cache, $($argument: $ty),*) -> Result<$returned, Error> {
                    cache.$name($($argument),*)
                }
            )*
        }

        impl Ask for Tasks {
            async fn read<R: Send>(
                cache: &dyn Cache,
                key: &str,
                want: Want,
                mut look: impl FnMut(Found<&[u8]>) -> R + Send,
            ) -> Result<Option<R>, Error> {
                let found = cache.read_async(key, want).await?;
                Ok(found.map(|found| look(Found { bytes: &found.bytes, time_to_live: found.time_to_live })))
            }

            async fn scan(cache: &dyn Cache, prefix: &str) -> Result<Vec<String>, Error> {
                cache.scan_async(prefix).await
            }

            async fn store_many(cache: &dyn Cache, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
                cache.store_many_async(entries).await
            }

            $(
                async fn $name(cache: &dyn Cache, $($argument: $ty),*) -> Result<$returned, Error> {
                    cache.$twin($($argument),*).await
                }
            )*
        }
    };
}

ask! {
    fn set | set_async(key: &str, bytes: &[u8], timeout: Option<Duration>) -> ();
    fn add | add_async(key: &str, bytes: &[u8], timeout: Option<Duration>) -> bool;
    fn remove | remove_async(key: &str) -> bool;
    fn get_many | get_many_async(keys: &[&str]) -> Vec<Option<Vec<u8>>>;
    fn set_many | set_many_async(entries: &[(&str, &[u8])], timeout: Option<Duration>) -> ();
    fn remove_many | remove_many_async(keys: &[&str]) -> u64;
    fn increment | increment_async(key: &str, by: i64, timeout: Option<Duration>) -> i64;
    fn touch | touch_async(key: &str, timeout: Option<Duration>) -> bool;
    fn clear | clear_async(prefix: &str) -> u64;
    fn invalidate | invalidate_async(what: &Invalidation<'_>) -> Invalidated;
    fn store | store_async(key: &str, bytes: &[u8], timeout: Option<Duration>, since: u64) -> Stored;
    fn records | records_async(names: &[&str], seen: u64) -> Records;
    fn remove_if | remove_if_async(key: &str, bytes: &[u8]) -> bool;
    fn touch_if | touch_if_async(key: &str, bytes: &[u8], timeout: Option<Duration>) -> bool;
    fn publish | publish_async(message: &[u8]) -> ();
}
