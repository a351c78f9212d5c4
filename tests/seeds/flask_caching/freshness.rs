//! `CachedResponse`, `is_stale`, and times that the program changes.

use crate::{Runs, SECOND};
use memokit::cached;
use memokit::testing::MockClock;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

#[derive(Clone, Debug, PartialEq)]
struct Response {
    body: String,
    max_age: u64,
}

/// `CachedResponse(response, timeout)`: there of responses alone.
#[test]
fn a_response_says_how_long_it_is_fresh() {
    static RUNS: Runs = Runs::new();
    #[cached(timeout_with = |response: &Response| (response.max_age > 0).then(|| Duration::from_secs(response.max_age)))]
    fn fetch(max_age: u64) -> Response {
        Response { body: format!("run {}", RUNS.up()), max_age }
    }
    let clock = MockClock::install();
    for max_age in [10, 20, 0] {
        fetch(max_age);
    }
    assert_eq!([10, 20, 0].map(fetch::contains), [true, true, false]);
    clock.advance(10 * SECOND);
    assert_eq!([10, 20, 0].map(fetch::contains), [false, true, false]);
}

/// `is_stale(value, …)`, since 2.5, on hits alone.
#[test]
fn a_value_that_is_stale_is_loaded_again() {
    static GENERATION: AtomicU32 = AtomicU32::new(1);
    static RUNS: Runs = Runs::new();
    #[cached(valid_if = |(generation, _): &(u32, u32)| *generation == GENERATION.load(SeqCst))]
    fn f(n: u32) -> (u32, u32) {
        (GENERATION.load(SeqCst), n * 10 + RUNS.up())
    }
    assert_eq!((f(1), f(1)), ((1, 11), (1, 11)));
    GENERATION.store(2, SeqCst);
    assert!(!f::contains(1));
    assert_eq!((f(1), f(1)), ((2, 12), (2, 12)));
}

/// `f.cache_timeout = …`.
#[test]
fn the_timeout_can_be_changed_while_the_program_runs() {
    #[cached(timeout = 300)]
    fn f(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    f(1);
    f::set_timeout(10 * SECOND).unwrap();
    f(2);
    clock.advance(10 * SECOND);
    assert_eq!((f::contains(1), f::contains(2)), (true, false), "what was stored before keeps its time");
    assert!(f::set_timeout(Duration::ZERO).is_err(), "there, that is for ever");
    f::set_timeout(None).unwrap();
    f(2);
    clock.advance(10 * SECOND);
    assert!(f::contains(2), "the attribute's again");
}
