//! Expired entries go also when nobody asks for them, and their memory with them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::items_after_statements, reason = "what a test needs stands in it")]

use memokit::cached;
use memokit::testing::MockClock;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::time::Duration;

#[test]
fn what_has_expired_goes_without_a_call() {
    static VALUE: std::sync::LazyLock<Arc<()>> = std::sync::LazyLock::new(|| Arc::new(()));
    #[cached(timeout = 60)]
    fn sample(_n: u32) -> Arc<()> {
        Arc::clone(&VALUE)
    }
    let clock = MockClock::install();
    for n in 0..1_000 {
        sample(n);
    }
    assert_eq!(Arc::strong_count(&VALUE), 1_001);
    clock.sweep();
    assert_eq!(sample::stats().entries, 1_000, "they are fresh");
    clock.advance(Duration::from_secs(40));
    sample(1_000);
    clock.advance(Duration::from_secs(30));
    clock.sweep();
    assert_eq!((sample::stats().entries, Arc::strong_count(&VALUE)), (1, 2), "the last one has half a minute left");
    assert!(sample::contains(1_000));
    clock.advance(Duration::from_secs(30));
    clock.sweep();
    assert_eq!((sample::stats().entries, Arc::strong_count(&VALUE)), (0, 1));
}

#[test]
fn entries_of_several_timeouts_go_each_in_its_time() {
    #[cached(capacity = 100, timeout_with = |seconds| Some(Duration::from_secs(*seconds)))]
    fn sample(seconds: u64) -> u64 {
        seconds
    }
    #[cached]
    fn for_ever(n: u64) -> u64 {
        n
    }
    let clock = MockClock::install();
    for seconds in (1..=50).rev() {
        sample(seconds);
        for_ever(seconds);
    }
    for passed in 1..=50 {
        clock.advance(Duration::from_secs(1));
        clock.sweep();
        assert_eq!(sample::stats().entries, 50 - passed);
    }
    assert_eq!(for_ever::stats().entries, 50);
}

#[test]
fn a_function_that_wants_to_hear_of_it_hears_of_it() {
    static HEARD: AtomicU32 = AtomicU32::new(0);
    #[cached(timeout = 1, on_evict = |_call| { HEARD.fetch_add(1, SeqCst); })]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    sample(1);
    clock.advance(Duration::from_secs(2));
    clock.sweep();
    assert_eq!((sample::stats().entries, HEARD.load(SeqCst)), (1, 0), "nobody could be told");
    sample(1);
    assert_eq!((sample::stats().entries, HEARD.load(SeqCst)), (1, 1));
}
