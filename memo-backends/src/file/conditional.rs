//! Invalidations, and changes that depend on what is there: each is one transaction for each key.

use super::coherence::{Coherence, EACH_BYTES};
use super::store::Failure;
use super::value::Times;
use super::{FileCache, PAGE, env};
use heed::RwTxn;
use memo_core::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored, check_records, prefix_of};
use memo_core::{Cache as _, Error};
use std::time::Duration;

impl FileCache {
    fn coherence(&self) -> Coherence<'_> {
        let store = &self.store;
        Coherence { opened: store.opened(), latest: store.latest(), bytes: store.room().transaction() }
    }

    /// The number, its records and the first keys go in one transaction, further keys in others. The entries of functions
    /// that are invalidated as a whole are dropped, too.
    pub(super) fn invalidated(&self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        what.check()?;
        let coherence = self.coherence();
        let (first, others) = what.keys.split_at(what.keys.len().min(PAGE));
        let room = (what.names.len() + first.len()) as u64 * EACH_BYTES;
        let next = |txn: &mut RwTxn<'_>| coherence.next(txn, what.names, what.seen);
        let mut done = self.bury(first, what.keep, room, next)?;
        for some in others.chunks(PAGE) {
            done.removed += self.bury(some, what.keep, some.len() as u64 * EACH_BYTES, |_| Ok(done.sequence))?.removed;
        }
        for prefix in what.names.iter().filter_map(|name| prefix_of(name)) {
            self.clear(prefix)?;
        }
        Ok(done)
    }

    /// Drops entries and leaves tombstones of the number that `number` gives, which takes so many bytes.
    fn bury(
        &self,
        keys: &[&str],
        keep: Duration,
        room: u64,
        number: impl Fn(&mut RwTxn<'_>) -> heed::Result<u64>,
    ) -> Result<Invalidated, Error> {
        let coherence = self.coherence();
        self.store.write(
            room,
            || self.attempted(&format!("invalidating {} keys", keys.len())),
            |txn| {
                let sequence = number(txn)?;
                let (mut removed, until) = (0, Times::now(Some(keep)).expiry);
                for key in keys {
                    coherence.bury(txn, key, sequence, until)?;
                    removed += u64::from(self.delete(txn, key)?);
                }
                Ok(Invalidated { sequence, removed })
            },
        )
    }

    pub(super) fn stored(&self, entry: Loaded<'_>) -> Result<Stored, Error> {
        let size = self.size(entry.key, entry.bytes)?;
        let attempted = || self.attempted(&format!("storing {}", entry.key));
        self.store.write(size, attempted, |txn| self.put_unless_buried(txn, entry))
    }

    /// As few transactions as there is room for. One that fails is that of its own entries.
    pub(super) fn stored_many(&self, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
        let mut results: Vec<Result<Stored, Error>> = Vec::with_capacity(entries.len());
        let each: Vec<_> = entries.iter().map(|entry| Ok((self.size(entry.key, entry.bytes)?, entry))).collect();
        let fit: Vec<_> = each.iter().filter_map(|one| one.as_ref().ok().copied()).collect();
        for some in self.transactions(&fit) {
            match self.write_many(some, |txn, entry| self.put_unless_buried(txn, **entry)) {
                Ok(stored) => results.extend(stored.into_iter().map(Ok)),
                Err(error) => results.extend(some.iter().map(|_| Err(error.clone()))),
            }
        }
        let mut results = results.into_iter();
        each.into_iter().filter_map(|one| one.map_or_else(|error| Some(Err(error)), |_| results.next())).collect()
    }

    fn put_unless_buried(&self, txn: &mut RwTxn<'_>, entry: Loaded<'_>) -> Result<Stored, Failure> {
        let sequence = self.coherence().newest(txn, entry.key)?;
        if sequence > entry.since {
            return Ok(Stored::Refused { sequence });
        }
        self.put(txn, entry.key, entry.bytes, Times::now(entry.timeout))?;
        Ok(Stored::Stored)
    }

    pub(super) fn recorded(&self, names: &[&str], seen: u64) -> Result<Records, Error> {
        check_records(names, seen)?;
        let coherence = self.coherence();
        if let Some(records) = coherence.records_at_once(names, seen) {
            return Ok(records);
        }
        let attempted = || self.attempted("reading the records of invalidations");
        let read = || {
            let found = self.store.snapshot().and_then(|txn| coherence.records(&txn, names, seen));
            found.map_err(|error| env::translate(error, attempted()))
        };
        if let Some(records) = read()? {
            return Ok(records);
        }
        self.store.write(EACH_BYTES, attempted, |txn| Ok(coherence.lift(txn, seen)?))?;
        // It only ever rises.
        Ok(read()?.unwrap_or_default())
    }

    pub(super) fn removed_if(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        // Where something else is, no writer needs to be waited for.
        if !self.holds(key, bytes)? {
            return Ok(false);
        }
        let attempted = || self.attempted(&format!("removing {key}"));
        self.store.write(0, attempted, |txn| {
            let same = self.find(txn, key)?.is_some_and(|stored| stored.bytes == bytes);
            if same {
                self.store.opened().entries.delete(txn, key.as_bytes())?;
            }
            Ok(same)
        })
    }

    pub(super) fn touched_if(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        if !self.holds(key, bytes)? {
            return Ok(false);
        }
        let attempted = || self.attempted(&format!("touching {key}"));
        self.store.write(self.size(key, bytes)?, attempted, |txn| {
            let same = self.find(txn, key)?.filter(|stored| stored.bytes == bytes).map(|stored| stored.times);
            if let Some(before) = same {
                // It is as old as it was.
                self.put(txn, key, bytes, Times { stored: before.stored, ..Times::now(timeout) })?;
            }
            Ok(same.is_some())
        })
    }

    fn holds(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        Ok(self.look(key, |stored| stored.bytes == bytes)?.unwrap_or(false))
    }
}
