//! An operation on a cache, with what its failure means: whether it is tried at all, what the breaker learns of it, and
//! what is owed if it was an invalidation.

use super::breaker::is_down;
use super::invalidation::{Invalidated, function_name};
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

impl Linked {
    /// Runs an operation on the entry of a key. It is not tried while an invalidation of the key is owed: what the cache
    /// has is old, and what it would take is to go with that.
    pub(crate) async fn entry<T: Send>(
        &self,
        verb: &str,
        key: &Key,
        operation: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        self.unless_owed(verb, key)?;
        self.through(verb, key.text(), operation).await
    }

    /// An error while an invalidation of the key is owed.
    pub(super) fn unless_owed(&self, verb: &str, key: &Key) -> Result<(), Error> {
        match self.owes(key) {
            true => Err(self.skipped(verb, key.text(), "an invalidation of it has not reached the cache yet")),
            false => Ok(()),
        }
    }

    /// Runs an operation on so many entries, each of which has its own result, unless the cache does not answer. However
    /// many entries find it down, it is so once.
    pub(super) async fn through_each<T: Clone + Send>(
        &self,
        (verb, object): (&str, &str),
        entries: usize,
        operation: impl Future<Output = Vec<Result<T, Error>>> + Send,
    ) -> Vec<Result<T, Error>> {
        let mut results = Vec::new();
        let told = self.through(verb, object, async {
            results = operation.await;
            let down = results.iter().find_map(|result| result.as_ref().err().filter(|error| is_down(error)));
            down.map_or(Ok(()), |error| Err(error.clone()))
        });
        let told = told.await;
        // All of them, where it was not asked or was given up; else those that a broken backend tells nothing of.
        let missing = told.err().unwrap_or_else(|| {
            Error::new(ErrorKind::Backend, self.attempted(verb, object)).advise(
                "the backend has not told what became of each; it must return as many results as it was given entries",
            )
        });
        results.resize(entries, Err(missing));
        results
    }

    /// Runs an operation, unless the cache does not answer.
    pub(crate) async fn through<T: Send>(
        &self,
        verb: &str,
        object: &str,
        operation: impl Future<Output = Result<T, Error>> + Send,
    ) -> Result<T, Error> {
        if self.breaker.is_open() {
            self.recovery.start(&self.link);
            return Err(self.skipped(verb, object, "the cache does not answer, and is not asked until it does"));
        }
        let result = match self.bounded {
            true => operation.await,
            false => limited(operation, || self.attempted(verb, object)).await,
        };
        if self.breaker.saw(&result, clock::now) {
            self.recovery.start(&self.link);
            let cause = result.as_ref().err().map(ToString::to_string);
            tracing::warn!(cache = self.name(), cause, "the cache does not answer and is not asked until it does");
        }
        result
    }

    /// Whether an invalidation of a key has not reached the cache yet.
    pub(super) fn owes(&self, key: &Key) -> bool {
        self.owed.has(key.prefix(), key.text())
    }

    /// Drops the entry of a key. Where that fails it is owed, until `until`. Whether there was one.
    pub(crate) async fn invalidate<I: Io>(&self, key: &Key, until: Tick) -> Result<bool, Error> {
        self.invalidate_all_of::<I>(&[key], until).await
    }

    /// Drops the entries of some keys. Where that fails they are owed, until `until`. Whether there was any.
    pub(crate) async fn invalidate_all_of<I: Io>(&self, keys: &[&Key], until: Tick) -> Result<bool, Error> {
        let Some(first) = keys.first() else { return Ok(false) };
        let before = self.owed.now();
        let texts: Vec<&str> = keys.iter().map(|key| key.text()).collect();
        let removed = self.tell::<I>("removing", first.text(), &texts, &[]).await.map(|done| done.removed > 0);
        match &removed {
            Ok(_) => texts.iter().for_each(|key| self.owed.settle_key(key, before)),
            Err(error) if may_succeed_later(error) => {
                // Each of them, also where one has no room.
                let add = |key: &&Key| self.owed.add_key(key.prefix(), key.text(), until);
                let are_owed = keys.iter().map(add).fold(true, |all, one| all & one);
                self.recovery.start(&self.link);
                return Err(self.owing(first.text(), error, are_owed));
            }
            Err(_) => {}
        }
        removed
    }

    /// Voids every entry of a prefix. Where that fails it is owed, until `until`.
    pub(crate) async fn clear<I: Io>(&self, prefix: &Prefix, until: Tick) -> Result<(), Error> {
        let before = self.owed.now();
        let voided = self.void::<I>(prefix.as_str(), &function_name(prefix.as_str())).await;
        match &voided {
            Ok(()) => self.owed.settle_function(prefix.as_str(), before),
            Err(error) if may_succeed_later(error) => {
                self.owed.add_function(prefix.as_str(), until);
                self.recovery.start(&self.link);
                return Err(self.owing(prefix.as_str(), error, true));
            }
            Err(_) => {}
        }
        voided
    }

    /// Voids every entry of a tag, by the name that backends know. Where that fails it is owed.
    pub(crate) async fn invalidate_tag<I: Io>(&self, name: &str) -> Result<(), Error> {
        let before = self.owed.now();
        let voided = self.void::<I>(name, name).await;
        match &voided {
            Ok(()) => self.owed.settle_key(name, before),
            Err(error) if may_succeed_later(error) => {
                let is_owed = self.owed.add_tag(name);
                self.recovery.start(&self.link);
                return Err(self.owing(&format!("the tag {}", &name[2..]), error, is_owed));
            }
            Err(_) => {}
        }
        voided
    }

    /// Has an invalidation recorded under a name.
    async fn void<I: Io>(&self, object: &str, name: &str) -> Result<(), Error> {
        self.tell::<I>("invalidating", object, &[], &[name]).await.map(|_| ())
    }

    /// Has the cache invalidate these, and hears of it.
    async fn tell<I: Io>(
        &self,
        doing: &'static str,
        object: &str,
        keys: &[&str],
        names: &[&str],
    ) -> Result<Invalidated, Error> {
        let _own = self.begin_own();
        let what = self.invalidation(keys, names);
        let done = self.through(doing, object, I::invalidate(&*self.cache, &what)).await?;
        self.hear(names, &[], done.sequence);
        Ok(done)
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
