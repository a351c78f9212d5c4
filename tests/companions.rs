//! What the operations beside a function do, and what they count.
#![allow(clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::cached;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

/// Counts a run of a body, and gives its number.
fn run(runs: &AtomicU32) -> u32 {
    runs.fetch_add(1, SeqCst) + 1
}

#[test]
fn arguments_may_have_the_names_that_companions_use() {
    #[cached(bypass = refresh == 9)]
    fn sample(value: u32, found: u32, bypass: u32, refresh: u32, timeout: u32) -> u32 {
        value + found + bypass + refresh + timeout
    }
    sample::put(1, 2, 3, 4, 5, 6);
    assert_eq!(sample::peek(1, 2, 3, 4, 5), Some(6));
    assert!(sample::explain(1, 2, 3, 4, 5).would_hit());
    assert!(!sample::explain(1, 2, 3, 9, 5).would_hit());
    assert_eq!(sample::refresh(1, 2, 3, 4, 5), 15);
    assert_eq!(sample::spawn(1, 2, 3, 4, 5).wait(), 15);
    assert!(sample::contains(1, 2, 3, 4, 5) && sample::invalidate(1, 2, 3, 4, 5));
}

#[test]
fn functions_that_come_out_of_a_macro_have_companions() {
    macro_rules! doubled {
        ($name:ident($argument:ident), $method:ident) => {
            #[cached]
            fn $name($argument: u32, more: u32) -> u32 {
                2 * $argument + more
            }
            impl Base {
                #[cached]
                fn $method(&self, $argument: u32, more: u32) -> u32 {
                    self.0 + 2 * $argument + more
                }
            }
        };
    }
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Base(u32);
    doubled!(sample(more), add);
    sample::put(1, 2, 3);
    assert_eq!((sample(1, 2), sample::refresh(1, 2), sample::peek(1, 2)), (3, 4, Some(4)));
    assert_eq!(sample::spawn(1, 3).wait(), 5);
    let base = Base(1);
    base.add_put(1, 2, 3);
    assert_eq!((base.add(1, 2), base.add_refresh(1, 2), base.add_peek(1, 2)), (3, 5, Some(5)));
    assert_eq!(base.add_spawn(1, 3).wait(), 6);
}

#[test]
fn invalidate_drops_one_entry_and_says_whether_there_was_one() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(n: u32) -> u32 {
        n * 100 + run(&RUNS)
    }
    assert!(!sample::invalidate(1), "nothing is stored yet");
    assert_eq!((sample(1), sample(2)), (101, 202));
    assert!(sample::invalidate(1));
    assert!(!sample::invalidate(1));
    assert_eq!((sample(1), sample(2)), (103, 202));
    assert_eq!(sample::stats().invalidations, 3);
}

#[test]
fn invalidate_all_drops_every_entry_of_this_function_only() {
    #[cached]
    fn sample(n: u32) -> u32 {
        n
    }
    #[cached]
    fn other(n: u32) -> u32 {
        n
    }
    sample::invalidate_all();
    for n in 0..3000 {
        assert_eq!((sample(n), other(n)), (n, n));
    }
    assert_eq!(sample::stats().entries, 3000);
    sample::invalidate_all();
    assert_eq!((sample::stats().entries, other::stats().entries), (0, 3000));
    assert!((0..3000).all(|n| !sample::contains(n) && other::contains(n)));
    assert_eq!(sample(1), 1);
    assert_eq!(sample::stats().invalidations, 2);
}

#[test]
fn refresh_runs_the_body_and_stores() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(n: u32) -> u32 {
        n * 100 + run(&RUNS)
    }
    assert_eq!(sample::refresh(1), 101, "also where nothing is stored");
    assert_eq!(sample(1), 101);
    assert_eq!((sample::refresh(1), sample(1)), (102, 102));
    let stats = sample::stats();
    assert_eq!((stats.refreshes, stats.loads, stats.misses, stats.hits()), (2, 2, 0, 2));
}

#[test]
fn a_refresh_that_fails_leaves_what_was_stored() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(n: u32) -> Result<u32, String> {
        if run(&RUNS) == 2 { Err("down".into()) } else { Ok(n) }
    }
    assert_eq!((sample(1), sample::refresh(1), sample(1)), (Ok(1), Err("down".into()), Ok(1)));
    assert_eq!(RUNS.load(SeqCst), 2);
}

#[test]
fn peek_and_contains_load_nothing_and_count_nothing() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(n: u32) -> String {
        run(&RUNS);
        n.to_string()
    }
    assert_eq!((sample::peek(1), sample::contains(1)), (None, false));
    assert_eq!(RUNS.load(SeqCst), 0);
    sample(1);
    let before = sample::stats();
    assert_eq!((sample::peek(1), sample::contains(1)), (Some("1".into()), true));
    assert_eq!((sample::peek(2), sample::contains(2)), (None, false));
    assert_eq!(sample::stats(), before);
    assert_eq!(RUNS.load(SeqCst), 1);
}

#[test]
fn put_stores_as_if_the_call_had_loaded() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(n: u32) -> u32 {
        n + run(&RUNS)
    }
    sample::put(1, 50);
    assert_eq!((sample(1), sample::peek(1)), (50, Some(50)));
    sample::put(1, 60);
    assert_eq!(sample(1), 60, "it replaces");
    let stats = sample::stats();
    assert_eq!((stats.loads, stats.misses, stats.hits(), stats.entries), (0, 0, 2, 1));
    assert!(sample::invalidate(1));
    assert_eq!((sample(1), RUNS.load(SeqCst)), (2, 1));
}

#[test]
fn put_takes_none_where_none_is_an_answer() {
    #[cached]
    fn find(n: u32) -> Option<u32> {
        Some(n)
    }
    find::put(1, None);
    find::put(2, Some(20));
    assert_eq!((find(1), find(2), find(3)), (None, Some(20), Some(3)));
}

#[test]
fn uncached_runs_the_body_alone() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached]
    fn sample(n: u32) -> u32 {
        n * 100 + run(&RUNS)
    }
    assert_eq!((sample::uncached(1), sample::uncached(1)), (101, 102));
    assert!(!sample::contains(1));
    assert_eq!(sample(1), 103);
    assert_eq!((sample::uncached(1), sample(1)), (104, 103));
    let stats = sample::stats();
    assert_eq!((stats.loads, stats.hits(), stats.misses), (1, 1, 1));
}

#[test]
fn the_arguments_of_an_operation_are_those_of_the_function() {
    #[cached(ignore = trace, timeout = "1h")]
    fn sample(name: &str, list: &[u8], maybe: Option<&str>, trace: bool) -> usize {
        name.len() + list.len() + maybe.map_or(0, str::len) + usize::from(trace)
    }
    let name = String::from("ab");
    assert_eq!(sample(&name, &[1], Some(&name), true), 6);
    assert_eq!(sample::peek(&name, &[1], Some("ab"), false), Some(6));
    assert!(sample::contains("ab", &Vec::from([1]), Some(&name), false));
    sample::put("ab", &[1], None, false, 9);
    assert_eq!(sample(&name, &[1], None, false), 9);
    assert_eq!(sample::refresh("ab", &[1], Some("ab"), false), 5);
    assert_eq!(sample::uncached("ab", &[1], Some("ab"), true), 6);
    assert!(sample::invalidate("ab", &[1], Some("ab"), true));
}

#[test]
fn stats_add_up() {
    #[cached]
    fn sample(n: u32) -> Result<u32, String> {
        if n == 0 { Err("zero".into()) } else { Ok(n) }
    }
    let stats = sample::stats();
    assert_eq!((stats.hits(), stats.misses, stats.hit_ratio(), stats.mean_load()), (0, 0, None, None));
    assert_eq!(stats.time_saved(), Duration::ZERO);
    for _ in 0..3 {
        assert_eq!((sample(0), sample(1)), (Err("zero".into()), Ok(1)));
    }
    let stats = sample::stats();
    assert_eq!((stats.local_hits, stats.shared_hits), (2, 0));
    assert_eq!((stats.misses, stats.loads, stats.load_errors, stats.joins), (4, 4, 3, 0));
    assert_eq!((stats.bypasses, stats.refreshes, stats.expired, stats.evicted), (0, 0, 0, 0));
    assert_eq!((stats.invalidations, stats.discarded, stats.backend_errors), (0, 0, 0));
    assert_eq!((stats.rejected, stats.hook_panics, stats.entries), (0, 0, 1));
    assert!((stats.hit_ratio().unwrap() - 1.0 / 3.0).abs() < 1e-9);
    assert!(stats.mean_load().unwrap() * 4 <= stats.load_time);
}

#[test]
fn stats_count_the_calls_of_all_threads() {
    #[cached]
    fn sample(n: u32) -> u32 {
        n
    }
    std::thread::scope(|scope| {
        for _ in 0..10 {
            scope.spawn(|| (0..100).for_each(|n| assert_eq!(sample(n), n)));
        }
    });
    let stats = sample::stats();
    assert_eq!(stats.hits() + stats.misses, 1000);
    assert_eq!((stats.loads, stats.entries), (100, 100));
    assert_eq!(stats.misses, stats.loads + stats.joins);
}

mod values_with_code_of_their_own {
    use super::*;
    use std::sync::mpsc;
    use std::thread;

    /// Looks into the cache it was dropped from, for keys that are never there.
    #[derive(Clone)]
    struct Nosy;

    impl Drop for Nosy {
        fn drop(&mut self) {
            for n in 1000..1064 {
                assert!(!holds::contains(n) && !all_hold::contains(n));
            }
        }
    }

    #[cached(capacity = 4)]
    fn holds(_n: u32) -> Nosy {
        Nosy
    }

    #[cached]
    fn all_hold(_n: u32) -> Nosy {
        Nosy
    }

    /// Fails instead of hanging, if the work takes for ever.
    fn ends(what: &str, work: impl FnOnce() + Send + 'static) {
        let (done, ended) = mpsc::channel();
        let worker = thread::spawn(move || {
            work();
            done.send(()).unwrap();
        });
        match ended.recv_timeout(Duration::from_secs(20)) {
            Err(mpsc::RecvTimeoutError::Timeout) => panic!("{what} hangs"),
            _ => worker.join().unwrap(),
        }
    }

    #[test]
    fn a_value_may_use_the_cache_while_it_is_dropped_from_it() {
        ends("eviction", || (0..64).for_each(|n| drop(holds(n))));
        ends("replacing", || holds::put(63, Nosy));
        ends("invalidate", || assert!((0..64).any(holds::invalidate)));
        ends("refresh", || drop(holds::refresh(5)));
        ends("filling", || (0..64).for_each(|n| drop(all_hold(n))));
        ends("invalidate_all", all_hold::invalidate_all);
        assert_eq!(all_hold::stats().entries, 0);
    }
}
