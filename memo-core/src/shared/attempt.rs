//! An operation on a cache, with what its failure means: whether it is tried at all, what the breaker learns of it, and
//! what is owed if it was an invalidation.

use super::limit::limited;
use super::link::Linked;
use super::owed::MOST;
use super::recovery::may_succeed_later;
use crate::clock::{self, Tick};
use crate::key::{Key, Prefix};
use crate::memo::Io;
use crate::{Error, ErrorKind};
use std::future::Future;
use std::sync::atomic::Ordering;

/// How many operations a clear may take as long as.
const CLEAR: u32 = 20;

impl Linked {
    /// Runs an operation on the entry of a key. It is not tried while an invalidation of the key is owed: what the cache
    /// has is old, and what it would take is to go with that.
    pub(crate) async fn entry<T: Send>(
        &self,
        verb: &str,
        key: &Key,
        operation: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        if self.owed.has(key.prefix(), key.text()) {
            return Err(self.skipped(verb, key.text(), "an invalidation of it has not reached the cache yet"));
        }
        self.through(verb, key.text(), operation).await
    }

    /// Runs an operation, unless the cache does not answer.
    pub(crate) async fn through<T: Send>(
        &self,
        verb: &str,
        object: &str,
        operation: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        self.through_many(verb, object, operation, 1).await
    }

    /// Runs what is as long as so many operations.
    async fn through_many<T: Send>(
        &self,
        verb: &str,
        object: &str,
        operation: impl Future<Output = Result<T, Error>> + Send,
        operations: u32,
    ) -> Result<T, Error> {
        if self.breaker.is_open() {
            self.recovery.start(&self.link);
            return Err(self.skipped(verb, object, "the cache does not answer, and is not asked until it does"));
        }
        let result = match self.bounded {
            true => operation.await,
            false => limited(operation, operations, || self.attempted(verb, object)).await,
        };
        if self.breaker.saw(&result, clock::now) {
            self.recovery.start(&self.link);
            let cause = result.as_ref().err().map(ToString::to_string);
            tracing::warn!(cache = self.name(), cause, "the cache does not answer and is not asked until it does");
        }
        result
    }

    /// Drops the entry of a key. Where that fails it is owed, until `until`. Whether there was one.
    pub(crate) async fn invalidate<I: Io>(&self, key: &Key, until: Tick) -> Result<bool, Error> {
        let before = self.owed.now();
        let removed = self.through("removing", key.text(), I::remove(&*self.cache, key.text())).await;
        match &removed {
            Ok(_) => self.owed.settle_key(key.text(), before),
            Err(error) if may_succeed_later(error) => {
                let clears = self.cache.capabilities().scan;
                let is_owed = self.owed.add_key(key.prefix(), key.text(), until, clears);
                self.recovery.start(&self.link);
                return Err(self.owing(key.text(), error, is_owed));
            }
            Err(_) => {}
        }
        removed
    }

    /// Drops every entry of a prefix. Where that fails it is owed, until `until`.
    pub(crate) async fn clear<I: Io>(&self, prefix: &Prefix, until: Tick) -> Result<u64, Error> {
        let before = self.owed.now();
        let cleared =
            self.through_many("clearing", prefix.as_str(), I::clear(&*self.cache, prefix.as_str()), CLEAR).await;
        match &cleared {
            Ok(_) => self.owed.settle_function(prefix.as_str(), before),
            Err(error) if may_succeed_later(error) && self.cache.capabilities().scan => {
                self.owed.add_function(prefix.as_str(), until);
                self.recovery.start(&self.link);
                return Err(self.owing(prefix.as_str(), error, true));
            }
            Err(_) => {}
        }
        cleared
    }

    fn name(&self) -> &'static str {
        self.cache.capabilities().name
    }

    fn skipped(&self, verb: &str, object: &str, why: &str) -> Error {
        self.skips.fetch_add(1, Ordering::Relaxed);
        Error::not_tried(ErrorKind::Unavailable, self.attempted(verb, object)).advise(why)
    }

    fn attempted(&self, verb: &str, object: &str) -> String {
        format!("{verb} {object} on the {} cache", self.name())
    }

    fn owing(&self, name: &str, cause: &Error, is_owed: bool) -> Error {
        let advice = if is_owed {
            "it is queued, and applied as soon as the cache takes it; until then this process does not use what is \
             stored there, while others may"
                .to_owned()
        } else {
            format!("it is not queued, since {MOST} others are; invalidate again once the cache answers")
        };
        Error::new(cause.kind(), self.attempted("invalidating", name)).advise(advice).because(cause.clone())
    }
}
