//! Time, stored values, caches, threads.

use crate::{MILLI, Runs, cache};
use memokit::cached;
use memokit::testing::MockClock;
use std::thread;
use std::time::Duration;

#[test]
fn values_expire_after_the_timeout() {
    static RUNS: Runs = Runs::new();
    #[cached(timeout = 100)]
    fn f(n: u32) -> u32 {
        n + RUNS.up()
    }
    let clock = MockClock::install();
    assert_eq!(f(0), 1);
    clock.advance(99_999 * MILLI);
    assert_eq!(f(0), 1);
    clock.advance(MILLI);
    assert_eq!(f(0), 2);
}

/// `timeout=None`.
#[test]
fn without_a_timeout_values_stay() {
    let clock = MockClock::install();
    #[cached]
    fn f(n: u32) -> u32 {
        n
    }
    f(1);
    clock.advance(Duration::from_secs(100 * 365 * 86_400));
    assert!(f::contains(1));
}

/// There, `timeout=0` stores what has expired already, silently. Here a zero in the attribute does not compile, and one that is
/// computed stores nothing and is reported.
#[test]
fn a_timeout_of_zero_never_hits_and_is_reported() {
    let _clock = MockClock::install();
    #[cached(timeout = Duration::ZERO)]
    fn f(n: u32) -> u32 {
        n
    }
    assert_eq!((f(1), f(1)), (1, 1));
    assert_eq!((f::stats().loads, f::stats().entries), (2, 0));
    assert!(!f::contains(1));
}

#[test]
fn none_is_stored_like_any_value() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn find(n: u32) -> Option<u32> {
        RUNS.up();
        (n > 9).then_some(n)
    }
    assert_eq!((find(1), find(1), RUNS.count()), (None, None, 1));
    assert_eq!((find(10), find(10), RUNS.count()), (Some(10), Some(10), 2));
    assert_eq!(find::peek(1), Some(None), "a stored `None` is no absence");
}

/// `cache_alias`: the cache is looked up at the call.
#[test]
fn an_alias_names_another_cache() {
    let (memory, file) = (cache("memory"), cache("file"));
    #[cached(cache = "file", local = false, prefix = "seeds alias")]
    fn f(n: u32) -> u32 {
        n
    }
    f(1);
    let key = f::key(1).unwrap();
    assert!(file.get(key.text()).unwrap().is_some());
    assert!(memory.get(key.text()).unwrap().is_none());
    assert!(file.remove(key.text()).unwrap(), "it is dropped there");
    assert!(!f::contains(1).unwrap());
}

/// There, two threads that miss at once both run the body: the issue is open since 2017.
#[test]
fn threads_that_miss_at_once_run_the_body_once() {
    static GATE: std::sync::LazyLock<crate::support::gate::Gate> = std::sync::LazyLock::new(Default::default);
    static RUNS: Runs = Runs::new();
    #[cached]
    fn f(n: u32) -> u32 {
        RUNS.up();
        GATE.pass();
        n * 2
    }
    thread::scope(|scope| {
        let first = scope.spawn(|| f(21));
        GATE.arrived(1);
        let second = scope.spawn(|| f(21));
        GATE.open();
        assert_eq!((first.join().unwrap(), second.join().unwrap()), (42, 42));
    });
    assert_eq!(RUNS.count(), 1);
}

/// What is not listed in `cache_exceptions` there.
#[test]
fn an_error_is_not_stored() {
    static RUNS: Runs = Runs::new();
    #[cached]
    fn f(n: u32) -> Result<u32, String> {
        if RUNS.up() < 3 { Err(format!("no {n}")) } else { Ok(n) }
    }
    assert_eq!((f(1), f(1)), (Err("no 1".into()), Err("no 1".into())));
    assert_eq!((f(1), f(1), RUNS.count()), (Ok(1), Ok(1), 3));
}

/// There, a function that returns an exception has it raised on the hit. A value is a value here.
#[test]
fn an_error_that_is_the_value_is_stored_and_returned() {
    #[cached]
    fn f(text: &str) -> Option<std::num::ParseIntError> {
        text.parse::<u32>().err()
    }
    assert_eq!(f("x"), f("x"));
    assert!(f("x").is_some());
    assert_eq!(f::stats().loads, 1);
}

/// There, a backend that fails fails the function.
#[test]
fn a_backend_that_fails_does_not_fail_the_function() {
    use crate::support::probe::{Probe, Step};
    use std::sync::{Arc, LazyLock};
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    #[cached(cache = Arc::clone(&*PROBE) as Arc<dyn memokit::Cache>, prefix = "seeds down", local = false)]
    fn f(n: u32) -> u32 {
        n + 1
    }
    PROBE.rule(|_, _| Step::Fail(memokit::ErrorKind::Unavailable));
    assert_eq!((f(1), f(1)), (2, 2));
    assert!(f::stats().backend_errors >= 2);
    assert!(f::invalidate(1).unwrap_err().is_retryable(), "but a failed invalidation is told");
}

/// There it is for functions that are not async.
#[tokio::test]
async fn async_functions_are_cached_too() {
    static RUNS: Runs = Runs::new();
    #[cached]
    async fn f(n: u32) -> u32 {
        RUNS.up();
        n
    }
    assert_eq!((f(1).await, f(1).await, RUNS.count()), (1, 1, 1));
}
