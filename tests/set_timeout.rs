//! `set_timeout`: another timeout at run time. The clock is the test's, which is why these tests have a binary of their
//! own.
#![allow(clippy::unused_async, clippy::unnecessary_wraps, reason = "samples of what users write")]
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::MockClock;
use memokit::{Cache, ErrorKind, cached};
use std::sync::{Arc, LazyLock};
use std::time::Duration;
use support::probe::Probe;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn entries_stored_from_now_on_have_it_and_others_keep_their_own() {
    #[cached(timeout = 100)]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    sample(1);
    sample::set_timeout(10 * SECOND).unwrap();
    sample(2);
    sample::put(3, 3);
    sample::refresh(4);
    clock.advance(10 * SECOND);
    assert_eq!([1, 2, 3, 4].map(sample::contains), [true, false, false, false]);
    sample::set_timeout(Some(200 * SECOND)).unwrap();
    sample(2);
    sample::set_timeout(None).unwrap();
    sample(3);
    clock.advance(90 * SECOND);
    assert_eq!([1, 2, 3].map(sample::contains), [false, true, true]);
    clock.advance(10 * SECOND);
    assert_eq!([2, 3].map(sample::contains), [true, false], "the attribute's again");
    clock.advance(100 * SECOND);
    assert!(!sample::contains(2));
}

#[test]
fn a_function_without_a_timeout_gets_one() {
    #[cached]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    sample(1);
    sample::set_timeout(SECOND).unwrap();
    sample(2);
    clock.advance(SECOND);
    assert_eq!([1, 2].map(sample::contains), [true, false]);
    sample::set_timeout(Duration::MAX).unwrap();
    sample(2);
    clock.advance(Duration::from_secs(3_000_000_000));
    assert!(sample::contains(2));
}

#[test]
fn zero_is_an_error_and_changes_nothing() {
    #[cached(timeout = 100)]
    fn sample(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    sample::set_timeout(10 * SECOND).unwrap();
    let error = sample::set_timeout(Duration::ZERO).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("setting the timeout of `set_timeout::sample`"), "{error}");
    sample(1);
    clock.advance(9 * SECOND);
    assert!(sample::contains(1));
    clock.advance(SECOND);
    assert!(!sample::contains(1));
}

#[test]
fn it_speaks_of_every_instantiation_and_stands_beside_methods() {
    #[cached(timeout = 100)]
    fn width<T>(count: usize) -> usize {
        count * size_of::<T>()
    }
    struct Shop;
    impl Shop {
        #[cached(timeout = 100, ignore = self)]
        #[allow(clippy::unused_self)]
        fn stock(&self, n: u32) -> u32 {
            n
        }
    }
    let clock = MockClock::install();
    width::<u8>(1);
    width::set_timeout(SECOND).unwrap();
    Shop::stock_set_timeout(SECOND).unwrap();
    assert_eq!((width::<u8>(2), width::<u64>(2), Shop.stock(1)), (2, 16, 1));
    clock.advance(SECOND);
    assert!(width::contains::<u8>(1) && !width::contains::<u8>(2) && !width::contains::<u64>(2));
    assert!(!Shop.stock_contains(1));
}

#[test]
fn errors_and_guards_have_it_where_nothing_else_is_said() {
    #[cached(timeout = 100, cache_err = true)]
    fn same(n: u32) -> Result<u32, u32> {
        Err(n)
    }
    #[cached(timeout = 100, cache_err = true, err_timeout = 50)]
    fn own(n: u32) -> Result<u32, u32> {
        Err(n)
    }
    #[cached(timeout = 100, store_result = false)]
    fn guard(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    same::set_timeout(SECOND).unwrap();
    own::set_timeout(SECOND).unwrap();
    guard::set_timeout(SECOND).unwrap();
    assert_eq!((same(1), own(1), guard(1), guard(1)), (Err(1), Err(1), Some(1), None));
    clock.advance(SECOND);
    assert_eq!((same::contains(1), own::contains(1), guard(1)), (false, true, Some(1)));
}

#[tokio::test]
async fn the_backend_is_given_it() {
    static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
    #[cached(cache = Arc::clone(&*PROBE) as Arc<dyn Cache>, timeout = 100, local_timeout = 2)]
    fn threads(n: u32) -> u32 {
        n
    }
    #[cached(cache = Arc::clone(&*PROBE) as Arc<dyn Cache>, local = false)]
    async fn tasks(n: u32) -> u32 {
        n
    }
    let clock = MockClock::install();
    threads::set_timeout(7 * SECOND).unwrap();
    tasks::set_timeout(3 * SECOND).unwrap();
    threads(1);
    tasks(1).await;
    assert_eq!(PROBE.timeouts(), [Some(7 * SECOND), Some(3 * SECOND)]);
    clock.advance(2 * SECOND);
    threads(1);
    assert_eq!((threads::stats().local_hits, threads::stats().shared_hits), (0, 1), "`local_timeout` is what it was");
    clock.advance(SECOND);
    assert!(!tasks::contains(1).await.unwrap());
    tasks::set_timeout(None).unwrap();
    tasks(1).await;
    assert_eq!(PROBE.timeouts(), [None]);
}
