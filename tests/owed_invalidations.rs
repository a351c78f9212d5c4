//! Invalidations that a cache did not take: they are an `Err`, hold in this process at once, and reach the cache as soon
//! as it answers.
#![allow(clippy::unused_async, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::{Fault, Faulty, MockClock, Operation};
use memokit::{Error, ErrorKind, Health, MemoryCache, cached};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Duration;
use support::given;

type Made = LazyLock<Arc<Faulty>>;

/// A cache of its own for each test.
macro_rules! cache {
    ($name:ident) => {
        static $name: Made = LazyLock::new(|| Arc::new(Faulty::new(Arc::new(MemoryCache::new()))));
    };
}

fn health(cache: &'static Made) -> Health {
    memokit::health(&given(cache))
}

/// Until what another thread does has been seen, while time passes; far longer than it takes.
fn eventually(clock: &MockClock, what: impl Fn() -> bool) {
    for _ in 0..5_000 {
        if what() {
            return;
        }
        clock.advance(Duration::from_millis(100));
        thread::sleep(Duration::from_millis(2));
    }
    panic!("it does not happen");
}

fn is_queued(error: &Error) {
    assert!(error.to_string().contains("it is queued"), "{error}");
    assert!(std::error::Error::source(error).is_some(), "the cause is told");
}

/// Each run of a body returns another value.
static RUNS: AtomicU32 = AtomicU32::new(1);

fn run() -> u32 {
    RUNS.fetch_add(1, SeqCst)
}

cache!(ONE);

#[cached(cache = given(&ONE), local = false)]
fn of_one(_n: u32) -> u32 {
    run()
}

#[test]
fn what_was_invalidated_in_vain_is_not_used_and_goes_when_the_cache_answers() {
    let clock = MockClock::install();
    let (old, other) = (of_one(1), of_one(2));
    let fault = ONE.inject(Fault::error(ErrorKind::Backend).on(Operation::Invalidate));
    let error = of_one::invalidate(1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backend);
    is_queued(&error);
    assert_eq!((health(&ONE).owed, health(&ONE).answers), (1, true));

    // The old entry is there, readable, and not used; what is loaded instead is not stored beside it.
    let key = of_one::key(1).unwrap();
    let stored = ONE.inner().get(key.text()).unwrap().unwrap();
    let new = of_one(1);
    assert_ne!(new, old);
    assert_ne!(of_one(1), new, "without a local level each call loads meanwhile");
    assert_eq!(ONE.inner().get(key.text()).unwrap().unwrap(), stored);
    for error in [of_one::peek(1).unwrap_err(), of_one::put(1, 7).unwrap_err(), of_one::contains(1).unwrap_err()] {
        assert!(error.to_string().contains("an invalidation of it"), "{error}");
    }
    assert!(of_one::explain(1).to_string().contains("an invalidation of it"));
    assert_eq!(of_one(2), other, "other entries are used on");
    assert_eq!(of_one::stats().backend_errors, 1, "what is skipped is no failure");
    assert!(of_one::stats().skipped >= 2);

    ONE.withdraw(fault);
    eventually(&clock, || health(&ONE).owed == 0);
    assert_eq!(ONE.inner().get(key.text()).unwrap(), None);
    assert_eq!((health(&ONE).applied_late, health(&ONE).dropped), (1, 0));
    let newest = of_one(1);
    assert_eq!((of_one(1), of_one::peek(1).unwrap()), (newest, Some(newest)));
}

cache!(LOST);

#[cached(cache = given(&LOST))]
async fn with_lost_replies(_n: u32) -> u32 {
    run()
}

#[tokio::test]
async fn an_invalidation_whose_answer_was_lost_is_done_again() {
    let clock = MockClock::install();
    with_local_and_shared().await;
    LOST.inject(Fault::lost_reply(ErrorKind::Timeout).on(Operation::Invalidate).times(1));
    let old = with_lost_replies(5).await;
    let error = with_lost_replies::invalidate(5).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    is_queued(&error);
    let new = with_lost_replies(5).await;
    assert_ne!(new, old);
    assert_eq!(with_lost_replies(5).await, new, "the local level holds what was loaded since");
    eventually(&clock, || health(&LOST).owed == 0);
    assert_eq!(with_lost_replies(5).await, new);
}

async fn with_local_and_shared() {
    let value = with_lost_replies(1).await;
    assert_eq!(with_lost_replies(1).await, value);
    assert!(with_lost_replies::invalidate(1).await.unwrap());
}

cache!(ALL);

#[cached(cache = given(&ALL), local = false)]
fn of_all(_n: u32) -> u32 {
    run()
}

#[cached(cache = given(&ALL), local = false)]
fn beside(_n: u32) -> u32 {
    run()
}

#[test]
fn a_whole_function_is_owed_and_no_other() {
    let clock = MockClock::install();
    let (old, other) = ([of_all(1), of_all(2)], beside(1));
    ALL.inject(Fault::error(ErrorKind::Unavailable).on(Operation::Invalidate).times(1));
    of_all::invalidate(1).unwrap_err();
    let fault = ALL.inject(Fault::error(ErrorKind::Backend).on(Operation::Invalidate));
    is_queued(&of_all::invalidate_all().unwrap_err());
    assert_eq!(health(&ALL).owed, 1, "the function stands for its keys");
    for n in [1, 2] {
        assert!(!old.contains(&of_all(n)));
    }
    assert_eq!(beside(1), other);
    ALL.withdraw(fault);
    eventually(&clock, || health(&ALL).owed == 0);
    let new = [of_all(1), of_all(2)];
    assert_eq!([of_all(1), of_all(2)], new);
    assert_eq!(beside(1), other);
}

cache!(AGAIN);

#[cached(cache = given(&AGAIN), local = false)]
fn again(_n: u32) -> u32 {
    run()
}

#[test]
fn whoever_invalidates_again_with_success_need_not_wait() {
    let _clock = MockClock::install();
    again(1);
    again(2);
    AGAIN.inject(Fault::error(ErrorKind::Timeout).on(Operation::Invalidate).times(2));
    again::invalidate(1).unwrap_err();
    again::invalidate(2).unwrap_err();
    assert_eq!(health(&AGAIN).owed, 2);
    assert!(again::invalidate(1).unwrap());
    assert_eq!(health(&AGAIN).owed, 1);
    let value = again(1);
    assert_eq!(again(1), value);
    again::invalidate_all().unwrap();
    assert_eq!((health(&AGAIN).owed, health(&AGAIN).applied_late), (0, 0));
}

cache!(EXPIRING);

#[cached(cache = given(&EXPIRING), timeout = "1m", local = false)]
fn expiring(_n: u32) -> u32 {
    run()
}

#[cached(cache = given(&EXPIRING), local = false)]
fn lasting(_n: u32) -> u32 {
    run()
}

#[test]
fn what_has_expired_meanwhile_is_owed_no_more() {
    let clock = MockClock::install();
    let (old, forever) = (expiring(1), lasting(1));
    EXPIRING.inject(Fault::error(ErrorKind::Unavailable));
    expiring::invalidate(1).unwrap_err();
    lasting::invalidate(1).unwrap_err();
    clock.advance(Duration::from_secs(59));
    thread::sleep(Duration::from_millis(20));
    assert_eq!(health(&EXPIRING).owed, 2);
    clock.advance(Duration::from_secs(3));
    eventually(&clock, || health(&EXPIRING).owed == 1);
    assert_eq!(health(&EXPIRING).dropped, 1);
    clock.advance(Duration::from_secs(100_000));
    thread::sleep(Duration::from_millis(20));
    EXPIRING.heal();
    eventually(&clock, || health(&EXPIRING).owed == 0 && health(&EXPIRING).answers);
    assert_ne!(expiring(1), old);
    assert_ne!(lasting(1), forever);
}

cache!(MANY);

#[cached(cache = given(&MANY), local = false)]
fn many(_n: u32) -> u32 {
    run()
}

#[test]
fn many_are_bounded_and_all_of_them_hold() {
    let clock = MockClock::install();
    let old: Vec<u32> = (0..12_000).map(many).collect();
    MANY.inject(Fault::error(ErrorKind::Unavailable));
    for n in 0..12_000 {
        is_queued(&many::invalidate(n).unwrap_err());
        assert!(health(&MANY).owed <= 10_000);
    }
    assert!(!health(&MANY).answers);
    MANY.heal();
    eventually(&clock, || health(&MANY).owed == 0 && health(&MANY).answers);
    for (n, old) in (0..12_000).zip(old) {
        assert!(many(n) > old, "{n}");
    }
}

cache!(REFUSING);

#[cached(cache = given(&REFUSING), local = false)]
fn refusing(_n: u32) -> u32 {
    run()
}

#[test]
fn what_can_never_succeed_is_not_queued_or_given_up() {
    let clock = MockClock::install();
    refusing(1);
    let unsupported = || Fault::error(ErrorKind::Unsupported).on(Operation::Invalidate);
    REFUSING.inject(unsupported().times(1));
    let error = refusing::invalidate_all().unwrap_err();
    assert_eq!((error.kind(), health(&REFUSING).owed), (ErrorKind::Unsupported, 0));
    assert!(!error.to_string().contains("queued"), "{error}");
    // It shows only when it is tried again.
    REFUSING.inject(Fault::error(ErrorKind::Timeout).on(Operation::Invalidate).times(1));
    is_queued(&refusing::invalidate_all().unwrap_err());
    let refuses = REFUSING.inject(unsupported());
    eventually(&clock, || health(&REFUSING).owed == 0);
    REFUSING.withdraw(refuses);
    assert_eq!((health(&REFUSING).dropped, health(&REFUSING).applied_late), (1, 0));
    // Credentials that are refused may be put right.
    REFUSING.inject(Fault::error(ErrorKind::Config).on(Operation::Invalidate).times(1));
    is_queued(&refusing::invalidate(1).unwrap_err());
    eventually(&clock, || health(&REFUSING).owed == 0);
    assert_eq!(health(&REFUSING).applied_late, 1);
}

cache!(REFRESHED);

#[cached(cache = given(&REFRESHED), cache_if = |value: &u32| *value != 0, ignore = returned)]
fn refreshed(_n: u32, returned: u32) -> u32 {
    returned
}

#[test]
fn a_refresh_that_brings_nothing_to_keep_invalidates_in_the_same_way() {
    let clock = MockClock::install();
    assert_eq!(refreshed(1, 5), 5);
    REFRESHED.inject(Fault::error(ErrorKind::Timeout).on(Operation::Invalidate).times(1));
    refreshed::refresh(1, 0).unwrap_err();
    assert_eq!(health(&REFRESHED).owed, 1);
    assert_eq!(refreshed(1, 6), 6, "the old value is not used");
    eventually(&clock, || health(&REFRESHED).owed == 0);
    assert_eq!(REFRESHED.inner().get(refreshed::key(1, 0).unwrap().text()).unwrap(), None);
}

cache!(LOADING);

#[cached(cache = given(&LOADING))]
fn loading(_n: u32) -> u32 {
    run()
}

/// A read of the old entry hangs from before the invalidation to after it: its caller may have what it read, but nobody
/// after the invalidation.
#[test]
fn a_read_from_before_an_invalidation_that_failed_is_not_kept() {
    let _clock = MockClock::install();
    let old = loading(1);
    loading::invalidate(2).unwrap();
    // Out of the local level, and still in the shared one.
    LOADING.inject(Fault::ignore().on(Operation::Invalidate).times(1));
    loading::invalidate(1).unwrap();
    let hang = LOADING.inject(Fault::hang().on(Operation::Read));
    thread::scope(|scope| {
        let reader = scope.spawn(|| loading(1));
        while LOADING.hanging() == 0 {
            thread::yield_now();
        }
        LOADING.inject(Fault::error(ErrorKind::Unavailable).on(Operation::Invalidate));
        loading::invalidate(1).unwrap_err();
        LOADING.withdraw(hang);
        assert!(reader.join().unwrap() >= old, "what it read, or newer");
    });
    assert_ne!(loading(1), old);
}
