//! Readers that take no lock beside writers that free what they took out, under schedulers that may interrupt at every
//! access to what they share: `cargo xtask deep`.
//!
//! A value knows whether it was dropped, and freed nodes are leaked here, so that reading one is an answer and no
//! crash.

use super::*;
use crate::epoch;
use crate::memo::explore;
use shuttle::thread;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

const ALIVE: u64 = 0x616c_6976_6521;

/// A value whose copies are made only of what is alive.
struct Checked {
    number: u32,
    state: AtomicU64,
}

impl Checked {
    fn new(number: u32) -> Self {
        Checked { number, state: AtomicU64::new(ALIVE) }
    }
}

impl Clone for Checked {
    fn clone(&self) -> Self {
        assert_eq!(self.state.load(Ordering::Relaxed), ALIVE, "a value is read after it was dropped");
        thread::yield_now();
        assert_eq!(self.state.load(Ordering::Relaxed), ALIVE, "a value is dropped while it is read");
        Checked::new(self.number)
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        assert_eq!(self.state.swap(0, Ordering::Relaxed), ALIVE, "a value is dropped twice");
    }
}

type Level = Local<u32, Checked>;

/// Hashes that meet in one bucket.
fn hash(key: u32) -> u64 {
    u64::from(key)
}

fn store(level: &Level, key: u32, number: u32) {
    let pin = epoch::pin();
    let entry = Entry { value: Checked::new(number), created: clock::now(), deadline: Tick::NEVER, marks: None };
    drop(level.engine().insert(&pin, hash(key), level.node(hash(key), key, entry, Duration::ZERO)));
    drop(pin);
    level.engine().free_now();
}

fn remove(level: &Level, key: u32) {
    let _ = level.engine().remove(&epoch::pin(), hash(key), &key, &|_| true);
    level.engine().free_now();
}

fn number(level: &Level, key: u32) -> Option<u32> {
    match level.get(&epoch::pin(), hash(key), &key) {
        Looked::Fresh(entry) => Some(entry.value.number),
        Looked::Expired | Looked::Nothing => None,
    }
}

#[test]
fn what_is_read_is_not_freed() {
    explore(|| {
        let level = Arc::new(Level::new(Bound::None, None, false));
        store(&level, 1, 10);
        let reader = {
            let level = Arc::clone(&level);
            thread::spawn(move || {
                for _ in 0..2 {
                    assert!(matches!(number(&level, 1), None | Some(10 | 11)));
                }
            })
        };
        let remover = {
            let level = Arc::clone(&level);
            thread::spawn(move || remove(&level, 1))
        };
        store(&level, 1, 11);
        reader.join().expect("no panic");
        remover.join().expect("no panic");
    });
}

#[test]
fn a_table_that_grows_loses_nothing_and_is_not_freed_under_its_readers() {
    explore(|| {
        let level = Arc::new(Level::new(Bound::None, None, false));
        store(&level, 0, 0);
        let reader = {
            let level = Arc::clone(&level);
            thread::spawn(move || {
                for _ in 0..3 {
                    assert_eq!(number(&level, 0), Some(0), "it was there all the time");
                }
            })
        };
        // More than a bucket has room for.
        (1..9).for_each(|key| store(&level, key, key));
        reader.join().expect("no panic");
        assert!((0..9).all(|key| number(&level, key) == Some(key)));
    });
}

#[test]
fn what_is_evicted_goes_only_when_nobody_reads_it() {
    explore(|| {
        let level = Arc::new(Level::new(Bound::Entries(NonZeroUsize::MIN), None, false));
        store(&level, 0, 0);
        let threads: Vec<_> = (1..3)
            .map(|key| {
                let level = Arc::clone(&level);
                thread::spawn(move || {
                    store(&level, key, key);
                    assert!((0..3).all(|key| number(&level, key).is_none_or(|number| number == key)));
                })
            })
            .collect();
        assert!((0..3).all(|key| number(&level, key).is_none_or(|number| number == key)));
        threads.into_iter().for_each(|thread| thread.join().expect("no panic"));
        assert_eq!(level.engine().len(), 1);
    });
}

#[test]
fn a_value_that_was_removed_is_not_found_afterwards() {
    explore(|| {
        let level = Arc::new(Level::new(Bound::None, None, false));
        store(&level, 1, 10);
        let other = {
            let level = Arc::clone(&level);
            thread::spawn(move || {
                store(&level, 2, 20);
                remove(&level, 2);
                assert_eq!(number(&level, 2), None);
            })
        };
        remove(&level, 1);
        assert_eq!(number(&level, 1), None);
        other.join().expect("no panic");
        assert_eq!(level.engine().len(), 0);
    });
}

/// Drops what has expired, as the sweeper's thread does; the numbers of all that went.
fn sweep(level: &Level) -> Vec<u32> {
    let mut gone = Vec::new();
    let mut sweep = level.engine().sweep(clock::now());
    loop {
        let pin = epoch::pin();
        let Some(some) = sweep.some(&pin) else { break };
        gone.extend(some.into_iter().map(|seen| level.gone(seen, Cause::Expired).value.clone().number));
        drop(pin);
        sweep.free_sometimes();
    }
    gone
}

#[test]
fn what_has_expired_goes_once_and_nothing_is_overlooked() {
    explore(|| {
        let level = Arc::new(Level::new(Bound::None, None, false));
        let expired = clock::now();
        // All over a table that will be too large: the one that replaces it has them in other places.
        let spread = |key: u32| u64::from(key) << 28;
        let store = |key| {
            let entry = Entry { value: Checked::new(key), created: expired, deadline: expired, marks: None };
            let node = level.node(spread(key), key, entry, Duration::ZERO);
            drop(level.engine().insert(&epoch::pin(), spread(key), node));
        };
        (0..13).for_each(store);
        let sweepers: Vec<_> = (0..2)
            .map(|_| {
                let level = Arc::clone(&level);
                thread::spawn(move || sweep(&level))
            })
            .collect();
        (13..15).for_each(store);
        let mut gone: Vec<u32> = sweepers.into_iter().flat_map(|one| one.join().expect("no panic")).collect();
        gone.extend(sweep(&level));
        gone.sort_unstable();
        assert!(gone.into_iter().eq(0..15));
        assert_eq!(level.engine().len(), 0);
    });
}
