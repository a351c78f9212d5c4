//! Operations that take several requests: written once, as async code over an [`Io`].

use super::command::{self, BATCH, BATCH_BYTES};
use super::io::Io;
use super::topology::Scan;
use super::{RedisCache, apart, bus, scripts};
use crate::batches::batches;
use memo_core::invalidation::{Invalidated, Invalidation, Loaded, Stored};
use memo_core::{Error, check_key};
use std::time::Duration;

pub(super) fn check_keys(keys: &[&str]) -> Result<(), Error> {
    keys.iter().try_for_each(|key| check_key(key))
}

impl RedisCache {
    pub(super) async fn get_many_on<I: Io>(&self, io: &I, keys: &[&str]) -> Result<Vec<Option<Vec<u8>>>, Error> {
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

    pub(super) async fn set_many_on<I: Io>(
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
    pub(super) async fn store_many_on<I: Io>(&self, io: &I, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
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
    pub(super) async fn remove_many_on<I: Io>(&self, io: &I, keys: &[&str]) -> Result<u64, Error> {
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
    pub(super) async fn clear_on<I: Io>(&self, io: &I, prefix: &str) -> Result<u64, Error> {
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
    pub(super) async fn invalidate_on<I: Io>(&self, io: &I, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
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
}
