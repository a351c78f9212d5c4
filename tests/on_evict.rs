//! `on_evict`: told of entries that leave the local level for want of room, and past their time.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::trivially_copy_pass_by_ref, clippy::needless_pass_by_value, reason = "the forms are what is tested")]
#![allow(clippy::unnecessary_wraps, clippy::unused_self, reason = "samples of what users write")]

use memokit::testing::MockClock;
use memokit::{CallInfo, Cause, cached};
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

/// What hooks have told so far.
struct Log<T>(Mutex<Vec<T>>);

impl<T> Log<T> {
    const fn new() -> Self {
        Log(Mutex::new(Vec::new()))
    }

    fn add(&self, line: T) {
        self.0.lock().unwrap().push(line);
    }

    fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[test]
fn for_want_of_room_every_entry_is_told_of_once() {
    static LOG: Log<(u32, String, u64)> = Log::new();
    fn evicted(call: &CallInfo<'_>, (n, text): (&u32, &String), value: &u64) {
        assert_eq!(call.cause(), Some(Cause::Evicted));
        assert_eq!(call.function(), concat!(module_path!(), "::bounded"));
        assert!(call.age().is_some() && call.time_to_expiry().is_none() && call.level().is_none());
        LOG.add((*n, text.clone(), *value));
    }
    #[cached(capacity = 10, on_evict = evicted)]
    fn bounded(n: u32, text: &str) -> u64 {
        u64::from(n) + text.len() as u64
    }
    for n in 0..1000 {
        assert_eq!(bounded(n, "a"), u64::from(n) + 1);
    }
    let told = LOG.take();
    let stats = bounded::stats();
    assert_eq!((told.len() as u64, stats.hook_panics), (stats.evicted, 0));
    assert_eq!(told.len() as u64 + stats.entries, 1000);
    let numbers: BTreeSet<u32> = told.iter().map(|(n, _, _)| *n).collect();
    assert_eq!(numbers.len(), told.len(), "each once");
    assert!(numbers.iter().all(|n| !bounded::contains(*n, "a")));
    assert!(told.iter().all(|(n, text, value)| text == "a" && *value == u64::from(*n) + 1));
}

#[test]
fn the_call_that_meets_an_expired_entry_tells_of_it() {
    static LOG: Log<(Cause, Duration, Option<Duration>, u32)> = Log::new();
    #[cached(timeout = 10, on_evict = |call, (n,)| LOG.add((call.cause().unwrap(), call.age().unwrap(), call.time_to_expiry(), *n)))]
    fn timed(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    assert_eq!(timed(1), 1);
    clock.advance(SECOND * 9);
    assert_eq!((timed(1), LOG.take().len()), (1, 0));
    clock.advance(SECOND * 2);
    assert_eq!(timed(1), 1);
    assert_eq!(LOG.take(), [(Cause::Expired, SECOND * 11, Some(Duration::ZERO), 1)]);
    assert_eq!((timed(1), LOG.take().len()), (1, 0), "the new entry is there");
    clock.advance(SECOND * 12);
    timed::refresh(1);
    assert_eq!(LOG.take(), [(Cause::Expired, SECOND * 12, Some(Duration::ZERO), 1)]);
    clock.advance(SECOND * 13);
    timed::put(1, 5);
    assert_eq!(LOG.take(), [(Cause::Expired, SECOND * 13, Some(Duration::ZERO), 1)]);
}

#[test]
fn a_sweep_tells_of_what_nobody_asked_for_again() {
    static EXPIRED: AtomicU32 = AtomicU32::new(0);
    #[cached(timeout = 10, on_evict = |call| {
        assert_eq!(call.cause(), Some(Cause::Expired));
        EXPIRED.fetch_add(1, SeqCst);
    })]
    fn timed(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    for n in 0..1000 {
        timed(n);
    }
    clock.advance(SECOND * 11);
    for n in 1000..5000 {
        timed(n);
    }
    assert_eq!(EXPIRED.load(SeqCst), 1000);
    assert_eq!((timed::stats().entries, timed::stats().hook_panics), (4000, 0));
}

#[test]
fn what_a_caller_invalidates_or_replaces_is_not_told() {
    static TOLD: AtomicBool = AtomicBool::new(false);
    #[cached(capacity = 10, on_evict = |_| TOLD.store(true, SeqCst))]
    fn kept(n: u32) -> u32 {
        n
    }
    kept(1);
    kept::refresh(1);
    kept::put(1, 2);
    assert!(kept::invalidate(1));
    kept(1);
    kept::invalidate_all();
    kept(1);
    assert!(!TOLD.load(SeqCst));
}

#[test]
fn a_hook_may_use_the_function_and_is_told_outside_of_every_lock() {
    #[cached(capacity = 1, on_evict = |_, (n,)| {
        assert!(!again::contains(*n));
        if *n < 50 {
            assert_eq!(again(*n + 1000), *n + 1000);
            again::invalidate_all();
        }
    })]
    fn again(n: u32) -> u32 {
        n
    }
    for n in 0..100 {
        assert_eq!(again(n), n);
    }
    assert_eq!(again::stats().hook_panics, 0);
    assert!(again::stats().evicted >= 50);
}

#[test]
fn a_hook_that_panics_fails_no_call_and_the_others_are_told() {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    #[cached(timeout = 10, on_evict = |_, (n,)| {
        TOLD.fetch_add(1, SeqCst);
        assert!(n % 2 == 0, "from a hook: this text belongs into the test's output");
    })]
    fn timed(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    (0..10).for_each(|n| assert_eq!(timed(n), n));
    clock.advance(SECOND * 11);
    (0..10).for_each(|n| assert_eq!(timed(n), n));
    assert_eq!((TOLD.load(SeqCst), timed::stats().hook_panics), (10, 5));
}

#[test]
fn a_body_that_panics_takes_no_news_away() {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    static PANICS: AtomicBool = AtomicBool::new(false);
    #[cached(timeout = 10, on_evict = |_, (n,)| {
        TOLD.fetch_add(*n, SeqCst);
        assert!(*n < 5, "from a hook: this text belongs into the test's output");
    })]
    fn timed(n: u32) -> u32 {
        assert!(!PANICS.load(SeqCst), "from a body: this text belongs into the test's output");
        n
    }
    let clock = MockClock::install();
    assert_eq!((timed(3), timed(7)), (3, 7));
    clock.advance(SECOND * 11);
    PANICS.store(true, SeqCst);
    for n in [3, 7] {
        assert!(catch_unwind(AssertUnwindSafe(|| timed(n))).is_err());
    }
    assert_eq!((TOLD.load(SeqCst), timed::stats().hook_panics), (10, 1));
}

#[test]
fn a_future_that_is_dropped_takes_no_news_away() {
    static TOLD: AtomicU32 = AtomicU32::new(0);
    #[cached(timeout = 10, on_evict = |_, (n,), value| { TOLD.fetch_add(n + value, SeqCst); })]
    async fn timed(n: u32) -> u32 {
        if TOLD.load(SeqCst) == 0 && timed::stats().loads > 0 {
            std::future::pending::<()>().await;
        }
        n
    }
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    let clock = MockClock::install();
    assert!(std::pin::pin!(timed(4)).poll(&mut context).is_ready());
    clock.advance(SECOND * 11);
    {
        let mut call = Box::pin(timed(4));
        assert!(call.as_mut().poll(&mut context).is_pending());
        assert_eq!(TOLD.load(SeqCst), 0, "the call is not over");
    }
    assert_eq!(TOLD.load(SeqCst), 8);
}

mod keys {
    use super::*;

    static LOG: Log<String> = Log::new();

    struct User {
        id: u64,
        name: String,
    }

    fn by_name(_: &CallInfo<'_>, (id, name): (&u64, &String)) {
        LOG.add(format!("{id} {name}"));
    }

    #[cached(timeout = 10, key = (user.id, user.name.as_str()), on_evict = by_name)]
    fn keyed(user: &User, loud: bool) -> Vec<u64> {
        vec![user.id + u64::from(loud)]
    }

    #[cached(timeout = 10, key = user.id, on_evict = |_, (id,), value: &Vec<u64>| LOG.add(format!("{id} {value:?}")))]
    fn fallible(user: User) -> Result<Vec<u64>, String> {
        Ok(vec![user.id, user.name.len() as u64])
    }

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Shop(u32);

    impl Shop {
        #[cached(timeout = 10, ignore = loud, on_evict = |_, (shop, maybe), value| LOG.add(format!("{} {maybe:?} {value}", shop.0)))]
        fn stock(&self, loud: bool, maybe: Option<&str>) -> usize {
            maybe.map_or(0, str::len) + usize::from(loud)
        }
    }

    #[cached(timeout = 10, key = (x.to_bits(), text.len()), on_evict = (|_, (bits, len)| LOG.add(format!("{bits} {len}"))))]
    #[allow(unused_parens, reason = "a closure in parentheses is one too")]
    fn computed(x: f64, text: String) -> f64 {
        x + f64::from(u32::try_from(text.len()).unwrap())
    }

    #[cached(timeout = 10, on_evict = |_, (value, ())| LOG.add(format!("{value:?}")))]
    fn generic<T: Clone + Eq + std::hash::Hash + Send + Sync + std::fmt::Debug + 'static>(value: T, unit: ()) -> T {
        let () = unit;
        value
    }

    #[test]
    fn are_shown_as_a_tuple_of_their_parts() {
        let user = || User { id: 7, name: "Ann".into() };
        let clock = MockClock::install();
        for _ in 0..2 {
            assert_eq!(keyed(&user(), true), [8]);
            clock.advance(SECOND * 11);
        }
        assert_eq!(LOG.take(), ["7 Ann"]);
        for _ in 0..2 {
            assert_eq!(fallible(user()), Ok(vec![7, 3]));
            clock.advance(SECOND * 11);
        }
        assert_eq!(LOG.take(), ["7 [7, 3]"]);
        for _ in 0..2 {
            assert_eq!(Shop(4).stock(true, Some("ab")), 3);
            clock.advance(SECOND * 11);
        }
        assert_eq!(LOG.take(), ["4 Some(\"ab\") 3"]);
        for _ in 0..2 {
            assert!(computed(0.0, "ab".into()) > 1.9);
            clock.advance(SECOND * 11);
        }
        assert_eq!(LOG.take(), ["0 2"]);
        for _ in 0..2 {
            assert_eq!((generic("a", ()), generic(1, ())), ("a", 1));
            clock.advance(SECOND * 11);
        }
        assert_eq!(LOG.take(), ["\"a\"", "1"]);
    }
}

#[test]
fn in_front_of_a_shared_level_the_local_copy_is_what_leaves() {
    static LOG: Log<(Cause, u32)> = Log::new();
    #[cached(cache = "default", local_timeout = 5, on_evict = |call, (n,)| LOG.add((call.cause().unwrap(), *n)))]
    fn shared(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    assert_eq!((shared(1), LOG.take().len()), (1, 0));
    clock.advance(SECOND * 6);
    assert_eq!((shared(1), LOG.take()), (1, vec![(Cause::Expired, 1)]));
    assert_eq!((shared::stats().loads, shared::stats().shared_hits), (1, 1));
}

#[test]
fn floats_are_shown_as_the_numbers_they_are() {
    static GONE: Mutex<Vec<String>> = Mutex::new(Vec::new());
    #[cached(capacity = 1, on_evict = |_, (x, (name, y)), area| {
        GONE.lock().unwrap().push(format!("{x} {} {name} {y:?} {area}", x.abs()));
    })]
    fn area(x: f64, (name, y): (&str, f32)) -> f64 {
        x * f64::from(y) + if name.is_empty() { 0.0 } else { 1.0 }
    }
    assert_eq!((area(-1.5, ("a", 2.0)), area(3.0, ("", 1.0))), (-2.0, 3.0));
    assert_eq!(*GONE.lock().unwrap(), ["-1.5 1.5 a 2.0 -2"]);
}
