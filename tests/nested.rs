//! Cached functions that call each other, and what is invalidated in between by those who tell nobody.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::invalidation::{Invalidation, tag_name};
use memokit::{Cache, MemoryCache, cached};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;
use support::probe::{Op, Probe, When};

static SOURCE: AtomicU64 = AtomicU64::new(1);
static CACHE: LazyLock<Arc<dyn Cache>> = LazyLock::new(|| Arc::new(MemoryCache::new()));

#[cached(cache = Arc::clone(&CACHE), tags = ["source"])]
fn inner(n: u64) -> u64 {
    SOURCE.load(SeqCst) + n
}

#[cached(cache = Arc::clone(&CACHE))]
fn outer(n: u64) -> u64 {
    inner(n)
}

/// As another process does it.
fn invalidate_elsewhere(cache: &dyn Cache, tag: &str) {
    let (name, keep) = (tag_name(tag), Duration::from_secs(600));
    cache.invalidate(&Invalidation { keys: &[], names: &[&name], seen: 0, sender: 1, keep }).unwrap();
}

/// What is stored stands for the number that was asked for before its load. So nothing that was copied before that may be
/// part of it, or it would count as newer than the invalidation.
#[test]
fn without_a_bus_no_load_is_made_of_a_copy_that_may_be_void() {
    assert_eq!(inner(1), 2);
    assert_eq!((inner(1), inner::stats().local_hits), (2, 1), "it has a copy");
    SOURCE.store(100, SeqCst);
    invalidate_elsewhere(&**CACHE, "source");
    assert_eq!(outer(1), 101);
    assert_eq!((outer(1), inner(1)), (101, 101));
    let loads = (inner::stats().loads, outer::stats().loads);
    assert_eq!((outer(2), outer(2), inner(2)), (102, 102, 102));
    assert_eq!((inner::stats().loads, outer::stats().loads), (loads.0 + 1, loads.1 + 1), "copies are kept again");
}

static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);

#[cached(cache = Arc::clone(&*PROBE) as Arc<dyn Cache>)]
fn kept(n: u64) -> u64 {
    n
}

/// What this process invalidates itself, it has no need to hear of.
#[test]
fn without_a_bus_copies_stay_while_this_process_invalidates_something() {
    (0..10).for_each(|n| assert_eq!(kept(n), n));
    let gate = PROBE.stop(Op::Remove, When::After);
    thread::scope(|scope| {
        let invalidates = scope.spawn(|| kept::invalidate(0).unwrap());
        gate.arrived(1);
        assert_eq!(kept(10), 10, "a load meets the number of an invalidation that is not over");
        gate.open();
        invalidates.join().unwrap();
    });
    PROBE.be_good();
    let (hits, loads) = (kept::stats().local_hits, kept::stats().loads);
    (1..=10).for_each(|n| assert_eq!(kept(n), n));
    assert_eq!((kept::stats().local_hits - hits, kept::stats().loads - loads), (10, 0));
    assert_eq!((kept(0), kept::stats().loads - loads), (0, 1));
}
