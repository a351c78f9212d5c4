//! `verify`: hits that run the body again find functions that depend on more than their key.
#![allow(clippy::unused_async, clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, clippy::float_cmp, reason = "a test that can't go on has failed")]

mod support;

use memokit::{Cache, MemoryCache, cached};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, LazyLock, Mutex};
use support::gate::Gate;

static CACHE: LazyLock<Arc<dyn Cache>> = LazyLock::new(|| Arc::new(MemoryCache::new()));

#[test]
fn it_finds_an_impure_function_and_gives_the_new_value() {
    static WORLD: AtomicU32 = AtomicU32::new(1);
    #[cached(verify = 1.0)]
    fn impure(n: u32) -> u32 {
        n + WORLD.load(SeqCst)
    }
    assert_eq!((impure(1), impure(1)), (2, 2));
    let stats = impure::stats();
    assert_eq!((stats.verified, stats.mismatches, stats.loads, stats.local_hits), (1, 0, 1, 1));
    WORLD.store(10, SeqCst);
    assert_eq!(impure(1), 11, "a wrong value is worse than a slow one");
    assert_eq!(impure::stats().mismatches, 1);
    assert_eq!((impure::peek(1), impure(1)), (Some(11), 11));
    let stats = impure::stats();
    assert_eq!((stats.verified, stats.mismatches, stats.misses, stats.hits()), (3, 1, 1, 3));
}

#[test]
fn it_finds_a_wrong_ignore() {
    #[cached(ignore = currency, verify = 1)]
    fn wrong(article: u32, currency: &str) -> String {
        format!("{article} {currency}")
    }
    #[cached(ignore = name, verify = 1)]
    fn right(article: u32, name: &str) -> u32 {
        let _ = name;
        article * 2
    }
    assert_eq!((wrong(1, "EUR"), wrong(1, "EUR"), wrong(1, "USD")), ("1 EUR".into(), "1 EUR".into(), "1 USD".into()));
    assert_eq!((right(1, "a"), right(1, "b"), right(1, "c")), (2, 2, 2));
    assert_eq!((wrong::stats().mismatches, right::stats().mismatches, right::stats().verified), (1, 0, 2));
}

#[test]
fn a_share_of_the_hits_is_verified() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    const NEVER: f64 = 0.0;
    #[cached(verify = 0.25)]
    fn some(n: u32) -> u32 {
        RUNS.fetch_add(1, SeqCst);
        n
    }
    #[cached(verify = NEVER)]
    fn none(n: u32) -> u32 {
        n
    }
    for _ in 0..4_001 {
        (some(1), none(1)).0.to_string();
    }
    let stats = some::stats();
    assert_eq!(stats.verified + 1, u64::from(RUNS.load(SeqCst)));
    assert!((700..1_300).contains(&stats.verified), "{}", stats.verified);
    assert_eq!((stats.hits(), stats.loads, none::stats().verified), (4_000, 1, 0));
}

#[test]
fn a_recursive_function_is_verified_at_its_first_call_alone() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached(verify = 1.0)]
    fn fib(n: u64) -> u64 {
        RUNS.fetch_add(1, SeqCst);
        if n < 2 { n } else { fib(n - 1) + fib(n - 2) }
    }
    assert_eq!(fib(80), 23_416_728_348_467_685);
    RUNS.store(0, SeqCst);
    assert_eq!(fib(80), 23_416_728_348_467_685);
    assert_eq!((RUNS.load(SeqCst), fib::stats().mismatches), (1, 0));
}

#[test]
fn a_body_that_fails_proves_nothing() {
    static FAILS: AtomicBool = AtomicBool::new(false);
    #[cached(verify = 1.0)]
    fn sample(n: u32) -> Result<u32, String> {
        if FAILS.load(SeqCst) { Err("down".into()) } else { Ok(n) }
    }
    #[cached(verify = 1.0, cache_err = true)]
    fn stored(n: u32) -> Result<u32, String> {
        if FAILS.load(SeqCst) { Err("down".into()) } else { Ok(n) }
    }
    assert_eq!((sample(1), stored(1)), (Ok(1), Ok(1)));
    FAILS.store(true, SeqCst);
    assert_eq!((sample(1), stored(1), stored(2)), (Ok(1), Ok(1), Err("down".into())));
    FAILS.store(false, SeqCst);
    assert_eq!((stored(2), stored::peek(2)), (Ok(2), Some(Ok(2))), "a stored error gives way to a value");
    assert_eq!((sample::stats().verified, sample::stats().mismatches), (1, 0));
    assert_eq!((stored::stats().verified, stored::stats().mismatches), (2, 0));
}

#[test]
fn a_value_that_does_not_equal_itself_is_not_reported() {
    #[cached(verify = 1.0)]
    fn root(n: i32) -> f64 {
        f64::from(n).sqrt()
    }
    assert!(root(-1).is_nan() && root(-1).is_nan() && root(4) == 2.0 && root(4) == 2.0);
    assert_eq!((root::stats().verified, root::stats().mismatches), (2, 0));
}

#[test]
fn a_value_that_is_not_to_be_kept_any_more_takes_the_stored_one_with_it() {
    static EMPTY: AtomicBool = AtomicBool::new(false);
    #[cached(verify = 1.0, cache_none = false)]
    fn find(n: u32) -> Option<u32> {
        (!EMPTY.load(SeqCst)).then_some(n)
    }
    assert_eq!(find(1), Some(1));
    EMPTY.store(true, SeqCst);
    assert_eq!((find(1), find::contains(1), find::stats().mismatches), (None, false, 1));
}

#[test]
fn an_invalidation_meanwhile_is_no_difference() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    static WORLD: AtomicU32 = AtomicU32::new(1);
    #[cached(verify = 1.0)]
    fn sample(n: u32) -> u32 {
        let world = WORLD.load(SeqCst);
        if world > 1 {
            GATE.pass();
        }
        n + world
    }
    assert_eq!(sample(1), 2);
    std::thread::scope(|scope| {
        WORLD.store(2, SeqCst);
        let hit = scope.spawn(|| sample(1));
        GATE.arrived(1);
        sample::invalidate(1);
        GATE.open();
        assert_eq!(hit.join().unwrap(), 3);
    });
    assert_eq!((sample::stats().verified, sample::stats().mismatches, sample::contains(1)), (1, 0, false));
}

/// A function of each door, with and without a local level.
macro_rules! shared {
    ($module:ident, [$($asyncness:ident)?], [$($awaited:tt)*], $($option:tt)*) => {
        mod $module {
            use super::*;
            static WORLD: AtomicU32 = AtomicU32::new(1);

            #[cached(verify = 1.0, $($option)*)]
            $($asyncness)? fn sample(name: &str) -> (usize, u32) {
                (name.len(), WORLD.load(SeqCst))
            }

            #[tokio::test]
            async fn a_difference_is_found_and_mended() {
                assert_eq!((sample("abc")$($awaited)*, sample("abc")$($awaited)*), ((3, 1), (3, 1)));
                WORLD.store(2, SeqCst);
                assert_eq!((sample("abc")$($awaited)*, sample("abc")$($awaited)*), ((3, 2), (3, 2)));
                let stats = sample::stats();
                assert_eq!((stats.verified, stats.mismatches, stats.misses, stats.hits()), (3, 1, 1, 3));
            }
        }
    };
}

shared!(tasks_of_one_process, [async], [.await],);
shared!(threads, [], [], cache = Arc::clone(&CACHE));
shared!(threads_without_local, [], [], cache = Arc::clone(&CACHE), local = false);
shared!(tasks, [async], [.await], cache = Arc::clone(&CACHE));
shared!(tasks_without_local, [async], [.await], cache = Arc::clone(&CACHE), local = false);

#[tokio::test]
async fn a_verified_task_can_be_sent_and_its_recursion_ends() {
    #[cached(verify = 1.0, cache = Arc::clone(&CACHE))]
    async fn sum(n: u64) -> u64 {
        if n == 0 { 0 } else { n + Box::pin(sum(n - 1)).await }
    }
    assert_eq!(tokio::spawn(async { (sum(20).await, sum(20).await) }).await.unwrap(), (210, 210));
    assert_eq!((sum::stats().loads, sum::stats().verified, sum::stats().mismatches), (21, 1, 0));
}

#[test]
fn methods_and_generic_functions_are_verified() {
    struct Shop {
        id: u32,
        name: &'static str,
    }
    impl Shop {
        #[cached(key = self.id, verify = 1.0)]
        fn name(&self) -> String {
            self.name.to_owned()
        }
    }
    #[cached(verify = 1.0)]
    fn twice<T: Clone + std::hash::Hash + Eq + Send + Sync + 'static>(of: T) -> Vec<T> {
        vec![of.clone(), of]
    }
    let named = |name| Shop { id: 1, name }.name();
    assert_eq!((named("a"), named("b")), ("a".into(), "b".into()));
    assert_eq!((twice('x'), twice('x')), (vec!['x'; 2], vec!['x'; 2]));
    assert_eq!((Shop::name_stats().mismatches, twice::stats().mismatches), (1, 0));
    assert_eq!(twice::stats().verified, 1);
}

#[test]
fn a_verified_hit_is_told_as_a_hit_and_its_run_is_not_told() {
    static TOLD: Mutex<Vec<String>> = Mutex::new(Vec::new());
    #[cached(
        verify = 1.0,
        on_hit = |call, (n,), found| TOLD.lock().unwrap().push(format!("hit {n} {found} {:?}", call.level().is_some())),
        on_miss = |_, (n,), loaded| TOLD.lock().unwrap().push(format!("miss {n} {loaded}"))
    )]
    fn impure(n: u32) -> u32 {
        static CALLS: AtomicU32 = AtomicU32::new(0);
        n + CALLS.fetch_add(1, SeqCst)
    }
    assert_eq!((impure(10), impure(10)), (10, 11));
    assert_eq!(*TOLD.lock().unwrap(), ["miss 10 10", "hit 10 10 true"]);
    assert_eq!((impure::stats().mismatches, impure::peek(10)), (1, Some(11)));
}
