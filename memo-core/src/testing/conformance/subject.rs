//! The cache under test behind one set of operations, so that each rule is written once and runs both through the
//! blocking operations and through their async twins.

use super::Runner;
use crate::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored};
use crate::{BoxFuture, Cache, Capabilities, Error, ErrorKind, Found, Want};
use std::fmt::Debug;
use std::time::Duration;

/// Which of the two ways to the same meaning is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    Blocking,
    Async,
}

/// A cache under test, and the rule that is checked just now.
pub(super) struct Subject<'a> {
    cache: &'a dyn Cache,
    door: Door,
    run: Runner<'a>,
    rule: &'static str,
    prefix: String,
}

impl<'a> Subject<'a> {
    pub(super) fn new(
        cache: &'a dyn Cache,
        door: Door,
        run: Runner<'a>,
        rule: &'static str,
        prefix: String,
    ) -> Subject<'a> {
        Subject { cache, door, run, rule, prefix }
    }

    pub(super) fn capabilities(&self) -> Capabilities {
        self.cache.capabilities()
    }

    /// The cache itself, for rules on how futures are treated.
    pub(super) fn cache(&self) -> &'a dyn Cache {
        self.cache
    }

    pub(super) fn is_blocking(&self) -> bool {
        self.door == Door::Blocking
    }

    /// A key that only this rule uses.
    pub(super) fn key(&self, name: &str) -> String {
        format!("{}{name}", self.prefix)
    }

    /// A key of this rule filled up to `bytes` bytes.
    pub(super) fn key_of_length(&self, name: &str, bytes: usize) -> String {
        let mut key = self.key(name);
        let missing = bytes.checked_sub(key.len()).unwrap_or_else(|| self.fail("the suite's own prefix is too long"));
        key.extend(std::iter::repeat_n('x', missing));
        key
    }

    #[track_caller]
    pub(super) fn fail(&self, seen: &str) -> ! {
        panic!("the {} cache ({:?}) breaks the rule `{}`: {seen}", self.capabilities().name, self.door, self.rule)
    }

    #[track_caller]
    pub(super) fn holds(&self, condition: bool, expected: &str) {
        if !condition {
            self.fail(&format!("expected {expected}"));
        }
    }

    #[track_caller]
    pub(super) fn same<T: PartialEq + Debug>(&self, seen: &T, expected: &T, what: &str) {
        if seen != expected {
            let (mut seen, mut expected) = (format!("{seen:?}"), format!("{expected:?}"));
            // A value of 1 MiB in a message helps nobody.
            for text in [&mut seen, &mut expected] {
                if let Some((cut, _)) = text.char_indices().nth(200) {
                    text.truncate(cut);
                    text.push('…');
                }
            }
            self.fail(&format!("{what}: {seen} instead of {expected}"));
        }
    }

    /// The value of an operation that must not fail.
    #[track_caller]
    pub(super) fn ok<T>(&self, result: Result<T, Error>) -> T {
        match result {
            Ok(value) => value,
            Err(error) => self.fail(&format!("an operation returned {error:?}")),
        }
    }

    /// The operation must fail with this kind.
    #[track_caller]
    pub(super) fn fails<T: Debug>(&self, result: Result<T, Error>, kind: ErrorKind, operation: &str) {
        match result {
            Ok(value) => self.fail(&format!("{operation} returned {value:?} instead of an error of kind {kind:?}")),
            Err(error) => self.same(&error.kind(), &kind, &format!("the kind of error of {operation}")),
        }
    }

    /// What is under `key` must be these bytes.
    #[track_caller]
    pub(super) fn finds(&self, key: &str, bytes: &[u8]) {
        self.same(&self.ok(self.get(key)).as_deref(), &Some(bytes), &format!("get({key:?})"));
    }

    /// Nothing must be under `key`.
    #[track_caller]
    pub(super) fn misses(&self, key: &str) {
        self.same(&self.ok(self.get(key)), &None, &format!("get({key:?})"));
    }

    /// Runs a future to its end and hands back what it returned.
    pub(super) fn wait<T: Send>(&self, future: BoxFuture<'_, T>) -> T {
        let mut output = None;
        (self.run)(Box::pin(async { output = Some(future.await) }));
        output.unwrap_or_else(|| self.fail("the runner returned before its future had ended"))
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.door {
            Door::Blocking => self.cache.get(key),
            Door::Async => self.wait(self.cache.get_async(key)),
        }
    }

    pub(super) fn read(&self, key: &str, want: Want) -> Result<Option<Found<Vec<u8>>>, Error> {
        if self.door == Door::Async {
            return self.wait(self.cache.read_async(key, want));
        }
        let mut all = Vec::new();
        self.cache.read(key, want, &mut |found| {
            all.push(Found { bytes: found.bytes.to_vec(), time_to_live: found.time_to_live });
        })?;
        self.holds(all.len() <= 1, "`visit` to be called at most once by read");
        Ok(all.pop())
    }

    pub(super) fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        match self.door {
            Door::Blocking => self.cache.set(key, bytes, timeout),
            Door::Async => self.wait(self.cache.set_async(key, bytes, timeout)),
        }
    }

    pub(super) fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        match self.door {
            Door::Blocking => self.cache.add(key, bytes, timeout),
            Door::Async => self.wait(self.cache.add_async(key, bytes, timeout)),
        }
    }

    pub(super) fn remove(&self, key: &str) -> Result<bool, Error> {
        match self.door {
            Door::Blocking => self.cache.remove(key),
            Door::Async => self.wait(self.cache.remove_async(key)),
        }
    }

    pub(super) fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Error> {
        match self.door {
            Door::Blocking => self.cache.get_many(keys),
            Door::Async => self.wait(self.cache.get_many_async(keys)),
        }
    }

    pub(super) fn set_many(&self, entries: &[(&str, &[u8])], timeout: Option<Duration>) -> Result<(), Error> {
        match self.door {
            Door::Blocking => self.cache.set_many(entries, timeout),
            Door::Async => self.wait(self.cache.set_many_async(entries, timeout)),
        }
    }

    pub(super) fn remove_many(&self, keys: &[&str]) -> Result<u64, Error> {
        match self.door {
            Door::Blocking => self.cache.remove_many(keys),
            Door::Async => self.wait(self.cache.remove_many_async(keys)),
        }
    }

    pub(super) fn increment(&self, key: &str, by: i64, timeout: Option<Duration>) -> Result<i64, Error> {
        match self.door {
            Door::Blocking => self.cache.increment(key, by, timeout),
            Door::Async => self.wait(self.cache.increment_async(key, by, timeout)),
        }
    }

    pub(super) fn touch(&self, key: &str, timeout: Option<Duration>) -> Result<bool, Error> {
        match self.door {
            Door::Blocking => self.cache.touch(key, timeout),
            Door::Async => self.wait(self.cache.touch_async(key, timeout)),
        }
    }

    /// The keys in order, each once: a scan may show one twice.
    pub(super) fn scan(&self, prefix: &str) -> Result<Vec<String>, Error> {
        let mut keys = Vec::new();
        match self.door {
            Door::Blocking => self.cache.scan(prefix, &mut |key| keys.push(key.to_owned()))?,
            Door::Async => keys = self.wait(self.cache.scan_async(prefix))?,
        }
        keys.sort();
        keys.dedup();
        Ok(keys)
    }

    pub(super) fn clear(&self, prefix: &str) -> Result<u64, Error> {
        match self.door {
            Door::Blocking => self.cache.clear(prefix),
            Door::Async => self.wait(self.cache.clear_async(prefix)),
        }
    }

    pub(super) fn invalidate(&self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        match self.door {
            Door::Blocking => self.cache.invalidate(what),
            Door::Async => self.wait(self.cache.invalidate_async(what)),
        }
    }

    pub(super) fn store(
        &self,
        key: &str,
        bytes: &[u8],
        timeout: Option<Duration>,
        since: u64,
    ) -> Result<Stored, Error> {
        match self.door {
            Door::Blocking => self.cache.store(key, bytes, timeout, since),
            Door::Async => self.wait(self.cache.store_async(key, bytes, timeout, since)),
        }
    }

    pub(super) fn store_many(&self, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
        match self.door {
            Door::Blocking => self.cache.store_many(entries),
            Door::Async => self.wait(self.cache.store_many_async(entries)),
        }
    }

    pub(super) fn records(&self, names: &[&str], seen: u64) -> Result<Records, Error> {
        match self.door {
            Door::Blocking => self.cache.records(names, seen),
            Door::Async => self.wait(self.cache.records_async(names, seen)),
        }
    }

    pub(super) fn remove_if(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        match self.door {
            Door::Blocking => self.cache.remove_if(key, bytes),
            Door::Async => self.wait(self.cache.remove_if_async(key, bytes)),
        }
    }

    pub(super) fn touch_if(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        match self.door {
            Door::Blocking => self.cache.touch_if(key, bytes, timeout),
            Door::Async => self.wait(self.cache.touch_if_async(key, bytes, timeout)),
        }
    }

    pub(super) fn publish(&self, message: &[u8]) -> Result<(), Error> {
        match self.door {
            Door::Blocking => self.cache.publish(message),
            Door::Async => self.wait(self.cache.publish_async(message)),
        }
    }
}
