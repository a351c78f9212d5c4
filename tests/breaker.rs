//! A cache that does not answer is not asked, until it does: the breaker, by the clock of the tests.
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::{Fault, Faulty, MockClock, Operation};
use memokit::{Cache, ErrorKind, Health, MemoryCache, SharedState, cached};
use std::sync::{Arc, LazyLock, Mutex};
use std::thread;
use std::time::Duration;
use support::{eventually, given};

/// A cache of its own for each test.
macro_rules! cache {
    ($name:ident) => {
        static $name: LazyLock<Arc<Faulty>> = LazyLock::new(|| Arc::new(Faulty::new(Arc::new(MemoryCache::new()))));
    };
}

fn health(cache: &'static LazyLock<Arc<Faulty>>) -> Health {
    memokit::health(&given(cache))
}

/// Waits for a look whose time has come. The thread that looks counts from when it read the clock after its last look: on a
/// busy machine that may be now, and then it is this pause more. Whether it was, and when the look came is not known exactly.
fn comes_late(clock: &MockClock, pause: u64, looked: impl Fn() -> bool) -> bool {
    let soon = |tries: u32| {
        (0..tries).any(|_| {
            thread::sleep(Duration::from_millis(1));
            looked()
        })
    };
    let mut later = 0;
    while !soon(if later == 0 { 500 } else { 1 }) && later < pause {
        clock.advance(Duration::from_millis(1));
        later += 1;
    }
    eventually(looked);
    later > 0
}

cache!(DOWN);

#[cached(cache = given(&DOWN))]
fn with_local(n: u32) -> u32 {
    n + 1
}

#[cached(cache = given(&DOWN), local = false)]
fn without_local(n: u32) -> u32 {
    n + 1
}

#[cached(cache = given(&DOWN))]
async fn as_a_task(n: u32) -> u32 {
    n + 1
}

#[tokio::test]
async fn a_cache_that_does_not_answer_is_not_asked_until_it_does() {
    let clock = MockClock::install();
    let down = DOWN.inject(Fault::error(ErrorKind::Unavailable));
    for n in 0..5 {
        assert!(health(&DOWN).answers);
        assert_eq!(with_local(n), n + 1);
    }
    assert_eq!((health(&DOWN).answers, health(&DOWN).outages), (false, 1));
    assert_eq!((with_local::stats().backend_errors, with_local::stats().skipped), (5, 0));

    let asked = DOWN.all_calls();
    for n in 10..20 {
        assert_eq!((with_local(n), without_local(n), as_a_task(n).await), (n + 1, n + 1, n + 1));
        assert_eq!(with_local(n), n + 1);
    }
    assert_eq!(DOWN.all_calls(), asked, "nobody asks it, callers not and no thread before its time");
    for stats in [with_local::stats(), without_local::stats(), as_a_task::stats()] {
        assert_eq!(stats.skipped, 10);
    }
    assert_eq!(with_local::stats().backend_errors, 5, "what is skipped is no failure");
    assert_eq!(with_local::stats().local_hits, 10, "the local level works on");
    assert_eq!(health(&DOWN).skipped, 30);

    // What tells of failures tells of this one.
    let error = with_local::peek(99).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("is not asked until it does"), "{error}");
    let explained = with_local::explain(99);
    assert!(matches!(explained.shared(), SharedState::Failed(_)));
    assert!(explained.to_string().contains("does not answer"), "{explained}");
    for error in [with_local::put(99, 1).unwrap_err(), with_local::refresh(99).unwrap_err()] {
        assert_eq!(error.kind(), ErrorKind::Unavailable);
    }
    assert_eq!(DOWN.all_calls(), asked);

    // Looks at it come after 100, 200, 400 and then every 500 ms.
    let mut late = false;
    for (pause, step) in [(100, 1), (200, 2), (400, 3), (500, 4), (500, 5)] {
        clock.advance(Duration::from_millis(pause - 1));
        thread::sleep(Duration::from_millis(20));
        assert!(late || DOWN.all_calls() == asked + step - 1, "before its time");
        clock.advance(Duration::from_millis(1));
        late = comes_late(&clock, pause, || DOWN.all_calls() == asked + step);
    }
    assert!(!health(&DOWN).answers);
    DOWN.withdraw(down);
    clock.advance(Duration::from_millis(500));
    comes_late(&clock, 500, || health(&DOWN).answers);
    assert_eq!(health(&DOWN).outages, 1);
    // One failure is enough for one that has just come back.
    DOWN.inject(Fault::error(ErrorKind::Timeout).times(1));
    with_local(51);
    assert_eq!((health(&DOWN).answers, health(&DOWN).outages), (false, 2));
    clock.advance(Duration::from_millis(500));
    comes_late(&clock, 500, || health(&DOWN).answers);
    assert_eq!((with_local(10), with_local(50), without_local(50)), (11, 51, 51));
    assert!(DOWN.inner().get(with_local::key(50).unwrap().text()).unwrap().is_some());
}

cache!(ANSWERING);

#[cached(cache = given(&ANSWERING))]
fn refused(n: u32) -> u32 {
    n + 1
}

#[test]
fn answers_that_are_errors_do_not_open_it() {
    for (number, kind) in [ErrorKind::Backend, ErrorKind::Full, ErrorKind::Codec].into_iter().enumerate() {
        let fault = ANSWERING.inject(Fault::error(kind));
        let first = 100 * u32::try_from(number).unwrap();
        (first..first + 20).for_each(|n| assert_eq!(refused(n), n + 1));
        ANSWERING.withdraw(fault);
    }
    assert_eq!((health(&ANSWERING).answers, refused::stats().skipped), (true, 0));
    assert_eq!(refused::stats().backend_errors, 60);
}

cache!(SHAKY);

#[cached(cache = given(&SHAKY))]
fn shaky(n: u32) -> u32 {
    n + 1
}

#[test]
fn a_cache_that_fails_seldom_is_asked_on() {
    SHAKY.inject(Fault::error(ErrorKind::Timeout).on(Operation::Store).share(0.2));
    (0..2_000).for_each(|n| assert_eq!(shaky(n), n + 1));
    let stats = shaky::stats();
    assert_eq!((stats.skipped, health(&SHAKY).outages), (0, 0));
    assert!((300..500).contains(&stats.backend_errors), "{}", stats.backend_errors);
}

cache!(HANGING);

#[cached(cache = given(&HANGING))]
fn hanging(n: u32) -> u32 {
    n + 1
}

#[test]
fn callers_do_not_wait_for_a_look_at_a_cache_that_hangs() {
    let clock = MockClock::install();
    let failing = HANGING.inject(Fault::error(ErrorKind::Timeout));
    (0..5).for_each(|n| _ = hanging(n));
    HANGING.withdraw(failing);
    HANGING.inject(Fault::hang());
    clock.advance(Duration::from_millis(100));
    eventually(|| HANGING.hanging() == 1);
    (10..2_000).for_each(|n| assert_eq!(hanging(n), n + 1));
    assert_eq!(HANGING.hanging(), 1, "one thread looks at it and nobody else");
    HANGING.heal();
    eventually(|| health(&HANGING).answers);
}

/// Another object each time, as a program does that connects anew.
static REPLACED: Mutex<Option<Arc<Faulty>>> = Mutex::new(None);

fn replaced() -> Arc<dyn Cache> {
    REPLACED.lock().unwrap().clone().unwrap()
}

#[cached(cache = replaced())]
fn moved(n: u32) -> u32 {
    n + 1
}

#[test]
fn another_cache_begins_with_a_clean_sheet_and_nothing_keeps_the_old_one() {
    let clock = MockClock::install();
    let connect = || {
        let cache = Arc::new(Faulty::new(Arc::new(MemoryCache::new())));
        *REPLACED.lock().unwrap() = Some(Arc::clone(&cache));
        cache
    };
    let old = connect();
    old.inject(Fault::error(ErrorKind::Unavailable));
    (0..5).for_each(|n| _ = moved(n));
    assert!(moved::invalidate(1).is_err());
    assert!(!memokit::health(&replaced()).answers);
    let gone = Arc::downgrade(&old);
    connect();
    drop(old);
    eventually(|| gone.strong_count() == 0);
    assert_eq!(memokit::health(&replaced()).owed, 0);
    moved(50);
    assert!(moved::invalidate(50).unwrap());
    drop(clock);
}
