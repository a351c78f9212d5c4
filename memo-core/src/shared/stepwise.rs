//! What the provided operations of [`Cache`] do: invalidations and conditional writes made of the required operations,
//! in several steps.
//!
//! Numbers, records and tombstones are decimal text under reserved keys. Who changes them holds a lock, which is `add`ed
//! and removed, so that no change is lost where two meet. The lock expires: one whose holder died is in the way of others
//! for some seconds, and a holder that was stopped for that long finds it gone and does its work again.

use super::cache::{Cache, MAX_KEY_BYTES, check_key};
use super::invalidation::{Invalidated, Invalidation, Loaded, Records, Stored, check_records, short_name};
use super::keeper::Wait;
use crate::error::{Error, ErrorKind};
use crate::random;
use std::future::poll_fn;
use std::thread;
use std::time::Duration;

const SEQUENCE: &str = "memo!sequence";
const FLOOR: &str = "memo!floor";
const LOCK: &str = "memo!lock";

/// How long the lock lasts. Far longer than some operations of a backend that answers.
const LOCKED_FOR: Duration = Duration::from_secs(5);
/// How often and how long a held lock is waited for: twice as long as a dead holder keeps it.
const TRIES: u32 = 5_000;
const PAUSE: Duration = Duration::from_millis(2);
/// How often work is done again after its lock was lost.
const RUNS: u32 = 3;

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

    /// Number and tombstones first, then the entries go: a store that looks for a tombstone after its write finds it, or
    /// came before the entry went.
    pub(super) async fn invalidate(self, what: &Invalidation<'_>) -> Result<Invalidated, Error> {
        what.check()?;
        let sequence = self.number(what).await?;
        let removed = match self.tasks {
            true => self.cache.remove_many_async(what.keys).await?,
            false => self.cache.remove_many(what.keys)?,
        };
        Ok(Invalidated { sequence, removed })
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
        let tombstone = tombstone_key(key);
        let before = self.numbers(&[&tombstone]).await?[0];
        if before > since {
            return Ok(Stored::Refused { sequence: before });
        }
        self.set(key, bytes, timeout).await?;
        let after = self.numbers(&[&tombstone]).await?[0];
        if after > since {
            self.remove_same(key, bytes).await?;
            return Ok(Stored::Refused { sequence: after });
        }
        Ok(Stored::Stored)
    }

    /// One after the other, up to the first that finds the backend down.
    pub(super) async fn store_many(self, entries: &[Loaded<'_>]) -> Vec<Result<Stored, Error>> {
        let mut all = Vec::with_capacity(entries.len());
        for Loaded { key, bytes, timeout, since } in entries {
            let one = match self.tasks {
                true => self.cache.store_async(key, bytes, *timeout, *since).await,
                false => self.cache.store(key, bytes, *timeout, *since),
            };
            let is_down = one.as_ref().is_err_and(Error::is_retryable);
            all.push(one);
            if is_down {
                break;
            }
        }
        if let Some(last) = all.last().cloned() {
            all.resize(entries.len(), last);
        }
        all
    }

    pub(super) async fn records(self, names: &[&str], seen: u64) -> Result<Records, Error> {
        check_records(names, seen)?;
        let keys: Vec<String> = names.iter().map(|name| record_key(name)).collect();
        let mut asked = vec![SEQUENCE, FLOOR];
        asked.extend(keys.iter().map(String::as_str));
        let mut numbers = self.numbers(&asked).await?;
        // The second: whoever lifts the sequence raises the floor to it, and may have done only that.
        if numbers[0] < seen || numbers[0] < numbers[1] {
            self.number(&Invalidation { seen, ..Invalidation::default() }).await?;
            numbers = self.numbers(&asked).await?;
        }
        let (sequence, floor) = (numbers[0], numbers[1]);
        // Between the steps of an invalidation that takes its number just now, or that failed there.
        let records = numbers.iter().skip(2).map(|number| floor.max(*number).min(sequence)).collect();
        Ok(Records { sequence, numbers: records })
    }

    pub(super) async fn remove_if(self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        self.remove_same(key, bytes).await
    }

    pub(super) async fn touch_if(self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<bool, Error> {
        if !self.holds(key, bytes).await? {
            return Ok(false);
        }
        match (self.cache.capabilities().touch, self.tasks) {
            (true, true) => self.cache.touch_async(key, timeout).await,
            (true, false) => self.cache.touch(key, timeout),
            (false, _) => self.set(key, bytes, timeout).await.map(|()| true),
        }
    }

    /// Takes the next number and leaves it for the names and keys, under the lock.
    async fn number(&self, what: &Invalidation<'_>) -> Result<u64, Error> {
        let records: Vec<String> = what.names.iter().map(|name| record_key(name)).collect();
        let tombstones: Vec<String> = what.keys.iter().map(|key| tombstone_key(key)).collect();
        let token = format!("{:016x}", random::number());
        for _ in 0..RUNS {
            self.lock(&token).await?;
            let numbered = self.number_locked(what, &records, &tombstones).await;
            // Looked at by the bytes: a lock that another has taken since is left alone.
            let was_ours = self.remove_same(LOCK, token.as_bytes()).await?;
            let sequence = numbered?;
            if was_ours {
                return Ok(sequence);
            }
        }
        Err(Error::new(ErrorKind::Timeout, "numbering an invalidation").advise(
            "its lock was lost again and again; the backend takes seconds for a few operations, or drops entries",
        ))
    }

    /// The floor goes up before the sequence does, and the sequence before what is recorded: whoever reads in between
    /// takes more for void, not less.
    async fn number_locked(
        &self,
        what: &Invalidation<'_>,
        records: &[String],
        tombstones: &[String],
    ) -> Result<u64, Error> {
        let numbers = self.numbers(&[SEQUENCE, FLOOR]).await?;
        let (known, floor) = (numbers[0], numbers[1]);
        let sequence = known.max(floor).max(what.seen) + 1;
        let number = sequence.to_string();
        if known < what.seen {
            // Numbers were lost, and records with them: all that is older than this is void.
            self.set(FLOOR, number.as_bytes(), None).await?;
        }
        self.set(SEQUENCE, number.as_bytes(), None).await?;
        self.set_many(records, number.as_bytes(), None).await?;
        self.set_many(tombstones, number.as_bytes(), Some(what.keep)).await?;
        Ok(sequence)
    }

    async fn lock(&self, token: &str) -> Result<(), Error> {
        for _ in 0..TRIES {
            let locked = match self.tasks {
                true => self.cache.add_async(LOCK, token.as_bytes(), Some(LOCKED_FOR)).await?,
                false => self.cache.add(LOCK, token.as_bytes(), Some(LOCKED_FOR))?,
            };
            if locked {
                return Ok(());
            }
            match self.tasks {
                true => pause().await,
                false => thread::sleep(PAUSE),
            }
        }
        Err(Error::new(ErrorKind::Timeout, "numbering an invalidation")
            .advise("others held its lock all the time; they may have died, and it ends by itself"))
    }

    async fn remove_same(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        if !self.holds(key, bytes).await? {
            return Ok(false);
        }
        if self.tasks { self.cache.remove_async(key).await } else { self.cache.remove(key) }
    }

    async fn holds(&self, key: &str, bytes: &[u8]) -> Result<bool, Error> {
        let found = if self.tasks { self.cache.get_async(key).await? } else { self.cache.get(key)? };
        Ok(found.as_deref() == Some(bytes))
    }

    /// The numbers under these keys, as many; nothing is 0.
    async fn numbers(&self, keys: &[&str]) -> Result<Vec<u64>, Error> {
        let mut found = if self.tasks { self.cache.get_many_async(keys).await? } else { self.cache.get_many(keys)? };
        // What a broken backend does not tell is not there.
        found.resize(keys.len(), None);
        let parse = |(key, found): (&&str, &Option<Vec<u8>>)| {
            let Some(bytes) = found else { return Ok(0) };
            std::str::from_utf8(bytes).ok().and_then(|text| text.parse().ok()).ok_or_else(|| not_a_number(key))
        };
        keys.iter().zip(&found).map(parse).collect()
    }

    async fn set(&self, key: &str, bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        if self.tasks { self.cache.set_async(key, bytes, timeout).await } else { self.cache.set(key, bytes, timeout) }
    }

    async fn set_many(&self, keys: &[String], bytes: &[u8], timeout: Option<Duration>) -> Result<(), Error> {
        let entries: Vec<(&str, &[u8])> = keys.iter().map(|key| (key.as_str(), bytes)).collect();
        match self.tasks {
            _ if entries.is_empty() => Ok(()),
            true => self.cache.set_many_async(&entries, timeout).await,
            false => self.cache.set_many(&entries, timeout),
        }
    }
}

/// Waits as a task, on any runtime or none. Only where a lock is held by another.
async fn pause() {
    let wait = Wait::begin("", PAUSE);
    poll_fn(|context| wait.poll(context.waker())).await;
    wait.end();
}

#[cold]
fn not_a_number(key: &str) -> Error {
    Error::new(ErrorKind::Backend, format!("reading the number under {key}"))
        .advise("what is stored there is no number of an invalidation; remove the key, or clear the cache")
}
