//! The contract of a backend, each operation one transaction.

use super::env::{self, entry_bytes};
use super::value::Times;
use super::{FileCache, PAGE};
use crate::number;
use memo_core::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored as Outcome};
use memo_core::{Cache, Capabilities, Error, Found, MAX_KEY_BYTES, Want, check_key, is_reserved};
use std::time::Duration;

impl Cache for FileCache {
    fn capabilities(&self) -> Capabilities {
        let mut capable = Capabilities::new("file");
        (capable.shared, capable.persistent) = (true, true);
        (capable.scan, capable.increment, capable.touch) = (true, true, true);
        capable.conditional = true;
        capable
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        self.look(key, |stored| stored.bytes.to_vec())
    }

    fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        let size = self.size(key, bytes)?;
        let attempted = || self.attempted(&format!("storing {key}"));
        self.store.write(size, attempted, |txn| Ok(self.put(txn, key, bytes, Times::now(timeout))?))
    }

    fn add(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        let size = self.size(key, bytes)?;
        // Where something is, no writer needs to be waited for.
        if self.look(key, |_| ())?.is_some() {
            return Ok(false);
        }
        self.store.write(
            size,
            || self.attempted(&format!("adding {key}")),
            |txn| {
                let absent = self.find(txn, key)?.is_none();
                if absent {
                    self.put(txn, key, bytes, Times::now(timeout))?;
                }
                Ok(absent)
            },
        )
    }

    fn remove(&self, key: &str) -> Result<bool, Error> {
        // Where nothing is, no writer needs to be waited for.
        if self.look(key, |_| ())?.is_none() {
            return Ok(false);
        }
        self.store.write(0, || self.attempted(&format!("removing {key}")), |txn| self.delete(txn, key))
    }

    #[inline]
    fn read(&self, key: &str, want: Want, visit: &mut dyn FnMut(Found<&[u8]>)) -> Result<(), Error> {
        self.look(key, |stored| {
            visit(Found { bytes: stored.bytes, time_to_live: stored.time_to_live(want, self.store.room().max_age()) });
        })?;
        Ok(())
    }

    fn set_many(&self, entries: &[(&str, &[u8])], timeout: Option<Duration>) -> Result<(), Error> {
        let sized: Vec<_> =
            entries.iter().map(|entry| Ok((self.size(entry.0, entry.1)?, entry))).collect::<Result<_, Error>>()?;
        for some in self.transactions(&sized) {
            self.write_many(some, |txn, (key, bytes)| Ok(self.put(txn, key, bytes, Times::now(timeout))?))?;
        }
        Ok(())
    }

    fn remove_many(&self, keys: &[&str]) -> Result<u64, Error> {
        keys.iter().try_for_each(|key| check_key(key))?;
        let mut count = 0;
        for some in keys.chunks(PAGE) {
            count += self.store.write(
                0,
                || self.attempted(&format!("removing {} keys", some.len())),
                |txn| some.iter().try_fold(0, |count, key| Ok(count + u64::from(self.delete(txn, key)?))),
            )?;
        }
        Ok(count)
    }

    fn increment(&self, key: &str, by: i64, timeout: Option<Duration>) -> Result<i64, Error> {
        // The longest text a number can have.
        let size = self.size(key, i64::MIN.to_string().as_bytes())?;
        self.change(size, "incrementing", key, |txn, stored| {
            let sum = number::add(key, stored.map(|stored| stored.bytes), by)?;
            let times = stored.map_or_else(|| Times::now(timeout), |stored| stored.times);
            self.put(txn, key, sum.to_string().as_bytes(), times)?;
            Ok(sum)
        })
    }

    fn touch(&self, key: &str, timeout: Option<Duration>) -> Result<bool, Error> {
        // Its length is needed for the room; where nothing is, no writer needs to be waited for.
        let page_bytes = self.store.opened().page_bytes;
        let Some(size) = self.look(key, |stored| entry_bytes(key.len(), stored.bytes.len(), page_bytes))? else {
            return Ok(false);
        };
        self.change(size, "touching", key, |txn, stored| {
            if let Some(stored) = stored {
                // It gets no younger by that.
                let times = Times { stored: stored.times.stored, ..Times::now(timeout) };
                self.put(txn, key, stored.bytes, times)?;
            }
            Ok(stored.is_some())
        })
    }

    fn scan(&self, prefix: &str, visit: &mut dyn FnMut(&str)) -> Result<(), Error> {
        let failed = |error| env::translate(error, self.attempted(&format!("scanning {prefix}")));
        let mut keys = Vec::new();
        while prefix.len() <= MAX_KEY_BYTES {
            let after = keys.last().map_or("", |(key, _): &(String, bool)| key);
            // The snapshot ends before `visit` runs, which may call the cache.
            keys = self.store.snapshot().and_then(|txn| self.page(&txn, prefix, after)).map_err(failed)?;
            keys.iter().filter(|(key, live)| *live && !is_reserved(key)).for_each(|(key, _)| visit(key));
            if keys.len() < PAGE {
                break;
            }
        }
        Ok(())
    }

    fn clear(&self, prefix: &str) -> Result<u64, Error> {
        let (mut count, mut after) = (0, String::new());
        while prefix.len() <= MAX_KEY_BYTES {
            let attempted = || self.attempted(&format!("clearing {prefix}"));
            let keys = self.store.write(0, attempted, |txn| {
                let keys = self.page(txn, prefix, &after)?;
                for (key, _) in &keys {
                    self.store.opened().entries.delete(txn, key.as_bytes())?;
                }
                Ok(keys)
            })?;
            count += keys.iter().filter(|(_, live)| *live).count() as u64;
            let is_last = keys.len() < PAGE;
            match keys.into_iter().last() {
                Some((last, _)) if !is_last => after = last,
                _ => break,
            }
        }
        Ok(count)
    }

    fn invalidate(&self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        self.invalidated(what)
    }

    fn store(&self, key: &str, bytes: &[u8], timeout: Option<Duration>, since: u64) -> Result<Outcome, Error> {
        self.stored(Loaded { key, bytes, timeout, since })
    }

    fn store_many(&self, entries: &[Loaded<'_>]) -> Vec<Result<Outcome, Error>> {
        self.stored_many(entries)
    }

    fn records(&self, names: &[&str], seen: u64) -> Result<Records, Error> {
        self.recorded(names, seen)
    }

    fn remove_if(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        self.removed_if(key, bytes)
    }

    fn touch_if(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        self.touched_if(key, bytes, timeout)
    }
}
