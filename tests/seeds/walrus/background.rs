//! `@cache.cache_async(key_fn, timeout)`. There, each call begins a thread, also for a hit.

use crate::support::gate::Gate;
use crate::{Runs, cache};
use memokit::cached;
use std::sync::LazyLock;
use std::time::Duration;

/// No test waits so long.
const HANGS: Duration = Duration::from_secs(60);

#[cached(cache = "redis", local = false, prefix = "walrus async")]
fn slow(n: u32) -> u32 {
    RUNS.up();
    n * 10
}

static RUNS: Runs = Runs::new();

/// There a callable; its value can be asked for twice. Here it is taken out, once.
#[test]
fn a_call_in_the_background_is_waited_for() {
    let _redis = cache("redis");
    let pending = slow::spawn(1);
    assert_eq!(pending.wait(), 10);
    let mut again = slow::spawn(1);
    assert_eq!(again.wait_timeout(HANGS), Some(10));
    assert_eq!((slow(1), RUNS.count()), (10, 1), "its value was stored");
}

/// `result(block=False)` and `result(timeout=…)` raise there where there is nothing yet.
#[test]
fn one_can_look_without_waiting_and_wait_for_a_time() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached]
    fn f(n: u32) -> u32 {
        GATE.pass();
        n
    }
    let mut pending = f::spawn(1);
    assert_eq!((pending.try_get(), pending.wait_timeout(Duration::ZERO)), (None, None));
    GATE.open();
    assert_eq!(pending.wait_timeout(HANGS), Some(1));
}

/// There, two calls are two runs.
#[test]
fn calls_in_the_background_share_a_load() {
    static GATE: LazyLock<Gate> = LazyLock::new(Gate::default);
    #[cached]
    fn f(n: u32) -> u32 {
        GATE.pass();
        n
    }
    let all: Vec<_> = (0..4).map(|_| f::spawn(1)).collect();
    GATE.open();
    assert!(all.into_iter().all(|pending| pending.wait() == 1));
    assert_eq!(f::stats().loads, 1);
}

/// There, an exception is lost with its thread, and whoever waits does so for ever.
#[test]
fn errors_and_panics_in_the_background_are_delivered() {
    #[cached]
    fn fallible(n: u32) -> Result<u32, String> {
        if n == 0 { Err("zero".into()) } else { Ok(n) }
    }
    assert_eq!((fallible::spawn(0).wait(), fallible::spawn(1).wait()), (Err("zero".into()), Ok(1)));

    #[cached]
    fn panics(n: u32) -> u32 {
        assert!(n > 0, "n is {n}: this text belongs into the test's output");
        n
    }
    let panic = std::panic::catch_unwind(|| panics::spawn(0).wait()).unwrap_err();
    assert!(panic.downcast_ref::<String>().unwrap().starts_with("n is 0"));
}

#[test]
fn a_hit_is_ready_at_once() {
    #[cached]
    fn f(n: u32) -> u32 {
        n
    }
    f(1);
    assert_eq!(f::spawn(1).try_get(), Some(1));
}

#[tokio::test]
async fn a_call_in_the_background_can_be_awaited() {
    #[cached]
    fn f(n: u32) -> u32 {
        n
    }
    assert_eq!(f::spawn(3).await, 3);
}
