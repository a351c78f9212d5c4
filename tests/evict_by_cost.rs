//! `evict = "cost"`: what took long to load stays, what did not goes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::items_after_statements, reason = "what a test needs stands in it")]

use memokit::cached;
use std::time::{Duration, Instant};

/// Works for so long.
#[allow(clippy::disallowed_methods, reason = "the work takes real time, since that is what is measured")]
fn work(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        std::hint::spin_loop();
    }
}

#[test]
fn what_was_dear_to_load_outlives_what_was_cheap() {
    #[cached(capacity = 100, evict = "cost")]
    fn sample(n: u32) -> u32 {
        work(if n < 15 { Duration::from_millis(3) } else { Duration::ZERO });
        n
    }
    #[cached(capacity = 100)]
    fn plain(n: u32) -> u32 {
        n
    }
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
        work(Duration::from_micros(if n < 10 { 400 } else { 50 }));
        n
    }
    (0..10).for_each(|n| assert_eq!(sample(n), n));
    // Others are in use, more than there is room for.
    for n in 0..3_000 {
        sample(10 + n % 15);
    }
    // A load that the machine interrupted was dearer than it looks.
    let left = (0..10).filter(|n| sample::contains(*n)).count();
    assert!(left <= 2, "{left} are left");
}

#[test]
fn cost_is_for_each_unit_of_weight() {
    #[cached(weigh = |text| text.len() as u64, max_weight = 10_000, evict = "cost")]
    fn sample(n: u32) -> String {
        work(Duration::from_micros(300));
        "x".repeat(if n < 5 { 1_500 } else { 15 })
    }
    for n in 0..900 {
        sample(n);
        assert!(sample::stats().weight <= 10_000);
    }
    let heavy = (0..5).filter(|n| sample::contains(*n)).count();
    assert_eq!(heavy, 0, "one of them takes the place of a hundred that cost as much each");
    assert!(sample::stats().entries > 600, "{}", sample::stats().entries);
}
