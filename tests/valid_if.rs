//! `valid_if`: what a stored value must be to count as a hit.
#![allow(clippy::unused_async, clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::trivially_copy_pass_by_ref, reason = "a predicate takes the value as it is stored")]

mod support;

use memokit::{Cache, MemoryCache, cached};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use support::gate::Gate;

static CACHE: LazyLock<Arc<dyn Cache>> = LazyLock::new(|| Arc::new(MemoryCache::new()));

#[test]
fn a_refused_entry_is_a_miss_and_is_replaced() {
    static SOURCE: AtomicU32 = AtomicU32::new(1);
    static LEAST: AtomicU32 = AtomicU32::new(0);
    #[cached(valid_if = |found: &u32| *found >= LEAST.load(SeqCst))]
    fn sample(_name: &str) -> u32 {
        SOURCE.load(SeqCst)
    }
    assert_eq!((sample("a"), sample("a")), (1, 1));
    SOURCE.store(2, SeqCst);
    assert_eq!(sample("a"), 1, "a hit");
    LEAST.store(2, SeqCst);
    assert_eq!((sample::peek("a"), sample::contains("a")), (None, false));
    assert_eq!((sample("a"), sample::peek("a"), sample("a")), (2, Some(2), 2));
    let stats = sample::stats();
    assert_eq!((stats.loads, stats.local_hits, stats.refused, stats.entries), (2, 3, 1, 1));
}

/// Entries that expire and entries with tags are found on other ways than plain ones.
#[test]
fn an_entry_of_each_kind_is_refused() {
    static LEAST: AtomicU32 = AtomicU32::new(0);
    #[cached(timeout = "1h", valid_if = |found: &u32| *found >= LEAST.load(SeqCst))]
    fn timed(_name: &str) -> u32 {
        LEAST.load(SeqCst)
    }
    #[cached(tags = ["kinds"], valid_if = |found: &u32| *found >= LEAST.load(SeqCst))]
    fn tagged(_name: &str) -> u32 {
        LEAST.load(SeqCst)
    }
    #[cached(cache = Arc::clone(&CACHE), valid_if = |found: &u32| *found >= LEAST.load(SeqCst))]
    fn behind(_name: &str) -> u32 {
        LEAST.load(SeqCst)
    }
    let all = || [timed("a"), tagged("a"), behind("a")];
    assert_eq!((all(), all()), ([0; 3], [0; 3]));
    LEAST.store(1, SeqCst);
    assert_eq!((all(), all()), ([1; 3], [1; 3]));
    for stats in [timed::stats(), tagged::stats(), behind::stats()] {
        assert_eq!((stats.loads, stats.local_hits), (2, 2));
    }
}

#[test]
fn a_value_that_is_never_valid_is_loaded_each_time() {
    #[cached(valid_if = |list: &Vec<T>| !list.is_empty())]
    fn repeat<T: Clone + std::hash::Hash + Eq + Send + Sync + 'static>(of: T, times: usize) -> Vec<T> {
        vec![of; times]
    }
    for _ in 0..3 {
        assert_eq!((repeat('a', 0).len(), repeat('a', 1).len()), (0, 1));
    }
    assert_eq!((repeat::stats().loads, repeat::stats().hits(), repeat::stats().refused), (4, 2, 2));
}

#[test]
fn it_speaks_of_the_ok_and_works_in_methods_with_lifetimes() {
    fn is_even(n: &usize) -> bool {
        n.is_multiple_of(2)
    }
    struct View<'a>(&'a str);
    impl View<'_> {
        #[cached(key = self.0, valid_if = is_even)]
        fn size(&self) -> std::io::Result<usize> {
            Ok(self.0.len())
        }
    }
    let of = |text: String| (View(&text).size().unwrap(), View(&text).size_contains());
    assert_eq!((of("abcd".into()), of("abc".into())), ((4, true), (3, false)));
}

#[test]
fn followers_get_what_was_loaded_for_them() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    static CALLED: AtomicU32 = AtomicU32::new(0);
    #[cached(valid_if = |_: &u32| false)]
    fn sample(n: u32) -> u32 {
        GATE.pass();
        n
    }
    std::thread::scope(|scope| {
        let leader = scope.spawn(|| sample(7));
        GATE.arrived(1);
        let follower = scope.spawn(|| {
            CALLED.store(1, SeqCst);
            sample(7)
        });
        while CALLED.load(SeqCst) == 0 {
            std::thread::yield_now();
        }
        GATE.open();
        assert_eq!((leader.join().unwrap(), follower.join().unwrap()), (7, 7));
    });
    let stats = sample::stats();
    assert_eq!((stats.hits(), stats.loads + stats.joins), (0, 2));
}

/// A function of each door, with and without a local level.
macro_rules! shared {
    ($module:ident, [$($asyncness:ident)?], [$($awaited:tt)*], $($option:tt)*) => {
        mod $module {
            use super::*;
            static SOURCE: AtomicU32 = AtomicU32::new(1);
            static LEAST: AtomicU32 = AtomicU32::new(0);

            #[cached(cache = Arc::clone(&CACHE), valid_if = |n: &u32| *n >= LEAST.load(SeqCst), $($option)*)]
            $($asyncness)? fn sample(_name: &str) -> u32 {
                SOURCE.load(SeqCst)
            }

            #[tokio::test]
            async fn a_refused_entry_is_replaced_at_both_levels() {
                assert_eq!(sample("a")$($awaited)*, 1);
                assert_eq!(sample("a")$($awaited)*, 1);
                SOURCE.store(2, SeqCst);
                LEAST.store(2, SeqCst);
                assert_eq!(sample::peek("a")$($awaited)*.unwrap(), None);
                assert!(!sample::contains("a")$($awaited)*.unwrap());
                assert_eq!(sample("a")$($awaited)*, 2);
                assert_eq!(sample("a")$($awaited)*, 2);
                assert_eq!(sample::peek("a")$($awaited)*.unwrap(), Some(2));
                let stats = sample::stats();
                assert_eq!((stats.loads, stats.hits(), stats.misses), (2, 2, 2));
                assert!(stats.refused > 0);
            }
        }
    };
}

shared!(threads, [], [],);
shared!(threads_without_local, [], [], local = false);
shared!(tasks, [async], [.await],);
shared!(tasks_without_local, [async], [.await], local = false);

#[test]
fn a_refused_value_of_another_process_is_a_miss() {
    static VALID: AtomicBool = AtomicBool::new(true);
    // Two functions of one prefix, of which one has no local copy: as two processes on one cache.
    #[cached(cache = Arc::clone(&CACHE), prefix = "valid_if/other", version = 1, local = false)]
    fn writer(n: u32) -> u32 {
        n
    }
    #[cached(cache = Arc::clone(&CACHE), prefix = "valid_if/other", version = 1, valid_if = |_: &u32| VALID.load(SeqCst))]
    fn reader(n: u32) -> u32 {
        n + 100
    }
    writer(1);
    assert_eq!((reader(1), reader::stats().shared_hits), (1, 1));
    writer(2);
    VALID.store(false, SeqCst);
    assert_eq!((reader(2), reader::stats().loads), (102, 1));
    VALID.store(true, SeqCst);
    assert_eq!((reader(2), writer(2)), (102, 102), "the entry was replaced");
}

#[tokio::test]
async fn an_async_function_without_a_shared_level_has_it() {
    static VALID: AtomicBool = AtomicBool::new(true);
    #[cached(valid_if = |_: &&'static str| VALID.load(SeqCst))]
    async fn sample(_n: u32) -> &'static str {
        "x"
    }
    // A task can be sent: nothing of the predicate's lifetimes is left in it.
    tokio::spawn(async { (sample(1).await, sample(1).await) }).await.unwrap();
    VALID.store(false, SeqCst);
    sample(1).await;
    assert_eq!((sample::stats().loads, sample::stats().local_hits), (2, 1));
}
