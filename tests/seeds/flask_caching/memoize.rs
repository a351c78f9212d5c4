//! What is stored, for how long, and when the cache is left aside.

use crate::{MILLI, Runs, SECOND};
use memokit::testing::MockClock;
use memokit::{CallInfo, cached};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

#[test]
fn memoize_stores_by_the_arguments() {
    static RUNS: Runs = Runs::new();
    #[cached(timeout = 300)]
    fn add(a: u32, b: u32) -> u32 {
        a + b + 1000 * RUNS.up()
    }
    let _clock = MockClock::install();
    assert_eq!((add(5, 2), add(5, 2)), (1007, 1007));
    assert_eq!((add(5, 3), add(5, 2)), (2008, 1007));
}

/// There 300 s unless said otherwise, and `timeout=0` for ever. Here for ever unless said otherwise, and zero is refused.
#[test]
fn without_a_timeout_values_stay() {
    #[cached]
    fn f(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    f(1);
    clock.advance(Duration::from_secs(365 * 86_400));
    assert!(f::contains(1));
}

/// There, a `timedelta` is rounded up to whole seconds.
#[test]
fn a_timeout_is_exact() {
    #[cached(timeout = Duration::from_millis(1500))]
    fn f(n: u32) -> u32 {
        n
    }
    #[cached(timeout = "250ms")]
    fn g(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    assert_eq!((f(1), g(1)), (1, 1));
    clock.advance(249 * MILLI);
    assert!(g::contains(1));
    clock.advance(MILLI);
    assert!(!g::contains(1) && f::contains(1));
    clock.advance(1250 * MILLI);
    assert!(!f::contains(1));
}

/// `unless`, there only for exactly `True`, so that 1 does not count. Here it is a `bool`.
#[test]
fn unless_neither_reads_nor_writes() {
    static RUNS: Runs = Runs::new();
    #[cached(bypass = is_staff(user))]
    fn page(user: &str) -> u32 {
        let _ = user;
        RUNS.up()
    }
    fn is_staff(user: &str) -> bool {
        user.ends_with('!')
    }
    assert_eq!((page("ann!"), page("ann!"), page::contains("ann!")), (1, 2, false));
    assert_eq!((page("bob"), page("bob")), (3, 3));
}

#[test]
fn forced_update_runs_the_body_and_stores() {
    static RUNS: Runs = Runs::new();
    static FORCED: AtomicU32 = AtomicU32::new(0);
    #[cached(refresh = FORCED.load(SeqCst) == 1)]
    fn f(n: u32) -> u32 {
        n * 10 + RUNS.up()
    }
    assert_eq!((f(1), f(1)), (11, 11));
    FORCED.store(1, SeqCst);
    assert_eq!(f(1), 12);
    FORCED.store(0, SeqCst);
    assert_eq!(f(1), 12);
}

/// There `forced_update` is asked first, then `unless`. Here what stores nothing wins.
#[test]
fn bypass_wins_over_refresh() {
    #[cached(bypass = off, refresh = again)]
    fn f(off: bool, again: bool) -> u32 {
        7
    }
    assert_eq!((f(true, true), f::contains(false, false)), (7, false));
    assert_eq!((f(false, true), f::contains(false, false)), (7, true));
}

#[test]
fn response_filter_keeps_values_out() {
    static RUNS: Runs = Runs::new();
    #[cached(cache_if = |(status, _): &(u16, u32)| *status == 200)]
    fn fetch(path: &str) -> (u16, u32) {
        (if path == "/" { 200 } else { 500 }, RUNS.up())
    }
    assert_eq!((fetch("/"), fetch("/")), ((200, 1), (200, 1)));
    assert_eq!((fetch("/x"), fetch("/x")), ((500, 2), (500, 3)));
}

/// `cache_none`: there off, here on.
#[test]
fn none_is_stored_unless_it_is_not() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn stored(n: u32) -> Option<u32> {
        RUNS.up();
        n.checked_sub(9)
    }
    #[cached(cache_none = false)]
    fn not_stored(n: u32) -> Option<u32> {
        RUNS.up();
        (n > 9).then_some(n)
    }
    assert_eq!((stored(1), stored(1), RUNS.count()), (None, None, 1));
    assert_eq!((not_stored(1), not_stored(1), RUNS.count()), (None, None, 3));
    assert_eq!((not_stored(10), not_stored(10), RUNS.count()), (Some(10), Some(10), 4));
}

/// There too nothing of an exception is stored.
#[test]
fn errors_are_not_stored() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn f(n: u32) -> std::io::Result<u32> {
        if RUNS.up() == 1 { Err(std::io::ErrorKind::TimedOut.into()) } else { Ok(n) }
    }
    assert!(f(1).is_err() && !f::contains(1));
    assert_eq!((f(1).unwrap(), f(1).unwrap(), RUNS.count()), (1, 1, 2));
}

/// There, a generator is drained and stored as a list. Here the function collects, and the attribute says so where it does not.
#[test]
fn what_an_iterator_gives_is_collected() {
    #[cached]
    fn squares(up_to: u32) -> Vec<u32> {
        (1..=up_to).map(|n| n * n).collect()
    }
    assert_eq!((squares(3), squares(3)), (vec![1, 4, 9], vec![1, 4, 9]));
    assert_eq!(squares::stats().loads, 1);
}

#[test]
fn uncached_runs_the_body() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn f(n: u32) -> u32 {
        n * 10 + RUNS.up()
    }
    assert_eq!((f(1), f::uncached(1), f(1)), (11, 12, 11));
}

/// The signals `cache_memoize_hit` and `cache_memoize_miss`, and the header `hit_cache`.
#[test]
fn hits_and_misses_can_be_seen() {
    static LAST: AtomicU32 = AtomicU32::new(0);
    fn tell(call: &CallInfo<'_>) {
        LAST.store(if call.level().is_some() { 1 } else { 2 }, SeqCst);
    }
    #[cached(on_hit = tell, on_miss = tell)]
    fn f(n: u32) -> u32 {
        n
    }
    f(1);
    assert_eq!(LAST.load(SeqCst), 2);
    f(1);
    assert_eq!(LAST.load(SeqCst), 1);
    assert_eq!((f::stats().hits(), f::stats().misses), (1, 1));
}

/// There, many callers of an expired entry all run the body.
#[test]
fn one_caller_of_many_runs_the_body() {
    use crate::support::gate::Gate;
    use std::sync::LazyLock;
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached]
    fn f(n: u32) -> u32 {
        GATE.pass();
        n
    }
    std::thread::scope(|scope| {
        let first = scope.spawn(|| f(1));
        GATE.arrived(1);
        let others: Vec<_> = (0..7).map(|_| scope.spawn(|| f(1))).collect();
        GATE.open();
        assert_eq!(first.join().unwrap(), 1);
        assert!(others.into_iter().all(|other| other.join().unwrap() == 1));
    });
    assert_eq!(f::stats().loads, 1);
}

/// There by a wrapper that makes the function wait.
#[tokio::test]
async fn async_functions_are_memoized() {
    static RUNS: Runs = Runs::new();
    #[cached]
    async fn f(n: u32) -> u32 {
        n * 10 + RUNS.up()
    }
    assert_eq!((f(1).await, f(1).await), (11, 11));
    assert!(f::invalidate(1));
    assert_eq!((f(1).await, f::refresh(1).await, f(1).await), (12, 13, 13));
}

#[test]
fn a_value_that_expired_is_loaded_again() {
    static RUNS: Runs = Runs::new();
    #[cached(timeout = 2)]
    fn f(n: u32) -> u32 {
        n * 10 + RUNS.up()
    }
    let clock = MockClock::install();
    assert_eq!(f(1), 11);
    clock.advance(2 * SECOND);
    assert_eq!((f(1), f(1)), (12, 12));
}
