//! The contract of a backend.

use crate::Error;
use crate::error::ErrorKind;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

/// The future an async twin returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// The longest key a backend must take, in bytes of UTF-8.
pub const MAX_KEY_BYTES: usize = 400;

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

/// What a backend can do, as data that tests and callers ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
#[expect(clippy::struct_excessive_bools, reason = "each is one independent yes or no that callers ask by name")]
pub struct Capabilities {
    /// The short name of the backend in messages: "memory", "file", "redis".
    pub name: &'static str,
    /// Entries are seen by other processes.
    pub shared: bool,
    /// Entries outlive the process.
    pub persistent: bool,
    /// [`Cache::scan`] and [`Cache::clear`] work.
    pub scan: bool,
    /// [`Cache::increment`] works and is atomic.
    pub increment: bool,
    /// [`Cache::touch`] works.
    pub touch: bool,
    /// The async twins do I/O of their own; without it they run the blocking operation in place.
    pub native_async: bool,
}

impl Capabilities {
    /// A backend of this name that can do nothing beyond the required operations.
    #[must_use]
    pub const fn new(name: &'static str) -> Self {
        Capabilities {
            name,
            shared: false,
            persistent: false,
            scan: false,
            increment: false,
            touch: false,
            native_async: false,
        }
    }
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
///
/// What it may do: drop entries at any time, and override any provided method with a faster one of the same meaning.
/// `memo_core::testing::conformance` checks all of this for any implementation.
///
/// The async twins end in `_async`. They default to the blocking operations, which is right for a backend that does
/// no I/O; a backend that does I/O overrides them.
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
}

fn unsupported(backend: &str, operation: &str) -> Error {
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
