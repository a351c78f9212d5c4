//! Cached functions that call each other, and what is invalidated in between by those who tell nobody.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::invalidation::{Invalidation, tag_name};
use memokit::{Cache, MemoryCache, cached};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

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
