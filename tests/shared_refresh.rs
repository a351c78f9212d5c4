//! A refresh that brings nothing to keep, and loads that fetch the value before it meanwhile.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]
#![allow(dead_code, reason = "a part of the helpers of the shared level")]

mod support;

use memokit::{Cache, cached};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, LazyLock};
use std::thread;
use support::probe::{Op, Probe, When};

static PROBE: LazyLock<Arc<Probe>> = LazyLock::new(Probe::new);
static SOURCE: AtomicU32 = AtomicU32::new(1);

#[cached(cache = Arc::clone(&*PROBE) as Arc<dyn Cache>, cache_none = false, single_flight = false)]
fn find() -> Option<u32> {
    Some(SOURCE.load(SeqCst)).filter(|found| *found > 0)
}

/// Without single flight a call does not wait for the refresh, and fetches what is about to go.
#[test]
fn a_value_that_was_fetched_in_the_middle_of_a_refresh_does_not_stay() {
    assert_eq!(find(), Some(1));
    SOURCE.store(0, SeqCst);
    let removal = PROBE.stop(Op::Remove, When::Before);
    let refreshing = thread::spawn(|| find::refresh().unwrap());
    removal.arrived(1);
    find();
    removal.open();
    assert_eq!(refreshing.join().unwrap(), None);
    assert_eq!(find::peek().unwrap(), None);
    assert_eq!(find(), None);
}

static TIMEOUTS: AtomicU32 = AtomicU32::new(0);

fn timeout() -> std::time::Duration {
    TIMEOUTS.fetch_add(1, SeqCst);
    std::time::Duration::from_secs(60)
}

#[cached(cache = "default", timeout = timeout())]
fn timed(n: u32) -> u32 {
    n
}

#[test]
fn a_store_asks_for_the_timeout_once() {
    timed(1);
    assert_eq!(TIMEOUTS.load(SeqCst), 1);
}
