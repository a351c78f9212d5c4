//! `cache_err` and `err_timeout`: errors that are stored. The clock is the test's, which is why these tests have a
//! binary of their own.
#![allow(clippy::unused_async, clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::trivially_copy_pass_by_ref, reason = "a predicate takes the value as it is stored")]

mod support;

use memokit::testing::MockClock;
use memokit::{Cache, ErrorKind, MemoryCache, cached};
use serde::{Deserialize, Serialize};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use support::gate::Gate;
use support::probe::Probe;

const SECOND: Duration = Duration::from_secs(1);

static CACHE: LazyLock<Arc<dyn Cache>> = LazyLock::new(|| Arc::new(MemoryCache::new()));

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Failed {
    NotFound,
    Busy(u32),
}
use Failed::{Busy, NotFound};

/// An alias that shows nothing of what it is.
type Answer<T> = Result<T, Failed>;

fn answer(n: u32) -> Answer<u32> {
    match n {
        0 => Err(NotFound),
        1 => Err(Busy(7)),
        n => Ok(n),
    }
}

#[test]
fn all_errors_are_stored() {
    #[cached(cache_err = true)]
    fn sample(n: u32) -> Answer<u32> {
        answer(n)
    }
    for _ in 0..3 {
        assert_eq!([0, 1, 2].map(sample), [Err(NotFound), Err(Busy(7)), Ok(2)]);
    }
    let stats = sample::stats();
    assert_eq!((stats.loads, stats.load_errors, stats.local_hits, stats.entries), (3, 2, 6, 3));
    assert_eq!((sample::peek(1), sample::peek(9)), (Some(Err(Busy(7))), None));
    assert!(sample::contains(0) && sample::invalidate(0) && !sample::contains(0));
    sample::put(1, Ok(5));
    sample::put(2, Err(NotFound));
    assert_eq!((sample(1), sample(2)), (Ok(5), Err(NotFound)));
}

#[test]
fn a_predicate_names_those_that_are_stored() {
    fn is_final(error: &Failed) -> bool {
        *error == NotFound
    }
    #[cached(cache_err = is_final)]
    fn by_path(n: u32) -> Result<u32, Failed> {
        answer(n)
    }
    #[cached(cache_err = |error| matches!(error, Busy(_)))]
    fn by_closure(n: u32) -> Result<u32, Failed> {
        answer(n)
    }
    #[cached(cache_err = false)]
    fn never(n: u32) -> Result<u32, Failed> {
        answer(n)
    }
    for n in [0, 1, 2] {
        assert_eq!((by_path(n), by_closure(n), never(n)), (answer(n), answer(n), answer(n)));
    }
    assert_eq!([0, 1, 2].map(by_path::contains), [true, false, true]);
    assert_eq!([0, 1, 2].map(by_closure::contains), [false, true, true]);
    assert_eq!([0, 1, 2].map(never::peek), [None, None, Some(2)], "as without the option");
}

#[test]
fn errors_have_a_time_of_their_own() {
    #[cached(timeout = 100, cache_err = true, err_timeout = 10)]
    fn own(n: u32) -> Answer<u32> {
        answer(n)
    }
    #[cached(timeout = 100, cache_err = true)]
    fn same(n: u32) -> Answer<u32> {
        answer(n)
    }
    #[cached(timeout_with = |n: &u32| Some(*n * SECOND), cache_err = true, err_timeout = "1s")]
    fn by_value(n: u32) -> Answer<u32> {
        answer(n)
    }
    let clock = MockClock::install();
    let now = || [own::contains(0), own::contains(2), same::contains(0), by_value::contains(0), by_value::contains(2)];
    for n in [0, 2] {
        let _ = (own(n), same(n), by_value(n));
    }
    assert_eq!(now(), [true; 5]);
    clock.advance(SECOND);
    assert_eq!(now(), [true, true, true, false, true]);
    clock.advance(9 * SECOND);
    assert_eq!(now(), [false, true, true, false, false]);
    clock.advance(90 * SECOND);
    assert_eq!(now(), [false; 5]);
}

#[test]
fn other_options_speak_of_the_ok() {
    #[cached(cache_err = |e| *e == NotFound, cache_if = |n: &u32| *n != 3, valid_if = |n: &u32| *n != 4)]
    fn numbers(n: u32) -> Answer<u32> {
        answer(n)
    }
    #[cached(cache_err = true, cache_none = false)]
    fn options(n: u32) -> Answer<Option<u32>> {
        answer(n).map(|n| (n > 2).then_some(n))
    }
    for n in 0..6 {
        let _ = (numbers(n), options(n));
    }
    assert_eq!([0, 1, 2, 3, 4].map(numbers::contains), [true, false, true, false, false]);
    assert_eq!([0, 1, 2, 3, 4].map(options::contains), [true, true, false, true, true]);
}

#[test]
fn a_refresh_that_fails_stores_the_error_only_if_it_is_one_to_store() {
    static SOURCE: AtomicU32 = AtomicU32::new(5);
    #[cached(cache_err = |error| *error == NotFound)]
    fn sample(_name: &str) -> Answer<u32> {
        answer(SOURCE.load(SeqCst))
    }
    assert_eq!(sample("a"), Ok(5));
    SOURCE.store(1, SeqCst);
    assert_eq!((sample::refresh("a"), sample("a")), (Err(Busy(7)), Ok(5)), "the value stays");
    SOURCE.store(0, SeqCst);
    assert_eq!((sample::refresh("a"), sample("a")), (Err(NotFound), Err(NotFound)));
    SOURCE.store(6, SeqCst);
    assert_eq!((sample("a"), sample::refresh("a"), sample("a")), (Err(NotFound), Ok(6), Ok(6)));
}

#[test]
fn followers_get_the_error_whether_it_is_stored_or_not() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached(cache_err = |error| *error == NotFound)]
    fn sample(n: u32) -> Answer<u32> {
        GATE.pass();
        answer(n)
    }
    for n in [0, 1] {
        std::thread::scope(|scope| {
            let leader = scope.spawn(move || sample(n));
            GATE.arrived(1);
            let follower = scope.spawn(move || sample(n));
            GATE.open();
            assert_eq!((leader.join().unwrap(), follower.join().unwrap()), (answer(n), answer(n)));
        });
    }
    assert_eq!((sample::contains(0), sample::contains(1)), (true, false));
}

/// A function of each door, with and without a local level.
macro_rules! shared {
    ($module:ident, [$($asyncness:ident)?], [$($awaited:tt)*], $($option:tt)*) => {
        mod $module {
            use super::*;
            static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);

            #[cached(cache = Arc::clone(&*PROBE) as Arc<dyn Cache>, timeout = 100, err_timeout = 10, $($option)*)]
            $($asyncness)? fn sample(n: u32) -> Answer<u32> {
                answer(n)
            }

            #[tokio::test]
            async fn errors_are_in_the_shared_level_for_their_time() {
                for n in [0, 0, 1, 2, 2] {
                    assert_eq!(sample(n)$($awaited)*, answer(n));
                }
                assert_eq!(PROBE.timeouts(), [Some(10 * SECOND), Some(100 * SECOND)]);
                let stats = sample::stats();
                assert_eq!((stats.loads, stats.load_errors, stats.hits()), (3, 2, 2));
                assert_eq!(sample::peek(0)$($awaited)*.unwrap(), Some(Err(NotFound)));
                assert!(!sample::contains(1)$($awaited)*.unwrap());
                sample::put(1, Err(Busy(1)))$($awaited)*.unwrap();
                assert_eq!(sample(1)$($awaited)*, Err(Busy(1)));
                assert_eq!(sample::refresh(0)$($awaited)*.unwrap(), Err(NotFound));
                assert!(sample::invalidate(0)$($awaited)*.unwrap());
                assert_eq!(sample(0)$($awaited)*, Err(NotFound));
                assert_eq!(sample::stats().loads, 5);
            }
        }
    };
}

shared!(threads, [], [], cache_err = |error| *error == NotFound);
shared!(threads_without_local, [], [], cache_err = |error| *error == NotFound, local = false, codec = Json);
shared!(tasks, [async], [.await], cache_err = |error| *error == NotFound, codec = MessagePack);
shared!(tasks_without_local, [async], [.await], cache_err = |error| *error == NotFound, local = false);

#[test]
fn a_function_that_stores_errors_and_one_that_does_not_take_each_others_entries_for_misses() {
    #[cached(cache = Arc::clone(&CACHE), prefix = "cached_errors/both")]
    fn values(n: u32) -> Answer<u32> {
        Ok(n)
    }
    #[cached(cache = Arc::clone(&CACHE), prefix = "cached_errors/both", cache_err = true)]
    fn results(n: u32) -> Answer<u32> {
        Err(Busy(n))
    }
    assert_eq!((values(1), results(1), results::stats().rejected), (Ok(1), Err(Busy(1)), 1));
    assert_eq!((values::refresh(2).unwrap(), results(2)), (Ok(2), Err(Busy(2))));
}

#[tokio::test]
async fn an_async_function_without_a_shared_level_stores_errors() {
    #[cached(cache_err = true)]
    async fn sample(n: u32) -> Answer<u32> {
        answer(n)
    }
    assert_eq!((sample(0).await, sample(0).await, sample(2).await), (Err(NotFound), Err(NotFound), Ok(2)));
    assert_eq!((sample::stats().loads, sample::stats().hits()), (2, 1));
}

#[test]
fn a_time_of_zero_is_reported() {
    fn none() -> Duration {
        Duration::ZERO
    }
    #[cached(cache = Arc::clone(&CACHE), cache_err = true, err_timeout = none())]
    fn sample(n: u32) -> Answer<u32> {
        answer(n)
    }
    assert_eq!((sample(0), sample(0), sample(2), sample(2)), (Err(NotFound), Err(NotFound), Ok(2), Ok(2)));
    assert_eq!((sample::stats().loads, sample::stats().hits()), (3, 1), "errors are not stored, values are");
    // That of a function which all tests have; which wrong setting is the first depends on how the program was linked.
    memokit::register("redis", Arc::clone(&CACHE));
    let error = memokit::check().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`err_timeout`"), "{error}");
}
