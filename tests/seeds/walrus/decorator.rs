//! `@cache.cached(key_fn, timeout, metrics)` and its `bust`, `make_key`, `metrics`.

use crate::{Runs, SECOND, cache};
use memokit::testing::MockClock;
use memokit::{Cache, RedisCache, TimeToLive, Want, cached};
use std::sync::{Arc, LazyLock};

static RUNS: Runs = Runs::new();

#[cached(cache = "redis", local = false, timeout = 60, prefix = "walrus now")]
fn now(seed: Option<&str>) -> (u32, Option<String>) {
    (RUNS.up(), seed.map(str::to_owned))
}

#[test]
fn values_are_on_the_server_until_they_are_busted() {
    let _clock = MockClock::install();
    let redis = cache("redis");
    let first = now(None);
    assert_eq!((now(None), RUNS.count()), (first, 1));
    let other = now(Some("x"));
    assert_eq!((now(Some("x")), other.0), (other, 2));

    let mut left = None;
    let key = now::key(None).unwrap();
    redis.read(key.text(), Want::BytesAndTimeToLive, &mut |found| left = Some(found.time_to_live)).unwrap();
    assert!(matches!(left, Some(TimeToLive::Left(left)) if left > 50 * SECOND && left <= 60 * SECOND), "{left:?}");

    assert!(now::invalidate(None).unwrap());
    assert_eq!(now(None).0, 3);
    assert_eq!(now(Some("x")).0, 2, "the other call stays");
}

#[cached(cache = "redis", local = false, prefix = "walrus bust")]
fn busted(n: u32) -> u32 {
    n
}

/// There `bust` returns 1 or 0.
#[test]
fn bust_says_whether_there_was_something() {
    let _redis = cache("redis");
    assert!(!busted::invalidate(1).unwrap());
    busted(1);
    assert!(busted::invalidate(1).unwrap());
    assert!(!busted::invalidate(1).unwrap());
}

mod left {
    #[memokit::cached(cache = "redis", local = false)]
    pub(super) fn name() -> String {
        "left".into()
    }
}

mod right {
    #[memokit::cached(cache = "redis", local = false)]
    pub(super) fn name() -> String {
        "right".into()
    }
}

/// There, the key has the bare name of the function: the second function gets the value of the first.
#[test]
fn functions_of_one_name_do_not_collide() {
    let _redis = cache("redis");
    assert_eq!((left::name(), right::name()), ("left".into(), "right".into()));
    assert_eq!((left::name(), right::name()), ("left".into(), "right".into()));
    assert_eq!((left::name::stats().shared_hits, right::name::stats().shared_hits), (1, 1));
}

#[cached(cache = "redis", local = false, prefix = "walrus find")]
fn find(n: u32) -> Option<u32> {
    (n > 9).then_some(n)
}

/// There since 0.9.1.
#[test]
fn none_is_stored() {
    let _redis = cache("redis");
    assert_eq!((find(1), find(1)), (None, None));
    assert_eq!((find::stats().loads, find::stats().shared_hits), (1, 1));
}

#[cached(cache = "redis", local = false, prefix = "walrus type of")]
fn type_of<T: serde::Serialize + std::hash::Hash + Eq + Clone + Send + Sync + 'static>(value: T) -> String {
    let _ = value;
    std::any::type_name::<T>().to_owned()
}

/// There by the pickle, here by the type.
#[test]
fn one_and_true_are_two_keys() {
    let _redis = cache("redis");
    assert_eq!((type_of(1_u32), type_of(true), type_of(1_i64)), ("u32".into(), "bool".into(), "i64".into()));
    assert_eq!((type_of(1_u32), type_of(true), type_of(1_i64)), ("u32".into(), "bool".into(), "i64".into()));
    assert_eq!(type_of::stats().shared_hits, 3);
}

#[cached(cache = "redis", local = false, prefix = "walrus key fn", key = (user.0, page))]
fn inbox(user: &(u32, &str), page: u32) -> String {
    format!("{} {page}", user.1)
}

/// `key_fn`.
#[test]
fn a_key_of_ones_own_on_the_server() {
    let _redis = cache("redis");
    assert_eq!(inbox(&(7, "old name"), 1), "old name 1");
    assert_eq!(inbox(&(7, "new name"), 1), "old name 1");
    assert_eq!(inbox(&(7, "new name"), 2), "new name 2");
    assert_eq!(inbox::key(&(7, "a"), 1).unwrap(), inbox::key(&(7, "b"), 1).unwrap());
}

#[cached(cache = "redis", local = false, prefix = "walrus metrics")]
fn measured(n: u32) -> u32 {
    std::hint::black_box((0..10_000_u32).fold(n, u32::wrapping_add))
}

/// `fn.metrics`. There, the average times are wrong (each adds a share of the whole), and hits are timed by asking twice.
#[test]
fn metrics_count_hits_misses_and_the_time_of_loads() {
    let _redis = cache("redis");
    for n in (0..4).chain(0..3) {
        measured(n);
    }
    let stats = measured::stats();
    assert_eq!((stats.shared_hits, stats.misses, stats.loads), (3, 4, 4));
    assert!(stats.hit_ratio().is_some_and(|ratio| (ratio - 3.0 / 7.0).abs() < 1e-9));
    assert_eq!(stats.mean_load(), Some(stats.load_time / 4), "the mean is the sum over the count");
    measured(9);
    assert_eq!(measured::stats().since(&stats).misses, 1, "and of a while");
}

/// There the caller gets the error: "implement that yourself".
#[test]
fn a_server_that_is_down_does_not_fail_a_cached_function() {
    static NOBODY: LazyLock<Arc<dyn Cache>> = LazyLock::new(|| {
        Arc::new(RedisCache::builder("redis://127.0.0.1:1/").connect_timeout(SECOND).build().unwrap())
    });
    #[cached(cache = Arc::clone(&NOBODY), prefix = "walrus nobody")]
    fn f(n: u32) -> u32 {
        n + 1
    }
    assert_eq!((f(1), f(1)), (2, 2));
    let stats = f::stats();
    assert_eq!((stats.loads, stats.local_hits), (1, 1), "the local level goes on");
    assert!(stats.backend_errors > 0);
    assert!(f::invalidate(1).is_err());
}
