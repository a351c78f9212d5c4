//! Timeouts under a clock that the tests set. It is the clock of the whole process, hence a binary of its own, in
//! which every test begins by stopping it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use memokit::testing::MockClock;
use memokit::{ErrorKind, cached};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

const MILLISECOND: Duration = Duration::from_millis(1);

/// Counts a run of a body, and gives its number.
fn run(runs: &AtomicU32) -> u32 {
    runs.fetch_add(1, SeqCst) + 1
}

/// One test for each spelling: fresh just before the timeout, expired at it.
macro_rules! fresh_for {
    ($($test:ident: $timeout:expr => $time:expr;)+) => {$(
        #[test]
        fn $test() {
            static RUNS: AtomicU32 = AtomicU32::new(0);
            #[cached(timeout = $timeout)]
            fn sample(n: u32) -> u32 {
                n * 100 + run(&RUNS)
            }
            let clock = MockClock::install();
            let time: Duration = $time;
            assert_eq!(sample(1), 101);
            clock.advance(time - MILLISECOND);
            assert_eq!(sample(1), 101, "fresh just before the timeout");
            clock.advance(MILLISECOND);
            assert_eq!(sample(1), 102, "expired at the timeout");
            clock.advance(time - MILLISECOND);
            assert_eq!(sample(1), 102, "a load starts the time anew, a hit does not");
            clock.advance(MILLISECOND);
            assert_eq!(sample(1), 103);
            let stats = sample::stats();
            assert_eq!((stats.hits(), stats.misses, stats.expired), (2, 3, 2));
        }
    )+};
}

const MINUTE: Duration = Duration::from_secs(60);

fresh_for! {
    seconds: 100 => Duration::from_secs(100);
    a_fraction_of_a_second: 0.25 => Duration::from_millis(250);
    a_text: "1h 30m" => Duration::from_secs(5400);
    a_short_text: "15ms" => Duration::from_millis(15);
    an_expression: MINUTE * 2 => Duration::from_secs(120);
    a_long_time: "1000days" => Duration::from_secs(1000 * 86_400);
}

#[test]
fn without_a_timeout_nothing_expires() {
    #[cached]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    assert_eq!(sample(1), 1);
    clock.advance(Duration::from_secs(100 * 365 * 86_400));
    assert_eq!(sample(1), 1);
    assert_eq!((sample::stats().loads, sample::stats().expired), (1, 0));
}

#[test]
fn a_time_past_the_end_of_the_clock_is_for_ever() {
    #[cached(timeout = Duration::MAX)]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    assert_eq!(sample(1), 1);
    clock.advance(Duration::from_secs(100 * 365 * 86_400));
    assert_eq!((sample(1), sample::stats().hits()), (1, 1));
}

#[test]
fn the_clock_is_read_to_less_than_a_millisecond() {
    #[cached(timeout = Duration::from_micros(1500))]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    sample(1);
    clock.advance(Duration::from_nanos(1_499_999));
    assert!(sample::contains(1));
    clock.advance(Duration::from_nanos(1));
    assert!(!sample::contains(1));
}

#[test]
fn the_time_begins_when_the_load_ends() {
    #[cached(timeout = 10, ignore = clock)]
    fn slow(n: u32, clock: &MockClock) -> u32 {
        clock.advance(Duration::from_secs(60));
        n
    }
    let clock = MockClock::install();
    slow(1, &clock);
    clock.advance(Duration::from_millis(9_999));
    assert!(slow::contains(1, &clock));
    clock.advance(MILLISECOND);
    assert!(!slow::contains(1, &clock));
}

#[test]
fn refresh_and_put_start_the_time_anew() {
    #[cached(timeout = 100)]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    let almost = Duration::from_secs(99);
    sample(1);
    clock.advance(almost);
    sample::refresh(1);
    clock.advance(almost);
    assert!(sample::contains(1));
    sample::put(1, 7);
    clock.advance(almost);
    assert_eq!(sample(1), 7);
    clock.advance(Duration::from_secs(1));
    assert_eq!(sample(1), 1);
}

#[test]
fn an_expired_entry_is_as_good_as_none() {
    #[cached(timeout = 10)]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    sample(1);
    clock.advance(Duration::from_secs(10));
    assert_eq!((sample::peek(1), sample::contains(1)), (None, false));
    assert!(!sample::invalidate(1), "it is not counted as an entry");
    assert_eq!(sample::stats().expired, 0, "only calls count expired entries");
}

#[test]
fn an_expired_entry_is_dropped_when_it_is_found() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached(timeout = 10, cache_if = |n| *n != 2)]
    fn sample(_key: u32) -> u32 {
        run(&RUNS)
    }
    let clock = MockClock::install();
    assert_eq!((sample(1), sample::stats().entries), (1, 1));
    clock.advance(Duration::from_secs(10));
    assert_eq!((sample(1), sample::stats().entries), (2, 0), "the new value is not stored, the old one is gone");
}

#[test]
fn expired_entries_do_not_stay_for_ever() {
    #[cached(timeout = 10)]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    for round in 0..20 {
        (0..1000).for_each(|n| assert_eq!(sample(round * 1000 + n), round * 1000 + n));
        clock.advance(Duration::from_secs(10));
    }
    assert!(sample::stats().entries <= 4000, "{:?}", sample::stats());
}

#[test]
fn a_value_may_use_the_cache_while_it_is_swept_out() {
    #[derive(Clone)]
    struct Nosy;
    impl Drop for Nosy {
        fn drop(&mut self) {
            // In every shard there may be, a key that is never there.
            assert!((100_000..100_064).all(|n| !sample::contains(n)));
        }
    }
    #[cached(timeout = 10)]
    fn sample(_n: u32) -> Nosy {
        Nosy
    }
    let (done, ended) = std::sync::mpsc::channel();
    let worker = std::thread::spawn(move || {
        let clock = MockClock::install();
        for n in 0..5000 {
            drop(sample(n));
            clock.advance(Duration::from_millis(20));
        }
        done.send(()).unwrap();
    });
    ended.recv_timeout(Duration::from_secs(30)).expect("sweeping hangs");
    worker.join().unwrap();
    assert!(sample::stats().entries < 4000, "{:?}", sample::stats());
}

#[test]
fn a_timeout_expression_is_asked_at_each_store() {
    static SECONDS: AtomicU64 = AtomicU64::new(10);
    #[cached(timeout = Duration::from_secs(SECONDS.load(SeqCst)))]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    sample(1);
    SECONDS.store(1000, SeqCst);
    sample(2);
    clock.advance(Duration::from_secs(10));
    assert!(!sample::contains(1), "it was stored for ten seconds");
    assert!(sample::contains(2));
    sample(1);
    clock.advance(Duration::from_secs(989));
    assert!(sample::contains(1) && sample::contains(2));
}

/// The only function of this binary whose timeout is zero, so that `check` finds no other.
#[test]
fn a_timeout_that_turns_out_to_be_zero_stores_nothing_and_is_reported() {
    static SECONDS: AtomicU64 = AtomicU64::new(10);
    #[cached(timeout = Duration::from_secs(SECONDS.load(SeqCst)))]
    fn sample(n: u32) -> u32 {
        n
    }
    let _clock = MockClock::install();
    memokit::check().unwrap();
    SECONDS.store(0, SeqCst);
    let error = memokit::check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("sample") && error.to_string().contains("timeout"), "{error}");
    assert_eq!((sample(1), sample(1)), (1, 1));
    sample::put(2, 2);
    assert!(!sample::contains(1) && !sample::contains(2));
    assert_eq!((sample::stats().loads, sample::stats().hits()), (2, 0));
    SECONDS.store(10, SeqCst);
    memokit::check().unwrap();
    assert_eq!((sample(1), sample(1), sample::stats().hits()), (1, 1, 1));
}

mod hooks {
    use super::*;
    use memokit::CallInfo;

    static TOLD: Mutex<Option<(Duration, Option<Duration>)>> = Mutex::new(None);

    fn hit(call: &CallInfo<'_>) {
        *TOLD.lock().unwrap() = Some((call.age().unwrap(), call.time_to_expiry()));
    }

    #[cached(timeout = 100, on_hit = hit)]
    fn sample(n: u32) -> u32 {
        n
    }

    #[test]
    fn are_told_the_age_and_the_time_that_is_left() {
        let clock = MockClock::install();
        sample(1);
        clock.advance(Duration::from_millis(30_500));
        sample(1);
        let told = TOLD.lock().unwrap().take();
        assert_eq!(told, Some((Duration::from_millis(30_500), Some(Duration::from_millis(69_500)))));
    }
}

#[test]
fn the_wall_clock_has_no_say() {
    #[cached(timeout = 10)]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    sample(1);
    clock.shift_wall(86_400_000);
    assert!(sample::contains(1));
    clock.shift_wall(-2 * 86_400_000);
    clock.advance(Duration::from_secs(10));
    assert!(!sample::contains(1));
}

#[tokio::test]
async fn async_functions_expire_alike() {
    static RUNS: AtomicU32 = AtomicU32::new(0);
    #[cached(timeout = "250ms")]
    async fn sample(n: u32) -> u32 {
        tokio::task::yield_now().await;
        n * 100 + run(&RUNS)
    }
    let clock = MockClock::install();
    assert_eq!((sample(1).await, sample(1).await), (101, 101));
    clock.advance(Duration::from_millis(249));
    assert_eq!(sample(1).await, 101);
    clock.advance(MILLISECOND);
    assert_eq!(sample::peek(1), None);
    assert_eq!(sample(1).await, 102);
}
