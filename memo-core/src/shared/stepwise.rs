//! What the provided operations of [`Cache`] do: invalidations and conditional writes made of the required operations,
//! in several steps.
//!
//! Numbers and records are decimal text under reserved keys, changed by `increment` alone, so that no change is lost
//! where two meet: both are added, and the sum is higher than needed, which is safe. Between the steps others may come;
//! what that means is said at each.

use super::cache::{Cache, MAX_KEY_BYTES, check_key, unsupported};
use super::invalidation::{Invalidated, Invalidation, Records, Stored, check_records, short_name};
use crate::error::{Error, ErrorKind};
use std::time::Duration;

const SEQUENCE: &str = "memo!sequence";
const FLOOR: &str = "memo!floor";

/// The key of the record of a name.
fn record_key(name: &str) -> String {
    reserved_key("memo!r:", name)
}

fn tombstone_key(key: &str) -> String {
    reserved_key("memo!t:", key)
}

fn reserved_key(kind: &str, name: &str) -> String {
    format!("{kind}{}", short_name(name, MAX_KEY_BYTES - kind.len()))
}

/// A backend, asked with the thread or as a task: with the thread no future of these is ever pending.
pub(super) struct Steps<'a, C: ?Sized> {
    cache: &'a C,
    tasks: bool,
}

impl<'a, C: Cache + ?Sized> Steps<'a, C> {
    pub(super) fn blocking(cache: &'a C) -> Self {
        Steps { cache, tasks: false }
    }

    pub(super) fn tasks(cache: &'a C) -> Self {
        Steps { cache, tasks: true }
    }

    /// Numbers first, then tombstones, then the entries go: a store that looks for a tombstone after its write finds it, or
    /// came before the entry went.
    pub(super) async fn invalidate(self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        what.check()?;
        let capable = self.cache.capabilities();
        if !capable.increment {
            if !what.names.is_empty() {
                return Err(unsupported(capable.name, "invalidating a function or a tag"));
            }
            return Ok(Invalidated { sequence: what.seen, removed: self.remove_many(what.keys).await? });
        }
        let mut sequence = self.next(what.seen).await?;
        for name in what.names {
            let recorded = self.raise(&record_key(name), sequence).await?;
            if recorded > sequence {
                sequence = self.lift(recorded).await?;
            }
        }
        for key in what.keys {
            let tombstone = tombstone_key(key);
            // Two invalidations at once may leave the lower number here.
            if self.number(&tombstone).await? < sequence {
                self.set(&tombstone, sequence.to_string().as_bytes(), Some(what.keep)).await?;
            }
        }
        Ok(Invalidated { sequence, removed: self.remove_many(what.keys).await? })
    }

    /// Looks for a tombstone, stores, and looks again, since one may have come in between. A reader may see the value
    /// meanwhile; where the process ends between the steps it stays.
    pub(super) async fn store(
        self,
        key: &str,
        bytes: &[u8],
        timeout: Option<Duration>,
        since: u64,
    ) -> Result<Stored, Error> {
        check_key(key)?;
        if !self.cache.capabilities().increment {
            // Without numbers there are no tombstones.
            self.set(key, bytes, timeout).await?;
            return Ok(Stored::Stored);
        }
        let tombstone = tombstone_key(key);
        let before = self.number(&tombstone).await?;
        if before > since {
            return Ok(Stored::Refused { sequence: before });
        }
        self.set(key, bytes, timeout).await?;
        let after = self.number(&tombstone).await?;
        if after > since {
            self.remove_same(key, bytes).await?;
            return Ok(Stored::Refused { sequence: after });
        }
        Ok(Stored::Stored)
    }

    pub(super) async fn records(self, names: &[&str], seen: u64) -> Result<Records, Error> {
        check_records(names, seen)?;
        if !self.cache.capabilities().increment {
            // Nothing is ever recorded.
            return Ok(Records { sequence: seen, numbers: vec![0; names.len()] });
        }
        let keys: Vec<String> = names.iter().map(|name| record_key(name)).collect();
        let mut asked = vec![SEQUENCE, FLOOR];
        asked.extend(keys.iter().map(String::as_str));
        let numbers = self.numbers(&asked).await?;
        let [mut sequence, mut floor, ..] = numbers[..] else { return Err(not_a_number(SEQUENCE)) };
        let highest = numbers.iter().copied().max().unwrap_or(0);
        if sequence < seen {
            (sequence, floor) = self.start_over(seen).await?;
        } else if sequence < highest {
            // Between the two steps of another, or after it ended there.
            sequence = self.lift(highest).await?;
        }
        let numbers = numbers.iter().skip(2).map(|number| floor.max(*number)).collect();
        Ok(Records { sequence, numbers })
    }

    pub(super) async fn remove_if(self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        self.remove_same(key, bytes).await
    }

    pub(super) async fn touch_if(self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        if !self.holds(key, bytes).await? {
            return Ok(false);
        }
        if self.cache.capabilities().touch {
            return if self.tasks {
                self.cache.touch_async(key, timeout).await
            } else {
                self.cache.touch(key, timeout)
            };
        }
        self.set(key, bytes, timeout).await?;
        Ok(true)
    }

    async fn remove_same(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        Ok(self.holds(key, bytes).await? && self.remove_many(&[key]).await? == 1)
    }

    async fn holds(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        let found = if self.tasks { self.cache.get_async(key).await? } else { self.cache.get(key)? };
        Ok(found.as_deref() == Some(bytes))
    }

    /// The next number of the sequence, above what the caller has seen.
    async fn next(&self, seen: u64) -> Result<u64, Error> {
        let sequence = self.increment(SEQUENCE, 1).await?;
        if sequence > seen {
            return Ok(sequence);
        }
        Ok(self.start_over(seen).await?.0)
    }

    /// A sequence that is lower than a caller has seen was lost, and records with it: it starts again above that, and
    /// all that is older is void. The floor goes up first, so that nobody takes the lifted sequence for a whole one; who
    /// ends in between leaves too high a floor, which [`records`](Self::records) mends. The new sequence and floor.
    async fn start_over(&self, seen: u64) -> Result<(u64, u64), Error> {
        let floor = self.raise(FLOOR, seen + 1).await?;
        Ok((self.lift(floor).await?, floor))
    }

    /// Makes the sequence at least this: it must not lag behind a record or the floor, or nothing that is loaded from
    /// then on would be valid. What it became.
    async fn lift(&self, to: u64) -> Result<u64, Error> {
        self.raise(SEQUENCE, to).await
    }

    /// Makes the number under `key` at least this. What it became: more, where another raised it at the same time.
    async fn raise(&self, key: &str, to: u64) -> Result<u64, Error> {
        let stored = self.number(key).await?;
        if stored < to { self.increment(key, to - stored).await } else { Ok(stored) }
    }

    async fn increment(&self, key: &str, by: u64) -> Result<u64, Error> {
        let by = i64::try_from(by).map_err(|_| not_a_number(key))?;
        let sum = if self.tasks {
            self.cache.increment_async(key, by, None).await?
        } else {
            self.cache.increment(key, by, None)?
        };
        u64::try_from(sum).map_err(|_| not_a_number(key))
    }

    async fn number(&self, key: &str) -> Result<u64, Error> {
        self.numbers(&[key]).await?.first().copied().ok_or_else(|| not_a_number(key))
    }

    /// The numbers under these keys; nothing is 0.
    async fn numbers(&self, keys: &[&str]) -> Result<Vec<u64>, Error> {
        let found = if self.tasks { self.cache.get_many_async(keys).await? } else { self.cache.get_many(keys)? };
        let parse = |(key, found): (&&str, &Option<Vec<u8>>)| {
            let Some(bytes) = found else { return Ok(0) };
            std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or_else(|| not_a_number(key))
        };
        keys.iter().zip(&found).map(parse).collect()
    }

    async fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        if self.tasks { self.cache.set_async(key, bytes, timeout).await } else { self.cache.set(key, bytes, timeout) }
    }

    async fn remove_many(&self, keys: &[&str]) -> Result<u64, Error> {
        if self.tasks { self.cache.remove_many_async(keys).await } else { self.cache.remove_many(keys) }
    }
}

#[cold]
fn not_a_number(key: &str) -> Error {
    Error::new(ErrorKind::Backend, format!("reading the number under {key}"))
        .advise("what is stored there is no number of an invalidation; remove the key, or clear the cache")
}
