//! `evict = "cost"`: what took long to load stays, what did not goes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::items_after_statements, reason = "what a test needs stands in it")]

use memokit::cached;
use memokit::testing::MockClock;
use std::cell::RefCell;
use std::time::Duration;

thread_local! {
    static CLOCK: RefCell<Option<MockClock>> = const { RefCell::new(None) };
}

/// From here on the loads of the test take the time that they say, which is far more than what the machine adds, and may add by
/// letting them wait.
fn begin() {
    // There is one at a time, also where all tests run in one thread.
    CLOCK.set(None);
    CLOCK.set(Some(MockClock::install()));
}

/// Works for so long.
fn work(time: Duration) {
    CLOCK.with_borrow(|clock| clock.as_ref().unwrap().advance(time));
}

#[test]
fn what_was_dear_to_load_outlives_what_was_cheap() {
    #[cached(capacity = 100, evict = "cost")]
    fn sample(n: u32) -> u32 {
        work(if n < 15 { Duration::from_millis(300) } else { Duration::ZERO });
        n
    }
    #[cached(capacity = 100)]
    fn plain(n: u32) -> u32 {
        n
    }
    begin();
    // None is asked for twice, and the dear ones come when there is no room left.
    for n in (1_000..2_000).chain(0..15).chain(2_000..2_500) {
        assert_eq!((sample(n), plain(n)), (n, n));
        assert!(sample::stats().entries <= 100);
    }
    let dear = |contains: fn(u32) -> bool| (0..15).filter(|n| contains(*n)).count();
    assert_eq!(dear(sample::contains), 15);
    assert_eq!(dear(plain::contains), 0, "by use, they would be gone");
    assert_eq!(sample::stats().entries, 100);
}

#[test]
fn what_was_dear_and_is_not_used_goes_after_all() {
    #[cached(capacity = 10, evict = "cost")]
    fn sample(n: u32) -> u32 {
        work(Duration::from_millis(if n < 10 { 400 } else { 50 }));
        n
    }
    begin();
    (0..10).for_each(|n| assert_eq!(sample(n), n));
    // Others are in use, more than there is room for.
    for n in 0..3_000 {
        sample(10 + n % 15);
    }
    assert_eq!((0..10).filter(|n| sample::contains(*n)).count(), 0);
}

#[test]
fn cost_is_for_each_unit_of_weight() {
    #[cached(weigh = |text| text.len() as u64, max_weight = 10_000, evict = "cost")]
    fn sample(n: u32) -> String {
        work(Duration::from_millis(100));
        "x".repeat(if n < 5 { 1_500 } else { 15 })
    }
    begin();
    for n in 0..900 {
        sample(n);
        assert!(sample::stats().weight <= 10_000);
    }
    let heavy = (0..5).filter(|n| sample::contains(*n)).count();
    assert_eq!(heavy, 0, "one of them takes the place of a hundred that cost as much each");
    assert!(sample::stats().entries > 600, "{}", sample::stats().entries);
}
