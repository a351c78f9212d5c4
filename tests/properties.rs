//! Random operations against an obvious model, and a stress of invalidations against calls.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::cached;
use proptest::collection::vec;
use proptest::prelude::*;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard};
use std::thread;

/// What the bodies read: every key has a value that changes now and then.
static SOURCE: Mutex<Vec<u64>> = Mutex::new(Vec::new());

const KEYS: u8 = 12;

fn source(key: u8) -> u64 {
    SOURCE.lock().unwrap()[usize::from(key)]
}

#[cached]
fn unbounded(key: u8, name: &str) -> u64 {
    source(key) + name.len() as u64
}

#[cached(capacity = 4)]
fn bounded(key: u8, name: &str) -> u64 {
    source(key) + name.len() as u64
}

/// Stores no even value, and fails on those that can be divided by five.
#[cached(cache_if = |value| value % 2 == 1)]
fn choosy(key: u8, name: &str) -> Result<u64, String> {
    let value = source(key) + name.len() as u64;
    if value.is_multiple_of(5) { Err(value.to_string()) } else { Ok(value) }
}

#[derive(Clone, Debug)]
enum Operation {
    Change(u8, u64),
    Call(u8, bool),
    Invalidate(u8, bool),
    InvalidateAll,
    Refresh(u8, bool),
    Put(u8, bool, u64),
    Peek(u8, bool),
    Uncached(u8, bool),
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::{Call, Change, Invalidate, InvalidateAll, Peek, Put, Refresh, Uncached};
    let key = || 0..KEYS;
    prop_oneof![
        3 => (key(), 0..100_u64).prop_map(|(key, value)| Change(key, value)),
        8 => (key(), any::<bool>()).prop_map(|(key, long)| Call(key, long)),
        2 => (key(), any::<bool>()).prop_map(|(key, long)| Invalidate(key, long)),
        1 => Just(InvalidateAll),
        1 => (key(), any::<bool>()).prop_map(|(key, long)| Refresh(key, long)),
        1 => (key(), any::<bool>(), 0..100_u64).prop_map(|(key, long, value)| Put(key, long, value)),
        2 => (key(), any::<bool>()).prop_map(|(key, long)| Peek(key, long)),
        1 => (key(), any::<bool>()).prop_map(|(key, long)| Uncached(key, long)),
    ]
}

fn name(long: bool) -> &'static str {
    if long { "long" } else { "" }
}

/// How many times longer than usual: `cargo xtask deep` says so.
fn effort() -> u32 {
    std::env::var("MEMOKIT_TEST_EFFORT").map_or(1, |effort| effort.parse().expect("MEMOKIT_TEST_EFFORT is a number"))
}

/// One run at a time, since the functions and their source are the process's.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    *SOURCE.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = vec![0; usize::from(KEYS)];
    guard
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200 * effort(), failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cached_function_does_what_a_map_does(operations in vec(operation(), 1..200)) {
        let _alone = alone();
        unbounded::invalidate_all();
        let mut model = HashMap::new();
        for operation in operations {
            match operation {
                Operation::Change(key, value) => SOURCE.lock().unwrap()[usize::from(key)] = value,
                Operation::Call(key, long) => {
                    let expected = *model.entry((key, long)).or_insert_with(|| unbounded::uncached(key, name(long)));
                    prop_assert_eq!(unbounded(key, name(long)), expected);
                }
                Operation::Invalidate(key, long) => {
                    let had = model.remove(&(key, long)).is_some();
                    prop_assert_eq!(unbounded::invalidate(key, name(long)), had);
                }
                Operation::InvalidateAll => {
                    model.clear();
                    unbounded::invalidate_all();
                }
                Operation::Refresh(key, long) => {
                    let value = unbounded::uncached(key, name(long));
                    prop_assert_eq!(unbounded::refresh(key, name(long)), value);
                    model.insert((key, long), value);
                }
                Operation::Put(key, long, value) => {
                    unbounded::put(key, name(long), value);
                    model.insert((key, long), value);
                }
                Operation::Peek(key, long) => {
                    let expected = model.get(&(key, long)).copied();
                    prop_assert_eq!(unbounded::peek(key, name(long)), expected);
                    prop_assert_eq!(unbounded::contains(key, name(long)), expected.is_some());
                }
                Operation::Uncached(key, long) => {
                    prop_assert_eq!(unbounded::uncached(key, name(long)), source(key) + name(long).len() as u64);
                }
            }
            prop_assert_eq!(unbounded::stats().entries, model.len() as u64);
        }
    }

    /// What is stored may go at any time, but what is there is what was stored last, and there is never too much.
    #[test]
    fn a_bounded_function_forgets_but_never_errs(operations in vec(operation(), 1..200)) {
        let _alone = alone();
        bounded::invalidate_all();
        let mut model = HashMap::new();
        for operation in operations {
            match operation {
                Operation::Change(key, value) => SOURCE.lock().unwrap()[usize::from(key)] = value,
                Operation::Call(key, long) => {
                    let stored = bounded::peek(key, name(long));
                    let expected = stored.unwrap_or_else(|| bounded::uncached(key, name(long)));
                    prop_assert_eq!(bounded(key, name(long)), expected);
                    model.insert((key, long), expected);
                }
                Operation::Invalidate(key, long) => {
                    let had = bounded::contains(key, name(long));
                    prop_assert_eq!(bounded::invalidate(key, name(long)), had);
                    model.remove(&(key, long));
                }
                Operation::InvalidateAll => {
                    model.clear();
                    bounded::invalidate_all();
                }
                Operation::Refresh(key, long) => {
                    model.insert((key, long), bounded::refresh(key, name(long)));
                }
                Operation::Put(key, long, value) => {
                    bounded::put(key, name(long), value);
                    model.insert((key, long), value);
                }
                Operation::Peek(key, long) | Operation::Uncached(key, long) => {
                    if let Some(found) = bounded::peek(key, name(long)) {
                        prop_assert_eq!(Some(&found), model.get(&(key, long)));
                    }
                }
            }
            prop_assert!(bounded::stats().entries <= 4);
        }
    }

    #[test]
    fn a_choosy_function_stores_what_it_chooses(operations in vec(operation(), 1..200)) {
        let _alone = alone();
        choosy::invalidate_all();
        let mut model: HashMap<(u8, bool), u64> = HashMap::new();
        for operation in operations {
            match operation {
                Operation::Change(key, value) => SOURCE.lock().unwrap()[usize::from(key)] = value,
                Operation::Call(key, long) => {
                    let stored = model.get(&(key, long)).copied();
                    let expected = stored.map_or_else(|| choosy::uncached(key, name(long)), Ok);
                    prop_assert_eq!(choosy(key, name(long)), expected.clone());
                    if let Ok(value) = expected && value % 2 == 1 {
                        model.insert((key, long), value);
                    }
                }
                Operation::Invalidate(key, long) => {
                    let had = model.remove(&(key, long)).is_some();
                    prop_assert_eq!(choosy::invalidate(key, name(long)), had);
                }
                Operation::InvalidateAll => {
                    model.clear();
                    choosy::invalidate_all();
                }
                // What a refresh does that is not stored is not part of the contract: it begins from nothing here.
                Operation::Refresh(key, long) => {
                    choosy::invalidate(key, name(long));
                    model.remove(&(key, long));
                    if let Ok(value) = choosy::refresh(key, name(long)) && value % 2 == 1 {
                        model.insert((key, long), value);
                    }
                }
                Operation::Put(key, long, value) => {
                    choosy::put(key, name(long), value);
                    model.insert((key, long), value);
                }
                Operation::Peek(key, long) | Operation::Uncached(key, long) => {
                    prop_assert_eq!(choosy::peek(key, name(long)), model.get(&(key, long)).copied());
                }
            }
        }
    }
}

/// Versions of a few keys. A writer raises one, then invalidates; from then on nobody may see an older one.
struct Versions {
    current: [AtomicU64; 4],
    /// The version that was current when the last finished invalidation of the key began.
    promised: [AtomicU64; 4],
    done: AtomicBool,
}

impl Versions {
    const fn new() -> Self {
        Versions {
            current: [const { AtomicU64::new(0) }; 4],
            promised: [const { AtomicU64::new(0) }; 4],
            done: AtomicBool::new(false),
        }
    }

    fn load(&self, key: usize) -> u64 {
        let version = self.current[key].load(SeqCst);
        // Between reading and returning others get a turn, now and then.
        if version.is_multiple_of(3) {
            thread::yield_now();
        }
        version
    }

    /// Calls from three threads, invalidates from two others, each with keys of its own.
    fn stress(&self, call: impl Fn(usize) -> u64 + Sync, invalidate: impl Fn(usize, u64) + Sync) {
        thread::scope(|scope| {
            for reader in 0..3 {
                let call = &call;
                scope.spawn(move || {
                    let mut calls = 0_usize;
                    while !self.done.load(SeqCst) {
                        let key = (calls + reader) % 4;
                        let promised = self.promised[key].load(SeqCst);
                        let seen = call(key);
                        assert!(seen >= promised, "version {seen} of key {key}, though {promised} was promised");
                        calls += 1;
                    }
                });
            }
            let writers = [0, 1].map(|writer| {
                let invalidate = &invalidate;
                scope.spawn(move || {
                    for round in 1..=10_000_u64 {
                        let key = writer * 2 + usize::try_from(round % 2).unwrap();
                        let current = self.current[key].fetch_add(1, SeqCst) + 1;
                        invalidate(key, round);
                        self.promised[key].store(current, SeqCst);
                    }
                })
            });
            // The readers stop in any case, also if a writer fails.
            let written = writers.map(thread::ScopedJoinHandle::join);
            self.done.store(true, SeqCst);
            assert!(written.iter().all(Result::is_ok));
        });
        for (key, current) in self.current.iter().enumerate() {
            assert_eq!(call(key), current.load(SeqCst));
        }
    }
}

#[test]
fn no_call_after_an_invalidation_sees_what_was_before_it() {
    static VERSIONS: Versions = Versions::new();
    #[cached]
    fn version(key: usize) -> u64 {
        VERSIONS.load(key)
    }
    VERSIONS.stress(version, |key, round| {
        if round.is_multiple_of(50) {
            version::invalidate_all();
        } else {
            version::invalidate(key);
        }
    });
    assert!(version::stats().hits() > 0 && version::stats().loads > 0);
}

#[test]
fn nor_without_single_flight_and_under_a_small_capacity() {
    static VERSIONS: Versions = Versions::new();
    #[cached(single_flight = false, capacity = 2, timeout = 100)]
    fn version(key: usize) -> u64 {
        VERSIONS.load(key)
    }
    VERSIONS.stress(version, |key, _| {
        version::invalidate(key);
    });
}

#[test]
fn nor_if_the_new_version_is_brought_by_refresh_or_put() {
    static VERSIONS: Versions = Versions::new();
    #[cached]
    fn version(key: usize) -> u64 {
        VERSIONS.load(key)
    }
    VERSIONS.stress(version, |key, round| match round % 3 {
        0 => {
            version::refresh(key);
        }
        1 => version::put(key, VERSIONS.current[key].load(SeqCst)),
        _ => {
            version::invalidate(key);
        }
    });
}
