//! Writes that are held back: who sees them, when they are written, and what becomes of them when something fails.
//! Where values have a timeout the clock stands still, since the tests of this file share it.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod support;

use memokit::testing::MockClock;
use memokit::{Bucket, ErrorKind, MemoryCache};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use support::probe::{Op, Probe, Step, When};

/// The Redis database and the folder of this test binary.
const NUMBER: u8 = 14;
const SECOND: Duration = Duration::from_secs(1);

fn bucket(name: &str, prefix: &str) -> Bucket<u32> {
    support::register(NUMBER);
    Bucket::new(memokit::cache(name).unwrap(), prefix).timeout(Duration::from_secs(600)).unwrap()
}

/// The operations that write, in their order.
fn writes(probe: &Probe) -> Vec<Op> {
    let log = probe.log().into_iter();
    log.filter(|(op, when)| !matches!(op, Op::Read | Op::GetMany) && *when == When::Before).map(|(op, _)| op).collect()
}

fn only_the_guard_sees_what_waits(name: &str) {
    let _clock = MockClock::install();
    let bucket = bucket(name, "seen");
    bucket.set_many([(1, &10), (2, &20), (3, &30)]).unwrap();
    let mut guard = bucket.deferred();
    guard.set(&1, &11).unwrap();
    guard.set(&1, &12).unwrap();
    guard.remove(&2).unwrap();
    guard.remove(&4).unwrap();
    guard.set(&4, &40).unwrap();
    guard.set_with_timeout(&5, &50, SECOND * 60).unwrap();
    guard.set_many([(6, &60), (7, &70)]).unwrap();
    guard.remove(&7).unwrap();
    assert_eq!(guard.pending(), 6, "the last word on each key");
    assert_eq!((guard.get(&1).unwrap(), guard.get(&2).unwrap(), guard.get(&3).unwrap()), (Some(12), None, Some(30)));
    assert!(guard.contains(&5).unwrap() && !guard.contains(&7).unwrap() && !guard.contains(&9).unwrap());
    let all = [Some(12), None, Some(30), Some(40), Some(50), Some(60), None, None];
    assert_eq!(guard.get_many(1..=8).unwrap(), all);
    assert_eq!(bucket.get_many(1..=8).unwrap()[..4], [Some(10), Some(20), Some(30), None]);
    assert_eq!(guard.flush().unwrap(), 6);
    assert_eq!((guard.pending(), guard.flush().unwrap()), (0, 0));
    assert_eq!(bucket.get_many(1..=8).unwrap(), all);
    assert_eq!(guard.get_many(1..=8).unwrap(), all);
    drop(guard);
    assert_eq!(bucket.clear().unwrap(), 5);
}

fn a_dropped_guard_has_written(name: &str) {
    let _clock = MockClock::install();
    let bucket = bucket(name, "dropped");
    bucket.set(&1, &1).unwrap();
    let panicked = catch_unwind(AssertUnwindSafe(|| {
        let mut guard = bucket.deferred();
        guard.set_many((0..3000).map(|n| (n, &7))).unwrap();
        guard.remove(&1).unwrap();
        panic!("half way");
    }));
    assert!(panicked.is_err());
    assert_eq!(
        (bucket.get(&0).unwrap(), bucket.get(&1).unwrap(), bucket.get(&2999).unwrap()),
        (Some(7), None, Some(7))
    );
    let mut guard = bucket.deferred();
    guard.set(&1, &2).unwrap();
    guard.remove(&0).unwrap();
    assert_eq!((guard.discard(), guard.pending(), guard.get(&1).unwrap()), (2, 0, None));
    drop(guard);
    assert_eq!((bucket.get(&0).unwrap(), bucket.get(&1).unwrap()), (Some(7), None), "discarded");
    assert_eq!(bucket.clear().unwrap(), 2999);
}

async fn twins(name: &str) {
    let _clock = MockClock::install();
    let bucket = bucket(name, "twins");
    bucket.set_async(&1, &10).await.unwrap();
    let mut guard = bucket.deferred();
    guard.set(&2, &20).unwrap();
    guard.remove(&1).unwrap();
    assert_eq!((guard.get_async(&1).await.unwrap(), guard.get_async(&2).await.unwrap()), (None, Some(20)));
    assert!(guard.contains_async(&2).await.unwrap() && bucket.contains_async(&1).await.unwrap());
    assert_eq!(guard.flush_async().await.unwrap(), 2);
    assert_eq!(guard.get_many_async([1, 2]).await.unwrap(), [None, Some(20)]);
    assert_eq!(bucket.get_many_async([1, 2]).await.unwrap(), [None, Some(20)]);
    guard.set(&3, &30).unwrap();
    drop(guard);
    assert_eq!(bucket.get_async(&3).await.unwrap(), Some(30), "dropped in a task it writes too");
    assert_eq!(bucket.clear_async().await.unwrap(), 2);
}

#[test]
fn each_key_is_written_once_and_nothing_else_is() {
    let _clock = MockClock::install();
    let probe = Probe::new();
    let bucket: Bucket<u32> = Bucket::new(probe.clone(), "dirty");
    bucket.set_many([(1, &1), (2, &2), (3, &3)]).unwrap();
    probe.log();
    let mut guard = bucket.deferred();
    assert_eq!(guard.get_many([1, 2, 3]).unwrap(), [Some(1), Some(2), Some(3)]);
    for n in 0..100 {
        guard.set(&2, &n).unwrap();
    }
    assert_eq!(writes(&probe), []);
    guard.flush().unwrap();
    assert_eq!(writes(&probe), [Op::SetMany], "what was only read is not written");
    drop(guard);
    assert_eq!(writes(&probe), []);
}

#[test]
fn what_could_not_be_written_waits_on() {
    let _clock = MockClock::install();
    let probe = Probe::new();
    let bucket: Bucket<u32> = Bucket::new(probe.clone(), "failing");
    let mut guard = bucket.deferred();
    guard.set_many((0..10).map(|n| (n, &1))).unwrap();
    guard.remove(&99).unwrap();
    probe.rule(|op, _| if op == Op::SetMany { Step::Fail(ErrorKind::Unavailable) } else { Step::Go });
    assert_eq!(guard.flush().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(writes(&probe), [Op::RemoveMany, Op::SetMany], "a cache that is down is asked once");
    assert_eq!((guard.pending(), guard.get(&5).unwrap()), (10, Some(1)));
    assert_eq!(guard.flush().unwrap_err().kind(), ErrorKind::Unavailable);
    probe.be_good();
    assert_eq!((guard.flush().unwrap(), bucket.get(&5).unwrap()), (10, Some(1)));
}

#[test]
fn a_value_that_is_refused_keeps_no_other_from_being_written() {
    let cache = Arc::new(MemoryCache::builder().max_bytes(10_000).build());
    let bucket: Bucket<String> = Bucket::new(cache, "refusing");
    let mut guard = bucket.deferred();
    for n in 0..10 {
        guard.set(&n, &"x".repeat(if n == 4 { 20_000 } else { 20 })).unwrap();
    }
    assert_eq!(guard.flush().unwrap_err().kind(), ErrorKind::Full);
    assert_eq!(guard.pending(), 1);
    assert_eq!((0..10).filter(|n| bucket.contains(n).unwrap()).count(), 9);
    guard.set(&4, &"small".to_owned()).unwrap();
    assert_eq!(guard.flush().unwrap(), 1);
}

#[test]
fn a_failing_or_panicking_cache_fails_no_drop() {
    let probe = Probe::new();
    let bucket: Bucket<u32> = Bucket::new(probe.clone(), "dropped in vain");
    for step in [Step::Fail(ErrorKind::Unavailable), Step::Panic] {
        probe.rule(move |op, _| if op == Op::SetMany { step.clone() } else { Step::Go });
        bucket.deferred().set(&1, &1).unwrap();
        // Two panics at once would end the process.
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            let mut guard = bucket.deferred();
            guard.set(&1, &1).unwrap();
            panic!("the block's own");
        }));
        assert_eq!(panicked.unwrap_err().downcast_ref::<&str>(), Some(&"the block's own"));
    }
    probe.be_good();
    assert_eq!(bucket.get(&1).unwrap(), None);
}

#[test]
fn values_age_from_when_they_are_set() {
    let clock = MockClock::install();
    let probe = Probe::new();
    let bucket: Bucket<u32> = Bucket::new(probe.clone(), "aging").timeout(10 * SECOND).unwrap();
    bucket.set_with_timeout(&1, &1, 600 * SECOND).unwrap();
    let mut guard = bucket.deferred();
    guard.set_with_timeout(&1, &2, SECOND).unwrap();
    guard.set(&2, &2).unwrap();
    clock.advance(2 * SECOND);
    guard.set(&3, &3).unwrap();
    guard.set_with_timeout(&4, &4, 8 * SECOND).unwrap();
    assert_eq!((guard.get(&1).unwrap(), bucket.get(&1).unwrap()), (None, Some(1)), "it has expired for the guard");
    probe.timeouts();
    assert_eq!(guard.flush().unwrap(), 4);
    assert_eq!(bucket.get(&1).unwrap(), None, "and what it was to replace is gone");
    let mut timeouts = probe.timeouts();
    timeouts.sort();
    assert_eq!(timeouts, [Some(8 * SECOND), Some(10 * SECOND)], "a write for each time");
    clock.advance(8 * SECOND);
    assert_eq!(bucket.get_many([2, 3, 4]).unwrap(), [None, Some(3), None]);
}

#[test]
fn a_flush_that_is_dropped_can_be_done_again() {
    let probe = Probe::new();
    let bucket: Bucket<u32> = Bucket::new(probe.clone(), "half flushed");
    let mut guard = bucket.deferred();
    guard.set_many([(1, &1), (2, &2)]).unwrap();
    probe.rule(|op, when| if (op, when) == (Op::SetMany, When::After) { Step::Yield } else { Step::Go });
    {
        let flush = pin!(guard.flush_async());
        assert!(matches!(flush.poll(&mut Context::from_waker(Waker::noop())), Poll::Pending));
    }
    assert_eq!(guard.pending(), 2, "of what was under way nobody knows");
    probe.be_good();
    assert_eq!((guard.flush().unwrap(), bucket.get_many([1, 2]).unwrap()), (2, vec![Some(1), Some(2)]));
}

#[test]
fn mistakes_are_told_when_they_are_made() {
    let bucket: Bucket<f64> = Bucket::new(Arc::new(MemoryCache::new()), "mistakes");
    let mut guard = bucket.codec::<memokit::codec::Json>().deferred();
    assert_eq!(guard.set(&1, &f64::NAN).unwrap_err().kind(), ErrorKind::Codec);
    assert_eq!(guard.set_with_timeout(&1, &1.0, Duration::ZERO).unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(guard.pending(), 0);
    assert!(format!("{guard:?}").contains("pending: 0"), "{guard:?}");
}

/// The tests for one backend.
macro_rules! on {
    ($($backend:ident)*) => {
        $(mod $backend {
            const NAME: &str = stringify!($backend);

            #[test]
            fn only_the_guard_sees_what_waits() {
                super::only_the_guard_sees_what_waits(NAME);
            }

            #[test]
            fn a_dropped_guard_has_written() {
                super::a_dropped_guard_has_written(NAME);
            }

            #[tokio::test]
            async fn twins() {
                super::twins(NAME).await;
            }
        })*
    };
}

on!(memory file redis);
