//! `timeout_with`: a time for each value. The clock is the test's, which is why these tests have a binary of their own.
#![allow(clippy::unused_async, clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(clippy::trivially_copy_pass_by_ref, reason = "a predicate takes the value as it is stored")]

mod support;

use memokit::testing::MockClock;
use memokit::{Cache, ErrorKind, cached};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use support::probe::Probe;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);

fn probe() -> Arc<dyn Cache> {
    Arc::clone(&*PROBE) as Arc<dyn Cache>
}

/// As many seconds as the number says; none for zero.
fn seconds(n: &u64) -> Option<Duration> {
    (*n > 0).then(|| Duration::from_secs(*n))
}

#[test]
fn each_value_is_fresh_for_its_own_time() {
    #[cached(timeout_with = |n| Some(Duration::from_secs(*n)))]
    fn sample(n: u64) -> u64 {
        n
    }
    let clock = MockClock::install();
    sample(1);
    sample(5);
    clock.advance(999 * MILLI);
    assert!(sample::contains(1) && sample::contains(5));
    clock.advance(MILLI);
    assert!(!sample::contains(1) && sample::contains(5));
    clock.advance(4 * SECOND);
    assert!(!sample::contains(5));
}

#[test]
fn a_value_without_a_time_is_not_stored_and_takes_the_one_before_with_it() {
    use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
    static ANSWER: AtomicU64 = AtomicU64::new(0);
    #[cached(timeout_with = seconds)]
    fn sample(_name: &str) -> u64 {
        ANSWER.load(SeqCst)
    }
    let _clock = MockClock::install();
    assert_eq!((sample("a"), sample("a")), (0, 0));
    assert_eq!((sample::stats().loads, sample::stats().entries), (2, 0));
    ANSWER.store(3, SeqCst);
    assert_eq!((sample("a"), sample::peek("a")), (3, Some(3)));
    ANSWER.store(0, SeqCst);
    assert_eq!(sample("a"), 3, "a hit");
    assert_eq!((sample::refresh("a"), sample::peek("a")), (0, None));
    sample::put("a", 4);
    assert_eq!(sample::peek("a"), Some(4));
    sample::put("a", 0);
    assert_eq!(sample::peek("a"), None, "what is put is asked for its time too");
}

#[test]
fn it_speaks_of_the_ok_and_after_the_conditions() {
    #[cached(timeout_with = seconds, cache_if = |n: &u64| *n != 13)]
    fn sample(n: u64) -> Result<u64, String> {
        if n == 99 { Err("no".into()) } else { Ok(n) }
    }
    let clock = MockClock::install();
    for n in [2, 13, 99] {
        let _ = sample(n);
    }
    assert_eq!([2, 13, 99].map(sample::contains), [true, false, false]);
    clock.advance(2 * SECOND);
    assert!(!sample::contains(2));
}

#[test]
fn generic_functions_and_methods_have_it() {
    #[cached(timeout_with = |list: &Vec<T>| (!list.is_empty()).then_some(SECOND))]
    fn repeat<T: Clone + std::hash::Hash + Eq + Send + Sync + 'static>(of: T, times: usize) -> Vec<T> {
        vec![of; times]
    }
    struct View<'a>(&'a str);
    impl View<'_> {
        #[cached(key = self.0, timeout_with = seconds)]
        fn size(&self) -> u64 {
            self.0.len() as u64
        }
    }
    let clock = MockClock::install();
    repeat('a', 0);
    repeat('a', 1);
    View("abc").size();
    View("").size();
    assert_eq!((repeat::contains('a', 0), repeat::contains('a', 1)), (false, true));
    assert!(View("abc").size_contains() && !View("").size_contains());
    clock.advance(SECOND);
    assert!(!repeat::contains('a', 1) && View("abc").size_contains());
}

#[test]
fn zero_is_reported_and_not_stored() {
    #[cached(timeout_with = |n: &u64| Some(Duration::from_secs(*n)))]
    fn local(n: u64) -> u64 {
        n
    }
    #[cached(cache = probe(), timeout_with = |n: &u64| Some(Duration::from_secs(*n)))]
    fn shared(n: u64) -> u64 {
        n
    }
    let _clock = MockClock::install();
    assert_eq!((local(0), local(0)), (0, 0));
    assert_eq!((local::stats().loads, local::stats().entries), (2, 0));
    assert!(local::stats().backend_errors > 0);
    assert_eq!((shared(0), shared::stats().entries), (0, 0));
    let error = shared::refresh(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("`timeout_with` of a value"), "{error}");
    assert_eq!(shared::put(0, 0).unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn the_backend_is_given_the_time_of_the_value() {
    #[cached(cache = probe(), timeout_with = seconds, local_timeout = "2s")]
    fn sync(n: u64) -> u64 {
        n
    }
    #[cached(cache = probe(), timeout_with = seconds, local = false)]
    async fn tasks(n: u64) -> u64 {
        n
    }
    let clock = MockClock::install();
    PROBE.timeouts();
    sync(7);
    sync(0);
    assert_eq!(PROBE.timeouts(), [Some(7 * SECOND)]);
    tasks(3).await;
    tasks(0).await;
    assert_eq!(PROBE.timeouts(), [Some(3 * SECOND)]);
    tasks::put(1, 9).await.unwrap();
    assert_eq!(PROBE.timeouts(), [Some(9 * SECOND)]);
    clock.advance(2 * SECOND);
    sync(7);
    assert_eq!((sync::stats().local_hits, sync::stats().shared_hits), (0, 1), "the local copy has its own time");
    clock.advance(SECOND);
    assert!(!tasks::contains(3).await.unwrap() && tasks::contains(1).await.unwrap());
    tasks::put(1, 0).await.unwrap();
    assert!(!tasks::contains(1).await.unwrap(), "a value without a time drops the one before");
}

#[tokio::test]
async fn async_functions_without_a_shared_level_have_it() {
    #[cached(timeout_with = seconds)]
    async fn sample(n: u64) -> u64 {
        n
    }
    let clock = MockClock::install();
    sample(0).await;
    sample(2).await;
    assert_eq!((sample::contains(0), sample::contains(2)), (false, true));
    clock.advance(2 * SECOND);
    assert!(!sample::contains(2));
}
