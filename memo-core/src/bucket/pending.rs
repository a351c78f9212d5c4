//! Writes that wait to be carried out.

use super::lifetime::Life;
use super::place::Place;
use crate::Error;
use crate::clock::{self, Tick};
use crate::memo::Io;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

/// The last thing that is to happen to each key.
#[derive(Default)]
pub(super) struct Pending(HashMap<String, Write>);

enum Write {
    /// Stored bytes, and when they expire: the time runs from when they were set.
    Set(Vec<u8>, Tick),
    Remove,
}

/// What is to happen to a key.
pub(super) enum Awaiting<'a> {
    /// These bytes are to be stored.
    Set(&'a [u8]),
    /// It is to be removed, or what was set has expired since.
    Gone,
}

/// Entries that go to the cache at once.
const BATCH: usize = 1000;

impl Pending {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn set(&mut self, key: String, bytes: Vec<u8>, life: Life) {
        let until = life.timeout().map_or(Tick::NEVER, |timeout| clock::now().after(timeout));
        self.0.insert(key, Write::Set(bytes, until));
    }

    pub(super) fn remove(&mut self, key: String) {
        self.0.insert(key, Write::Remove);
    }

    pub(super) fn get(&self, key: &str) -> Option<Awaiting<'_>> {
        Some(match self.0.get(key)? {
            Write::Set(bytes, until) if *until == Tick::NEVER || clock::now() < *until => Awaiting::Set(bytes),
            Write::Set(..) | Write::Remove => Awaiting::Gone,
        })
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    /// Carries out what waits; how many keys that was. What was not carried out still waits: on an error, and where
    /// this is dropped before it is done.
    ///
    /// Values that were set in the same moment go together. An expired one is removed, since the cache may hold one
    /// from before.
    pub(super) async fn flush<I: Io>(&mut self, place: &Place) -> Result<usize, Error> {
        let before = self.len();
        let now = clock::now();
        let mut removals = Vec::new();
        let mut sets: BTreeMap<Tick, Vec<String>> = BTreeMap::new();
        for (key, write) in &self.0 {
            match write {
                Write::Set(_, until) if *until > now => sets.entry(*until).or_default().push(key.clone()),
                Write::Set(..) | Write::Remove => removals.push(key.clone()),
            }
        }
        let mut failed = None;
        for keys in removals.chunks(BATCH) {
            match place.remove_many::<I>(keys).await {
                Ok(_) => self.done(keys),
                Err(error) => later(&mut failed, error)?,
            }
        }
        for (until, keys) in &sets {
            for keys in keys.chunks(BATCH) {
                match self.write::<I>(place, keys, *until).await {
                    Ok(()) => self.done(keys),
                    // One that the cache does not take must not keep the others from it.
                    Err(error) if keys.len() > 1 && !error.is_retryable() => {
                        for key in keys {
                            let key = std::slice::from_ref(key);
                            match self.write::<I>(place, key, *until).await {
                                Ok(()) => self.done(key),
                                Err(error) => later(&mut failed, error)?,
                            }
                        }
                    }
                    Err(error) => later(&mut failed, error)?,
                }
            }
        }
        match failed {
            None => Ok(before),
            Some(error) => Err(error),
        }
    }

    async fn write<I: Io>(&self, place: &Place, keys: &[String], until: Tick) -> Result<(), Error> {
        let pairs: Vec<(&str, &[u8])> = keys
            .iter()
            .filter_map(|key| match self.0.get(key) {
                Some(Write::Set(bytes, _)) => Some((key.as_str(), bytes.as_slice())),
                Some(Write::Remove) | None => None,
            })
            .collect();
        let timeout = (until != Tick::NEVER).then(|| until.since(clock::now()).max(Duration::from_millis(1)));
        place.write_many::<I>(&pairs, timeout).await
    }

    fn done(&mut self, keys: &[String]) {
        for key in keys {
            self.0.remove(key);
        }
    }
}

/// The first error is told at the end, unless it is one of a cache that is down: each try would take its time.
fn later(first: &mut Option<Error>, error: Error) -> Result<(), Error> {
    if error.is_retryable() {
        return Err(error);
    }
    first.get_or_insert(error);
    Ok(())
}
