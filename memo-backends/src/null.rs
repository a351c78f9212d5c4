//! No cache at all: to switch caching off.

use memo_core::invalidation::{Invalidated, Invalidation, Records, Stored, check_records};
use memo_core::{Cache, Capabilities, Error, Found, Want, check_key};
use std::time::Duration;

/// A [`Cache`] that stores nothing: every read misses, every write is done, and is nothing.
///
/// Registered in place of a real one it switches a shared level or a [`Bucket`](memo_core::Bucket) off, in a test or by a
/// setting, without another line of the program. `set` and `add` report success, `remove`, `touch`, `clear` and
/// `remove_many` that nothing was there, and `increment` counts from 0 each time. A cached function keeps its local level;
/// `local = false` goes without.
///
/// It is the one implementation that does not keep the contract of `Cache`: what was set is never there.
///
/// ```
/// # mod memokit { pub use memo_backends::*; pub use memo_core::*; }
/// use memokit::{Bucket, NullCache};
/// use std::sync::Arc;
///
/// # fn main() -> Result<(), memokit::Error> {
/// let bucket: Bucket<u32> = Bucket::new(Arc::new(NullCache), "off");
/// bucket.set("k", &1)?;
/// assert_eq!(bucket.get("k")?, None);
/// assert_eq!(bucket.get_or_insert_with("k", || 2)?, 2);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NullCache;

impl Cache for NullCache {
    fn capabilities(&self) -> Capabilities {
        let mut capable = Capabilities::new("null");
        (capable.scan, capable.increment, capable.touch, capable.conditional) = (true, true, true, true);
        capable
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        check_key(key).map(|()| None)
    }

    fn set(&self, key: &str, _: &[u8], _: Option<Duration>) -> Result<(), Error> {
        check_key(key)
    }

    fn add(&self, key: &str, _: &[u8], _: Option<Duration>) -> Result<bool, Error> {
        check_key(key).map(|()| true)
    }

    fn remove(&self, key: &str) -> Result<bool, Error> {
        check_key(key).map(|()| false)
    }

    fn read(&self, key: &str, _: Want, _: &mut dyn FnMut(Found<&[u8]>)) -> Result<(), Error> {
        check_key(key)
    }

    fn increment(&self, key: &str, by: i64, _: Option<Duration>) -> Result<i64, Error> {
        check_key(key).map(|()| by)
    }

    fn touch(&self, key: &str, _: Option<Duration>) -> Result<bool, Error> {
        check_key(key).map(|()| false)
    }

    fn scan(&self, _: &str, _: &mut dyn FnMut(&str)) -> Result<(), Error> {
        Ok(())
    }

    fn clear(&self, _: &str) -> Result<u64, Error> {
        Ok(0)
    }
    fn invalidate(&self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        // Above all that the caller knows, as of any backend.
        what.check().map(|()| Invalidated { sequence: what.seen + 1, removed: 0 })
    }

    fn store(&self, key: &str, _: &[u8], _: Option<Duration>, _: u64) -> Result<Stored, Error> {
        check_key(key).map(|()| Stored::Stored)
    }

    fn records(&self, names: &[&str], seen: u64) -> Result<Records, Error> {
        check_records(names, seen).map(|()| Records { sequence: seen, numbers: vec![0; names.len()] })
    }

    fn remove_if(&self, key: &str, _: &[u8]) -> Result<bool, Error> {
        check_key(key).map(|()| false)
    }

    fn touch_if(&self, key: &str, _: &[u8], _: Option<Duration>) -> Result<bool, Error> {
        check_key(key).map(|()| false)
    }
}
