//! The contract of a backend.

use super::capabilities::Capabilities;
use super::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored};
use super::listener::{Listener, Subscription};
use super::stepwise::Steps;
use crate::Error;
use crate::error::ErrorKind;
use crate::memo::ready;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// The future an async twin returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The longest key a backend must take, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 400;

/// What the keys of the library's own data in a backend begin with; [`Cache::scan`](Cache::scan) doesn't show
/// them.
pub const RESERVED_PREFIX: &str = "memo!";

/// How long a stored value still has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TimeToLive {
    /// The backend did not say, or was not asked.
    Unknown,
    /// It has no timeout.
    Forever,
    /// This much is left.
    Left(Duration),
}

/// What a read is to bring beside the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// The bytes alone.
    Bytes,
    /// The bytes and how long they still have, read in the same moment.
    BytesAndTimeToLive,
}

/// What a read found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found<B> {
    /// The bytes, as they were stored.
    pub bytes: B,
    /// [`TimeToLive::Unknown`] unless [`Want::BytesAndTimeToLive`] was asked for and the backend knows.
    pub time_to_live: TimeToLive,
}

/// A place that keeps bytes under text keys: the contract of a backend, about bytes only.
///
/// What an implementation must do:
/// - A value that was set is returned whole or not at all, never in part and never mixed with another.
/// - It is returned until its timeout has passed, and not after; less where the backend ran out of room or lost it.
///   `None` as timeout is for ever. Timeouts count in milliseconds and never round to zero.
/// - [`add`](Cache::add) and [`remove`](Cache::remove) are atomic: of many callers at once, one sees `true`.
/// - An operation that returned is seen by every later one of this process. An async operation whose future was
///   dropped takes effect before any operation that this process starts afterwards on the same key, or never.
/// - No operation blocks for ever, and none panics: a backend that is down returns an [`Error`].
/// - Keys are UTF-8 of 1 to [`MAX_KEY_BYTES`] bytes, compared byte by byte; others are [`ErrorKind::Key`].
/// - Keys that begin with [`RESERVED_PREFIX`](crate::RESERVED_PREFIX) are as any other, but [`scan`](Cache::scan) doesn't
///   show them; [`clear`](Cache::clear) of the empty prefix may drop them.
///
/// What it may do: drop entries at any time, and override any provided method with a faster one of the same meaning.
/// `memo_core::testing::conformance` checks all of this for any implementation.
///
/// # Invalidations
///
/// [`invalidate`](Cache::invalidate), [`store`](Cache::store) and [`records`](Cache::records) keep processes that share
/// the backend from using what another has invalidated. As provided they are made of the required operations, in several
/// steps under a lock of their own (an entry, like numbers, records and tombstones): enough that no value stays against
/// an invalidation that was complete before it was loaded, though a reader may see it for the moment between two steps,
/// and a process that dies there leaves it. Each record is an entry that never expires. So a backend that drops entries
/// of its own accord overrides them, or an old value may be valid again once its record is gone. One that overrides all
/// of these, as one step for each key, says so by [`Capabilities::conditional`](Capabilities).
///
/// A cached function of several ids stores what it loaded by [`store_many`](Cache::store_many), which is `store` of each
/// as provided: a backend that is waited for overrides it, as it does [`get_many`](Cache::get_many).
///
/// The async twins end in `_async`. They default to the blocking operations, which is right for a backend that does
/// no I/O; a backend that does I/O overrides them. One that overrides an operation overrides its twin too, unless it does
/// no I/O.
#[expect(unused_variables, reason = "the defaults of optional operations name their arguments for the docs")]
pub trait Cache: Send + Sync + 'static {
    /// What this backend can do.
    fn capabilities(&self) -> Capabilities;

    /// The bytes under `key`, or `None`.
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Stores bytes, in place of those that were there.
    fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error>;

    /// Stores bytes only if nothing is there. Whether it did; atomic.
    fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error>;

    /// Drops what is there. Whether something was; atomic.
    fn remove(&self, key: &str) -> Result<bool, Error>;

    /// Shows the bytes to `visit` where they lie, so that a backend that can lend them copies nothing. `visit` is
    /// called once if there is a value, else not at all, and must not call the backend.
    fn read(&self, key: &str, want: Want, visit: &mut dyn FnMut(Found<&[u8]>)) -> Result<(), Error> {
        if let Some(bytes) = self.get(key)? {
            visit(Found { bytes: &bytes, time_to_live: TimeToLive::Unknown });
        }
        Ok(())
    }

    /// The bytes under each key, in the order of `keys`.
    fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        keys.iter().map(|key| self.get(key)).collect()
    }

    /// Stores each pair, with one timeout for all. Each key by itself: not one transaction. On an error some may be
    /// stored.
    fn set_many(&self, entries: &[(&str, &[u8])], timeout: Option<Duration>) -> Result<(), Error> {
        entries.iter().try_for_each(|(key, bytes)| self.set(key, bytes, timeout))
    }

    /// Drops the keys. How many of them were there, exactly: each removed entry is counted by one caller, and a key
    /// that is named twice counts once.
    fn remove_many(&self, keys: &[&str]) -> Result<u64, Error> {
        keys.iter().try_fold(0, |count, key| Ok(count + u64::from(self.remove(key)?)))
    }

    /// Adds `by` to the number under `key`, which is decimal text as bytes; a missing one counts as 0 and is stored
    /// with `timeout`, an existing one keeps its own. Returns the new number; atomic. Bytes that are no number, or a
    /// sum outside `i64`, are [`ErrorKind::Backend`] and change nothing.
    fn increment(&self, key: &str, by: i64, timeout: Option<Duration>) -> Result<i64, Error> {
        Err(unsupported(self.capabilities().name, "increment"))
    }

    /// Gives what is there a new timeout from now. Whether something was there.
    fn touch(&self, key: &str, timeout: Option<Duration>) -> Result<bool, Error> {
        Err(unsupported(self.capabilities().name, "touch"))
    }

    /// Shows every key that starts with `prefix` to `visit`, in no order. A key that is there from before to after
    /// the call is shown at least once; others may be.
    fn scan(&self, prefix: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Error> {
        Err(unsupported(self.capabilities().name, "scan"))
    }

    /// Drops every entry whose key starts with `prefix`; how many. An empty prefix is every entry of this cache.
    fn clear(&self, prefix: &str) -> Result<u64, Error> {
        let mut keys = Vec::new();
        self.scan(prefix, &mut |key| keys.push(key.to_owned()))?;
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let mut count = 0;
        for some in keys.chunks(1000) {
            count += self.remove_many(some)?;
        }
        Ok(count)
    }

    /// Takes the next number of this backend's sequence, records it for the functions and tags of `what`, and drops its
    /// keys, each of which leaves a tombstone with the number. All of it is done when this returns, and is published where
    /// there is a bus, in messages of [`bus::Message`](crate::bus::Message): one with the number and all names, in the
    /// order of the numbers and best in one step with giving them; then some with the keys that are gone, if there
    /// are any. On an error some of it may be done: to do it again is right.
    ///
    /// The number is above all that were given before and above [`Invalidation::seen`]. A sequence that is lower than
    /// that was lost, and records with it: then all that is older than this number is void.
    fn invalidate(&self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        ready(Steps::blocking(self).invalidate(what))
    }

    /// Stores as [`set`](Cache::set) does, unless the key was invalidated with a number above `since`, which is the
    /// highest that was seen before the load of the value began.
    fn store(&self, key: &str, bytes: &[u8], timeout: Option<Duration>, since: u64) -> Result<Stored, Error> {
        ready(Steps::blocking(self).store(key, bytes, timeout, since))
    }

    /// Stores each of these as [`store`](Cache::store) does, on its own condition; what became of each, in their order.
    /// Each key by itself: not one transaction. One that can't be stored, since its key is none or it is too large, keeps
    /// no other out. A backend that does not answer is waited for once: its error is the result of each entry that
    /// nothing is known of by then. A key that is named twice is stored twice, in this order.
    ///
    /// ```
    /// # use memo_core as memokit;
    /// use memokit::invalidation::{Loaded, Stored};
    /// # use memokit::{Cache, Error};
    ///
    /// # fn example(cache: &dyn Cache) -> Result<(), Error> {
    /// let since = cache.records(&[], 0)?.sequence;
    /// let loaded = [("memo:1", b"tea"), ("memo:2", b"mug")];
    /// let entries = loaded.map(|(key, bytes)| Loaded { key, bytes, timeout: None, since });
    /// for stored in cache.store_many(&entries) {
    ///     match stored? {
    ///         Stored::Stored => {}
    ///         Stored::Refused { sequence } => println!("it was invalidated meanwhile, with the number {sequence}"),
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    fn store_many(&self, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
        ready(Steps::blocking(self).store_many(entries))
    }

    /// The numbers of the latest invalidations of these functions and tags. `seen` as [`Invalidation::seen`]: a lower
    /// sequence was lost, starts again above it, and all that is older is void.
    fn records(&self, names: &[&str], seen: u64) -> Result<Records, Error> {
        ready(Steps::blocking(self).records(names, seen))
    }

    /// Drops what is there if it is these bytes. Whether it was.
    fn remove_if(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        ready(Steps::blocking(self).remove_if(key, bytes))
    }

    /// Gives what is there a new timeout from now, if it is these bytes. Whether it was.
    fn touch_if(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        ready(Steps::blocking(self).touch_if(key, bytes, timeout))
    }

    /// Lets `listener` hear what this and other processes publish, until the subscription is dropped; or `None` where
    /// there is no bus. Returns at once: the backend connects, and connects again, on a thread of its own, which ends
    /// when the subscription or the cache is dropped. A runtime is not needed.
    fn subscribe(&self, listener: Arc<dyn Listener>) -> Result<Option<Subscription>, Error> {
        Ok(None)
    }

    /// Sends a message to all who subscribed, itself among them. Nobody may hear it: who is not connected at that moment
    /// does not.
    fn publish(&self, message: &[u8]) -> Result<(), Error> {
        Err(unsupported(self.capabilities().name, "publishing"))
    }

    /// Twin of [`get`](Cache::get).
    fn get_async<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Vec<u8>>, Error>> {
        Box::pin(async move { self.get(key) })
    }

    /// Twin of [`read`](Cache::read), which can lend nothing across an await.
    fn read_async<'a>(&'a self, key: &'a str, want: Want) -> BoxFuture<'a, Result<Option<Found<Vec<u8>>>, Error>> {
        Box::pin(async move {
            if self.capabilities().native_async {
                let bytes = self.get_async(key).await?;
                return Ok(bytes.map(|bytes| Found { bytes, time_to_live: TimeToLive::Unknown }));
            }
            let mut found = None;
            self.read(key, want, &mut |lent| {
                found = Some(Found { bytes: lent.bytes.to_vec(), time_to_live: lent.time_to_live });
            })?;
            Ok(found)
        })
    }

    /// Twin of [`set`](Cache::set).
    fn set_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.set(key, bytes, timeout) })
    }

    /// Twin of [`add`](Cache::add).
    fn add_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.add(key, bytes, timeout) })
    }

    /// Twin of [`remove`](Cache::remove).
    fn remove_async<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.remove(key) })
    }

    /// Twin of [`get_many`](Cache::get_many).
    fn get_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<Vec<Option<Vec<u8>>>, Error>> {
        Box::pin(async move {
            let mut found = Vec::with_capacity(keys.len());
            for key in keys {
                found.push(self.get_async(key).await?);
            }
            Ok(found)
        })
    }

    /// Twin of [`set_many`](Cache::set_many).
    fn set_many_async<'a>(
        &'a self,
        entries: &'a [(&'a str, &'a [u8])],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move {
            for (key, bytes) in entries {
                self.set_async(key, bytes, timeout).await?;
            }
            Ok(())
        })
    }

    /// Twin of [`remove_many`](Cache::remove_many).
    fn remove_many_async<'a>(&'a self, keys: &'a [&'a str]) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            let mut count = 0;
            for key in keys {
                count += u64::from(self.remove_async(key).await?);
            }
            Ok(count)
        })
    }

    /// Twin of [`increment`](Cache::increment).
    fn increment_async<'a>(
        &'a self,
        key: &'a str,
        by: i64,
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<i64, Error>> {
        Box::pin(async move { self.increment(key, by, timeout) })
    }

    /// Twin of [`touch`](Cache::touch).
    fn touch_async<'a>(&'a self, key: &'a str, timeout: Option<Duration>) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move { self.touch(key, timeout) })
    }

    /// Twin of [`scan`](Cache::scan), which returns the keys.
    fn scan_async<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>, Error>> {
        Box::pin(async move {
            let mut keys = Vec::new();
            self.scan(prefix, &mut |key| keys.push(key.to_owned()))?;
            Ok(keys)
        })
    }

    /// Twin of [`clear`](Cache::clear).
    fn clear_async<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<u64, Error>> {
        Box::pin(async move {
            let keys = self.scan_async(prefix).await?;
            let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
            let mut count = 0;
            for some in keys.chunks(1000) {
                count += self.remove_many_async(some).await?;
            }
            Ok(count)
        })
    }

    /// Twin of [`invalidate`](Cache::invalidate).
    fn invalidate_async<'a>(&'a self, what: &'a Invalidation<'a>) -> BoxFuture<'a, Result<Invalidated, Error>> {
        Box::pin(async move {
            if self.capabilities().native_async {
                return Steps::tasks(self).invalidate(what).await;
            }
            self.invalidate(what)
        })
    }

    /// Twin of [`store`](Cache::store).
    fn store_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
        since: u64,
    ) -> BoxFuture<'a, Result<Stored, Error>> {
        Box::pin(async move {
            if self.capabilities().native_async {
                return Steps::tasks(self).store(key, bytes, timeout, since).await;
            }
            self.store(key, bytes, timeout, since)
        })
    }

    /// Twin of [`store_many`](Cache::store_many).
    fn store_many_async<'a>(&'a self, entries: &'a [Loaded<'a>]) -> BoxFuture<'a, Vec<Result<Stored, Error>>> {
        Box::pin(async move {
            if self.capabilities().native_async {
                return Steps::tasks(self).store_many(entries).await;
            }
            self.store_many(entries)
        })
    }

    /// Twin of [`records`](Cache::records).
    fn records_async<'a>(&'a self, names: &'a [&'a str], seen: u64) -> BoxFuture<'a, Result<Records, Error>> {
        Box::pin(async move {
            if self.capabilities().native_async {
                return Steps::tasks(self).records(names, seen).await;
            }
            self.records(names, seen)
        })
    }

    /// Twin of [`remove_if`](Cache::remove_if).
    fn remove_if_async<'a>(&'a self, key: &'a str, bytes: &'a [u8]) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            if self.capabilities().native_async {
                return Steps::tasks(self).remove_if(key, bytes).await;
            }
            self.remove_if(key, bytes)
        })
    }

    /// Twin of [`touch_if`](Cache::touch_if).
    fn touch_if_async<'a>(
        &'a self,
        key: &'a str,
        bytes: &'a [u8],
        timeout: Option<Duration>,
    ) -> BoxFuture<'a, Result<bool, Error>> {
        Box::pin(async move {
            if self.capabilities().native_async {
                return Steps::tasks(self).touch_if(key, bytes, timeout).await;
            }
            self.touch_if(key, bytes, timeout)
        })
    }

    /// Twin of [`publish`](Cache::publish).
    fn publish_async<'a>(&'a self, message: &'a [u8]) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.publish(message) })
    }
}

pub(super) fn unsupported(backend: &str, operation: &str) -> Error {
    Error::new(ErrorKind::Unsupported, format!("{operation} on the {backend} cache"))
        .advise("this backend can't do it; use another, or ask `capabilities()` first")
}

/// An error for a key outside 1 to [`MAX_KEY_BYTES`] bytes; backends call it before they touch anything.
///
/// ```
/// # use memo_core as memokit;
/// assert!(memokit::check_key("memo:users:1").is_ok());
/// assert!(memokit::check_key("").is_err());
/// ```
pub fn check_key(key: &str) -> Result<(), Error> {
    if (1..=MAX_KEY_BYTES).contains(&key.len()) {
        return Ok(());
    }
    Err(Error::new(ErrorKind::Key, format!("using a key of {} bytes", key.len()))
        .advise(format!("keys have 1 to {MAX_KEY_BYTES} bytes")))
}

/// Whether a key belongs to the library itself: backends leave these out of [`scan`](Cache::scan).
///
/// ```
/// # use memo_core as memokit;
/// assert!(memokit::is_reserved("memo!sequence"));
/// assert!(!memokit::is_reserved("memo:shop/price:0:1"));
/// ```
#[must_use]
pub fn is_reserved(key: &str) -> bool {
    key.starts_with(RESERVED_PREFIX)
}
